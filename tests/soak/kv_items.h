/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that say what they are: each value follows from the item's name and a sequence number that
 * is in it, length and all. Beside each item, in memory that outlives the process that changes it,
 * stands which change was acknowledged and which one is under way. What the store has must be one
 * of these two. An item may also be absent, if the space evicts.
 */
#ifndef SOAK_KV_ITEMS_H
#define SOAK_KV_ITEMS_H

#include <stdbool.h>
#include <elisa/kv.h>

enum {
	SMALL = 36,
	LARGE = 4, /* values of two or three pieces */
	NUMBERS = 8,
	ITEMS = SMALL + LARGE + NUMBERS,
	VALUE_ROOM = 49152
};

/* A sequence number, doubled; and 1 if there is an item after this change. */
struct state {
	uint64_t acknowledged, issued; /* equal: nothing is under way */
	uint64_t last;		       /* sequence number that was ever used */
};

/* What must not be. */
struct faults {
	uint64_t lost;	/* absent, though nothing can have evicted it */
	uint64_t torn;	/* no value that was ever stored under this key */
	uint64_t stale; /* one that was stored, but neither the last one nor what is under way */
	uint64_t other; /* errors that have no reason */
};

struct items {
	uint32_t space;
	char guest;
	bool evicts;	 /* the space has less room than the items */
	bool goes_back;	 /* its manager dies: items may be as they were at any time */
	uint64_t done;	 /* acknowledged changes */
	uint64_t ended;	 /* that a call's end left in doubt */
	uint64_t undone; /* that the store refused for want of room or time */
	uint64_t absent; /* items that were not found, though stored, in a space that evicts */
	struct faults faults;
	struct state state[ITEMS];
};

void items_begin(struct items *items, uint32_t space, char guest);

/* Stores, adds to, or deletes an item, which nothing else changes now. 0, or the call's error. */
int items_change(struct items *items, struct elisa_kv *kv, uint32_t number, bool remove);

/*
 * Reads an item and counts what is wrong with it. settle: what it is now it was meant to be; all
 * changes under way must have ended. 1: found, 0: absent, or the call's error.
 */
int items_look(struct items *items, struct elisa_kv *kv, uint32_t number, bool settle);

/* The same of all items: how many are there, or the first error. */
int items_look_at_all(struct items *items, struct elisa_kv *kv, bool settle);

/* Returns its length. */
size_t items_key(const struct items *items, uint32_t number, char key[32]);

#endif
