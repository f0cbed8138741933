/* SPDX-License-Identifier: Apache-2.0 */
/* Prints results as a table or as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "elisactl.h"

void add_number(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void add_text(struct json_object *to, const char *key, const char *text)
{
	if (text)
		json_object_object_add(to, key, json_object_new_string(text));
}

void add_name(struct json_object *to, const char name[ELISA_NAME_SIZE])
{
	int length = (int)strnlen(name, ELISA_NAME_SIZE);

	json_object_object_add(to, "name", json_object_new_string_len(name, length));
}

void add_flags(struct json_object *to, const char *key, uint32_t flags,
	       const struct flag_word *words, size_t count)
{
	struct json_object *list = json_object_new_array();
	char rest[16];

	for (size_t i = 0; i < count; i++) {
		if (flags & words[i].flag)
			json_object_array_add(list, json_object_new_string(words[i].word));
		flags &= ~words[i].flag;
	}
	if (flags) {
		snprintf(rest, sizeof(rest), "%#x", flags);
		json_object_array_add(list, json_object_new_string(rest));
	}
	json_object_object_add(to, key, list);
}

void cell_text(struct json_object *value, char *text, size_t size)
{
	size_t used = 0;

	if (!json_object_is_type(value, json_type_array)) {
		snprintf(text, size, "%s", value ? json_object_get_string(value) : "");
		return;
	}
	snprintf(text, size, "-");
	for (size_t i = 0; i < json_object_array_length(value) && used < size; i++)
		used += (size_t)snprintf(
			text + used, size - used, "%s%s", i ? "," : "",
			json_object_get_string(json_object_array_get_idx(value, i)));
}

#define COLUMNS 12

static void measure_row(struct json_object *record, int width[COLUMNS])
{
	char text[256];
	int column = 0;

	json_object_object_foreach(record, key, value)
	{
		cell_text(value, text, sizeof(text));
		if ((int)strlen(key) > width[column])
			width[column] = (int)strlen(key);
		if ((int)strlen(text) > width[column])
			width[column] = (int)strlen(text);
		column++;
	}
}

static void print_row(struct json_object *record, const int width[COLUMNS], bool title)
{
	char text[256];
	int column = 0;

	json_object_object_foreach(record, key, value)
	{
		cell_text(value, text, sizeof(text));
		printf("%s%-*s", column ? "  " : "", width[column], title ? key : text);
		column++;
	}
	printf("\n");
}

void print_table(struct json_object *records)
{
	size_t count = json_object_array_length(records);
	int width[COLUMNS] = {0};

	for (size_t i = 0; i < count; i++)
		measure_row(json_object_array_get_idx(records, i), width);
	if (count)
		print_row(json_object_array_get_idx(records, 0), width, true);
	for (size_t i = 0; i < count; i++)
		print_row(json_object_array_get_idx(records, i), width, false);
}

void print_json(struct json_object *value)
{
	puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY |
							   JSON_C_TO_STRING_NOSLASHESCAPE));
}

int flush_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fprintf(stderr, "elisactl: standard output: %s\n", strerrordesc_np(errno));
	return 1;
}
