/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a snapshot twice: once to check that it is whole, once to store its items. Spaces and
 * places are found by their names, because the configuration may have changed. An item is left out
 * if its space or place is gone, or if it has expired. It is also left out if a smaller quota has
 * no room for it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "output.h"
#include "service.h"
#include "snapshot.h"

struct load {
	struct daemon *d;
	FILE *from;
	uint64_t sum, items, stored;
	uint64_t elapsed; /* seconds since the snapshot was written */
	uint32_t spaces, places;
	uint32_t space[MAX_SPACES], place[MAX_PLACES]; /* numbers in the store; UINT32_MAX: gone */
};

static bool get(struct load *load, void *bytes, size_t length)
{
	if (fread(bytes, 1, length, load->from) != length)
		return false;
	if (length)
		load->sum = elisa_hash(bytes, length, load->sum);
	return true;
}

static uint32_t find_space(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->space_count; i++)
		if (!strcmp(config->space[i].name, name))
			return i;
	return UINT32_MAX;
}

static uint32_t find_place(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->place_count; i++)
		if (!strcmp(config->place[i].name, name))
			return i;
	return UINT32_MAX;
}

static bool get_head(struct load *load)
{
	const struct config *config = &load->d->config;
	const uint64_t now = (uint64_t)time(NULL);
	struct snapshot_head head;
	char name[MAX_NAME];

	if (!get(load, &head, sizeof(head)) ||
	    memcmp(head.magic, SNAPSHOT_MAGIC, sizeof(head.magic)) || head.spaces > MAX_SPACES ||
	    head.places > MAX_PLACES)
		return false;
	load->elapsed = now > head.time ? now - head.time : 0;
	load->spaces = head.spaces;
	load->places = head.places;
	for (uint32_t i = 0; i < head.spaces + head.places; i++) {
		if (!get(load, name, sizeof(name)) || !memchr(name, 0, sizeof(name)))
			return false;
		if (i < head.spaces)
			load->space[i] = find_space(config, name);
		else
			load->place[i - head.spaces] = find_place(config, name);
	}
	return true;
}

/* Reads an item. Returns 1: an item; 0: the end; -1: something else. */
static int get_item(struct load *load, struct snapshot_item *item)
{
	uint8_t *buffer = load->d->buffer;

	service_goes_on();
	if (!get(load, item, sizeof(*item)))
		return -1;
	if (item->space == SNAPSHOT_END)
		return 0;
	if (item->space >= load->spaces || item->place >= load->places || !item->key_length ||
	    item->key_length > KV_KEY_MAX || item->length > KV_VALUE_MAX)
		return -1;
	if (!get(load, buffer, item->key_length) ||
	    !get(load, buffer + item->key_length, item->length))
		return -1;
	load->items++;
	return 1;
}

static bool is_whole(struct load *load)
{
	struct snapshot_item item;
	struct snapshot_end end;
	int more;

	if (!get_head(load))
		return false;
	do
		more = get_item(load, &item);
	while (more == 1);
	return !more && get(load, &end.items, sizeof(end.items)) && end.items == load->items &&
	       fread(&end.sum, 1, sizeof(end.sum), load->from) == sizeof(end.sum) &&
	       end.sum == load->sum && getc(load->from) == EOF;
}

static bool store_item(struct load *load, const struct snapshot_item *item)
{
	const struct kv_record record = {
		.place = load->place[item->place],
		.flags = item->flags,
		.ttl = item->ttl == KV_TTL_NEVER ? KV_TTL_NEVER :
						   item->ttl - (uint32_t)load->elapsed,
		.key_length = item->key_length,
		.length = item->length,
		.key = load->d->buffer,
		.value = load->d->buffer + item->key_length,
	};
	const uint32_t space = load->space[item->space];

	if (space == UINT32_MAX || record.place == UINT32_MAX ||
	    (item->ttl != KV_TTL_NEVER && item->ttl <= load->elapsed))
		return false;
	return !kv_manager_put(load->d->store, space, &record);
}

static int load_items(struct load *load)
{
	struct snapshot_item item;

	rewind(load->from);
	load->items = load->sum = 0;
	if (!get_head(load))
		return -1;
	while (get_item(load, &item) == 1)
		load->stored += store_item(load, &item);
	return 0;
}

int load_snapshot(struct daemon *d)
{
	const char *file = d->config.snapshot;
	struct load load = {.d = d, .from = fopen(file, "re")};
	const char *wrong = NULL;

	if (!load.from && errno == ENOENT)
		return 0;
	if (!load.from)
		wrong = strerror(errno);
	else if (!is_whole(&load) || load_items(&load))
		wrong = ferror(load.from) ? strerror(errno) : "it is no whole snapshot of elisa-kv";
	if (load.from)
		fclose(load.from);
	if (wrong)
		output_print(STDERR_FILENO, "elisa-kv: snapshot %s: %s; the store begins empty\n",
			     file, wrong);
	else
		output_print(STDOUT_FILENO, "snapshot %s: %llu items, %llu of them stored\n", file,
			     (unsigned long long)load.items, (unsigned long long)load.stored);
	return wrong ? -1 : 0;
}
