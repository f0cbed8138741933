/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers requests at the socket. A request asks to capture a vNIC (captures.h), and comes from
 * root or from the user of the switch.
 */
#include "fwd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "output.h"
#include "strict.h"
#include "utf8.h"

static const char *text_of(json_object *request, const char *key)
{
	json_object *value = json_object_object_get(request, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* Returns the number of the vNIC with this path, or -1. */
static int port_of(const struct fwd *fwd, const char *path)
{
	for (uint32_t i = 0; i < fwd->port_count; i++)
		if (!strcmp(fwd->port[i].path, path))
			return (int)i;
	return -1;
}

/* Carries out a request. Returns its result, or NULL and the reason in `why`. */
static json_object *answer(struct fwd *fwd, const struct control_user *user, json_object *request,
			   int *file, char *why, size_t size)
{
	const char *command = NULL, *path = NULL;
	int port;

	if (json_object_is_type(request, json_type_object) &&
	    json_object_object_length(request) == 2) {
		command = text_of(request, "command");
		path = text_of(request, "port");
	}
	if (!command || !path || strcmp(command, "capture")) {
		snprintf(why, size, "not {\"command\": \"capture\", \"port\": VNIC}");
		return NULL;
	}
	if (!user->may_change) {
		snprintf(why, size, "user %u may not see what ports send", user->uid);
		return NULL;
	}
	port = port_of(fwd, path);
	if (port < 0) {
		snprintf(why, size, "no vNIC is called \"%s\"", path);
		return NULL;
	}
	if (!captures_is_on(&fwd->captures, (uint32_t)port))
		output_print(STDERR_FILENO, "rvs-fwd: %s: captured, by process %d of user %u\n",
			     path, user->pid, user->uid);
	*file = fwd->captures.ring;
	return captures_port(&fwd->captures, (uint32_t)port, fwd->now);
}

static char *answer_line(void *owner, const struct control_user *user, const char *line,
			 size_t length, int *file)
{
	json_object *reply = json_object_new_object(), *request, *result;
	struct strict_fault fault;
	char why[512] = "no memory", *text;

	request = strict_check(line, length, &fault) ? NULL : json_tokener_parse(line);
	result = answer(owner, user, request, file, why, sizeof(why));
	if (result)
		json_object_object_add(reply, "result", result);
	else
		json_object_object_add(reply, "error", utf8_json(why));
	text = strdup(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN));
	json_object_put(request);
	json_object_put(reply);
	return text;
}

int capture_open(struct fwd *fwd)
{
	const char *path = fwd->options.control;
	int error;

	fwd->socket.fd = -1;
	if (!path)
		return 0;
	error = control_open(&fwd->socket, path, &(struct rvif_access){0}, answer_line, fwd);
	if (!error)
		return 0;
	output_print(STDERR_FILENO, "rvs-fwd: --control: %s: %s\n", path, control_strerror(error));
	return -1;
}
