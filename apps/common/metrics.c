/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and files of OpenMetrics text; see metrics.h. */
#include "metrics.h"
#include <errno.h>
#include <limits.h>
#include <unistd.h>

void metrics_value(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", to);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		fputc(*text, to);
	}
}

int metrics_write(const char *file, void (*print)(const void *of, FILE *to), const void *of)
{
	char temporary[PATH_MAX];
	int error;
	FILE *to;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", file) >= sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	to = fopen(temporary, "we");
	if (!to)
		return -1;
	print(of, to);
	error = ferror(to);
	if (!fclose(to) && !error && !rename(temporary, file))
		return 0;
	error = errno;
	unlink(temporary);
	errno = error;
	return -1;
}
