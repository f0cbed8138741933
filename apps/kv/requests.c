/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns what a guest passed into a call of the store, or into an error. Offsets become addresses
 * here, and only if the whole range lies in the caller's exchange buffer.
 */
#include "kv_function.h"
#include "store/count.h"

int kv_may(uint32_t op, uint32_t rights)
{
	const int writes = rights & (KV_MAY_WRITE | KV_MAY_OWN);

	switch (op) {
	case KV_GET:
	case KV_GET_PIECE:
	case KV_GET_MANY:
		return rights & KV_MAY_READ;
	case KV_GET_TOUCH:
	case KV_INCREMENT:
	case KV_DECREMENT:
		return rights & KV_MAY_READ && writes;
	case KV_FLUSH:
		return rights & KV_MAY_FLUSH;
	case KV_STATISTICS:
		return rights != 0;
	}
	return writes;
}

/* ------------------------------------------------------------------------------ reading */

/* Finds room for a reply in the caller's exchange buffer. */
static int reply_at(struct kv_reply *reply, uint64_t offset, uint64_t room)
{
	reply->at = elisa_exchange(offset, room);
	reply->room = room;
	if (!reply->at)
		return -EFAULT;
	return room < sizeof(struct kv_item) ? -EMSGSIZE : 0;
}

/* Copies a key from the caller's exchange buffer. */
static int key_at(struct kv_own_key *own, const struct kv_space *space, uint64_t offset,
		  uint64_t length)
{
	const void *bytes = elisa_exchange(offset, length);

	if (!length || length > KV_KEY_MAX)
		return -EINVAL;
	if (!bytes)
		return -EFAULT;
	kv_key_copy(own, space->secret, bytes, (uint32_t)length);
	return 0;
}

static long get(const struct kv_call *call, const struct kv_request *request)
{
	struct kv_reply reply;
	struct kv_own_key own;
	int error = reply_at(&reply, request->value, request->length);

	if (!error)
		error = key_at(&own, call->space, request->key, request->key_length);
	return error ? error : kv_count_get(call, kv_get(call, &own.key, reply));
}

static long get_piece(const struct kv_call *call, const struct kv_request *request)
{
	struct kv_reply reply;
	struct kv_own_key own;
	int error = reply_at(&reply, request->value, request->length);

	if (!error)
		error = key_at(&own, call->space, request->key, request->key_length);
	if (!error && request->meta > KV_VALUE_MAX)
		error = -EINVAL;
	return error ? error :
		       kv_get_piece(call, &own.key, reply, request->number,
				    (uint32_t)request->meta);
}

/* Serves the next of many keys. Returns the bytes of its reply, or an error. */
static long get_one(const struct kv_call *call, uint64_t at, uint64_t offset, uint64_t room)
{
	static const struct kv_item none;
	struct kv_reply reply;
	struct kv_key_at where;
	struct kv_own_key own;
	long length;
	int error = elisa_copy_in(&where, at, sizeof(where));

	if (!error)
		error = reply_at(&reply, offset, room);
	if (!error)
		error = key_at(&own, call->space, where.at, where.length);
	if (error)
		return error;
	length = kv_get(call, &own.key, reply);
	if (length > 0 && (uint64_t)length > room - sizeof(struct kv_item))
		return -EMSGSIZE;
	if (length == -ENOENT)
		elisa_copy(reply.at, &none, sizeof(none));
	else if (length < 0)
		return length;
	kv_count_get(call, length);
	length = length < 0 ? 0 : length;
	return (long)((sizeof(struct kv_item) + (uint64_t)length + KV_ALIGN - 1) &
		      ~(KV_ALIGN - 1ull));
}

