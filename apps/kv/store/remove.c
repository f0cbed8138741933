/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that change no value: touch, delete, flush. Each is one change. */
#include "rules.h"

/* Begins a change, and finds a live item that the place may change. On an error, no change has
 * begun. */
static int begin(const struct kv_call *call, const struct kv_key *key, struct kv_found *found)
{
	int error = elisa_change_begin(&call->space->change, &call->me);

	if (error)
		return error;
	kv_find(call, key, found);
	error = found->live ? kv_may_change(call, found) : -ENOENT;
	if (error)
		elisa_change_cancel(&call->space->change);
	return error;
}

long kv_touch(const struct kv_call *call, const struct kv_key *key, uint32_t expiry)
{
	struct kv_found found;
	const int error = begin(call, key, &found);

	if (error)
		return error;
	elisa_change_set(&call->space->change, &found.head->meta,
			 KV_PAIR(KV_LOW(found.head->meta), expiry));
	return elisa_change_commit(&call->space->change);
}

long kv_delete(const struct kv_call *call, const struct kv_key *key, uint64_t cas)
{
	struct kv_found found;
	const int error = begin(call, key, &found);

	if (error)
		return error;
	if (cas && kv_cas(found.head->cell.version) != cas) {
		elisa_change_cancel(&call->space->change);
		return -ESTALE;
	}
	kv_item_remove(call, &found);
	return elisa_change_commit(&call->space->change);
}

/* Flushes all versions so far. The items stay until their memory is needed. */
long kv_flush(const struct kv_call *call)
{
	struct kv_space *space = call->space;
	const int error = elisa_change_begin(&space->change, &call->me);

	if (error)
		return error;
	elisa_change_set(&space->change, &space->flushed, space->versions);
	return elisa_change_commit(&space->change);
}
