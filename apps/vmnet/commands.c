/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of operators to the daemon, by its socket. Any user that may connect may ask.
 * Changes and captures are for root and the daemon's own user, and each is logged with the process
 * that requested it. A reply is an object with "result", or with "error" and what is wrong.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "complain.h"
#include "daemon.h"
#include "output.h"
#include "request.h"
#include "utf8.h"

_Static_assert(REQUEST_NAME == MAX_NAME, "a request can name any port");

struct asked {
	struct daemon *d;
	const struct control_user *user;
	uint32_t place; /* place of the port; 0: the request is about no port */
	int *file;	/* out: a descriptor that goes with the reply */
	char why[512];	/* why the request was refused */
};

static json_object *__attribute__((format(printf, 2, 3)))
refuse(struct asked *asked, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(asked->why, sizeof(asked->why), format, arguments);
	va_end(arguments);
	return NULL;
}

/* Logs an operator's change. This has no limit, unlike messages that VMs cause. */
static void note(const struct asked *asked, const char *name, const char *what)
{
	output_print(STDOUT_FILENO, "port %s: %s, by process %d of user %u\n", name, what,
		     asked->user->pid, asked->user->uid);
}

static const char *name_of(const struct asked *asked)
{
	return asked->d->config.port[asked->place - 1].name;
}

static json_object *done(void)
{
	return json_object_new_boolean(true);
}

static json_object *close_or_open(struct asked *asked, bool closed)
{
	ports_close(asked->d, asked->place, closed);
	note(asked, name_of(asked), closed ? "closed" : "opened");
	return done();
}

static json_object *kick(struct asked *asked)
{
	if (!asked->d->port[asked->place].attachment)
		return refuse(asked, "port \"%s\": no VM has it", name_of(asked));
	ports_dismiss(asked->d, asked->place);
	note(asked, name_of(asked), "its VM is evicted");
	return done();
}

/*
 * Makes the daemon go on with this configuration; its ports are in their places. Reads the ticket's
 * file of the port that is added, if any. The other ports keep their tickets: only a reload reads
 * files that have changed.
 */
static bool reconfigure(struct asked *asked, const struct config *config, uint32_t added)
{
	struct tickets tickets;
	bool is_possible;

	tickets_kept(asked->d, &tickets);
	is_possible = !added || (reload_has_room(asked->d, config) &&
				 !tickets_read_one(config, added, &tickets));
	if (is_possible)
		ports_reconfigure(asked->d, config, &tickets);
	explicit_bzero(&tickets, sizeof(tickets));
	return is_possible;
}

static json_object *add(struct asked *asked, json_object *object)
{
	struct config config = asked->d->config;
	bool is_added;

	asked->place = reload_place(asked->d);
	complain_to(asked->why, sizeof(asked->why));
	is_added = !config_add(&config, asked->place, object) &&
		   reconfigure(asked, &config, asked->place);
	complain_to(NULL, 0);
	if (!is_added)
		return NULL;
	note(asked, name_of(asked), "added");
	return done();
}

static json_object *remove_port(struct asked *asked)
{
	struct config config = asked->d->config;
	char name[MAX_NAME];

	if (config_ports(&config) == 1)
		return refuse(asked, "port \"%s\" is the last one; end the daemon instead",
			      name_of(asked));
	strcpy(name, name_of(asked));
	memset(&config.port[asked->place - 1], 0, sizeof(config.port[0]));
	if (!reconfigure(asked, &config, 0))
		return NULL;
	note(asked, name, "is removed");
	return done();
}

/* Begins a capture, or continues it. Only the beginning is logged, because the observer asks again
 * and again. */
static json_object *capture(struct asked *asked)
{
	struct daemon *d = asked->d;

	if (!captures_is_on(&d->captures, asked->place))
		note(asked, name_of(asked), "captured");
	*asked->file = d->captures.ring;
	return captures_port(&d->captures, asked->place, d->now);
}

static json_object *perform(struct asked *asked, const struct request *request)
{
	struct daemon *d = asked->d;

	switch (request->command) {
	case REQUEST_PORTS:
		return report_ports(d, false);
	case REQUEST_COUNTERS:
		return report_port(d, asked->place, true);
	case REQUEST_TABLE:
		return report_table(d, request->from);
	case REQUEST_METRICS:
		return report_metrics_text(d);
	case REQUEST_CAPTURE:
		return capture(asked);
	case REQUEST_UP:
		return close_or_open(asked, false);
	case REQUEST_DOWN:
		return close_or_open(asked, true);
	case REQUEST_KICK:
		return kick(asked);
	case REQUEST_ADD:
		return add(asked, request->config);
	case REQUEST_REMOVE:
		return remove_port(asked);
	default:
		return NULL;
	}
}

static json_object *answer(struct asked *asked, const struct request *request)
{
	if (request->for_admins && !asked->user->may_change)
		return refuse(asked, "user %u may ask, but %s", asked->user->uid,
			      request->command == REQUEST_CAPTURE ? "not see what ports send" :
								    "change nothing");
	if (request->port[0]) {
		asked->place = config_place(&asked->d->config, request->port);
		if (!asked->place)
			return refuse(asked, "no port is called \"%s\"", request->port);
	}
	return perform(asked, request);
}

char *commands_answer(void *daemon, const struct control_user *user, const char *line,
		      size_t length, int *file)
{
	struct asked asked = {.d = daemon, .user = user, .file = file};
	json_object *reply = json_object_new_object(), *result = NULL;
	struct request request;
	const char *text;
	char *copy;

	if (!request_read(line, length, &request, asked.why, sizeof(asked.why)))
		result = answer(&asked, &request);
	json_object_put(request.config);
	if (result)
		json_object_object_add(reply, "result", result);
	else
		json_object_object_add(reply, "error",
				       utf8_json(asked.why[0] ? asked.why : "no memory"));
	text = json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN);
	copy = text ? strdup(text) : NULL;
	json_object_put(reply);
	return copy;
}