static long get_many(const struct kv_call *call, const struct kv_request *request)
{
	uint64_t used = 0;
	uint32_t done;

	if (request->key_length > KV_MANY_MAX)
		return -EINVAL;
	if (!elisa_exchange(request->value, request->length))
		return -EFAULT;
	for (done = 0; done < request->key_length && used < request->length; done++) {
		const long more = get_one(call, request->key + done * sizeof(struct kv_key_at),
					  request->value + used, request->length - used);

		if (more < 0)
			return done ? (long)done : more;
		used += (uint64_t)more;
	}
	return done || !request->key_length ? (long)done : -EMSGSIZE;
}

static long statistics(const struct kv_call *call, const struct kv_request *request)
{
	uint64_t stat[KV_STATS];

	if (request->length < sizeof(stat))
		return -EMSGSIZE;
	kv_statistics(call->store, call->space, call->place, call->attachment, stat);
	return elisa_copy_out(request->value, stat, sizeof(stat)) ? -EFAULT : (long)KV_STATS;
}

/* ------------------------------------------------------------------------------ writing */

static long put(const struct kv_call *call, const struct kv_request *request)
{
	struct kv_put put = {.op = request->op, .cas = request->number};
	struct kv_own_key own;
	const int error = key_at(&own, call->space, request->key, request->key_length);

	if (error)
		return error;
	put.key = &own.key;
	put.length = request->length > KV_VALUE_MAX ? KV_VALUE_MAX + 1 : (uint32_t)request->length;
	put.meta = KV_PAIR(KV_LOW(request->meta), kv_expiry(call->now, KV_HIGH(request->meta)));
	if (request->op == KV_UPLOAD)
		return kv_upload(call, &put);
	put.value = elisa_exchange(request->value, request->length);
	return put.value ? kv_put(call, &put) : -EFAULT;
}

static long number(const struct kv_call *call, const struct kv_request *request)
{
	struct kv_reply reply;
	struct kv_own_key own;
	int error = reply_at(&reply, request->value, request->length);

	if (!error)
		error = key_at(&own, call->space, request->key, request->key_length);
	return error ? error : kv_add_number(call, request->op, &own.key, request->number, reply);
}

static long touch_or_delete(const struct kv_call *call, const struct kv_request *request)
{
	struct kv_own_key own;
	const int error = key_at(&own, call->space, request->key, request->key_length);

	if (error)
		return error;
	if (request->op == KV_DELETE)
		return kv_delete(call, &own.key, request->number);
	return kv_touch(call, &own.key, kv_expiry(call->now, KV_HIGH(request->meta)));
}

static long get_touch(const struct kv_call *call, const struct kv_request *request)
{
	const long error = touch_or_delete(call, request);

	return error && error != -ENOENT ? error : get(call, request);
}

static long piece(const struct kv_call *call, const struct kv_request *request)
{
	const void *value = elisa_exchange(request->value, request->length);

	if (!value)
		return -EFAULT;
	return kv_upload_piece(call, request->number, request->key, value, request->length);
}

long kv_perform(const struct kv_call *call, const struct kv_request *request)
{
	switch (request->op) {
	case KV_GET:
		return get(call, request);
	case KV_GET_TOUCH:
		return get_touch(call, request);
	case KV_GET_PIECE:
		return get_piece(call, request);
	case KV_GET_MANY:
		return get_many(call, request);
	case KV_SET:
	case KV_ADD:
	case KV_REPLACE:
	case KV_APPEND:
	case KV_PREPEND:
	case KV_UPLOAD:
		return put(call, request);
	case KV_INCREMENT:
	case KV_DECREMENT:
		return number(call, request);
	case KV_TOUCH:
	case KV_DELETE:
		return touch_or_delete(call, request);
	case KV_FLUSH:
		return kv_flush(call);
	case KV_STATISTICS:
		return statistics(call, request);
	case KV_UPLOAD_PIECE:
		return piece(call, request);
	case KV_UPLOAD_END:
		return kv_upload_end(call, request->number, (enum kv_op)request->length,
				     request->value);
	case KV_UPLOAD_CANCEL:
		return kv_upload_cancel(call, request->number);
	}
	return -EINVAL;
}
