/* SPDX-License-Identifier: Apache-2.0 */
/* Room for an item; room.h has the story. */
#include "room.h"
#include "upload.h"

#define SPARED 32u /* items that one turn spares; then the hand takes the item that it points to */

static uint32_t value(struct kv_space *space, const uint64_t *pair, int upper)
{
	const uint64_t word = elisa_change_get(&space->change, pair);

	return upper ? KV_HIGH(word) : KV_LOW(word);
}

/* Tells whether the item was read since the hand came by, and takes that mark away. */
static int spare(struct kv_head *head)
{
	uint8_t *recent = (uint8_t *)&head->cell.link + KV_RECENT;

	if (!__atomic_load_n(recent, __ATOMIC_RELAXED))
		return 0;
	__atomic_store_n(recent, 0, __ATOMIC_RELAXED);
	return 1;
}

/* Evicts an item of the account, from the commit on. The caller has begun a change. Returns 1, or
 * 0: the account has no item. */
static int evict(const struct kv_call *call, struct kv_account *account)
{
	struct kv_space *space = call->space;
	const kv_ref oldest = value(space, &account->order, 0);
	kv_ref at = value(space, &account->hand, 0);
	struct kv_found found;

	if (!oldest)
		return 0;
	for (uint32_t spared = 0;; spared++) {
		const struct kv_head *head = kv_head(space, at = at ? at : oldest);

		if (spared == SPARED || !kv_item_lives(call, head) || !spare(kv_head(space, at)))
			break;
		at = KV_HIGH(head->neighbours);
	}
	kv_find_item(call, at, &found);
	elisa_change_set(&space->change, &account->hand, at);
	kv_item_remove(call, &found);
	kv_count(call, found.live ? KV_STAT_EVICTIONS : KV_STAT_RECLAIMED);
	return 1;
}

/* Returns the account with the most cells, among those that have items. */
static struct kv_account *largest(const struct kv_call *call)
{
	struct kv_account *most = NULL;

	for (uint32_t place = 0; place < call->store->places; place++) {
		struct kv_account *one = kv_account(call->space, place);

		if (KV_HIGH(one->used) && (!most || KV_LOW(one->used) > KV_LOW(most->used)))
			most = one;
	}
	return most;
}

static int over(uint64_t used, uint64_t more, uint32_t limit)
{
	return more && used + more > limit;
}

int kv_room(const struct kv_call *call, const struct kv_want *want)
{
	struct kv_account *own = kv_account(call->space, call->place), *whose;
	const uint64_t limit = kv_load(&own->limit);

	if (want->whole > KV_LOW(limit) || want->items > KV_HIGH(limit))
		return -EDQUOT;
	if (want->whole > call->space->cell_count)
		return -ENOSPC;
	if (over(KV_LOW(own->used), want->cells, KV_LOW(limit)) ||
	    over(KV_HIGH(own->used), want->items, KV_HIGH(limit)))
		return kv_upload_reclaim(call) || evict(call, own) || kv_upload_give_up(call) ?
			       1 :
			       -EDQUOT;
	if (want->take <= kv_cells_free(call->space))
		return 0;
	if (kv_upload_reclaim(call))
		return 1;
	whose = largest(call);
	return (whose && evict(call, whose)) || kv_upload_give_up(call) ? 1 : -ENOSPC;
}
