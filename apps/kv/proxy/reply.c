/* SPDX-License-Identifier: Apache-2.0 */
/* Replies that wait to be sent. When a client has read all of them, their memory becomes small
 * again. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST	   4096
#define KEEP_MOST  (64u << 10) /* bytes of memory that stay without waiting replies */
#define PRINT_MOST 1024

/* Makes room for `length` more bytes. Returns false if there is no memory. */
static bool make_room(struct reply *reply, size_t length)
{
	const size_t waiting = reply_length(reply);
	size_t room = reply->room ? reply->room : LEAST;
	char *bytes;

	if (reply->room - reply->to >= length)
		return true;
	if (reply->from) {
		memmove(reply->bytes, reply->bytes + reply->from, waiting);
		reply->from = 0;
		reply->to = waiting;
	}
	while (room - waiting < length)
		room *= 2;
	if (room == reply->room)
		return true;
	bytes = realloc(reply->bytes, room);
	if (!bytes)
		return false;
	reply->bytes = bytes;
	reply->room = room;
	return true;
}

void reply_add(struct reply *reply, const void *bytes, size_t length)
{
	if (!length || reply->failed)
		return;
	if (!make_room(reply, length)) {
		reply->failed = true;
		return;
	}
	memcpy(reply->bytes + reply->to, bytes, length);
	reply->to += length;
}

void reply_text(struct reply *reply, const char *text)
{
	reply_add(reply, text, strlen(text));
}

void reply_print(struct reply *reply, const char *format, ...)
{
	char text[PRINT_MOST];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(text))
		reply->failed = true;
	else
		reply_add(reply, text, (size_t)length);
}

void reply_sent(struct reply *reply, size_t length)
{
	reply->from += length;
	if (reply->from < reply->to)
		return;
	reply->from = reply->to = 0;
	if (reply->room > KEEP_MOST)
		reply_free(reply);
}

void reply_free(struct reply *reply)
{
	free(reply->bytes);
	reply->bytes = NULL;
	reply->room = reply->from = reply->to = 0;
}
