/* SPDX-License-Identifier: Apache-2.0 */
/* Failures as errno and text. A report must never have more than one line. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include "internal.h"

static _Thread_local char last_text[COMPAT_TEXT_SIZE];
static void (*report_to)(const char *line);

int compat_fail(int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(last_text, sizeof(last_text), format, arguments);
	va_end(arguments);
	errno = error;
	return -1;
}

int compat_fail_elisa(struct elisa *handle, int ret)
{
	return compat_fail(-ret, "%s", elisa_error(handle));
}

void compat_report(const char *format, ...)
{
	char line[COMPAT_TEXT_SIZE + 128];
	va_list arguments;

	if (!report_to)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	report_to(line);
}

COMPAT_PUBLIC void elisa_compat_report(void (*report)(const char *line))
{
	report_to = report;
}

COMPAT_PUBLIC const char *elisa_compat_error(void)
{
	return last_text[0] ? last_text : "no error";
}
