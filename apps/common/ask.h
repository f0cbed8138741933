/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a daemon by its socket (control.h), one after the other. Messages name this program
 * as it was called. */
#ifndef COMMON_ASK_H
#define COMMON_ASK_H

#include <json-c/json.h>

/* A connection, or -1 after a message. */
int ask_open(const char *path);
/* What a request has beside its command; NULL and 0: nothing. */
struct question {
	const char *command, *port;
	uint64_t from;
	json_object *config;
	int *file; /* NULL, or where a file that comes with the reply goes; -1 before */
};

/* The result of a request, or NULL after a message. */
json_object *ask(int fd, const struct question *question);

#endif
