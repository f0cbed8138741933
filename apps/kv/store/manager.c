/* SPDX-License-Identifier: Apache-2.0 */
/* Prepares the store, and sets the rights of each place. manager.h is the manager's view. */
#include "manager.h"
#include "cells.h"
#include "upload.h"

#define PAGE 4096u

/* Distances of a space's arrays from its beginning. */
struct layout {
	uint64_t buckets; /* how many */
	uint64_t index, accounts, uploads, cells, size;
};

static uint64_t align(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

static uint64_t add(uint64_t *at, uint64_t size)
{
	const uint64_t begin = align(*at, 64);

	*at = begin + size;
	return begin;
}

/* Returns the number of buckets: four slots for three items of one cell. An index that is three
 * quarters full still finds slots. */
static uint64_t buckets_for(uint64_t cells)
{
	uint64_t buckets = 1;

	while (buckets * ELISA_INDEX_WAYS * 3 < cells * 4)
		buckets *= 2;
	return buckets;
}

static int lay_out(const struct kv_config *config, const struct kv_space_config *space,
		   struct layout *out)
{
	const uint64_t cells = space->memory / (space->cell_size ? space->cell_size : 1);
	const uint64_t callers = ELISA_CALLER_RECORDS((uint64_t)config->places, config->vcpus);
	uint64_t at = sizeof(struct kv_space);

	if (space->cell_size & (space->cell_size - 1) ||
	    space->cell_size < 1u << KV_CELL_MIN_SHIFT ||
	    space->cell_size > 1u << KV_CELL_MAX_SHIFT || !cells || cells >= 1u << 30)
		return -EINVAL;
	out->buckets = buckets_for(cells);
	out->index = add(&at, out->buckets * sizeof(struct elisa_bucket));
	out->accounts = add(&at, config->places * sizeof(struct kv_account));
	out->uploads = add(&at, (config->places * (uint64_t)KV_UPLOADS + callers) *
					sizeof(struct kv_upload));
	/* cell 0 stands for none: its memory does not exist */
	out->cells = add(&at, 0) - space->cell_size;
	out->size = align(out->cells + (cells + 1) * space->cell_size, PAGE);
	return 0;
}

static int is_valid(const struct kv_config *config)
{
	return config->places && config->places <= KV_PLACES_MAX && config->vcpus &&
	       (uint64_t)config->places * config->vcpus <= ELISA_CALLERS_MAX && config->spaces &&
	       config->spaces <= KV_SPACES_MAX && config->first_cas < 1ull << 61;
}

/* Computes the size of everything in front of the spaces. */
static uint64_t head_size(const struct kv_config *config, uint64_t *records, uint64_t *counters,
			  uint64_t *since, uint64_t *grants)
{
	const uint64_t callers = ELISA_CALLER_RECORDS((uint64_t)config->places, config->vcpus);
	uint64_t at = sizeof(struct kv_store);

	*records = add(&at, callers * sizeof(struct elisa_caller_record));
	*counters = add(&at, callers * sizeof(struct kv_counters));
	*since = add(&at, config->places * sizeof(struct kv_since));
	*grants = add(&at, (uint64_t)config->places * config->spaces * sizeof(struct kv_grant));
	return align(at, PAGE);
}

uint64_t kv_store_size(const struct kv_config *config)
{
	uint64_t size, unused;

	if (!is_valid(config))
		return 0;
	size = head_size(config, &unused, &unused, &unused, &unused);
	for (uint32_t i = 0; i < config->spaces; i++) {
		struct layout layout;

		if (lay_out(config, &config->space[i], &layout))
			return 0;
		size += layout.size;
	}
	return size;
}

/* Makes all cells free, in the order of their addresses. */
static void init_cells(struct kv_space *space)
{
	for (kv_ref ref = 1; ref <= space->cell_count; ref++) {
		kv_cell(space, ref)->version = 1;
		kv_cell(space, ref)->link = ref < space->cell_count ? ref + 1 : 0;
	}
	space->free = KV_PAIR(1, space->cell_count);
}

static int init_space(const struct kv_config *config, uint32_t number, struct kv_space *space,
		      const struct layout *layout)
{
	const uint32_t cell_size = config->space[number].cell_size;

	space->secret = elisa_hash(&number, sizeof(number), config->secret);
	space->cells = (int64_t)layout->cells;
	space->accounts = (int64_t)layout->accounts;
	space->uploads = (int64_t)layout->uploads;
	space->cell_shift = 31u - (uint32_t)__builtin_clz(cell_size);
	space->cell_count = (uint32_t)(config->space[number].memory / cell_size);
	space->first_bytes = cell_size - KV_ITEM_HEAD;
	space->versions = 2 * config->first_cas;
	init_cells(space);
	return elisa_index_init(&space->index, kv_at(space, (int64_t)layout->index),
				layout->buckets);
}

static void init_grants(struct kv_store *store, uint32_t space)
{
	for (uint32_t place = 0; place < store->places; place++) {
		struct kv_grant *grant = kv_grant(store, place, space);

		grant->space = store->space[space];
		grant->counters = store->counters + (int64_t)(place * store->callers.vcpus *
							      sizeof(struct kv_counters));
	}
}

int kv_store_init(struct kv_store *store, const struct kv_config *config)
{
	const uint64_t size = kv_store_size(config);
	uint64_t records, counters, since, grants, at;
	int error;

	if (!size || (uintptr_t)store % PAGE)
		return -EINVAL;
	__builtin_memset(store, 0, size);
	at = head_size(config, &records, &counters, &since, &grants);
	store->size = size;
	store->places = config->places;
	store->spaces = config->spaces;
	store->counters = (int64_t)counters;
	store->since = (int64_t)since;
	store->grants = (int64_t)grants;
	store->now = 1;
	error = elisa_callers_init(&store->callers, kv_at(store, (int64_t)records), config->places,
				   config->vcpus);
	for (uint32_t i = 0; i < config->spaces && !error; i++) {
		struct layout layout;

		lay_out(config, &config->space[i], &layout);
		store->space[i] = (int64_t)at;
		init_grants(store, i);
		error = init_space(config, i, kv_space(store, i), &layout);
		at += layout.size;
	}
	return error;
}

/* ------------------------------------------------------------------------------ from now on */

void kv_store_time(struct kv_store *store, uint64_t seconds)
{
	/* time 1 is always in the past, for KV_TTL_PAST */
	kv_store_word(&store->now, seconds + 1);
}

int kv_store_rights(struct kv_store *store, uint32_t place, uint32_t space, uint32_t rights)
{
	if (place >= store->places || space >= store->spaces)
		return -EINVAL;
	kv_store_word(&kv_grant(store, place, space)->rights, rights);
	return 0;
}

int kv_store_quota(struct kv_store *store, uint32_t place, uint32_t space, uint64_t bytes,
		   uint64_t items)
{
	const struct kv_space *of = space < store->spaces ? kv_space(store, space) : NULL;
	uint64_t cells;

	if (!of || place >= store->places)
		return -EINVAL;
	cells = bytes >> of->cell_shift;
	if (cells > of->cell_count)
		cells = of->cell_count;
	if (items > of->cell_count)
		items = of->cell_count;
	kv_store_word(&kv_account(of, place)->limit, KV_PAIR(cells, items));
	return 0;
}
