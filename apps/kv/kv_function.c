/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry of guests' calls of elisa-kv. The six numbers cannot change any more, because they are
 * in registers. The host says which VM calls.
 *
 * A get has a way of its own. It takes no lock, so it needs no caller's name, and the usual case is
 * in one function. Any other case goes the long way, from the beginning.
 */
#include "kv_function.h"
#include "store/count.h"
#include "store/read.h"

int64_t kv_store_distance;

#define WORD_OP(word)	      ((uint8_t)(word))
#define WORD_SPACE(word)      ((uint8_t)((word) >> 8))
#define WORD_KEY_LENGTH(word) ((uint64_t)(word) >> 16)

/* Finds the caller and its space: fills in all of *call except attachment and me. */
static inline __attribute__((always_inline)) int
caller(struct kv_call *call, const struct elisa_self *self, uint32_t space)
{
	struct kv_store *store = (struct kv_store *)kv_at(&kv_store_distance, kv_store_distance);
	const uint32_t place = self->place, vcpu = self->vcpu, vcpus = store->callers.vcpus;
	const struct kv_grant *grant;

	if (place >= store->places || vcpu >= vcpus)
		return -ENODEV;
	if (space >= store->spaces)
		return -EINVAL;
	grant = kv_grant(store, place, space);
	call->store = store;
	call->space = (struct kv_space *)kv_at(store, grant->space);
	call->counters = (uint64_t *)kv_at(
		store, grant->counters + (int64_t)(vcpu * sizeof(struct kv_counters)));
	call->place = place;
	call->now = (uint32_t)kv_load(&store->now);
	call->rights = (uint32_t)kv_load(&grant->rights);
	return 0;
}

static __attribute__((noinline)) long any(uint64_t what, uint64_t key, uint64_t value,
					  uint64_t length, uint64_t number, uint64_t meta)
{
	const struct elisa_self *self = elisa_self();
	const struct kv_request request = {
		.op = WORD_OP(what),
		.key_length = WORD_KEY_LENGTH(what) > UINT32_MAX ? UINT32_MAX :
								   (uint32_t)WORD_KEY_LENGTH(what),
		.key = key,
		.value = value,
		.length = length,
		.number = number,
		.meta = meta,
	};
	struct kv_call call;
	long result = caller(&call, self, WORD_SPACE(what));

	if (result)
		return result;
	if (!kv_may(request.op, call.rights))
		return -EACCES;
	if (elisa_enter_as(&call.store->callers, self, &call.me))
		return -ENODEV;
	call.attachment = self->attachment;
	result = kv_perform(&call, &request);
	kv_count_result(&call, request.op, result);
	return result;
}

/* Gets an item in the usual case. KV_AGAIN: not done, for any reason. */
static inline __attribute__((always_inline)) long simple_get(uint64_t what, uint64_t key_offset,
							     uint64_t value, uint64_t room)
{
	const struct elisa_self *self = elisa_self();
	const uint64_t size = self->exchange_size, key_length = WORD_KEY_LENGTH(what);
	const struct kv_part all = {0, 0};
	struct kv_reply reply;
	struct kv_call call;
	struct kv_key key;
	long result;

	if (caller(&call, self, WORD_SPACE(what)) || !(call.rights & KV_MAY_READ) || value > size ||
	    room > size - value || room < sizeof(struct kv_item) || key_offset > size ||
	    key_length > size - key_offset || key_length - 1 >= KV_KEY_MAX)
		return KV_AGAIN;
	reply.at = (void *)(self->exchange + value);
	reply.room = room;
	kv_key(&key, call.space->secret, (const void *)(self->exchange + key_offset),
	       (uint32_t)key_length);
	result = kv_read_once(&call, &key, reply, all, 1);
	return result == KV_AGAIN ? result : kv_count_get(&call, result);
}

long entry_function(long what, long key, long value, long length, long number, long meta)
{
	if (__builtin_expect(WORD_OP(what) == KV_GET, 1)) {
		const long result = simple_get((uint64_t)what, (uint64_t)key, (uint64_t)value,
					       (uint64_t)length);

		if (__builtin_expect(result != KV_AGAIN, 1))
			return result;
	}
	return any((uint64_t)what, (uint64_t)key, (uint64_t)value, (uint64_t)length,
		   (uint64_t)number, (uint64_t)meta);
}
