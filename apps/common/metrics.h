/* SPDX-License-Identifier: Apache-2.0 */
/* OpenMetrics text (Prometheus): what programs that print it share. */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdio.h>

/* Prints a label's value, in UTF-8. Escapes backslashes, quotes and ends of line. */
void metrics_value(FILE *to, const char *text);

/* Writes what print() prints to a file, which appears complete or not at all. Returns 0, or -1 with
 * errno. */
int metrics_write(const char *file, void (*print)(const void *of, FILE *to), const void *of);

#endif
