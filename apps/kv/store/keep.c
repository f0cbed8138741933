/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the manager does with the store while guests use it: it learns of deaths, reads all items
 * for a snapshot, stores the items of one, and removes dead items. It takes a space's lock as
 * guests do, for one change at a time.
 */
#include "manager.h"
#include "items.h"
#include "upload.h"

static struct kv_call manager_call(struct kv_store *store, uint32_t space, uint32_t place)
{
	struct kv_call call = {
		.store = store,
		.space = kv_space(store, space),
		.place = place,
		.rights = KV_MAY_READ | KV_MAY_WRITE,
		.now = (uint32_t)kv_load(&store->now),
		.attachment = KV_MANAGER,
	};

	elisa_enter_manager(&store->callers, &call.me);
	call.counters = kv_counters(store, elisa_caller_index(&call.me));
	return call;
}

/* Completes the change of a caller that died in one, if there is such a caller. */
static int settle(const struct kv_call *call)
{
	struct elisa_change *change = &call->space->change;
	const uint64_t holder = kv_load(&change->lock.word);
	int error;

	if (!holder || !elisa_caller_dead(&call->store->callers, holder))
		return 0;
	error = elisa_change_begin(change, &call->me);
	if (!error)
		elisa_change_cancel(change);
	return error;
}

void kv_manager_event(struct kv_store *store, const struct elisa_event *event)
{
	elisa_callers_event(&store->callers, event);
	if (event->type == ELISA_EVENT_ATTACH && event->value >= 0 && event->value < store->places)
		kv_statistics_begin(store, (uint32_t)event->value, event->attachment);
	if (event->type != ELISA_EVENT_DETACH)
		return;
	for (uint32_t i = 0; i < store->spaces; i++) {
		const struct kv_call call = manager_call(store, i, 0);

		kv_upload_disown(&call, event->attachment);
	}
}

int kv_manager_reclaim(struct kv_store *store)
{
	int error = 0;

	for (uint32_t i = 0; i < store->spaces; i++) {
		const struct kv_call call = manager_call(store, i, 0);
		int failed = settle(&call);

		if (!failed)
			failed = kv_upload_reclaim_lost(&call);
		error = error ? error : failed;
	}
	return error;
}

/* ------------------------------------------------------------------------------ a snapshot */

#define TRIES 16 /* to copy an item without the lock */

/* Copies an item. Returns 1: copied; 0: there is no item, or it went meanwhile. */
static int copy_item(const struct kv_call *call, kv_ref ref, uint8_t *buffer,
		     struct kv_record *record)
{
	struct kv_head *head = kv_head(call->space, ref);
	const uint64_t version = __atomic_load_n(&head->cell.version, __ATOMIC_ACQUIRE);
	const uint64_t meta = kv_load(&head->meta);
	struct kv_walk walk;

	if (version & 1 || kv_is_dead(call->space, version, meta, call->now))
		return 0;
	record->place = head->place;
	record->flags = KV_LOW(meta);
	record->ttl = kv_seconds_left(call->now, KV_HIGH(meta));
	record->key_length = head->key_length;
	record->length = head->length;
	record->cas = kv_cas(version);
	record->key = buffer;
	record->value = buffer + KV_KEY_MAX + 6;
	if (record->key_length > KV_KEY_MAX || record->length > KV_VALUE_MAX)
		return 0;
	kv_walk_from(&walk, call->space, head);
	if (kv_walk_out(&walk, record->key, record->key_length) ||
	    kv_walk_out(&walk, record->value, record->length))
		return 0;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return kv_load(&head->cell.version) == version;
}

int kv_manager_next(struct kv_store *store, uint32_t space, uint64_t *cursor, uint64_t *slots,
		    uint8_t *buffer, struct kv_record *record)
{
	const struct kv_call call = manager_call(store, space, 0);
	struct elisa_index *index = &call.space->index;
	uint32_t tries = 0;

	while (*cursor < (index->mask + 1) * ELISA_INDEX_WAYS) {
		if (!*slots)
			return -EAGAIN;
		--*slots;

		const uint64_t *slot = &elisa_index_bucket(index, *cursor / ELISA_INDEX_WAYS)
						->slot[*cursor % ELISA_INDEX_WAYS];
		const uint64_t seen = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

		/* take the lock: a guest that changes the item all the time has to wait once */
		const int begun = tries++ >= TRIES &&
				  !elisa_change_begin(&call.space->change, &call.me);
		const int copied = seen && copy_item(&call, (kv_ref)seen, buffer, record);
		const int same = __atomic_load_n(slot, __ATOMIC_ACQUIRE) == seen;

		if (begun)
			elisa_change_cancel(&call.space->change);
		/* the cell may be another slot's item by now, so try again */
		if (!same)
			continue;
		tries = 0;
		++*cursor;
		if (copied)
			return 1;
	}
	return 0;
}

int kv_manager_put(struct kv_store *store, uint32_t space, const struct kv_record *record)
{
	struct kv_put put = {.op = KV_SET, .value = record->value, .length = record->length};
	struct kv_call call;
	struct kv_own_key own;
	long result;

	if (space >= store->spaces || record->place >= store->places || !record->key_length ||
	    record->key_length > KV_KEY_MAX)
		return -EINVAL;
	call = manager_call(store, space, record->place);
	kv_key_copy(&own, call.space->secret, record->key, record->key_length);
	put.key = &own.key;
	put.meta = KV_PAIR(record->flags, kv_expiry(call.now, record->ttl));
	result = kv_put(&call, &put);
	return result < 0 ? (int)result : 0;
}

/* ------------------------------------------------------------------------------ removing */

/* Removes an item if it is dead, by one change. Returns 1 if it went. */
static int remove_if_dead(const struct kv_call *call, const uint64_t *slot)
{
	/* guests' calls may change it until this change has begun */
	kv_ref ref = (kv_ref)kv_load(slot);
	struct kv_found found;
	int error;

	if (!ref || kv_item_lives(call, kv_head(call->space, ref)))
		return 0;
	error = elisa_change_begin(&call->space->change, &call->me);
	if (error)
		return error;
	ref = (kv_ref)kv_load(slot);
	if (ref) {
		kv_find_item(call, ref, &found);
		if (!found.live) {
			kv_item_remove(call, &found);
			kv_count(call, KV_STAT_RECLAIMED);
			error = elisa_change_commit(&call->space->change);
			return error ? error : 1;
		}
	}
	elisa_change_cancel(&call->space->change);
	return 0;
}

int kv_manager_sweep(struct kv_store *store, uint32_t space, uint64_t *cursor, uint32_t buckets)
{
	const struct kv_call call = manager_call(store, space, 0);
	struct elisa_index *index = &call.space->index;
	int removed = 0;

	while (buckets-- && *cursor <= index->mask) {
		const struct elisa_bucket *bucket = elisa_index_bucket(index, *cursor);

		for (uint32_t i = 0; i < ELISA_INDEX_WAYS; i++) {
			const int one = remove_if_dead(&call, &bucket->slot[i]);

			if (one < 0)
				return one;
			removed += one;
		}
		++*cursor;
	}
	if (*cursor > index->mask)
		*cursor = 0;
	return removed;
}
