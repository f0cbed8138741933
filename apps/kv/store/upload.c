/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large items. Their cells are taken in several short changes, filled in without the space's lock,
 * and become an item by one more change. Other callers wait for a few microseconds at a time,
 * however large a value is. Readers see nothing of the value before it is whole.
 *
 * Between the changes the cells belong to an upload. Everything that says so changes by the space's
 * change. So no cell is ever lost, and an upload counts for its account. The upload's own lock
 * protects what is written into the cells. No caller waits for that lock while it has begun a
 * change.
 *
 * How uploads end, if not as they should:
 *
 * - The call of a large put dies, or the call that begins an upload in pieces. Its upload has a
 *   dead holder and no handle. The next caller of the place that needs room gives it back. So does
 *   the manager when it learns of the abort.
 * - A call that copies a piece dies. The upload stays: the guest may send the piece again.
 * - The guest forgets its handle. Its KV_UPLOADS next uploads end this one. So does a call of the
 *   place that has no room otherwise: a forgotten upload would keep the quota for ever.
 * - The attachment ends, and the upload has no owner any more. The manager takes the handle away
 *   when it learns of the end, and then gives the upload back. Or the place's next attachment does.
 *
 * Why none of these takes memory from under a caller that writes into it. A live call holds the
 * lock, so the upload is not given up. The lock of an upload that is to be reclaimed is free, or a
 * dead caller's. A caller that takes it at that moment trusts nothing of the upload before it has
 * begun a change. Only the holder of an upload's lock gives up an upload with a handle, and it
 * takes the handle away. A call that comes with the handle afterwards finds no upload.
 */
#include "upload.h"
#include "room.h"
#include "rules.h"

static void set(const struct kv_call *call, uint64_t *word, uint64_t value)
{
	elisa_change_set(&call->space->change, word, value);
}

/* Empties the upload, from the commit on. The caller has begun a change. */
static void forget(const struct kv_call *call, struct kv_upload *upload)
{
	set(call, &upload->owner, 0);
	set(call, &upload->chain, 0);
	set(call, &upload->cells, 0);
	set(call, &upload->handle, 0);
}

/* Empties the upload and frees its cells, from the commit on. The caller has begun a change. */
static void give_back(const struct kv_call *call, struct kv_upload *upload)
{
	const uint32_t cells = KV_LOW(upload->cells);

	if (cells) {
		kv_cells_give(call->space, KV_LOW(upload->chain), KV_HIGH(upload->chain), cells);
		kv_account_add(call->space, KV_HIGH(upload->cells), 0u - cells, 0);
	}
	forget(call, upload);
}

/* Takes the lock, also from a dead holder: it protects only the cells, which may hold any bytes. */
int kv_upload_lock(const struct kv_call *call, struct kv_upload *upload, uint32_t spins)
{
	const int error = elisa_lock_take_within(&upload->lock, &call->me, spins);

	if (error != -EOWNERDEAD)
		return error;
	elisa_lock_consistent(&upload->lock, &call->me);
	return 0;
}

/* ------------------------------------------------------------------------------ reclaiming */

static int has_live_holder(const struct kv_call *call, const struct kv_upload *upload)
{
	const uint64_t holder = kv_load(&upload->lock.word);

	return holder && !elisa_caller_dead(&call->store->callers, holder);
}

/* Tells whether no call will ever end this upload of the calling place. */
static int is_over(const struct kv_call *call, const struct kv_upload *upload)
{
	if (!upload->owner)
		return 0;
	return upload->owner != call->attachment ||
	       (!kv_load(&upload->handle) && !has_live_holder(call, upload));
}

int kv_upload_reclaim(const struct kv_call *call)
{
	const uint32_t vcpus = call->store->callers.vcpus;

	/* the manager reclaims when it handles events */
	if (call->attachment == KV_MANAGER)
		return 0;
	for (uint32_t i = 0; i < KV_UPLOADS + vcpus; i++) {
		struct kv_upload *one =
			i < KV_UPLOADS ? kv_upload_at(call, call->place, i) :
					 kv_upload_of(call, call->place * vcpus + i - KV_UPLOADS);

		if (!is_over(call, one))
			continue;
		give_back(call, one);
		return 1;
	}
	return 0;
}

