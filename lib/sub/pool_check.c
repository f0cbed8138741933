/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that a pool is consistent, for tests: each block, each list, each account. */
#include <stddef.h>
#include "pool.h"

static struct elisa_block *block_of(const struct elisa_pool *pool, uint64_t slab, uint32_t at)
{
	return (struct elisa_block *)pool_array(
		pool, pool->memory + (int64_t)(slab << pool->slab_shift) + at);
}

/* Returns the bytes of the account's blocks in all slabs. */
static uint64_t bytes_of(const struct elisa_pool *pool, uint32_t account)
{
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < pool->fresh; i++) {
		const struct slab_state state = pool_unpack(pool_slab(pool, i)->state);
		const uint32_t size = pool_class_size((uint32_t)pool_slab(pool, i)->size_class);

		for (uint32_t n = 0; n < state.ever; n++) {
			const uint64_t word = block_of(pool, i, n * size)->word;

			if (word & POOL_IN_USE && (word >> POOL_ACCOUNT & 0xffff) == account)
				bytes += size;
		}
	}
	return bytes;
}

static const char *check_slab(const struct elisa_pool *pool, uint64_t number)
{
	const struct elisa_slab *slab = pool_slab(pool, number);
	const struct slab_state state = pool_unpack(slab->state);
	const uint32_t size = pool_class_size((uint32_t)slab->size_class);
	uint32_t used = 0, left = state.ever;

	if (slab->size_class >= ELISA_POOL_CLASSES || state.ever > pool->capacity[slab->size_class])
		return "a slab has more blocks than it has room for";
	for (uint32_t n = 0; n < state.ever; n++)
		used += block_of(pool, number, n * size)->word >> 63;
	if (used != state.used)
		return "a slab has other blocks in use than it counts";
	for (uint32_t at = state.free; at; left--) {
		const uint64_t word = block_of(pool, number, (at - 1) * ELISA_POOL_UNIT)->word;

		if (left == used || (at - 1) * ELISA_POOL_UNIT % size || word & POOL_IN_USE)
			return "a free list has a block that is not free";
		at = (uint32_t)word;
	}
	return left == used ? NULL : "a free block is in no list";
}

/* Checks the list of the class's slabs with room, and adds their number to *count. */
static const char *check_list(const struct elisa_pool *pool, uint32_t size_class, uint64_t *count)
{
	uint64_t previous = 0;

	for (uint64_t number = pool->with_room[size_class]; number; ++*count) {
		const struct elisa_slab *slab = pool_slab(pool, number - 1);
		const struct slab_state state = pool_unpack(slab->state);

		if (number > pool->fresh || *count > pool->fresh ||
		    slab->size_class != size_class || slab->link >> 32 != previous || !state.used ||
		    pool_is_full(pool, size_class, state))
			return "a list has a slab that does not belong there";
		previous = number;
		number = (uint32_t)slab->link;
	}
	return NULL;
}

const char *elisa_pool_check(struct elisa_pool *pool)
{
	uint64_t empty = 0, listed = 0, in_use = 0, full = 0;
	const char *wrong = NULL;

	for (uint64_t i = 0; i < pool->fresh && !wrong; i++) {
		const struct slab_state state = pool_unpack(pool_slab(pool, i)->state);

		wrong = check_slab(pool, i);
		in_use += state.used != 0;
		full += state.used && pool_is_full(pool, pool_slab(pool, i)->size_class, state);
	}
	for (uint32_t i = 0; i < ELISA_POOL_CLASSES && !wrong; i++)
		wrong = check_list(pool, i, &listed);
	if (wrong)
		return wrong;
	for (uint64_t at = pool->empty; at && empty <= pool->fresh; empty++) {
		if (pool_slab(pool, at - 1)->state)
			return "an empty slab is in use";
		at = (uint32_t)pool_slab(pool, at - 1)->link;
	}
	if (listed + full != in_use || in_use + empty != pool->fresh)
		return "a slab is lost";
	for (uint32_t i = 0; i < pool->account_count; i++)
		if (bytes_of(pool, i) != elisa_pool_used(pool, i))
			return "an account is wrong";
	return NULL;
}
