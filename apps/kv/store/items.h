/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items, for callers that have begun a change of their space: finding, linking and removing. An
 * item is in one slot of the index and in the order of its place's account; both change together.
 */
#ifndef KV_ITEMS_H
#define KV_ITEMS_H

#include "call.h"
#include "cells.h"

struct kv_found {
	struct elisa_find find; /* the slot of head, if there is an item */
	struct kv_head *head;	/* NULL: there is no item */
	kv_ref ref;
	int live; /* 0: there is no item, or it has expired or was flushed */
};

/* Tells whether the item has neither expired nor been flushed. The caller has begun a change. */
static inline int kv_item_lives(const struct kv_call *call, const struct kv_head *head)
{
	return !kv_is_dead(call->space, head->cell.version, head->meta, call->now);
}

/* Finds the item of a key. The caller has begun a change. *found: out. */
void kv_find(const struct kv_call *call, const struct kv_key *key, struct kv_found *found);

/* Returns the key of an item, and its hash. The caller has begun a change, or holds the item's
 * upload. */
void kv_item_key(const struct kv_space *space, struct kv_head *head, struct kv_own_key *own);

/* Finds the item at a cell, which must be in the index; the item may be dead. The caller has begun
 * a change. */
void kv_find_item(const struct kv_call *call, kv_ref ref, struct kv_found *found);

/* Adds to what the account uses, from the commit on. The caller has begun a change. */
void kv_account_add(struct kv_space *space, uint32_t place, uint32_t cells, uint32_t items);

/* Makes an item of cells that are taken: writes its head and its key. The item is not in the index
 * yet. */
struct kv_made {
	kv_ref first, last;
	uint32_t cells;
	uint32_t length; /* of the value */
	uint64_t meta;
};
void kv_item_make(const struct kv_call *call, const struct kv_key *key, const struct kv_made *made);

/*
 * Links the item: it is found from the commit on, in the slot of what was found before, if
 * anything. The item counts for its account as one item; its cells count already. The caller has
 * begun a change. Errors: -ENOSPC (no slot of the index is free). *version: out.
 */
int kv_item_link(const struct kv_call *call, kv_ref ref, uint64_t hash,
		 const struct kv_found *found, uint64_t *version);

/* Frees the item that was found, from the commit on. It does not count any more, and its slot
 * stays. The caller has begun a change. */
void kv_item_drop(const struct kv_call *call, const struct kv_found *found);

/* Works as kv_item_drop(), and frees the item's slot, too. */
void kv_item_remove(const struct kv_call *call, const struct kv_found *found);

#endif