/* Returns the oldest upload with a handle that no call works on, or NULL. */
static struct kv_upload *oldest(const struct kv_call *call)
{
	struct kv_upload *oldest = NULL;

	for (uint32_t i = 0; i < KV_UPLOADS; i++) {
		struct kv_upload *one = kv_upload_at(call, call->place, i);
		const uint64_t handle = kv_load(&one->handle);

		if (one->owner != call->attachment || !handle || has_live_holder(call, one))
			continue;
		if (!oldest || handle < kv_load(&oldest->handle))
			oldest = one;
	}
	return oldest;
}

int kv_upload_give_up(const struct kv_call *call)
{
	struct kv_upload *upload = oldest(call);

	if (!upload || kv_upload_lock(call, upload, 0))
		return 0;
	kv_store_word(&upload->handle, 0);
	elisa_lock_release(&upload->lock);
	return kv_upload_reclaim(call);
}

/*
 * Takes the handles of an ended attachment away. The place's next attachment may have begun an
 * upload there since. That one has another handle, because no handle comes twice, and it stays.
 */
void kv_upload_disown(const struct kv_call *call, uint64_t ended)
{
	for (uint32_t i = 0; i < call->store->places * KV_UPLOADS; i++) {
		struct kv_upload *one = kv_upload_number(call->space, i);
		uint64_t handle = __atomic_load_n(&one->handle, __ATOMIC_ACQUIRE);

		if (handle && kv_load(&one->owner) == ended)
			__atomic_compare_exchange_n(&one->handle, &handle, 0, 0, __ATOMIC_SEQ_CST,
						    __ATOMIC_RELAXED);
	}
}

/* Tells whether no call will ever end this upload, of any place, as far as the manager can know. */
static int is_lost(const struct kv_call *call, const struct kv_upload *upload)
{
	return upload->owner && !kv_load(&upload->handle) && !has_live_holder(call, upload);
}

int kv_upload_reclaim_lost(const struct kv_call *call)
{
	for (uint32_t i = 0; i < kv_uploads(call->store); i++) {
		struct kv_upload *one = kv_upload_number(call->space, i);
		int error;

		if (!is_lost(call, one))
			continue;
		error = elisa_change_begin(&call->space->change, &call->me);
		if (error)
			return error;
		if (is_lost(call, one))
			give_back(call, one);
		elisa_change_commit(&call->space->change);
	}
	return 0;
}

/* ------------------------------------------------------------------------------ taking */

int kv_upload_clear(const struct kv_call *call, struct kv_upload *upload, uint64_t *number)
{
	struct kv_space *space = call->space;
	const int error = elisa_change_begin(&space->change, &call->me);

	if (error)
		return error;
	*number = space->handles + 1;
	kv_store_word(&space->handles, *number);
	if (upload->owner)
		give_back(call, upload);
	return elisa_change_commit(&space->change);
}

/* Puts `count` more cells in front of those that the upload has. The caller has begun a change. */
static void add_cells(const struct kv_call *call, struct kv_upload *upload, uint32_t count)
{
	struct kv_space *space = call->space;
	const uint64_t chain = upload->chain;
	kv_ref last;
	const kv_ref first = kv_cells_take(space, count, &last);

	set(call, &kv_cell(space, last)->link, KV_LOW(chain));
	set(call, &upload->chain, KV_PAIR(first, chain ? KV_HIGH(chain) : last));
	set(call, &upload->cells, KV_PAIR(KV_LOW(upload->cells) + count, call->place));
	set(call, &upload->owner, call->attachment);
	kv_account_add(space, call->place, count, 0);
}

