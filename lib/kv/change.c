/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of items. A value that does not fit into a slot travels in pieces, as an upload. Readers
 * see nothing of it before it is whole. The store allows a VM few uploads, so only one thread of
 * this process uploads at a time.
 */
#include <stdlib.h>
#include <string.h>
#include "internal.h"

#define TRIES 100 /* for an operation that other callers overtake */

static enum kv_op op_of(enum elisa_kv_mode mode)
{
	switch (mode) {
	case ELISA_KV_SET:
		return KV_SET;
	case ELISA_KV_ADD:
		return KV_ADD;
	case ELISA_KV_REPLACE:
		return KV_REPLACE;
	case ELISA_KV_APPEND:
		return KV_APPEND;
	case ELISA_KV_PREPEND:
		return KV_PREPEND;
	}
	return KV_OPS;
}

/* --------------------------------------------------------------------------------- uploads */

static int send_pieces(const struct kv_use *use, uint64_t handle, const uint8_t *value,
		       size_t length)
{
	for (size_t at = 0; at < length; at += KV_SLOT_ROOM) {
		const size_t part = length - at < KV_SLOT_ROOM ? length - at : KV_SLOT_ROOM;
		long error;

		memcpy(use->value, value + at, part);
		error = kv_call(use, &(struct kv_request){.op = KV_UPLOAD_PIECE,
							  .key_number = at,
							  .length = part,
							  .number = handle});
		if (error)
			return (int)error;
	}
	return 0;
}

/*
 * Uploads a value once. Returns the CAS number or an error. -EBADF: the store has ended the upload.
 * After any other error, the upload may still exist and count for the quota, so it is cancelled.
 */
static long upload_once(const struct kv_use *use, const struct elisa_kv_change *put, enum kv_op op)
{
	const long handle = kv_call(
		use, &(struct kv_request){.op = KV_UPLOAD,
					  .key_length = put->key_length,
					  .length = put->length,
					  .meta = (uint64_t)KV_META(put->flags, kv_ttl(put->ttl))});
	long result;

	if (handle < 0)
		return handle;
	result = send_pieces(use, (uint64_t)handle, put->value, put->length);
	if (!result)
		result = kv_call(use, &(struct kv_request){.op = KV_UPLOAD_END,
							   .length = op,
							   .value = put->cas,
							   .number = (uint64_t)handle});
	if (result < 0 && result != -EBADF)
		kv_call_quietly(use, &(struct kv_request){.op = KV_UPLOAD_CANCEL,
							  .number = (uint64_t)handle});
	return result;
}

static long upload(const struct kv_use *use, const struct elisa_kv_change *put, enum kv_op op)
{
	long result = -EBADF;

	pthread_mutex_lock(&use->kv->upload);
	for (int tries = 0; tries < TRIES && result == -EBADF; tries++)
		result = upload_once(use, put, op);
	pthread_mutex_unlock(&use->kv->upload);
	return result == -EBADF ? kv_fail(-EBUSY) : result;
}

/* Appends or prepends by reading the item, joining the values, and storing the result if the item
 * has not changed meanwhile. For a value that does not fit into a slot: there is no upload that
 * appends. */
static int join(struct elisa_kv *kv, const struct elisa_kv_change *put, uint8_t *joined,
		uint64_t *cas)
{
	const bool behind = put->mode == ELISA_KV_APPEND;
	struct elisa_kv_change whole = *put;
	struct elisa_kv_item item;
	int error = elisa_kv_get(kv, put->key, put->key_length, joined, ELISA_KV_VALUE_MAX, &item);

	if (error)
		return error;
	if (put->cas && put->cas != item.cas)
		return kv_fail(-ESTALE);
	if (item.length > ELISA_KV_VALUE_MAX - put->length)
		return kv_fail(-EFBIG);
	if (!behind)
		memmove(joined + put->length, joined, item.length);
	memcpy(behind ? joined + item.length : joined, put->value, put->length);
	whole.value = joined;
	whole.length += item.length;
	whole.mode = ELISA_KV_SET;
	whole.flags = item.flags;
	whole.ttl = item.ttl;
	whole.cas = item.cas;
	error = elisa_kv_put(kv, &whole, cas);
	return error == -ESTALE && !put->cas ? -EAGAIN : error;
}

static int put_joined(struct elisa_kv *kv, const struct elisa_kv_change *put, uint64_t *cas)
{
	uint8_t *joined = malloc(ELISA_KV_VALUE_MAX);
	int error = -EAGAIN;

	if (!joined)
		return kv_fail(-ENOMEM);
	for (int tries = 0; tries < TRIES && error == -EAGAIN; tries++)
		error = join(kv, put, joined, cas);
	free(joined);
	return error == -EAGAIN ? kv_fail(-EBUSY) : error;
}

