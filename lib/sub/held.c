/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks that a caller holds between two changes, and views of blocks without a lock.
 *
 * A held block keeps an odd version until it is filled in and a change commits that. So a reader
 * that comes to the block by an old reference sees that the block is being filled in, and looks
 * again.
 */
#include "pool.h"

static struct elisa_held *held(const struct elisa_pool *pool, uint32_t number)
{
	return (struct elisa_held *)pool_array(pool, pool->held) + number;
}

int elisa_pool_hold(struct elisa_pool *pool, struct elisa_change *change,
		    const struct elisa_caller *me, elisa_ref block)
{
	struct elisa_held *mine = held(pool, elisa_caller_index(me));
	struct elisa_block *header = elisa_pool_header(pool, block);

	if (mine->block && mine->name == me->name)
		return -EBUSY;
	/* the block was held by an earlier life of this caller */
	if (mine->block)
		elisa_pool_free(pool, change, (elisa_ref)mine->block);
	elisa_change_set(change, &header->version, header->version);
	elisa_change_set(change, &mine->name, me->name);
	elisa_change_set(change, &mine->block, block);
	return 0;
}

int elisa_pool_filled(struct elisa_pool *pool, struct elisa_change *change,
		      const struct elisa_caller *me, elisa_ref *block)
{
	struct elisa_held *mine = held(pool, elisa_caller_index(me));

	*block = (elisa_ref)mine->block;
	if (!mine->block || mine->name != me->name)
		return -ENOENT;
	__atomic_store_n(&pool->versions, pool->versions + 2, __ATOMIC_RELAXED);
	elisa_change_set(change, &elisa_pool_header(pool, *block)->version, pool->versions);
	elisa_change_set(change, &mine->block, 0);
	return 0;
}

int elisa_pool_reclaim(struct elisa_pool *pool, struct elisa_change *change,
		       const struct elisa_caller *me)
{
	for (uint32_t i = 0; i < pool->caller_count; i++) {
		struct elisa_held *one = held(pool, i);

		if (!one->block || !elisa_caller_dead(me->callers, one->name))
			continue;
		elisa_pool_free(pool, change, (elisa_ref)one->block);
		elisa_change_set(change, &one->block, 0);
		return 1;
	}
	return 0;
}

/*
 * Opens a view. A slab may get blocks of another size at any time. So what seems to be a header may
 * be bytes that a guest wrote into a block. The size is therefore bounded by the pool's memory,
 * whatever the word says. The reader discards what it copied from such a header: the word that led
 * it here has changed by then.
 */
int elisa_view_open(struct elisa_pool *pool, elisa_ref block, struct elisa_view *view)
{
	const uint64_t end = (uint64_t)pool->slab_count << pool->slab_shift;
	const uint64_t at = (uint64_t)block * ELISA_POOL_UNIT;
	uint64_t word;

	if (!block || at > end)
		return -EAGAIN;
	view->block = elisa_pool_header(pool, block);
	view->version = __atomic_load_n(&view->block->version, __ATOMIC_ACQUIRE);
	word = __atomic_load_n(&view->block->word, __ATOMIC_ACQUIRE);
	view->data = elisa_pool_at(pool, block);
	view->size = (uint32_t)word;
	if (view->version & 1 || !(word & POOL_IN_USE) || view->size > end - at)
		return -EAGAIN;
	return 0;
}
