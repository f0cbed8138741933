/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index from hashes to blocks, of a fixed size. Readers take no lock; writers change slots by
 * the application's change (change.h).
 *
 * A slot is one word: the hash's upper half, and a block. A hash may be in eight slots of one cache
 * line or in eight of another. An entry never moves: what replaces it is put into the same slot. So
 * a reader that goes through the slots once does not miss an entry that was there all the time.
 *
 *     for (block = elisa_find(&find, &table->index, hash); block; block = elisa_find_next(&find))
 *             if (is what I look for)
 *                     ...
 *
 * A reader without the lock looks at the block by elisa_view_open(), and believes what it has seen
 * if elisa_find_same() says so at the end. If not, the entry has changed under its hands: it begins
 * again.
 */
#ifndef ELISA_SUB_INDEX_H
#define ELISA_SUB_INDEX_H

#include <elisa/sub/change.h>
#include <elisa/sub/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_INDEX_WAYS 8u /* slots of a bucket */

/* A cache line. */
struct elisa_bucket {
	uint64_t slot[ELISA_INDEX_WAYS];
};

struct elisa_index {
	int64_t buckets; /* distance from here */
	uint64_t mask;
};

/* A walk through the slots where a hash may be. */
struct elisa_find {
	uint64_t *slot; /* the entry that was found */
	uint64_t seen;	/* what was in it */
	uint64_t *next, *end;
	struct elisa_bucket *other; /* the second bucket, until the walk is there */
	uint64_t tag;
};

/*
 * Manager, once: an index of count buckets, a power of two, aligned to 64 bytes. It takes entries
 * until both buckets of one are full, which happens seldom below three quarters of its slots.
 * -EINVAL: count.
 */
int elisa_index_init(struct elisa_index *index, struct elisa_bucket *buckets, uint64_t count);

static inline struct elisa_bucket *elisa_index_bucket(struct elisa_index *index, uint64_t number)
{
	return (struct elisa_bucket *)((uintptr_t)index + (uintptr_t)index->buckets) +
	       (number & index->mask);
}

/* The second bucket of a hash: another than the first, but where there is one only. */
static inline struct elisa_bucket *elisa_index_other(struct elisa_index *index, uint64_t hash)
{
	const uint64_t other = (hash >> 17 ^ hash) & index->mask;

	return elisa_index_bucket(index, hash ^ (other ? other : 1));
}

/*
 * Any caller: the next block whose hash may be the one that is looked for; 0: there is none. Also
 * where the caller has begun a change: what is committed, not what is noted.
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

/* Any caller: the first one, as above. */
static inline elisa_ref elisa_find(struct elisa_find *find, struct elisa_index *index,
				   uint64_t hash)
{
	find->next = elisa_index_bucket(index, hash)->slot;
	find->end = find->next + ELISA_INDEX_WAYS;
	find->other = elisa_index_other(index, hash);
	find->tag = hash >> 32;
	return elisa_find_next(find);
}

/* Is the entry that was found still there, and the block that was looked at still the same? */
static inline int elisa_find_same(const struct elisa_find *find, const struct elisa_view *view)
{
	return elisa_view_same(view) && __atomic_load_n(find->slot, __ATOMIC_RELAXED) == find->seen;
}

/* Begun: a new entry. Errors: -ENOSPC (no slot is free where it may be). */
int elisa_index_add(struct elisa_index *index, struct elisa_change *change, uint64_t hash,
		    elisa_ref block);

/* Begun: the entry that was found leads to another block of the same hash, or goes (0). */
void elisa_index_replace(const struct elisa_find *find, struct elisa_change *change,
			 elisa_ref block);

#ifdef __cplusplus
}
#endif

#endif
