/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory in blocks of many sizes, in the object area. Blocks are named by references of 32 bits,
 * which hold in every attachment and in the manager's process.
 *
 * The memory is cut into slabs of one size; each slab in use has blocks of one size class (four
 * classes for each doubling). All that the pool knows is in words, and all of them are written by a
 * change (change.h), the application's own one. So an application takes, fills in and links a block
 * in one change, or not at all. There is nothing to rebuild after a death, and no block is lost.
 *
 *     elisa_change_begin(&table->change, &me);
 *     error = elisa_pool_alloc(&table->pool, &table->change, account, size, &block);
 *     if (error) ...
 *     fill_in(elisa_pool_at(&table->pool, block));
 *     elisa_change_set(&table->change, &slot->block, block);
 *     elisa_change_commit(&table->change);
 *
 * Filling in a large block takes long. For that, a caller holds the block from one change to a
 * later one, and the lock is free in between (elisa_pool_hold()). The name of a dead caller leads
 * to the block that it held, and elisa_pool_reclaim() gives the block back.
 *
 * Readers need no lock. Each block has a version, which is odd while the block is filled in, and no
 * two fillings of the whole pool have the same. A reader looks at the version, copies, and looks
 * again (elisa_view_open(), elisa_view_same()). If the version was the same, and the word that led
 * to the block still leads there, then the copy is whole. Memory of the pool may be read at any
 * time.
 *
 * Each block counts against an account, which has a limit. Give each place an account of its own,
 * and no guest takes the memory of others.
 */
#ifndef ELISA_SUB_POOL_H
#define ELISA_SUB_POOL_H

#include <elisa/sub/change.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t elisa_ref; /* of a block; 0: none */

#define ELISA_POOL_CLASSES   64
#define ELISA_POOL_UNIT	     16u /* bytes: blocks begin at multiples, and have a header of one */
#define ELISA_POOL_MIN_SHIFT 12u /* log2 of a slab's bytes */
#define ELISA_POOL_MAX_SHIFT 21u
#define ELISA_POOL_ACCOUNTS  65536u
#define ELISA_POOL_NO_LIMIT  (~0ull)

struct elisa_block {
	uint64_t version;
	uint64_t word; /* pool.c: what it is, whose, how large */
};

struct elisa_slab {
	uint64_t state; /* pool.c: free list, blocks that were ever used, blocks in use */
	uint64_t link;	/* previous and next slab that has room, or next empty one */
	uint64_t size_class;
};

/* Bytes of whole blocks, headers and rounding included. */
struct elisa_account {
	uint64_t used;
	uint64_t limit;
};

/* What a caller has taken and not yet linked. */
struct elisa_held {
	uint64_t name;
	uint64_t block;
};

struct elisa_pool {
	int64_t slabs; /* distances from here to arrays */
	int64_t accounts;
	int64_t held;
	int64_t memory;
	uint32_t slab_shift;
	uint32_t slab_count;
	uint32_t account_count;
	uint32_t caller_count;
	uint64_t versions; /* the last one */
	uint64_t fresh;	   /* slabs that were ever used */
	uint64_t empty;	   /* list of those that are in no use */
	uint64_t with_room[ELISA_POOL_CLASSES];
	uint32_t capacity[ELISA_POOL_CLASSES]; /* blocks of a slab */
};

/*
 * Manager, once: a pool of this memory (size bytes, aligned to 64), of which its tables take a
 * part. slab_shift: log2 of a slab's bytes; a block is at most a slab. Each size class that is used
 * takes a slab at least. accounts: how many there are, without a limit. callers: those that may
 * hold blocks, or NULL. Errors: -EINVAL (numbers out of range), -ENOSPC (no room for one slab).
 */
int elisa_pool_init(struct elisa_pool *pool, void *memory, uint64_t size, uint32_t slab_shift,
		    uint32_t accounts, const struct elisa_callers *callers);

/* Manager, or begun: the account may use so many bytes, blocks as they are rounded. */
void elisa_pool_limit(struct elisa_pool *pool, uint32_t account, uint64_t bytes);

/* Any caller: bytes that the account uses. */
uint64_t elisa_pool_used(const struct elisa_pool *pool, uint32_t account);

/*
 * Begun: takes a block for size bytes. It may be written at once, and belongs to the application
 * from the commit on. *block: out. It has old contents of any guest: read nothing that was not
 * written. Take blocks before the same change frees any. Errors: -ENOSPC (no memory for this size),
 * -EDQUOT (the account's limit), -EFBIG (larger than a slab), -EINVAL (no such account; something
 * was freed).
 */
int elisa_pool_alloc(struct elisa_pool *pool, struct elisa_change *change, uint32_t account,
		     uint32_t size, elisa_ref *block);

/* Begun: gives it back with the commit. Errors: -EINVAL (no block that is in use). */
int elisa_pool_free(struct elisa_pool *pool, struct elisa_change *change, elisa_ref block);

/* A block's memory. The block must be one. */
static inline void *elisa_pool_at(struct elisa_pool *pool, elisa_ref block)
{
	return (void *)((uintptr_t)pool + (uintptr_t)pool->memory +
			(uintptr_t)block * ELISA_POOL_UNIT);
}

static inline struct elisa_block *elisa_pool_header(struct elisa_pool *pool, elisa_ref block)
{
	return (struct elisa_block *)elisa_pool_at(pool, block) - 1;
}

/* Begun: bytes that were asked for. */
static inline uint32_t elisa_pool_size(struct elisa_pool *pool, elisa_ref block)
{
	return (uint32_t)elisa_pool_header(pool, block)->word;
}

/* ------------------------------------------------------------------- from change to change */

/*
 * Begun, after elisa_pool_alloc(): the caller holds the block after the commit, and may fill it in
 * then. One at a time. Errors: -EBUSY (it holds one).
 */
int elisa_pool_hold(struct elisa_pool *pool, struct elisa_change *change,
		    const struct elisa_caller *me, elisa_ref block);

/*
 * Begun: the block that the caller holds is filled in, and not held any more with the commit. Link
 * it, or free it. Errors: -ENOENT (it holds none).
 */
int elisa_pool_filled(struct elisa_pool *pool, struct elisa_change *change,
		      const struct elisa_caller *me, elisa_ref *block);

/* Begun: frees one block that a dead caller held, if there is one. 1, or 0: there is none. */
int elisa_pool_reclaim(struct elisa_pool *pool, struct elisa_change *change,
		       const struct elisa_caller *me);

/* ---------------------------------------------------------------------------- without a lock */

struct elisa_view {
	const void *data;
	uint32_t size; /* of it, as was asked for */
	uint64_t version;
	const struct elisa_block *block;
};

/*
 * Any caller: looks at a block that a word led to. What is there may change at any time. -EAGAIN:
 * the block is not in use, or is filled in just now: look at that word again.
 */
int elisa_view_open(struct elisa_pool *pool, elisa_ref block, struct elisa_view *view);

/* Was it the same block, with the same contents, since then? */
static inline int elisa_view_same(const struct elisa_view *view)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&view->block->version, __ATOMIC_RELAXED) == view->version;
}

/* ------------------------------------------------------------------------------------- tests */

/*
 * Begun, or nothing else runs: what is wrong with the pool, or NULL. For an application's own
 * checks.
 */
const char *elisa_pool_check(struct elisa_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
