/* SPDX-License-Identifier: Apache-2.0 */
#include "complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "output.h"

static char *reply;
static size_t room;

void complain_to(char *text, size_t size)
{
	reply = text;
	room = size;
	if (text)
		*text = 0;
}

void complain(const char *format, ...)
{
	va_list arguments;
	char what[1536];
	size_t length;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (!reply) {
		output_print(STDERR_FILENO, "elisa-vmnet: %s\n", what);
		return;
	}
	length = strlen(reply);
	snprintf(reply + length, room - length, "%s%s", length ? "; " : "", what);
}

void complain_of(const char *what)
{
	complain("%s", what);
}
