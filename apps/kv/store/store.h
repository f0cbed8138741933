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
 * An item is a chain of cells. Its first cell has the head, then the bytes of the key and the value
 * continue from cell to cell. There is one size for all memory. With slabs of many sizes, a guest
 * could leave one small item in each slab. Other guests would find no memory, though that guest is
 * below its quota. With cells, each free one is as good as another. The price is half a cell for
 * each item, and copies in as many parts as the item has cells.
 *
 * A guest can be kept out of a space. A reader copies from memory that may be reused at the same
 * time. What it then discards may be bytes of another item, and they are already in the guest's
 * exchange buffer. So these must be bytes that the guest may read: memory never goes from one space
 * to another.
 *
 * Writers change words by the space's change (<elisa/sub/change.h>): all or nothing. Readers take
 * no lock (read.h).
 */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <stddef.h>
#include <elisa/sub.h>
#include "../exchange.h"

typedef uint32_t kv_ref; /* the number of a cell; 0: none */

/* The head of a cell never holds bytes of an item. So a call with an old reference reads no guest's
 * bytes here. */
struct kv_cell {
	uint64_t version; /* first cell of an item: its CAS number, doubled; else odd */
	uint64_t link;	  /* the next cell, and the byte KV_RECENT */
};

struct kv_head {
	struct kv_cell cell;
	uint64_t meta;	     /* flags; from bit 32 when it expires: seconds of the store; 0:
			      * never */
	uint64_t neighbours; /* in the account's order: the next older item; from bit 32 the next
			      * newer */
	uint32_t length;     /* of the value */
	uint32_t cells;
	kv_ref last;
	uint16_t place;
	uint8_t key_length;
	uint8_t unused;
};

/* Index of a byte in kv_cell.link: the item was read since the hand came by. Readers set it. */
#define KV_RECENT	   4

#define KV_CELL_MIN_SHIFT  7u
#define KV_CELL_MAX_SHIFT  12u
#define KV_CELL_HEAD	   ((uint32_t)sizeof(struct kv_cell))
#define KV_ITEM_HEAD	   ((uint32_t)sizeof(struct kv_head))

/* Two numbers of 32 bits in one word, which change together: the lower and the upper one. */
#define KV_PAIR(low, high) ((uint64_t)(uint32_t)(low) | (uint64_t)(uint32_t)(high) << 32)
#define KV_LOW(pair)	   ((uint32_t)(pair))
#define KV_HIGH(pair)	   ((uint32_t)((pair) >> 32))

struct kv_account {
	uint64_t used;	/* cells, items */
	uint64_t limit; /* limits of cells, items; the manager sets them */
	uint64_t order; /* the oldest and the newest item */
	uint64_t hand;	/* where eviction looks next; 0: at the oldest item */
};

/*
 * Cells that are taken and are no item yet. Its lock protects what is in the cells. The rest
 * changes by the space's change. upload.c has the story.
 */
struct kv_upload {
	struct elisa_lock lock;
	uint64_t owner; /* the attachment; 0: no cells are taken */
	uint64_t chain; /* first and last cell */
	uint64_t cells; /* how many cells are taken, and for which place */
	uint64_t handle;
	uint64_t cursor; /* a cell, and its number in the chain */
	uint64_t sent;	 /* bytes of the value that have come, from its beginning */
};

struct kv_space {
	/* all callers read these, and they are hardly ever written */
	struct elisa_index index;
	uint64_t secret; /* for the hash */
	int64_t cells;	 /* distances from here to the arrays */
	int64_t accounts;
	int64_t uploads;
	uint32_t cell_shift;
	uint32_t cell_count;  /* without cell 0, which stands for none */
	uint32_t first_bytes; /* bytes of an item that fit into its first cell */
	uint32_t unused;
	uint64_t flushed; /* items up to this version are dead */

	/* the lock, and what it protects */
	struct elisa_change change __attribute__((aligned(64)));
	uint64_t free;	   /* the first free cell, and the number of free cells */
	uint64_t versions; /* the last one given; it only grows, so it may be written outside of a
			    * change's list */
	uint64_t handles;  /* likewise */
} __attribute__((aligned(64)));

/* Counters of a caller, which is a vCPU of a place. No other caller writes them. */
struct kv_counters {
	uint64_t count[KV_STATS];
} __attribute__((aligned(64)));

/* What a place has in a space. */
struct kv_grant {
	int64_t space;	  /* distances from the store */
	int64_t counters; /* of the place's first vCPU */
	uint64_t rights;  /* enum kv_right */
	uint64_t unused;
};

/* What a place had counted when its attachment began, so that an attachment learns nothing of the
 * one before. */
struct kv_since {
	uint64_t attachment; /* 0: the manager has not begun its counts yet */
	uint64_t count[KV_STATS];
} __attribute__((aligned(64)));

#define KV_SPACES_MAX 256u
#define KV_PLACES_MAX 256u

struct kv_store {
	struct elisa_callers callers;
	uint64_t now;	/* seconds; the manager sets it */
	int64_t grants; /* distances from here to the arrays; for each place and space */
	int64_t counters;
	int64_t since; /* for each place */
	uint32_t places;
	uint32_t spaces;
	uint64_t size; /* bytes of the whole store */
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

/* Returns the counters of a caller. number: elisa_caller_index(). */
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

/* Tells whether an item of this version and meta word is dead: it has expired or was flushed,
 * though its cells are still taken. */
static inline int kv_is_dead(const struct kv_space *space, uint64_t version, uint64_t meta,
			     uint32_t now)
{
	return (KV_HIGH(meta) && KV_HIGH(meta) <= now) || version <= kv_load(&space->flushed);
}

#endif
