/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items, for callers that have begun a change of their space: finding, linking, and taking out. An
 * item is in one slot of the index and in the order of its place's account; both change together.
 */
#ifndef KV_ITEMS_H
#define KV_ITEMS_H

#include "call.h"
#include "cells.h"

struct kv_found {
	struct elisa_find find; /* of head, if there is one */
	struct kv_head *head;	/* NULL: there is none */
	kv_ref ref;
	int live; /* 0: there is none, or it has expired or was flushed */
};

/* Begun: it has neither expired nor been flushed. */
static inline int kv_item_lives(const struct kv_call *call, const struct kv_head *head)
{
	return !kv_is_dead(call->space, head->cell.version, head->meta, call->now);
}

/* Begun. *found: out. */
void kv_find(const struct kv_call *call, const struct kv_key *key, struct kv_found *found);

/* Begun, or its upload's holder: the key of an item, and its hash. */
void kv_item_key(const struct kv_space *space, struct kv_head *head, struct kv_own_key *own);

/* Begun: the item at a cell, which is in the index, also if it is dead. */
void kv_find_item(const struct kv_call *call, kv_ref ref, struct kv_found *found);

/* Begun: what the account uses, from the commit on. */
void kv_account_add(struct kv_space *space, uint32_t place, uint32_t cells, uint32_t items);

/* Cells that are taken become an item that is not in the index: writes its head, and its key. */
struct kv_made {
	kv_ref first, last;
	uint32_t cells;
	uint32_t length; /* of the value */
	uint64_t meta;
};
void kv_item_make(const struct kv_call *call, const struct kv_key *key, const struct kv_made *made);

/*
 * Begun: the item is found from the commit on, in the place of what was found, and counts for its
 * account as one item; its cells count already. Errors: -ENOSPC (no slot of the index is free).
 * *version: out.
 */
int kv_item_link(const struct kv_call *call, kv_ref ref, uint64_t hash,
		 const struct kv_found *found, uint64_t *version);

/* Begun: what was found is neither found nor counted from the commit on. Its slot stays. */
void kv_item_drop(const struct kv_call *call, const struct kv_found *found);

/* Begun: the same, and its slot is free. */
void kv_item_remove(const struct kv_call *call, const struct kv_found *found);

#endif
