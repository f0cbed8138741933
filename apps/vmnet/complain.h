/* SPDX-License-Identifier: Apache-2.0 */
/* Messages about what is wrong with a configuration: to the standard error, or into the reply to a
 * request. */
#ifndef VMNET_COMPLAIN_H
#define VMNET_COMPLAIN_H

#include <stddef.h>

/* Collects complaints in `text` from now on, one behind the other as far as there is room. NULL:
 * writes them to the standard error, one on a line. */
void complain_to(char *text, size_t size);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Works as complain() for a complete text, as struct settings needs it. */
void complain_of(const char *what);

#endif
