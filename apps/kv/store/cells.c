/* SPDX-License-Identifier: Apache-2.0 */
/* Memory in cells; cells.h has the story. */
#include "cells.h"

uint32_t kv_cells_for(const struct kv_space *space, uint32_t key, uint32_t value)
{
	const uint32_t first = (1u << space->cell_shift) - KV_ITEM_HEAD;
	const uint32_t other = (1u << space->cell_shift) - KV_CELL_HEAD;
	const uint32_t bytes = key + value;

	return bytes <= first ? 1 : 1 + (bytes - first + other - 1) / other;
}

kv_ref kv_cells_take(struct kv_space *space, uint32_t count, kv_ref *last)
{
	const uint64_t free = elisa_change_get(&space->change, &space->free);
	const kv_ref first = KV_LOW(free);
	kv_ref at = first;

	*last = first;
	for (uint32_t i = 0; i < count; i++) {
		struct kv_cell *cell = kv_cell(space, at);

		kv_store_word(&cell->version, 1);
		*last = at;
		at = kv_next(cell);
	}
	/* so that a reader which sees bytes that are written to the cells sees their odd versions,
	 * too */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	elisa_change_set(&space->change, &space->free, KV_PAIR(at, KV_HIGH(free) - count));
	return first;
}

void kv_cells_give(struct kv_space *space, kv_ref first, kv_ref last, uint32_t count)
{
	const uint64_t free = elisa_change_get(&space->change, &space->free);

	elisa_change_set(&space->change, &kv_cell(space, last)->link, KV_LOW(free));
	elisa_change_set(&space->change, &space->free, KV_PAIR(first, KV_HIGH(free) + count));
}

/* ------------------------------------------------------------------------------ the walk */

int kv_walk_skip(struct kv_walk *walk, uint64_t bytes)
{
	while (bytes) {
		uint8_t *at;
		const uint32_t part = kv_walk_part(walk, bytes, &at);

		if (!part)
			return -EAGAIN;
		bytes -= part;
	}
	return 0;
}

int kv_walk_in(struct kv_walk *walk, const void *from_, uint64_t bytes)
{
	const uint8_t *from = from_;

	while (bytes) {
		uint8_t *at;
		const uint32_t part = kv_walk_part(walk, bytes, &at);

		if (!part)
			return -EAGAIN;
		elisa_copy(at, from, part);
		from += part;
		bytes -= part;
	}
	return 0;
}

int kv_walk_out(struct kv_walk *walk, void *to_, uint64_t bytes)
{
	uint8_t *to = to_;

	while (bytes) {
		uint8_t *at;
		const uint32_t part = kv_walk_part(walk, bytes, &at);

		if (!part)
			return -EAGAIN;
		elisa_copy(to, at, part);
		to += part;
		bytes -= part;
	}
	return 0;
}

int kv_walk_same(struct kv_walk *walk, const void *with_, uint64_t bytes)
{
	const uint8_t *with = with_;

	while (bytes) {
		uint8_t *at;
		const uint32_t part = kv_walk_part(walk, bytes, &at);

		if (!part || __builtin_memcmp(at, with, part))
			return 0;
		with += part;
		bytes -= part;
	}
	return 1;
}
