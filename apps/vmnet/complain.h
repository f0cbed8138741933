/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a configuration: said to the standard error, or in the reply to a request. */
#ifndef VMNET_COMPLAIN_H
#define VMNET_COMPLAIN_H

#include <stddef.h>

/* From now on into text, one behind the other as far as there is room; NULL: to the standard
 * error, a line each. */
void complain_to(char *text, size_t size);
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same of a text that is whole, for struct settings. */
void complain_of(const char *what);

#endif
