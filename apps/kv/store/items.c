/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items; items.h says what the functions do.
 *
 * The words of a new item's head are written before the commit, into cells that are still free or
 * held: nothing leads to them. The exception is the version, which must not be even before the cell
 * is an item. So the version changes with the commit, and before the slot that leads to it.
 *
 * All links are read by elisa_change_get(), because one change may add an item to the order and
 * remove its neighbour.
 */
#include "items.h"

static uint64_t get(struct kv_space *space, const uint64_t *word)
{
	return elisa_change_get(&space->change, word);
}

static void set(struct kv_space *space, uint64_t *word, uint64_t value)
{
	elisa_change_set(&space->change, word, value);
}

void kv_account_add(struct kv_space *space, uint32_t place, uint32_t cells, uint32_t items)
{
	struct kv_account *account = kv_account(space, place);
	const uint64_t used = get(space, &account->used);

	set(space, &account->used, KV_PAIR(KV_LOW(used) + cells, KV_HIGH(used) + items));
}

static int is_key(const struct kv_space *space, struct kv_head *head, const struct kv_key *key)
{
	struct kv_walk walk;

	if (head->key_length != key->length)
		return 0;
	kv_walk_from(&walk, space, head);
	return kv_walk_same(&walk, key->bytes, key->length);
}

static void found_here(const struct kv_call *call, kv_ref ref, struct kv_found *found)
{
	found->ref = ref;
	found->head = ref ? kv_head(call->space, ref) : NULL;
	found->live = ref && kv_item_lives(call, found->head);
}

void kv_find(const struct kv_call *call, const struct kv_key *key, struct kv_found *found)
{
	kv_ref ref = elisa_find(&found->find, &call->space->index, key->hash);

	while (ref && !is_key(call->space, kv_head(call->space, ref), key))
		ref = elisa_find_next(&found->find);
	found_here(call, ref, found);
}

void kv_item_key(const struct kv_space *space, struct kv_head *head, struct kv_own_key *own)
{
	struct kv_walk walk;

	kv_walk_from(&walk, space, head);
	kv_walk_out(&walk, own->bytes, head->key_length);
	kv_key(&own->key, space->secret, own->bytes, head->key_length);
}

void kv_find_item(const struct kv_call *call, kv_ref ref, struct kv_found *found)
{
	struct kv_own_key own;
	kv_ref at;

	kv_item_key(call->space, kv_head(call->space, ref), &own);
	at = elisa_find(&found->find, &call->space->index, own.key.hash);
	while (at && at != ref)
		at = elisa_find_next(&found->find);
	found_here(call, at, found);
}

void kv_item_make(const struct kv_call *call, const struct kv_key *key, const struct kv_made *made)
{
	struct kv_head *head = kv_head(call->space, made->first);
	struct kv_walk walk;

	((uint8_t *)&head->cell.link)[KV_RECENT] = 0;
	head->meta = made->meta;
	head->length = made->length;
	head->cells = made->cells;
	head->last = made->last;
	head->place = (uint16_t)call->place;
	head->key_length = (uint8_t)key->length;
	kv_walk_from(&walk, call->space, head);
	kv_walk_in(&walk, key->bytes, key->length);
}

/* ------------------------------------------------------------------------------ the order */

/* Sets one of an item's two neighbours, or one end of the order. `half` 0 is the older one. */
static void set_half(struct kv_space *space, uint64_t *pair, int half, kv_ref ref)
{
	const uint64_t was = get(space, pair);

	set(space, pair, half ? KV_PAIR(KV_LOW(was), ref) : KV_PAIR(ref, KV_HIGH(was)));
}

static void order_add(struct kv_space *space, struct kv_account *account, kv_ref ref)
{
	const uint64_t order = get(space, &account->order);
	const kv_ref newest = KV_HIGH(order);

	kv_store_word(&kv_head(space, ref)->neighbours, KV_PAIR(newest, 0));
	if (newest)
		set_half(space, &kv_head(space, newest)->neighbours, 1, ref);
	set(space, &account->order, KV_PAIR(newest ? KV_LOW(order) : ref, ref));
}

static void order_remove(struct kv_space *space, struct kv_account *account, kv_ref ref)
{
	const uint64_t between = get(space, &kv_head(space, ref)->neighbours);
	const kv_ref older = KV_LOW(between), newer = KV_HIGH(between);

	set_half(space, older ? &kv_head(space, older)->neighbours : &account->order, older != 0,
		 newer);
	set_half(space, newer ? &kv_head(space, newer)->neighbours : &account->order, newer == 0,
		 older);
	if (get(space, &account->hand) == ref)
		set(space, &account->hand, newer);
}

/* ------------------------------------------------------------------------------ in and out */

int kv_item_link(const struct kv_call *call, kv_ref ref, uint64_t hash,
		 const struct kv_found *found, uint64_t *version)
{
	struct kv_space *space = call->space;
	struct kv_head *head = kv_head(space, ref);

	*version = space->versions + 2;
	kv_store_word(&space->versions, *version);
	set(space, &head->cell.version, *version);
	order_add(space, kv_account(space, head->place), ref);
	kv_account_add(space, head->place, 0, 1);
	if (!found->head)
		return elisa_index_add(&space->index, &space->change, hash, ref);
	elisa_index_replace(&found->find, &space->change, ref);
	kv_item_drop(call, found);
	return 0;
}

void kv_item_drop(const struct kv_call *call, const struct kv_found *found)
{
	struct kv_space *space = call->space;
	const struct kv_head *head = found->head;

	order_remove(space, kv_account(space, head->place), found->ref);
	kv_account_add(space, head->place, 0u - head->cells, 0u - 1);
	kv_cells_give(space, found->ref, head->last, head->cells);
}

void kv_item_remove(const struct kv_call *call, const struct kv_found *found)
{
	elisa_index_replace(&found->find, &call->space->change, 0);
	kv_item_drop(call, found);
}
