/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to elisa-vmnet by its socket, one after the other. */
#ifndef VMNETCTL_ASK_H
#define VMNETCTL_ASK_H

#include <json-c/json.h>

/* A connection, or -1 after a message. */
int ask_open(const char *path);
/* The result of a request, or NULL after a message. port and from: NULL and 0 if it has none. */
json_object *ask(int fd, const char *command, const char *port, uint64_t from);

#endif
