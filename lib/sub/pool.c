/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking and giving back blocks. <elisa/sub/pool.h> has the story; pool.h in this folder describes
 * the words.
 *
 * All words are read by elisa_change_get(), so one change can take several blocks. A change must
 * not take a block that it has freed itself. It would fill in that block before the commit, while
 * other callers may still use the block. So a change takes first and frees afterwards (`freed`).
 *
 * Two words are written outside of the list of the change. The pool's last version only grows. The
 * version of a block that is taken becomes odd: until the commit the block is free, or held by this
 * caller.
 */
#include "pool.h"

static uint64_t align(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

/* Computes where the arrays are, from the start of the memory. Returns the bytes before the first
 * slab. */
static uint64_t layout(struct elisa_pool *pool)
{
	uint64_t at = sizeof(struct elisa_slab) * pool->slab_count;

	pool->accounts = (int64_t)at;
	at += sizeof(struct elisa_account) * pool->account_count;
	pool->held = (int64_t)at;
	at += sizeof(struct elisa_held) * pool->caller_count;
	pool->memory = (int64_t)align(at, 64);
	return (uint64_t)pool->memory;
}

int elisa_pool_init(struct elisa_pool *pool, void *memory, uint64_t size, uint32_t slab_shift,
		    uint32_t accounts, const struct elisa_callers *callers)
{
	const int64_t start = (int64_t)((uintptr_t)memory - (uintptr_t)pool);
	const struct elisa_pool nothing = {0};

	if (slab_shift < ELISA_POOL_MIN_SHIFT || slab_shift > ELISA_POOL_MAX_SHIFT || !accounts ||
	    accounts > ELISA_POOL_ACCOUNTS || (uintptr_t)memory % 64 || size >> 36)
		return -EINVAL;
	*pool = nothing;
	pool->slab_shift = slab_shift;
	pool->account_count = accounts;
	if (callers)
		pool->caller_count = ELISA_CALLER_RECORDS(callers->places, callers->vcpus);
	pool->slab_count = (uint32_t)(size >> slab_shift);
	while (pool->slab_count && layout(pool) + ((uint64_t)pool->slab_count << slab_shift) > size)
		pool->slab_count--;
	if (!pool->slab_count)
		return -ENOSPC;
	pool->slabs = start;
	pool->accounts += start;
	pool->held += start;
	pool->memory += start;
	for (uint32_t i = 0; i < ELISA_POOL_CLASSES; i++)
		pool->capacity[i] = pool_class_size(i) > 1u << slab_shift ?
					    0 :
					    (1u << slab_shift) / pool_class_size(i);
	for (uint64_t *word = memory; (uintptr_t)word < (uintptr_t)pool + (uintptr_t)pool->memory;
	     word++)
		*word = 0;
	for (uint32_t i = 0; i < accounts; i++)
		elisa_pool_limit(pool, i, ELISA_POOL_NO_LIMIT);
	return 0;
}

void elisa_pool_limit(struct elisa_pool *pool, uint32_t account, uint64_t bytes)
{
	__atomic_store_n(&pool_account(pool, account)->limit, bytes, __ATOMIC_RELAXED);
}

uint64_t elisa_pool_used(const struct elisa_pool *pool, uint32_t account)
{
	return __atomic_load_n(&pool_account(pool, account)->used, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------------- lists of slabs */

static uint32_t next_of(struct elisa_change *change, struct elisa_slab *slab)
{
	return (uint32_t)elisa_change_get(change, &slab->link);
}

static uint32_t previous_of(struct elisa_change *change, struct elisa_slab *slab)
{
	return (uint32_t)(elisa_change_get(change, &slab->link) >> 32);
}

static void set_link(struct elisa_change *change, struct elisa_slab *slab, uint64_t previous,
		     uint64_t next)
{
	elisa_change_set(change, &slab->link, previous << 32 | next);
}

/* Adds a slab at the front of the slabs of its class that have room. */
static void list_add(struct elisa_pool *pool, struct elisa_change *change, uint32_t number,
		     uint64_t size_class)
{
	const uint64_t first = elisa_change_get(change, &pool->with_room[size_class]);

	set_link(change, pool_slab(pool, number - 1), 0, first);
	if (first)
		set_link(change, pool_slab(pool, first - 1), number,
			 next_of(change, pool_slab(pool, first - 1)));
	elisa_change_set(change, &pool->with_room[size_class], number);
}

static void list_remove(struct elisa_pool *pool, struct elisa_change *change, uint32_t number,
			uint64_t size_class)
{
	const uint32_t next = next_of(change, pool_slab(pool, number - 1));
	const uint32_t previous = previous_of(change, pool_slab(pool, number - 1));

	if (next)
		set_link(change, pool_slab(pool, next - 1), previous,
			 next_of(change, pool_slab(pool, next - 1)));
	if (previous)
		set_link(change, pool_slab(pool, previous - 1),
			 previous_of(change, pool_slab(pool, previous - 1)), next);
	else
		elisa_change_set(change, &pool->with_room[size_class], next);
}

/* ------------------------------------------------------------------------------ taking */

/* Takes an unused slab for this class. Returns its number, or 0 if there is none. */
static uint32_t new_slab(struct elisa_pool *pool, struct elisa_change *change, uint32_t size_class)
{
	uint32_t number = (uint32_t)elisa_change_get(change, &pool->empty);
	const uint64_t fresh = elisa_change_get(change, &pool->fresh);
	struct elisa_slab *slab;

	if (number) {
		slab = pool_slab(pool, number - 1);
		elisa_change_set(change, &pool->empty, next_of(change, slab));
	} else if (fresh < pool->slab_count) {
		number = (uint32_t)fresh + 1;
		slab = pool_slab(pool, fresh);
		elisa_change_set(change, &pool->fresh, number);
	} else {
		return 0;
	}
	elisa_change_set(change, &slab->size_class, size_class);
	elisa_change_set(change, &slab->state, 0);
	list_add(pool, change, number, size_class);
	return number;
}

/* Takes a free block of the slab. The slab must have one. */
static elisa_ref take(struct elisa_pool *pool, struct elisa_change *change, uint32_t number,
		      uint32_t size_class)
{
	struct elisa_slab *slab = pool_slab(pool, number - 1);
	const uint32_t units = 1u << (pool->slab_shift - 4), first = (number - 1) * units + 1;
	struct slab_state state = pool_unpack(elisa_change_get(change, &slab->state));
	elisa_ref block;

	if (state.free) {
		block = first + state.free - 1;
		state.free =
			(uint32_t)elisa_change_get(change, &elisa_pool_header(pool, block)->word);
	} else {
		block = first + state.ever++ * (pool_class_size(size_class) / ELISA_POOL_UNIT);
	}
	state.used++;
	elisa_change_set(change, &slab->state, pool_pack(state));
	if (pool_is_full(pool, size_class, state))
		list_remove(pool, change, number, size_class);
	return block;
}

/* Gives the block a new version: readers see an odd one while it is filled in, and an even one from
 * the commit on. */
static void new_version(struct elisa_pool *pool, struct elisa_change *change,
			struct elisa_block *block)
{
	const uint64_t version = pool->versions + 2;

	__atomic_store_n(&pool->versions, version, __ATOMIC_RELAXED);
	__atomic_store_n(&block->version, version - 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	elisa_change_set(change, &block->version, version);
}

int elisa_pool_alloc(struct elisa_pool *pool, struct elisa_change *change, uint32_t account,
		     uint32_t size, elisa_ref *block)
{
	struct elisa_account *whose = pool_account(pool, account);
	struct elisa_block *header;
	uint32_t size_class, number;
	uint64_t used;

	*block = 0;
	if (account >= pool->account_count || change->freed)
		return -EINVAL;
	if (size > (1u << pool->slab_shift) - sizeof(*header))
		return -EFBIG;
	size_class = pool_class_for(size + (uint32_t)sizeof(*header));
	used = elisa_change_get(change, &whose->used) + pool_class_size(size_class);
	if (used > __atomic_load_n(&whose->limit, __ATOMIC_RELAXED))
		return -EDQUOT;
	number = (uint32_t)elisa_change_get(change, &pool->with_room[size_class]);
	if (!number)
		number = new_slab(pool, change, size_class);
	if (!number)
		return -ENOSPC;
	*block = take(pool, change, number, size_class);
	header = elisa_pool_header(pool, *block);
	new_version(pool, change, header);
	elisa_change_set(change, &header->word,
			 POOL_IN_USE | (uint64_t)account << POOL_ACCOUNT | size);
	elisa_change_set(change, &whose->used, used);
	return 0;
}

/* ------------------------------------------------------------------------- giving back */

static void put(struct elisa_pool *pool, struct elisa_change *change, uint32_t number,
		uint64_t size_class, uint32_t at)
{
	struct elisa_slab *slab = pool_slab(pool, number - 1);
	struct slab_state state = pool_unpack(elisa_change_get(change, &slab->state));
	const int was_full = pool_is_full(pool, size_class, state);

	state.free = at;
	state.used--;
	if (state.used) {
		elisa_change_set(change, &slab->state, pool_pack(state));
		if (was_full)
			list_add(pool, change, number, size_class);
		return;
	}
	if (!was_full)
		list_remove(pool, change, number, size_class);
	elisa_change_set(change, &slab->state, 0);
	set_link(change, slab, 0, elisa_change_get(change, &pool->empty));
	elisa_change_set(change, &pool->empty, number);
}

int elisa_pool_free(struct elisa_pool *pool, struct elisa_change *change, elisa_ref block)
{
	const uint32_t shift = pool->slab_shift - 4, number = ((block - 1) >> shift) + 1;
	struct elisa_block *header = elisa_pool_header(pool, block);
	struct elisa_account *whose;
	uint64_t word, size_class;
	struct slab_state state;

	if (!block || number > pool->slab_count)
		return -EINVAL;
	word = elisa_change_get(change, &header->word);
	if (!(word & POOL_IN_USE))
		return -EINVAL;
	change->freed = 1;
	whose = pool_account(pool, (uint32_t)(word >> POOL_ACCOUNT) & (ELISA_POOL_ACCOUNTS - 1));
	size_class = elisa_change_get(change, &pool_slab(pool, number - 1)->size_class);
	state = pool_unpack(elisa_change_get(change, &pool_slab(pool, number - 1)->state));
	elisa_change_set(change, &header->word, state.free);
	put(pool, change, number, size_class, ((block - 1) & ((1u << shift) - 1)) + 1);
	elisa_change_set(change, &whose->used,
			 elisa_change_get(change, &whose->used) -
				 pool_class_size((uint32_t)size_class));
	return 0;
}