/* ------------------------------------------------------------------------------- functions */

static long put_value(const struct kv_use *use, const struct elisa_kv_change *put, enum kv_op op)
{
	if (put->length > KV_SLOT_ROOM)
		return upload(use, put, op);
	if (put->length)
		memcpy(use->value, put->value, put->length);
	return kv_call(
		use, &(struct kv_request){.op = op,
					  .key_length = put->key_length,
					  .length = put->length,
					  .number = put->cas,
					  .meta = (uint64_t)KV_META(put->flags, kv_ttl(put->ttl))});
}

int elisa_kv_put(struct elisa_kv *kv, const struct elisa_kv_change *put, uint64_t *cas)
{
	const enum kv_op op = op_of(put->mode);
	struct kv_use use;
	long result;

	if (op == KV_OPS)
		return kv_fail_text(-EINVAL, "mode %d: there is none of this number",
				    (int)put->mode);
	if (put->length > ELISA_KV_VALUE_MAX)
		return kv_fail(-EFBIG);
	if (put->length > KV_SLOT_ROOM && (op == KV_APPEND || op == KV_PREPEND))
		return put_joined(kv, put, cas);
	result = kv_begin(kv, &use);
	if (result)
		return (int)result;
	result = kv_put_key(&use, put->key, put->key_length);
	if (!result)
		result = put_value(&use, put, op);
	kv_end(&use);
	if (result < 0)
		return (int)result;
	if (cas)
		*cas = (uint64_t)result;
	return 0;
}

/* Runs an operation that has a key and numbers only. If the reply is an item, *item is filled in,
 * and the value is copied to reply; NULL: there is no such reply. */
static int simple(struct elisa_kv *kv, const struct kv_request *request, const void *key,
		  struct elisa_kv_item *item, uint8_t *reply)
{
	struct kv_use use;
	struct kv_item is;
	long result = kv_begin(kv, &use);

	if (result)
		return (int)result;
	if (key)
		result = kv_put_key(&use, key, request->key_length);
	if (!result)
		result = kv_call(&use, request);
	if (result >= 0 && item) {
		memcpy(&is, use.value, sizeof(is));
		*item = (struct elisa_kv_item){is.cas, is.ttl, (size_t)result, is.flags};
		memcpy(reply, use.value + sizeof(is), request->length - sizeof(is));
	}
	kv_end(&use);
	return result < 0 ? (int)result : 0;
}

int elisa_kv_delete(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t cas)
{
	return simple(
		kv, &(struct kv_request){.op = KV_DELETE, .key_length = key_length, .number = cas},
		key, NULL, NULL);
}

int elisa_kv_touch(struct elisa_kv *kv, const void *key, size_t key_length, int64_t ttl)
{
	return simple(kv,
		      &(struct kv_request){.op = KV_TOUCH,
					   .key_length = key_length,
					   .meta = (uint64_t)KV_META(0, kv_ttl(ttl))},
		      key, NULL, NULL);
}

int elisa_kv_flush(struct elisa_kv *kv)
{
	return simple(kv, &(struct kv_request){.op = KV_FLUSH}, NULL, NULL, NULL);
}

static int count(struct elisa_kv *kv, enum kv_op op, const void *key, size_t key_length,
		 uint64_t by, uint64_t *number, struct elisa_kv_item *item)
{
	struct elisa_kv_item unwanted;
	uint8_t digits[24];
	uint64_t sum = 0;
	const int error =
		simple(kv,
		       &(struct kv_request){.op = op,
					    .key_length = key_length,
					    .length = sizeof(struct kv_item) + sizeof(digits),
					    .number = by},
		       key, item ? item : &unwanted, digits);

	if (error)
		return error;
	for (size_t i = 0; i < sizeof(digits) && digits[i] >= '0' && digits[i] <= '9' &&
			   i < (item ? item : &unwanted)->length;
	     i++)
		sum = 10 * sum + (uint64_t)(digits[i] - '0');
	if (number)
		*number = sum;
	return 0;
}

int elisa_kv_increment(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t by,
		       uint64_t *number, struct elisa_kv_item *item)
{
	return count(kv, KV_INCREMENT, key, key_length, by, number, item);
}

int elisa_kv_decrement(struct elisa_kv *kv, const void *key, size_t key_length, uint64_t by,
		       uint64_t *number, struct elisa_kv_item *item)
{
	return count(kv, KV_DECREMENT, key, key_length, by, number, item);
}
