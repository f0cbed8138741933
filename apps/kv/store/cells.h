/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells: taking and giving back, and a walk along an item's bytes.
 *
 * Free cells are one chain, linked by the same words as an item's chain. So a change takes any
 * number of cells by one word: the chain of free cells begins behind them. A change gives back an
 * item's chain by two words: its last cell leads to the free ones, which begin with its first cell.
 * The item's head says how long its chain is; the last cell's link means nothing.
 *
 * A reader needs to look at the version of the first cell only, because of the order of the free
 * cells. An item's cells go back together, with its first cell in front, and cells are taken from
 * the front. So none of them is written before the first one is taken, which makes its version odd.
 */
#ifndef KV_CELLS_H
#define KV_CELLS_H

#include "store.h"

/* Returns how many cells an item takes. key and value: bytes. */
uint32_t kv_cells_for(const struct kv_space *space, uint32_t key, uint32_t value);

static inline uint32_t kv_cells_free(struct kv_space *space)
{
	return KV_HIGH(elisa_change_get(&space->change, &space->free));
}

/*
 * Takes `count` cells: at least 1, no more than are free. The caller has begun a change, and may
 * write to the cells at once. A change takes cells before it gives any back. *last: out. Returns
 * the first one.
 */
kv_ref kv_cells_take(struct kv_space *space, uint32_t count, kv_ref *last);

/* Gives back a chain of `count` cells with the commit. The caller has begun a change. */
void kv_cells_give(struct kv_space *space, kv_ref first, kv_ref last, uint32_t count);

/* ------------------------------------------------------------------------------ the walk */

/*
 * A walk along an item's bytes. A reader without the lock uses it, too, while the item may go at
 * any time. Then the walk leads through any cells, but never outside of them.
 */
struct kv_walk {
	const struct kv_space *space;
	uint8_t *cell;
	uint32_t at, end; /* position in the cell */
};

static inline void kv_walk_from(struct kv_walk *walk, const struct kv_space *space,
				struct kv_head *head)
{
	walk->space = space;
	walk->cell = (uint8_t *)head;
	walk->at = KV_ITEM_HEAD;
	walk->end = 1u << space->cell_shift;
}

static inline kv_ref kv_next(const struct kv_cell *cell)
{
	return KV_LOW(kv_load(&cell->link));
}

/* Goes to the next cell. -EAGAIN: there is none, so the item has gone. */
static inline int kv_walk_on(struct kv_walk *walk)
{
	const kv_ref next = kv_next((const struct kv_cell *)walk->cell);

	if (!next || next > walk->space->cell_count)
		return -EAGAIN;
	walk->cell = (uint8_t *)kv_cell(walk->space, next);
	walk->at = KV_CELL_HEAD;
	return 0;
}

/* Returns how many of the next bytes lie in one cell, up to a limit. They begin at *at. 0: there
 * are none, so the item has gone. */
static inline uint32_t kv_walk_part(struct kv_walk *walk, uint64_t limit, uint8_t **at)
{
	uint32_t part;

	if (walk->at == walk->end && kv_walk_on(walk))
		return 0;
	*at = walk->cell + walk->at;
	part = walk->end - walk->at < limit ? walk->end - walk->at : (uint32_t)limit;
	walk->at += part;
	return part;
}

/* cells.c: -EAGAIN if the item has gone. */
int kv_walk_skip(struct kv_walk *walk, uint64_t bytes);
int kv_walk_in(struct kv_walk *walk, const void *from, uint64_t bytes);
int kv_walk_out(struct kv_walk *walk, void *to, uint64_t bytes);
/* Returns 1 if the next bytes are these. */
int kv_walk_same(struct kv_walk *walk, const void *with, uint64_t bytes);

#endif
