/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index from hashes to blocks, of a fixed size. Readers take no lock. Writers change slots by
 * the application's change (change.h).
 *
 * A slot is one word: the upper half of a hash, and a block. An entry may be in eight slots of one
 * cache line, or in eight slots of a second line. An entry never moves: a block that replaces
 * another one goes into the same slot. So a reader that goes through the slots once does not miss
 * an entry that was there all the time.
 *
 *     for (block = elisa_find(&find, &table->index, hash); block; block = elisa_find_next(&find))
 *             if (is what I look for)
 *                     ...
 *
 * A reader without the lock looks at the block by elisa_view_open(). It may use what it has copied
 * only if elisa_find_same() returns 1 at the end. If not, the entry has changed meanwhile, and the
 * reader begins again.
 */
#ifndef ELISA_SUB_INDEX_H
#define ELISA_SUB_INDEX_H

#include <elisa/sub/change.h>
#include <elisa/sub/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_INDEX_WAYS 8u /* slots of a bucket */

/* A bucket is a cache line. */
struct elisa_bucket {
	uint64_t slot[ELISA_INDEX_WAYS];
};

struct elisa_index {
	int64_t buckets; /* distance from here to the array */
	uint64_t mask;
};

/* A walk through the slots where a hash may be. */
struct elisa_find {
	uint64_t *slot; /* the slot of the entry that was found */
	uint64_t seen;	/* the word that was in it */
	uint64_t *next, *end;
	struct elisa_bucket *other; /* the second bucket, until the walk reaches it; then NULL */
	uint64_t tag;
};

/*
 * Prepares an index of `count` buckets: a power of two, in memory aligned to 64 bytes. The manager
 * calls it once. The index takes an entry until both buckets of the entry are full. That seldom
 * happens while less than three quarters of all slots are used. Errors: -EINVAL (count).
 */
int elisa_index_init(struct elisa_index *index, struct elisa_bucket *buckets, uint64_t count);

static inline struct elisa_bucket *elisa_index_bucket(struct elisa_index *index, uint64_t number)
{
	return (struct elisa_bucket *)((uintptr_t)index + (uintptr_t)index->buckets) +
	       (number & index->mask);
}

/* Returns the second bucket of a hash. It is another one than the first, unless the index has only
 * one. */
static inline struct elisa_bucket *elisa_index_other(struct elisa_index *index, uint64_t hash)
{
	const uint64_t other = (hash >> 17 ^ hash) & index->mask;

	return elisa_index_bucket(index, hash ^ (other ? other : 1));
}

/*
 * Returns the next block that may have the hash, or 0 if there is none. Any caller may call it. A
 * caller that has begun a change finds what is committed, not what it has noted.
 */
static inline elisa_ref elisa_find_next(struct elisa_find *find)
{
	for (;;) {
		while (find->next < find->end) {
			uint64_t *slot = find->next++;
			const uint64_t seen = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

			if (seen >> 32 != find->tag || !(uint32_t)seen)
				continue;
			find->slot = slot;
			find->seen = seen;
			return (elisa_ref)seen;
		}
		if (!find->other)
			return 0;
		find->next = find->other->slot;
		find->end = find->next + ELISA_INDEX_WAYS;
		find->other = (struct elisa_bucket *)0;
	}
}

/* Returns the first block that may have the hash, as elisa_find_next(). */
static inline elisa_ref elisa_find(struct elisa_find *find, struct elisa_index *index,
				   uint64_t hash)
{
	find->next = elisa_index_bucket(index, hash)->slot;
	find->end = find->next + ELISA_INDEX_WAYS;
	find->other = elisa_index_other(index, hash);
	find->tag = hash >> 32;
	return elisa_find_next(find);
}

/* Tells whether the entry that was found is still there, and the block that was viewed is still the
 * same. */
static inline int elisa_find_same(const struct elisa_find *find, const struct elisa_view *view)
{
	return elisa_view_same(view) && __atomic_load_n(find->slot, __ATOMIC_RELAXED) == find->seen;
}

/* Adds an entry. The caller has begun a change. Errors: -ENOSPC (no slot is free in either
 * bucket). */
int elisa_index_add(struct elisa_index *index, struct elisa_change *change, uint64_t hash,
		    elisa_ref block);

/* Makes the found entry lead to another block of the same hash, or removes it (block 0). The caller
 * has begun a change. */
void elisa_index_replace(const struct elisa_find *find, struct elisa_change *change,
			 elisa_ref block);

#ifdef __cplusplus
}
#endif

#endif
