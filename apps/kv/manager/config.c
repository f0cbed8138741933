/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: see elisa-kv(8). An unknown key and an impossible value are errors, so
 * that no mistake passes for a setting.
 */
#include <string.h>
#include "daemon.h"
#include "settings.h"

#define MOST_MIB 1

static struct settings reading = {.program = "elisa-kv"};

#define wrong(...) settings_wrong(&reading, __VA_ARGS__)

static int get_number(const char *key, json_object *value, uint64_t least, uint64_t most,
		      uint64_t *to)
{
	return settings_number(&reading, key, value, least, most, to);
}

static int get_text(const char *key, json_object *value, char *to, size_t size)
{
	return settings_text(&reading, key, value, to, size);
}

/* ---------------------------------------------------------------------------------- spaces */

static int read_space(json_object *from, struct space_config *space)
{
	int error = 0;

	*space = (struct space_config){.mib = 64, .cell = 256};
	if (!json_object_is_type(from, json_type_object))
		return wrong("it is no object");
	json_object_object_foreach(from, key, value)
	{
		if (!strcmp(key, "name"))
			error = get_text(key, value, space->name, sizeof(space->name));
		else if (!strcmp(key, "mib"))
			error = get_number(key, value, 1, 1 << 15, &space->mib);
		else if (!strcmp(key, "cell"))
			error = get_number(key, value, 128, 4096, &space->cell);
		else
			error = wrong("unknown key \"%s\" of a space", key);
		if (error)
			return error;
	}
	if (space->cell & (space->cell - 1))
		return wrong("\"cell\": %llu is no power of two", (unsigned long long)space->cell);
	return space->name[0] ? 0 : wrong("it has no \"name\"");
}

static int read_spaces(json_object *array, struct config *config)
{
	const size_t count =
		json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;

	if (!count || count > MAX_SPACES)
		return wrong("\"spaces\" is no list of 1 to %d spaces", MAX_SPACES);
	reading.part = "space";
	for (size_t i = 0; i < count; i++) {
		reading.number = i + 1;
		if (read_space(json_object_array_get_idx(array, i), &config->space[i]))
			return -1;
		for (size_t k = 0; k < i; k++)
			if (!strcmp(config->space[i].name, config->space[k].name))
				return wrong("two spaces are called \"%s\"", config->space[k].name);
	}
	reading.part = NULL;
	config->space_count = (uint32_t)count;
	return 0;
}

/* ---------------------------------------------------------------------------------- places */

static int read_right(json_object *value, uint32_t *rights)
{
	static const struct {
		const char *name;
		uint32_t right;
	} known[] = {{"read", KV_MAY_READ},
		     {"write", KV_MAY_WRITE},
		     {"own", KV_MAY_OWN},
		     {"flush", KV_MAY_FLUSH}};
	const char *text = json_object_get_string(value);

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (json_object_is_type(value, json_type_string) && !strcmp(text, known[i].name)) {
			*rights |= known[i].right;
			return 0;
		}
	return wrong("\"rights\": %s is neither \"read\", \"write\", \"own\" nor \"flush\"",
		     json_object_to_json_string(value));
}

static int read_rights(json_object *array, uint32_t *rights)
{
	if (!json_object_is_type(array, json_type_array))
		return wrong("\"rights\": %s is no list", json_object_to_json_string(array));
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (read_right(json_object_array_get_idx(array, i), rights))
			return -1;
	return 0;
}

static int read_share(json_object *from, const char *space, struct share_config *share)
{
	int error = 0;

	*share = (struct share_config){.items = UINT64_MAX};
	if (!json_object_is_type(from, json_type_object))
		return wrong("\"%s\": %s is no object", space, json_object_to_json_string(from));
	json_object_object_foreach(from, key, value)
	{
		if (!strcmp(key, "rights"))
			error = read_rights(value, &share->rights);
		else if (!strcmp(key, "mib"))
			error = get_number(key, value, 1, 1 << 15, &share->mib);
		else if (!strcmp(key, "items"))
			error = get_number(key, value, 1, UINT32_MAX, &share->items);
		else
			error = wrong("unknown key \"%s\" of space \"%s\"", key, space);
		if (error)
			return error;
	}
	return share->rights ? 0 : wrong("\"%s\": it gives no \"rights\"", space);
}

static int read_shares(json_object *from, const struct config *config, struct place_config *place)
{
	if (!json_object_is_type(from, json_type_object))
		return wrong("\"spaces\": %s is no object", json_object_to_json_string(from));
	json_object_object_foreach(from, name, value)
	{
		uint32_t space = 0;

		while (space < config->space_count && strcmp(config->space[space].name, name))
			space++;
		if (space == config->space_count)
			return wrong("\"spaces\": there is no space \"%s\"", name);
		if (read_share(value, name, &place->share[space]))
			return -1;
	}
	return 0;
}

/* Checks a place. A VM without a ticket is not known, so it cannot own items: the next VM at its
 * place would own them. */
static int check_place(const struct config *config, const struct place_config *place)
{
	uint32_t rights = 0, own = 0;

	for (uint32_t i = 0; i < config->space_count; i++) {
		rights |= place->share[i].rights;
		own |= place->share[i].rights & KV_MAY_OWN;
	}
	if (!place->name[0])
		return wrong("it has no \"name\"");
	if (!rights)
		return wrong("\"%s\" may do nothing: it has no \"spaces\"", place->name);
	if (!place->ticket_file[0] && !place->is_open)
		return wrong("\"%s\" has no \"ticket_file\"; if it is for any VM, say "
			     "\"open\": true",
			     place->name);
	if (place->ticket_file[0] && place->is_open)
		return wrong("\"%s\" is \"open\" and has a \"ticket_file\"", place->name);
	if (own && place->is_open)
		return wrong("\"%s\": \"own\" needs a \"ticket_file\", for the next VM at an open "
			     "place would own its items",
			     place->name);
	return 0;
}

