/* SPDX-License-Identifier: Apache-2.0 */
/* Checks each cell, each slot of the index and each account of a store. For tests. */
#include <stdlib.h>
#include "call.h"
#include "cells.h"
#include "check.h"
#include "items.h"
#include "upload.h"

struct check {
	const struct kv_store *store;
	struct kv_space *space;
	uint8_t *seen;		       /* for each cell: a chain has it */
	uint64_t cells[KV_PLACES_MAX]; /* cells of each place's items and uploads */
	uint64_t items[KV_PLACES_MAX]; /* items of each place in the index */
};

/* Checks a chain of cells, which no other chain may share. */
static const char *claim(struct check *check, kv_ref ref, uint64_t count, kv_ref last)
{
	kv_ref at = ref;

	for (uint64_t i = 0; i < count; i++) {
		if (!at || at > check->space->cell_count)
			return "a chain of cells is too short";
		if (check->seen[at])
			return "a cell is in two chains";
		check->seen[at] = 1;
		if (i + 1 == count && last && at != last)
			return "a chain does not end where it says";
		at = kv_next(kv_cell(check->space, at));
	}
	return NULL;
}

static const char *check_item(struct check *check, uint64_t slot, uint64_t bucket)
{
	struct kv_space *space = check->space;
	struct kv_head *head = kv_head(space, (kv_ref)slot);
	struct kv_own_key own;

	if (!(kv_ref)slot || (kv_ref)slot > space->cell_count)
		return "a slot leads nowhere";
	if (head->cell.version & 1 || head->cell.version > space->versions)
		return "a slot leads to a cell that is no item";
	if (head->place >= check->store->places || !head->key_length ||
	    head->length > KV_VALUE_MAX ||
	    head->cells != kv_cells_for(space, head->key_length, head->length))
		return "the head of an item is wrong";
	kv_item_key(space, head, &own);
	if (own.key.hash >> 32 != slot >> 32 ||
	    (elisa_index_bucket(&space->index, own.key.hash) !=
		     elisa_index_bucket(&space->index, bucket) &&
	     elisa_index_other(&space->index, own.key.hash) !=
		     elisa_index_bucket(&space->index, bucket)))
		return "an item is not where its key leads";
	check->cells[head->place] += head->cells;
	check->items[head->place]++;
	return claim(check, (kv_ref)slot, head->cells, head->last);
}

static const char *check_index(struct check *check)
{
	struct elisa_index *index = &check->space->index;
	const char *wrong = NULL;

	for (uint64_t i = 0; i <= index->mask && !wrong; i++)
		for (uint32_t way = 0; way < ELISA_INDEX_WAYS && !wrong; way++) {
			const uint64_t slot = elisa_index_bucket(index, i)->slot[way];

			wrong = slot ? check_item(check, slot, i) : NULL;
		}
	return wrong;
}

static const char *check_uploads(struct check *check)
{
	const char *wrong = NULL;

	for (uint32_t i = 0; i < kv_uploads(check->store) && !wrong; i++) {
		const struct kv_upload *one = kv_upload_number(check->space, i);

		if (!one->owner != !KV_LOW(one->cells))
			return "an upload has cells and no owner, or the other way round";
		if (!one->owner)
			continue;
		check->cells[KV_HIGH(one->cells)] += KV_LOW(one->cells);
		wrong = claim(check, KV_LOW(one->chain), KV_LOW(one->cells), KV_HIGH(one->chain));
	}
	return wrong;
}

static const char *check_account(struct check *check, uint32_t place)
{
	const struct kv_account *account = kv_account(check->space, place);
	uint64_t items = 0, hand_is_there = !account->hand;
	kv_ref older = 0, at = KV_LOW(account->order);

	for (; at && items <= check->items[place]; items++) {
		const struct kv_head *head = kv_head(check->space, at);

		if (at > check->space->cell_count || head->place != place ||
		    KV_LOW(head->neighbours) != older)
			return "the order of a place's items is broken";
		hand_is_there |= account->hand == at;
		older = at;
		at = KV_HIGH(head->neighbours);
	}
	if (older != KV_HIGH(account->order) || items != check->items[place])
		return "the order of a place's items has others than the index";
	if (!hand_is_there)
		return "the hand points to no item of the place";
	if (account->used != KV_PAIR(check->cells[place], check->items[place]))
		return "an account counts something else than there is";
	return NULL;
}

static const char *check_space(struct check *check)
{
	const uint64_t free = check->space->free;
	const char *wrong = claim(check, KV_LOW(free), KV_HIGH(free), 0);

	if (!wrong)
		wrong = check_index(check);
	if (!wrong)
		wrong = check_uploads(check);
	for (uint32_t place = 0; place < check->store->places && !wrong; place++)
		wrong = check_account(check, place);
	for (kv_ref ref = 1; ref <= check->space->cell_count && !wrong; ref++)
		wrong = check->seen[ref] ? NULL : "a cell is lost";
	return wrong;
}

const char *kv_check(const struct kv_store *store)
{
	const char *wrong = NULL;

	for (uint32_t i = 0; i < store->spaces && !wrong; i++) {
		struct check *check = calloc(1, sizeof(*check));
		uint8_t *seen = calloc(kv_space(store, i)->cell_count + 1ul, 1);

		wrong = "no memory";
		if (check && seen) {
			check->store = store;
			check->space = kv_space(store, i);
			check->seen = seen;
			wrong = check_space(check);
		}
		free(seen);
		free(check);
	}
	return wrong;
}
