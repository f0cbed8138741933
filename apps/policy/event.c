/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(array)			     (sizeof(array) / sizeof((array)[0]))

#define EVENT_WORD(name, number, word, text) [number] = (word),
static const char *const kinds[] = {ELISA_HOST_EVENT_LIST(EVENT_WORD)};
#define WHY_WORD(name, text, value) [ELISA_WHY_##name] = (text),
static const char *const reasons[] = {ELISA_WHY_LIST(WHY_WORD)};
#define END_WORD(name, number, text) [-(number)] = (text),
static const char *const ends[] = {ELISA_CALL_ERROR_LIST(END_WORD)};
#define RIGHT_WORD(name, bit, word, text) {1u << (bit), word},
static const struct {
	uint32_t bit;
	const char *word;
} rights[] = {ELISA_GRANT_LIST(RIGHT_WORD)};

/* Returns the word for a number. A number of a newer module has none, so it becomes text. */
static json_object *word_of(const char *const *words, size_t count, uint64_t number)
{
	char text[32];

	if (number < count && words[number])
		return json_object_new_string(words[number]);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return json_object_new_string(text);
}

static json_object *rights_json(uint32_t set)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < COUNT_OF(rights); i++)
		if (set & rights[i].bit)
			json_object_array_add(list, json_object_new_string(rights[i].word));
	return list;
}

/* Adds a number; 0 means that it does not apply, and is left out. */
static void add(json_object *to, const char *key, uint64_t number)
{
	if (number)
		json_object_object_add(to, key, json_object_new_uint64(number));
}

json_object *event_json(const struct elisa_host_event *event)
{
	json_object *to = json_object_new_object();

	json_object_object_add(to, "event", word_of(kinds, COUNT_OF(kinds), event->kind));
	json_object_object_add(to, "time_ns", json_object_new_uint64(event->time_ns));
	add(to, "pid", (uint64_t)(event->pid > 0 ? event->pid : 0));
	add(to, "vm", event->vm);
	add(to, "grant", event->grant);
	add(to, "export", event->export_id);
	add(to, "attachment", event->attachment);
	if (event->name[0])
		json_object_object_add(
			to, "name",
			json_object_new_string_len(event->name,
						   (int)strnlen(event->name, sizeof(event->name))));
	if (event->rights)
		json_object_object_add(to, "rights", rights_json(event->rights));
	add(to, "max_pages", event->max_pages);
	if (event->kind == ELISA_HOST_EVENT_LOST)
		add(to, "records", (uint64_t)event->value);
	if (event->kind == ELISA_HOST_EVENT_ABORTED)
		json_object_object_add(to, "reason",
				       word_of(ends, COUNT_OF(ends), (uint64_t)-event->value));
	if (event->kind == ELISA_HOST_EVENT_REFUSED) {
		add(to, "call", event->call);
		json_object_object_add(to, "reason",
				       word_of(reasons, COUNT_OF(reasons), event->reason));
		add(to, "value", (uint64_t)event->value);
	}
	return to;
}

/* Appends a value. A list has its words behind each other. */
static size_t append(char *text, size_t size, const char *key, json_object *value)
{
	size_t used = (size_t)snprintf(text, size, " %s=", key);
	const bool is_list = json_object_is_type(value, json_type_array);
	const char *string = is_list ? "" : json_object_get_string(value);

	if (used < size)
		used += (size_t)snprintf(text + used, size - used,
					 strchr(string, ' ') ? "\"%s\"" : "%s", string);
	for (size_t i = 0; is_list && i < json_object_array_length(value) && used < size; i++)
		used += (size_t)snprintf(
			text + used, size - used, "%s%s", i ? "," : "",
			json_object_get_string(json_object_array_get_idx(value, i)));
	return used < size ? used : size;
}

void event_text(const struct elisa_host_event *event, char *text, size_t size)
{
	json_object *shown = event_json(event);
	size_t used = 0;

	json_object_object_foreach(shown, key, value)
	{
		if (!strcmp(key, "event"))
			used = (size_t)snprintf(text, size, "%s", json_object_get_string(value));
		else if (strcmp(key, "time_ns") && used < size)
			used += append(text + used, size - used, key, value);
	}
	json_object_put(shown);
}
