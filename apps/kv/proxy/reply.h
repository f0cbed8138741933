/* SPDX-License-Identifier: Apache-2.0 */
/* What waits to be sent to one client: bytes are added at one end and sent from the other. */
#ifndef PROXY_REPLY_H
#define PROXY_REPLY_H

#include <stdbool.h>
#include <stddef.h>

/* All fields 0 at first. */
struct reply {
	char *bytes;
	size_t room, from, to; /* bytes[from] up to bytes[to] wait */
	bool failed;	       /* there was no memory, so the replies are incomplete */
};

static inline size_t reply_length(const struct reply *reply)
{
	return reply->to - reply->from;
}

void reply_add(struct reply *reply, const void *bytes, size_t length);
void reply_text(struct reply *reply, const char *text);
void reply_print(struct reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Notes that so many bytes were sent. */
void reply_sent(struct reply *reply, size_t length);

void reply_free(struct reply *reply);

#endif
