/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory in blocks of many sizes, in the object area. Blocks are named by references of 32 bits,
 * which are valid in every attachment and in the manager's process.
 *
 * The memory is cut into slabs of one size. Each slab in use has blocks of one size class (four
 * classes for each doubling). The pool keeps its state in words, and all of them are written by a
 * change (change.h), which is the application's own. So an application takes, fills in and links a
 * block in one change, or not at all. There is nothing to rebuild after a death, and no block is
 * lost.
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
 * Readers need no lock. Each block has a version, which is odd while the block is filled in. The
 * pool never uses a version twice. A reader looks at the version, copies, and looks again
 * (elisa_view_open(), elisa_view_same()). If the version was the same, and the word that led to the
 * block still leads there, then the copy is whole. Memory of the pool may be read at any time.
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

typedef uint32_t elisa_ref; /* the name of a block; 0: none */

#define ELISA_POOL_CLASSES   64
#define ELISA_POOL_UNIT	     16u /* bytes: a block begins at a multiple; its header is one unit */
#define ELISA_POOL_MIN_SHIFT 12u /* log2 of a slab's bytes */
#define ELISA_POOL_MAX_SHIFT 21u
#define ELISA_POOL_ACCOUNTS  65536u
#define ELISA_POOL_NO_LIMIT  (~0ull)

struct elisa_block {
	uint64_t version;
	uint64_t word; /* pool.h: in use or free, its account, its size */
};

struct elisa_slab {
	uint64_t state; /* pool.h: free list, blocks that were ever used, blocks in use */
	uint64_t link;	/* pool.h: previous and next slab that has room, or next empty slab */
	uint64_t size_class;
};

/* Bytes of whole blocks, with headers and rounding. */
struct elisa_account {
	uint64_t used;
	uint64_t limit;
};

/* The block that a caller has taken and not yet linked. */
struct elisa_held {
	uint64_t name;
	uint64_t block;
};

struct elisa_pool {
	int64_t slabs; /* distances from here to the arrays */
	int64_t accounts;
	int64_t held;
	int64_t memory;
	uint32_t slab_shift;
	uint32_t slab_count;
	uint32_t account_count;
	uint32_t caller_count;
	uint64_t versions; /* the last version that was given */
	uint64_t fresh;	   /* number of slabs that were ever used */
	uint64_t empty;	   /* list of slabs that were used and are empty */
	uint64_t with_room[ELISA_POOL_CLASSES];
	uint32_t capacity[ELISA_POOL_CLASSES]; /* blocks of a slab of each class */
};

/*
 * Prepares a pool in `memory`. The manager calls it once.
 * - memory: `size` bytes, aligned to 64. The pool's own tables take a part of it.
 * - slab_shift: log2 of a slab's bytes. A block is at most a slab. Each size class in use takes at
 *   least one slab.
 * - accounts: how many there are. They have no limit at first.
 * - callers: the table of callers that may hold blocks, or NULL.
 *
 * Errors: -EINVAL (numbers out of range), -ENOSPC (no room for one slab).
 */
int elisa_pool_init(struct elisa_pool *pool, void *memory, uint64_t size, uint32_t slab_shift,
		    uint32_t accounts, const struct elisa_callers *callers);

/* Limits the bytes of an account's blocks, which count as they are rounded. The manager may call
 * it, and a caller that has begun a change. */
void elisa_pool_limit(struct elisa_pool *pool, uint32_t account, uint64_t bytes);

/* Returns the bytes that the account uses. Any caller may call it. */
uint64_t elisa_pool_used(const struct elisa_pool *pool, uint32_t account);

/*
 * Takes a block for `size` bytes. The caller has begun a change. *block: out. The caller may write
 * to the block at once. The block belongs to the application from the commit on. It holds old
 * contents, which may be of any guest: read nothing that was not written before. A change must take
 * blocks before it frees any. Errors: -ENOSPC (no memory for this size), -EDQUOT (the account's
 * limit), -EFBIG (larger than a slab), -EINVAL (no such account; the change has freed something).
 */
int elisa_pool_alloc(struct elisa_pool *pool, struct elisa_change *change, uint32_t account,
		     uint32_t size, elisa_ref *block);

/* Gives a block back with the commit. The caller has begun a change. Errors: -EINVAL (no block that
 * is in use). */
int elisa_pool_free(struct elisa_pool *pool, struct elisa_change *change, elisa_ref block);

/* Returns the memory of a block, which must be a valid one. */
static inline void *elisa_pool_at(struct elisa_pool *pool, elisa_ref block)
{
	return (void *)((uintptr_t)pool + (uintptr_t)pool->memory +
			(uintptr_t)block * ELISA_POOL_UNIT);
}

static inline struct elisa_block *elisa_pool_header(struct elisa_pool *pool, elisa_ref block)
{
	return (struct elisa_block *)elisa_pool_at(pool, block) - 1;
}

/* Returns the bytes that were asked for. The caller has begun a change. */
static inline uint32_t elisa_pool_size(struct elisa_pool *pool, elisa_ref block)
{
	return (uint32_t)elisa_pool_header(pool, block)->word;
}

/* ------------------------------------------------------------------- from change to change */

/*
 * Makes the caller the holder of a block that elisa_pool_alloc() took in the same change. The
 * caller may fill in the block after the commit. A caller holds at most one block. Errors: -EBUSY
 * (it holds one).
 */
int elisa_pool_hold(struct elisa_pool *pool, struct elisa_change *change,
		    const struct elisa_caller *me, elisa_ref block);

/*
 * Says that the block which the caller holds is filled in. With the commit the caller does not hold
 * it any more: link it, or free it, in the same change. *block: out. Errors: -ENOENT (it holds
 * none).
 */
int elisa_pool_filled(struct elisa_pool *pool, struct elisa_change *change,
		      const struct elisa_caller *me, elisa_ref *block);

/* Frees one block that a dead caller held. The caller has begun a change. Returns 1, or 0 if there
 * is none. */
int elisa_pool_reclaim(struct elisa_pool *pool, struct elisa_change *change,
		       const struct elisa_caller *me);

/* ---------------------------------------------------------------------------- without a lock */

struct elisa_view {
	const void *data;
	uint32_t size; /* bytes, as was asked for */
	uint64_t version;
	const struct elisa_block *block;
};

/*
 * Opens a view of a block that a word led to. Any caller may call it. The contents may change at
 * any time. Returns -EAGAIN if the block is not in use, or is being filled in: read the word again.
 */
int elisa_view_open(struct elisa_pool *pool, elisa_ref block, struct elisa_view *view);

/* Tells whether it has been the same block, with the same contents, since elisa_view_open(). */
static inline int elisa_view_same(const struct elisa_view *view)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&view->block->version, __ATOMIC_RELAXED) == view->version;
}

/* ------------------------------------------------------------------------------------- tests */

/*
 * Returns what is wrong with the pool, or NULL. The caller has begun a change, or nothing else
 * runs. For the tests of an application.
 */
const char *elisa_pool_check(struct elisa_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
