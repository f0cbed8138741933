/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to the daemon: one line, a JSON object such as {"command": "kick", "port": "web"}. It
 * comes from any program that a user runs. So it is read whole and checked before anything is done.
 */
#ifndef VMNET_REQUEST_H
#define VMNET_REQUEST_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_NAME 32 /* bytes of a port's name, with the final NUL */

enum request_takes {
	REQUEST_TAKES_NOTHING,
	REQUEST_TAKES_PORT,   /* needs "port" */
	REQUEST_TAKES_FROM,   /* may have "from" */
	REQUEST_TAKES_CONFIG, /* needs "config", an object */
};

/* For each command: a name, what it takes, and whether it is for administrators only. Those are the
 * commands that change something, and the one that shows what VMs send. */
#define REQUEST_LIST(REQUEST)                     \
	REQUEST(PORTS, ports, NOTHING, false)     \
	REQUEST(COUNTERS, counters, PORT, false)  \
	REQUEST(TABLE, table, FROM, false)        \
	REQUEST(METRICS, metrics, NOTHING, false) \
	REQUEST(CAPTURE, capture, PORT, true)     \
	REQUEST(UP, up, PORT, true)               \
	REQUEST(DOWN, down, PORT, true)           \
	REQUEST(KICK, kick, PORT, true)           \
	REQUEST(ADD, add, CONFIG, true)           \
	REQUEST(REMOVE, remove, PORT, true)

#define REQUEST_NUMBER(name, word, takes, for_admins) REQUEST_##name,
enum request_command {
	REQUEST_LIST(REQUEST_NUMBER) REQUEST_COMMANDS
};

struct request {
	enum request_command command;
	bool for_admins;
	char port[REQUEST_NAME];
	uint64_t from;	     /* position in the forwarding table */
	json_object *config; /* configuration of a port; NULL: none */
};

/* Reads a request. The text ends with a NUL after `length` bytes. Returns 0, or -1 and what is
 * wrong in `why`. The caller frees request->config in both cases. */
int request_read(const char *text, size_t length, struct request *request, char *why, size_t size);

#endif
