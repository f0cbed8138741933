/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells: taking and giving back, and a walk along an item's bytes.
 *
 * Free cells are one chain, in the same words as an item's. So taking any number of them is one
 * word of a change: the chain of free cells begins behind them. Giving back an item's chain is two:
 * its last cell leads to the free ones, which begin with its first. How long a chain is says the
 * item's head; the last cell's link means nothing.
 *
 * The order of the free cells is why a reader needs to look at the version of the first cell only.
 * An item's cells go back together, its first cell in front of the others, and are taken from the
 * front. So none of them is written before the first one was taken, which makes its version odd.
 */
#ifndef KV_CELLS_H
#define KV_CELLS_H

#include "store.h"

/* Cells of an item. key and value: bytes. */
uint32_t kv_cells_for(const struct kv_space *space, uint32_t key, uint32_t value);

static inline uint32_t kv_cells_free(struct kv_space *space)
{
	return KV_HIGH(elisa_change_get(&space->change, &space->free));
}

/*
 * Begun: takes count cells (at least 1, no more than are free), which may be written at once.
 * Before all that the same change gives back. *last: out. Returns the first one.
 */
kv_ref kv_cells_take(struct kv_space *space, uint32_t count, kv_ref *last);

/* Begun: gives back a chain of count cells with the commit. */
void kv_cells_give(struct kv_space *space, kv_ref first, kv_ref last, uint32_t count);

/* ------------------------------------------------------------------------------ the walk */

/*
 * Also of a reader without the lock, whose item may go at any time. Then the walk leads through any
 * cells, but through nothing else.
 */
struct kv_walk {
	const struct kv_space *space;
	uint8_t *cell;
	uint32_t at, end; /* in the cell */
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

/* -EAGAIN: there is none, so the item has gone. */
static inline int kv_walk_on(struct kv_walk *walk)
{
	const kv_ref next = kv_next((const struct kv_cell *)walk->cell);

	if (!next || next > walk->space->cell_count)
		return -EAGAIN;
	walk->cell = (uint8_t *)kv_cell(walk->space, next);
	walk->at = KV_CELL_HEAD;
	return 0;
}

/* The next bytes in one cell, up to a limit; 0: -EAGAIN as above. They begin at *at. */
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

/* cells.c. -EAGAIN as above. */
int kv_walk_skip(struct kv_walk *walk, uint64_t bytes);
int kv_walk_in(struct kv_walk *walk, const void *from, uint64_t bytes);
int kv_walk_out(struct kv_walk *walk, void *to, uint64_t bytes);
/* 1: the next bytes are these. */
int kv_walk_same(struct kv_walk *walk, const void *with, uint64_t bytes);

#endif
