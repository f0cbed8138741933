/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room for an item: quotas, and which items have to go.
 *
 * A place that has reached its quota in the space gives up items of its own. A place below its
 * quota may find the space full, if the quotas together are more than the space. Then the place
 * with the most memory gives up an item, whichever place that is. So a guest that stores without
 * end costs other guests what is in its own quota, once. Uploads of the place go last, the oldest
 * first.
 *
 * Which item goes: a hand walks along the account's items, from the oldest to the newest. It spares
 * an item that was read since it came by, and takes that mark away. The first item that was not
 * read, or has expired, goes. So does the next one if the hand has spared many in a row, because
 * the walk is under the lock. Items stay where they are in the order. This is CLOCK, with new items
 * at the newest end and not at the hand (published as SIEVE). Compared with a segmented LRU, a hit
 * writes one byte, and only once, where an LRU moves an item under the lock. A scan of new keys is
 * gone after one turn of the hand, while items that were read before stay.
 */
#ifndef KV_ROOM_H
#define KV_ROOM_H

#include "items.h"

struct kv_want {
	uint32_t whole; /* cells of the item */
	uint32_t take;	/* cells that must be free for the next step */
	uint32_t cells; /* by so many cells the account grows */
	uint32_t items;
};

/*
 * Finds room. The caller has begun a change. Returns 0: there is room. Returns 1: there was none,
 * and something goes with the commit; commit, begin, and ask again. Errors: -EDQUOT (the quota is
 * too small, or nothing is left to go), -ENOSPC (the space is too small).
 */
int kv_room(const struct kv_call *call, const struct kv_want *want);

/* How often a call asks for room at most; then it returns -EBUSY. Items that have gone stay
 * gone. */
#define KV_ROOM_TRIES 1024u

#endif
