/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of elisa-kv: what the function in the guests' sub contexts and the manager's process
 * agree on. All of it is one piece, and names its parts by distances.
 *
 *     store           which place may do what, its counters, the clock
 *       space         a name space: its lock, its index, its memory; nothing is shared between two
 *         account     of a place: what it uses, what it may use, its items by their age
 *         upload      of a place: memory that is taken and not yet an item
 *         cell        all memory of a space, in pieces of one size
 *
 * An item is a chain of cells. Its first cell has the head, then the key's and the value's bytes go
 * on from cell to cell. One size for all memory has a reason. With slabs of many sizes a guest
 * could leave one small item in each slab, and others would find no memory though the guest is
 * below its quota. Of cells each free one is as good as another. The price is half a cell for each
 * item, and copies in as many parts as the item has cells.
 *
 * A space is what a guest can be kept out of. A reader copies from memory that may be recycled
 * under its hands. What it then throws away may be bytes of another item, and they are already in
 * the guest's exchange buffer. So these must be bytes that the guest may read: memory never goes
 * from one space to another.
 *
 * Writers change words by the space's change (<elisa/sub/change.h>): all or nothing. Readers take
 * no lock (read.h).
 */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <stddef.h>
#include <elisa/sub.h>
#include "../exchange.h"

typedef uint32_t kv_ref; /* of a cell; 0: none */

/* Never an item's bytes, so that a call which has an old reference reads no guest's bytes here. */
struct kv_cell {
	uint64_t version; /* of a first cell of an item: its CAS number, doubled; else odd */
	uint64_t link;	  /* the next cell, KV_RECENT */
};

struct kv_head {
	struct kv_cell cell;
	uint64_t meta;	     /* flags; expiry from bit 32: the store's seconds, 0: never */
	uint64_t neighbours; /* in the account's order: the next older; from bit 32: newer */
	uint32_t length;     /* of the value */
	uint32_t cells;
	kv_ref last;
	uint16_t place;
	uint8_t key_length;
	uint8_t unused;
};

/* In the fifth byte of kv_cell.link: was read since the hand came by. Readers set it. */
#define KV_RECENT	   4

#define KV_CELL_MIN_SHIFT  7u
#define KV_CELL_MAX_SHIFT  12u
#define KV_CELL_HEAD	   ((uint32_t)sizeof(struct kv_cell))
#define KV_ITEM_HEAD	   ((uint32_t)sizeof(struct kv_head))

/* Two numbers of 32 bits in a word, which change together: this one and the upper one. */
#define KV_PAIR(low, high) ((uint64_t)(uint32_t)(low) | (uint64_t)(uint32_t)(high) << 32)
#define KV_LOW(pair)	   ((uint32_t)(pair))
#define KV_HIGH(pair)	   ((uint32_t)((pair) >> 32))

struct kv_account {
	uint64_t used;	/* cells, items */
	uint64_t limit; /* the same; by the manager */
	uint64_t order; /* its oldest and its newest item */
	uint64_t hand;	/* where eviction looks next; 0: at the oldest one */
};

/*
 * Cells that are taken and no item yet. Its lock protects what is in the cells; the rest changes by
 * the space's change. upload.c has the story.
 */
struct kv_upload {
	struct elisa_lock lock;
	uint64_t owner; /* attachment; 0: nothing is taken */
	uint64_t chain; /* first and last cell */
	uint64_t cells; /* how many are taken, and for which place */
	uint64_t handle;
	uint64_t cursor; /* a cell, and which one of the chain it is */
	uint64_t sent;	 /* bytes of the value that are there, from its beginning */
};

struct kv_space {
	/* read by all, hardly ever written */
	struct elisa_index index;
	uint64_t secret; /* of the hash */
	int64_t cells;	 /* distances from here to arrays */
	int64_t accounts;
	int64_t uploads;
	uint32_t cell_shift;
	uint32_t cell_count;  /* and cell 0, which is none */
	uint32_t first_bytes; /* of an item that its first cell has */
	uint32_t unused;
	uint64_t flushed; /* items up to this version are no more */

	/* the lock, and what is under it */
	struct elisa_change change __attribute__((aligned(64)));
	uint64_t free;	   /* the first free cell, and how many there are */
	uint64_t versions; /* the last one; only grows, and may without a change */
	uint64_t handles;  /* the same */
} __attribute__((aligned(64)));

/* Of a caller, that is of a vCPU of a place; no other one writes them. */
struct kv_counters {
	uint64_t count[KV_STATS];
} __attribute__((aligned(64)));

/* What a place has of a space. */
struct kv_grant {
	int64_t space;	  /* distances from the store */
	int64_t counters; /* of the place's first vCPU */
	uint64_t rights;  /* enum kv_right */
	uint64_t unused;
};

/* What a place had counted when its attachment began: the next tenant is not told of the last. */
struct kv_since {
	uint64_t attachment; /* 0: the manager has not heard of it yet */
	uint64_t count[KV_STATS];
} __attribute__((aligned(64)));

#define KV_SPACES_MAX 256u
#define KV_PLACES_MAX 256u

struct kv_store {
	struct elisa_callers callers;
	uint64_t now;	/* seconds; by the manager */
	int64_t grants; /* distances from here to arrays; of places, of spaces */
	int64_t counters;
	int64_t since; /* of places */
	uint32_t places;
	uint32_t spaces;
	uint64_t size; /* bytes of all */
	int64_t space[KV_SPACES_MAX];
};

static inline void *kv_at(const void *base, int64_t distance)
{
	return (void *)((uintptr_t)base + (uintptr_t)distance);
}

static inline struct kv_space *kv_space(const struct kv_store *store, uint32_t number)
{
	return (struct kv_space *)kv_at(store, store->space[number]);
}

static inline struct kv_grant *kv_grant(const struct kv_store *store, uint32_t place,
					uint32_t space)
{
	return (struct kv_grant *)kv_at(store, store->grants) + (place * store->spaces + space);
}

/* number: elisa_caller_index(). */
static inline uint64_t *kv_counters(const struct kv_store *store, uint32_t number)
{
	return ((struct kv_counters *)kv_at(store, store->counters))[number].count;
}

static inline struct kv_since *kv_since(const struct kv_store *store, uint32_t place)
{
	return (struct kv_since *)kv_at(store, store->since) + place;
}

static inline struct kv_account *kv_account(const struct kv_space *space, uint32_t place)
{
	return (struct kv_account *)kv_at(space, space->accounts) + place;
}

static inline struct kv_cell *kv_cell(const struct kv_space *space, kv_ref ref)
{
	return (struct kv_cell *)kv_at(space, space->cells + ((int64_t)ref << space->cell_shift));
}

static inline struct kv_head *kv_head(const struct kv_space *space, kv_ref ref)
{
	return (struct kv_head *)kv_cell(space, ref);
}

static inline uint64_t kv_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void kv_store_word(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* An item's CAS number is half of its version, so that both are unique. */
static inline uint64_t kv_cas(uint64_t version)
{
	return version / 2;
}

/* Is an item of this version and meta word no more, though it is still there? */
static inline int kv_is_dead(const struct kv_space *space, uint64_t version, uint64_t meta,
			     uint32_t now)
{
	return (KV_HIGH(meta) && KV_HIGH(meta) <= now) || version <= kv_load(&space->flushed);
}

#endif
