/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a pool, packed so that one store changes what belongs together.
 *
 *   block.word    in use: bit 63, account (16 bits from 40), bytes asked for (32 bits); free: the
 *                 next free block of the slab, or 0
 *   slab.state    first free block (20 bits), blocks that were ever used (20), blocks in use (20)
 *   slab.link     previous (upper half) and next slab with room of the class; of an empty slab the
 *                 next empty one
 *
 * A free block is named by its offset in the slab, in units, plus 1. A slab is named by its number
 * plus 1. So 0 always means none.
 */
#ifndef ELISA_POOL_WORDS_H
#define ELISA_POOL_WORDS_H

#include <elisa/sub/pool.h>

#define POOL_IN_USE  (1ull << 63)
#define POOL_ACCOUNT 40
#define POOL_BITS    20
#define POOL_MASK    ((1u << POOL_BITS) - 1)

struct slab_state {
	uint32_t free, ever, used;
};

static inline struct slab_state pool_unpack(uint64_t word)
{
	const struct slab_state state = {
		.free = (uint32_t)word & POOL_MASK,
		.ever = (uint32_t)(word >> POOL_BITS) & POOL_MASK,
		.used = (uint32_t)(word >> 2 * POOL_BITS) & POOL_MASK,
	};

	return state;
}

static inline uint64_t pool_pack(struct slab_state state)
{
	return state.free | (uint64_t)state.ever << POOL_BITS |
	       (uint64_t)state.used << 2 * POOL_BITS;
}

static inline void *pool_array(const struct elisa_pool *pool, int64_t distance)
{
	return (void *)((uintptr_t)pool + (uintptr_t)distance);
}

static inline struct elisa_slab *pool_slab(const struct elisa_pool *pool, uint64_t number)
{
	return (struct elisa_slab *)pool_array(pool, pool->slabs) + number;
}

static inline struct elisa_account *pool_account(const struct elisa_pool *pool, uint32_t account)
{
	return (struct elisa_account *)pool_array(pool, pool->accounts) + account;
}

/* Returns the bytes of a block of a class: 64, 80, 96, 112, 128, 160, ... */
static inline uint32_t pool_class_size(uint32_t number)
{
	return number ? (5 + (number - 1) % 4) << (4 + (number - 1) / 4) : 64;
}

/* Returns the smallest class with room for `size` bytes. */
static inline uint32_t pool_class_for(uint32_t size)
{
	uint32_t top;

	if (size <= 64)
		return 0;
	top = 31 - (uint32_t)__builtin_clz(size - 1);
	return (top - 6) * 4 + ((size - 1) >> (top - 2) & 3) + 1;
}

static inline int pool_is_full(const struct elisa_pool *pool, uint64_t size_class,
			       struct slab_state state)
{
	return !state.free && state.ever == pool->capacity[size_class];
}

#endif
