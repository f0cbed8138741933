/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a daemon by its socket (control.h), one after the other. Messages name this program
 * as it was called. */
#ifndef COMMON_ASK_H
#define COMMON_ASK_H

#include <json-c/json.h>

/* Connects. Returns a descriptor, or -1 after a message. */
int ask_open(const char *path);
/* What a request has besides its command; NULL and 0: nothing. */
struct question {
	const char *command, *port;
	uint64_t from;
	json_object *config;
	int *file; /* NULL, or where the descriptor of a file that comes with the reply goes; -1
		    * before */
};

/* Makes a request. Returns its result, or NULL after a message. */
json_object *ask(int fd, const struct question *question);

#endif