int kv_upload_reserve(const struct kv_call *call, struct kv_upload *upload, uint32_t cells)
{
	struct elisa_change *change = &call->space->change;
	int error;

	for (uint32_t tries = 0; tries < KV_ROOM_TRIES; tries++) {
		const uint32_t missing = cells - KV_LOW(upload->cells);
		const uint32_t now = missing < KV_AT_ONCE ? missing : KV_AT_ONCE;
		const struct kv_want want = {.whole = cells, .take = now, .cells = now};

		if (!missing)
			return 0;
		error = elisa_change_begin(change, &call->me);
		if (error)
			return error;
		error = kv_room(call, &want);
		if (error < 0) {
			elisa_change_cancel(change);
			return error;
		}
		if (!error)
			add_cells(call, upload, now);
		error = elisa_change_commit(change);
		if (error)
			return error;
	}
	return -EBUSY;
}

void kv_upload_drop(const struct kv_call *call, struct kv_upload *upload)
{
	uint64_t number;

	kv_upload_clear(call, upload,
			&number); /* if this fails, the upload has no holder and no handle, and is
				   * reclaimed later */
	kv_store_word(&upload->handle, 0);
	elisa_lock_release(&upload->lock);
}

int kv_upload_take(const struct kv_call *call, uint32_t cells, struct kv_upload **upload)
{
	uint64_t number;
	int error;

	*upload = kv_upload_of(call, elisa_caller_index(&call->me));
	error = kv_upload_lock(call, *upload, ELISA_LOCK_SPINS);
	if (error)
		return error;
	error = kv_upload_clear(call, *upload, &number);
	if (!error)
		error = kv_upload_reserve(call, *upload, cells);
	if (error)
		kv_upload_drop(call, *upload);
	return error;
}

/* ------------------------------------------------------------------------------ linking */

/* Links the upload as an item. The caller has begun a change. Returns the new CAS number, or an
 * error. */
static long link_now(const struct kv_call *call, struct kv_upload *upload, enum kv_op op,
		     const struct kv_key *key, const struct kv_found *found)
{
	const kv_ref first = KV_LOW(upload->chain);
	uint64_t version;
	int error;

	if (op == KV_APPEND || op == KV_PREPEND)
		kv_store_word(&kv_head(call->space, first)->meta, found->head->meta);
	error = kv_item_link(call, first, key->hash, found, &version);
	if (error)
		return error;
	forget(call, upload);
	return (long)kv_cas(version);
}

/* Does one step towards that. Returns 0 if something else had to go first. */
static long link_step(const struct kv_call *call, struct kv_upload *upload, enum kv_op op,
		      const struct kv_key *key, uint64_t cas)
{
	struct elisa_change *change = &call->space->change;
	struct kv_want want = {.whole = KV_LOW(upload->cells), .items = 1};
	struct kv_found found;
	long result = elisa_change_begin(change, &call->me);
	int error;

	if (result)
		return result;
	kv_find(call, key, &found);
	result = kv_may_store(call, op, cas, &found);
	if (found.head && found.head->place == call->place)
		want.items = 0;
	if (!result)
		result = kv_room(call, &want);
	if (!result)
		result = link_now(call, upload, op, key, &found);
	else if (result > 0)
		result = 0;
	if (result < 0) {
		elisa_change_cancel(change);
		return result;
	}
	error = elisa_change_commit(change);
	return error ? error : result;
}

long kv_upload_link(const struct kv_call *call, struct kv_upload *upload, enum kv_op op,
		    const struct kv_key *key, uint64_t cas)
{
	long result = 0;

	for (uint32_t tries = 0; tries < KV_ROOM_TRIES && !result; tries++)
		result = link_step(call, upload, op, key, cas);
	result = result ? result : -EBUSY;
	if (result > 0 || (result == -EBUSY && kv_load(&upload->handle)))
		/* it is linked, or the guest may ask again */
		elisa_lock_release(&upload->lock);
	else
		kv_upload_drop(call, upload);
	return result;
}
