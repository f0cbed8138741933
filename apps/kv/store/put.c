/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storing: set, add, replace, append, prepend, each of them also on condition of a CAS number.
 *
 * A small item is one change. It takes cells, fills them in, and puts them in the place of the old
 * item. If there is no room, the change removes something instead, and the caller begins again. A
 * large item is an upload (upload.c). For it, append and prepend read the old item without the
 * lock. They store the new item on condition that the old one is still the same.
 *
 * No item is changed in place, so readers see the old or the new value, whole.
 */
#include "rules.h"
#include "room.h"
#include "upload.h"

/* The old value, for append and prepend. */
struct old {
	struct kv_head *head;
	uint64_t cas;
	uint32_t length;
};

struct step {
	struct kv_found found;
	struct old old;
	uint32_t length; /* of the new value */
	uint32_t cells;
};

static int joins(const struct kv_put *put)
{
	return put->op == KV_APPEND || put->op == KV_PREPEND;
}

/* Tells whether the operation keeps flags and TTL. */
static int keeps(enum kv_op op)
{
	return op != KV_SET && op != KV_ADD && op != KV_REPLACE;
}

/* Copies the old value into the new item. Without the lock, the old item may go meanwhile: then any
 * bytes are copied, and the new item is not stored. */
static int copy_old(const struct kv_call *call, struct kv_walk *to, const struct kv_put *put,
		    const struct old *old)
{
	uint32_t left = old->length;
	struct kv_walk from;

	kv_walk_from(&from, call->space, old->head);
	if (kv_walk_skip(&from, put->key->length))
		return -EAGAIN;
	while (left) {
		uint8_t *at;
		const uint32_t part = kv_walk_part(&from, left, &at);

		if (!part || kv_walk_in(to, at, part))
			return -EAGAIN;
		left -= part;
	}
	return 0;
}

/* Writes the new item's head, key and value into cells that are taken. */
static int fill(const struct kv_call *call, const struct kv_put *put, const struct step *step,
		struct kv_made made)
{
	struct kv_walk walk;
	int error = 0;

	made.cells = step->cells;
	made.length = step->length;
	made.meta = keeps(put->op) ? step->found.head->meta : put->meta;
	kv_item_make(call, put->key, &made);
	kv_walk_from(&walk, call->space, kv_head(call->space, made.first));
	kv_walk_skip(&walk, put->key->length);
	if (put->op == KV_APPEND)
		error = copy_old(call, &walk, put, &step->old);
	if (!error)
		error = kv_walk_in(&walk, put->value, put->length);
	if (!error && put->op == KV_PREPEND)
		error = copy_old(call, &walk, put, &step->old);
	return error;
}

/* Finds out what is there, and what the operation will store. The caller has begun a change. */
static int look(const struct kv_call *call, const struct kv_put *put, struct step *step)
{
	int error;

	kv_find(call, put->key, &step->found);
	error = kv_may_store(call, put->op, put->cas, &step->found);
	if (error)
		return error;
	step->old.length = 0;
	if (joins(put)) {
		step->old.head = step->found.head;
		step->old.length = step->found.head->length;
		step->old.cas = kv_cas(step->found.head->cell.version);
	}
	if (step->old.length + put->length > KV_VALUE_MAX)
		return -EFBIG;
	step->length = step->old.length + put->length;
	step->cells = kv_cells_for(call->space, put->key->length, step->length);
	return 0;
}

/* Stores a small item. The caller has begun a change. Returns the new CAS number, 0 if something
 * else has to go first, or an error. */
static long put_now(const struct kv_call *call, const struct kv_put *put, const struct step *step)
{
	const struct kv_head *old = step->found.head;
	struct kv_want want = {
		.whole = step->cells, .take = step->cells, .cells = step->cells, .items = 1};
	struct kv_made made;
	uint64_t version;
	int error;

	if (old && old->place == call->place) {
		want.cells = old->cells < step->cells ? step->cells - old->cells : 0;
		want.items = 0;
	}
	error = kv_room(call, &want);
	if (error)
		return error > 0 ? 0 : error;
	made.first = kv_cells_take(call->space, step->cells, &made.last);
	kv_account_add(call->space, call->place, step->cells, 0);
	error = fill(call, put, step, made);
	if (!error)
		error = kv_item_link(call, made.first, put->key->hash, &step->found, &version);
	return error ? error : (long)kv_cas(version);
}

/* Stores a large item. The caller has not begun a change. */
static long put_large(const struct kv_call *call, const struct kv_put *put, const struct step *step)
{
	const uint64_t cas = joins(put) ? step->old.cas : put->cas;
	struct kv_upload *upload;
	struct kv_made made;
	long result = kv_upload_take(call, step->cells, &upload);

	if (result)
		return result;
	made.first = KV_LOW(upload->chain);
	made.last = KV_HIGH(upload->chain);
	if (fill(call, put, step, made)) {
		kv_upload_drop(call, upload);
		return -EBUSY;
	}
	result = kv_upload_link(call, upload, put->op, put->key, cas);
	return result == -ESTALE && !put->cas ? -EBUSY : result;
}

/* Does one step. Returns 0 if something else had to go first. */
static long put_step(const struct kv_call *call, const struct kv_put *put)
{
	struct elisa_change *change = &call->space->change;
	struct step step;
	long result = elisa_change_begin(change, &call->me);
	int error;

	if (result)
		return result;
	result = look(call, put, &step);
	if (!result && step.cells > KV_FILLED_AT_ONCE) {
		elisa_change_cancel(change);
		return put_large(call, put, &step);
	}
	if (!result)
		result = put_now(call, put, &step);
	if (result < 0) {
		elisa_change_cancel(change);
		return result;
	}
	error = elisa_change_commit(change);
	return error ? error : result;
}

long kv_put(const struct kv_call *call, const struct kv_put *put)
{
	long result = 0;

	if (put->length > KV_VALUE_MAX)
		return -EFBIG;
	for (uint32_t tries = 0; tries < KV_ROOM_TRIES && !result; tries++)
		result = put_step(call, put);
	if (!result)
		return -EBUSY;
	if (result > 0) {
		kv_count(call, KV_STAT_TOTAL_ITEMS);
		if (put->cas && !kv_is_number(put->op))
			kv_count(call, KV_STAT_CAS_HITS);
	}
	return result;
}
