/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "strict.h"
#include "utf8.h"

struct reading {
	struct request *request;
	bool has_command, has_port, has_from;
	char *why;
	size_t size;
};

#define REQUEST_WORDS(name, its_word, its_takes, is_for_admins) \
	{.word = #its_word, .takes = REQUEST_TAKES_##its_takes, .for_admins = is_for_admins},

static const struct {
	const char *word;
	enum request_takes takes;
	bool for_admins;
} known[] = {REQUEST_LIST(REQUEST_WORDS)};

static int __attribute__((format(printf, 2, 3))) wrong(struct reading *r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(r->why, r->size, format, arguments);
	va_end(arguments);
	return -1;
}

static int read_command(struct reading *r, json_object *value)
{
	const char *word = json_object_get_string(value);

	for (uint32_t i = 0; json_object_is_type(value, json_type_string) && i < REQUEST_COMMANDS;
	     i++) {
		if (strcmp(word, known[i].word))
			continue;
		r->request->command = (enum request_command)i;
		r->request->for_admins = known[i].for_admins;
		r->has_command = true;
		return 0;
	}
	return wrong(r, "unknown command %s", json_object_to_json_string(value));
}

static int read_port(struct reading *r, json_object *value)
{
	const char *name = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string) || !*name ||
	    strlen(name) >= REQUEST_NAME || !utf8_is_text(name))
		return wrong(r, "\"port\": %s is no name of a port, 1 to %d bytes",
			     json_object_to_json_string(value), REQUEST_NAME - 1);
	strcpy(r->request->port, name);
	r->has_port = true;
	return 0;
}

static int read_from(struct reading *r, json_object *value)
{
	const int64_t from = json_object_get_int64(value);

	if (!json_object_is_type(value, json_type_int) || from < 0)
		return wrong(r, "\"from\": %s is no position in the table",
			     json_object_to_json_string(value));
	r->request->from = (uint64_t)from;
	r->has_from = true;
	return 0;
}

/* Keeps the port's configuration. Its content is checked later, as that of the configuration
 * file. */
static int read_config(struct reading *r, json_object *value)
{
	if (!json_object_is_type(value, json_type_object))
		return wrong(r, "\"config\": %s is no object", json_object_to_json_string(value));
	r->request->config = json_object_get(value);
	return 0;
}

/* Checks that the command has the keys that it takes, and no others. */
static int check(struct reading *r)
{
	const char *word;
	enum request_takes takes;

	if (!r->has_command)
		return wrong(r, "\"command\" is missing");
	word = known[r->request->command].word;
	takes = known[r->request->command].takes;
	if (takes == REQUEST_TAKES_PORT && !r->has_port)
		return wrong(r, "\"%s\" needs \"port\"", word);
	if (takes != REQUEST_TAKES_PORT && r->has_port)
		return wrong(r, "\"%s\" takes no \"port\"", word);
	if (takes != REQUEST_TAKES_FROM && r->has_from)
		return wrong(r, "\"%s\" takes no \"from\"", word);
	if (takes == REQUEST_TAKES_CONFIG && !r->request->config)
		return wrong(r, "\"%s\" needs \"config\"", word);
	if (takes != REQUEST_TAKES_CONFIG && r->request->config)
		return wrong(r, "\"%s\" takes no \"config\"", word);
	return 0;
}

static int read_object(struct reading *r, json_object *object)
{
	int error = 0;

	if (!json_object_is_type(object, json_type_object))
		return wrong(r, "a request is an object, as {\"command\": \"ports\"}");
	json_object_object_foreach(object, key, value)
	{
		if (error)
			break;
		if (!strcmp(key, "command"))
			error = read_command(r, value);
		else if (!strcmp(key, "port"))
			error = read_port(r, value);
		else if (!strcmp(key, "from"))
			error = read_from(r, value);
		else if (!strcmp(key, "config"))
			error = read_config(r, value);
		else
			error = wrong(r, "unknown key \"%s\"", key);
	}
	return error ? error : check(r);
}

int request_read(const char *text, size_t length, struct request *request, char *why, size_t size)
{
	struct reading reading = {.request = request, .why = why, .size = size};
	struct strict_fault fault;
	json_object *object;
	int error;

	*request = (struct request){.from = 0};
	if (strict_check(text, length, &fault))
		return wrong(&reading, "column %u: %s", fault.column, fault.what);
	object = json_tokener_parse(text);
	error = read_object(&reading, object);
	json_object_put(object);
	return error;
}
