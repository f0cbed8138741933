/* SPDX-License-Identifier: Apache-2.0 */
/* OpenMetrics text (Prometheus): what the programs that print it have in common. */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdio.h>

/* A label's value, in UTF-8: backslashes, quotes and ends of line are escaped. */
void metrics_value(FILE *to, const char *text);

/* What print() prints, into a file that appears whole. 0, or -1 with errno. */
int metrics_write(const char *file, void (*print)(const void *of, FILE *to), const void *of);

#endif