static int read_place(json_object *from, const struct config *config, struct place_config *place,
		      uint64_t *count)
{
	int error = 0;

	*place = (struct place_config){0};
	*count = 1;
	if (!json_object_is_type(from, json_type_object))
		return wrong("it is no object");
	json_object_object_foreach(from, key, value)
	{
		if (!strcmp(key, "name"))
			error = get_text(key, value, place->name, sizeof(place->name) - 4);
		else if (!strcmp(key, "ticket_file"))
			error = get_text(key, value, place->ticket_file,
					 sizeof(place->ticket_file));
		else if (!strcmp(key, "open"))
			error = settings_bool(&reading, key, value, &place->is_open);
		else if (!strcmp(key, "count"))
			error = get_number(key, value, 1, MAX_PLACES, count);
		else if (!strcmp(key, "spaces"))
			error = read_shares(value, config, place);
		else
			error = wrong("unknown key \"%s\" of a place", key);
		if (error)
			return error;
	}
	if (*count > 1 && !place->is_open)
		return wrong("\"count\" is for \"open\" places: a ticket is one place's");
	return check_place(config, place);
}

/* Adds a place, or several places that differ by the number behind the name. */
static int add_places(struct config *config, const struct place_config *place, uint64_t count)
{
	for (uint64_t i = 1; i <= count; i++) {
		struct place_config *new = &config->place[config->place_count];

		if (config->place_count == MAX_PLACES)
			return wrong("there are more than %d places", MAX_PLACES);
		*new = *place;
		if (count > 1)
			snprintf(new->name + strlen(place->name), 5, "%llu", (unsigned long long)i);
		for (uint32_t k = 0; k < config->place_count; k++) {
			if (!strcmp(new->name, config->place[k].name))
				return wrong("two places are called \"%s\"", new->name);
			if (new->ticket_file[0] &&
			    !strcmp(new->ticket_file, config->place[k].ticket_file))
				return wrong(
					"places \"%s\" and \"%s\" have the same ticket_file %s",
					config->place[k].name, new->name, new->ticket_file);
		}
		config->place_count++;
	}
	return 0;
}

static int read_places(json_object *array, struct config *config)
{
	const size_t length =
		json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
	struct place_config place;
	uint64_t count;

	if (!length || length > MAX_PLACES)
		return wrong("\"places\" is no list of 1 to %d places", MAX_PLACES);
	reading.part = "place";
	for (size_t i = 0; i < length; i++) {
		reading.number = i + 1;
		if (read_place(json_object_array_get_idx(array, i), config, &place, &count) ||
		    add_places(config, &place, count))
			return -1;
	}
	reading.part = NULL;
	return 0;
}

/* ------------------------------------------------------------------------------------- all */

static int read_key(const char *key, json_object *value, struct config *config)
{
	if (!strcmp(key, "export"))
		return get_text(key, value, config->export_name, sizeof(config->export_name));
	if (!strcmp(key, "snapshot"))
		return get_text(key, value, config->snapshot, sizeof(config->snapshot) - 4);
	if (!strcmp(key, "snapshot_s"))
		return get_number(key, value, 0, 1000000, &config->snapshot_s);
	if (!strcmp(key, "vcpus"))
		return get_number(key, value, 1, 1024, &config->vcpus);
	if (!strcmp(key, "open_places_per_vm"))
		return get_number(key, value, 1, MAX_PLACES, &config->open_places_per_vm);
	if (!strcmp(key, "limit_us"))
		return get_number(key, value, 100, 10000000, &config->limit_us);
	if (!strcmp(key, "suspend_us"))
		return get_number(key, value, 1000, 60000000, &config->suspend_us);
	if (strcmp(key, "spaces") && strcmp(key, "places"))
		return wrong("unknown key \"%s\"", key);
	return 0;
}

static int read_all(json_object *root, struct config *config)
{
	json_object *spaces = json_object_object_get(root, "spaces");
	json_object *places = json_object_object_get(root, "places");

	json_object_object_foreach(root, key, value)
	{
		if (read_key(key, value, config))
			return -1;
	}
	/* spaces first, because places refer to them by name */
	if (!spaces || !places)
		return wrong("there are no \"%s\"", spaces ? "places" : "spaces");
	if (read_spaces(spaces, config) || read_places(places, config))
		return -1;
	if (config->vcpus * config->place_count > ELISA_CALLERS_MAX)
		return wrong("%u places with \"vcpus\": %llu each are more than %u callers",
			     config->place_count, (unsigned long long)config->vcpus,
			     ELISA_CALLERS_MAX);
	if (config->snapshot_s && !config->snapshot[0])
		return wrong("\"snapshot_s\" without \"snapshot\", the file");
	return 0;
}

int config_read(const char *file, struct config *config)
{
	json_object *root;
	int error;

	*config = (struct config){.export_name = "kv",
				  .vcpus = 8,
				  .open_places_per_vm = 4,
				  .limit_us = 20000,
				  .suspend_us = 50000};
	reading.file = file;
	reading.part = NULL;
	root = settings_read(&reading, MOST_MIB);
	if (!root)
		return -1;
	error = read_all(root, config);
	json_object_put(root);
	return error;
}
