/* SPDX-License-Identifier: Apache-2.0 */
/* One call into the store, and what its results mean. */
#include <sched.h>
#include <string.h>
#include "internal.h"

#define TRIES	    1000 /* while the store is busy */
#define EAGER_TRIES 16	 /* before this thread yields the processor */

static struct elisa_result call_once(const struct kv_use *use, const struct kv_request *request)
{
	const struct elisa_kv *kv = use->kv;
	const uint64_t at = (uint64_t)use->slot * KV_SLOT_SIZE;
	const long what = KV_CALL(request->op, kv->space, request->key_length);
	const long key = (long)(request->op == KV_UPLOAD_PIECE ? request->key_number : at);
	const long value = (long)(request->op == KV_UPLOAD_END ? request->value :
				  request->op == KV_GET_MANY   ? at + KV_SLOT_REPLIES :
								 at + KV_SLOT_VALUE);

	if (kv->general)
		return elisa_call_general(&kv->stub, what, key, value, (long)request->length,
					  (long)request->number, (long)request->meta);
	return elisa_call(&kv->stub, what, key, value, (long)request->length, (long)request->number,
			  (long)request->meta);
}

/* Handles a call that did not come to its end. */
static int ended(struct elisa_kv *kv, long error)
{
	switch (error) {
	case ELISA_CALL_NOT_ATTACHED:
		kv_lost(kv);
		return kv_fail_text(-ENOTCONN, "store \"%s\": it is gone", kv->store);
	case ELISA_CALL_REVOKED:
		kv_lost(kv);
		break;
	}
	return kv_fail_text(-EIO, "store \"%s\": the call was ended, half-way perhaps: %s",
			    kv->store, elisa_call_strerror(error));
}

/* Handles an error of the store. The store may refuse numbers that this library chose. The
 * library's caller has not passed them, so the text names what the caller can change. */
static long refused(const struct elisa_kv *kv, long error)
{
	if (error == -EINVAL)
		return kv_fail_text(-EINVAL, "name space %u: the store has none of this number",
				    kv->space);
	if (error == -EFAULT)
		return kv_fail_text(-EIO, "store \"%s\": what it exports is not elisa-kv",
				    kv->store);
	return kv_fail((int)error);
}

long kv_call_again(const struct kv_use *use, const struct kv_request *request,
		   struct elisa_result result)
{
	for (uint32_t tries = 1;; tries++) {
		if (__builtin_expect(result.error != 0, 0))
			return ended(use->kv, result.error);
		if (__builtin_expect(result.value >= 0, 1))
			return result.value;
		if (result.value != -EBUSY)
			return refused(use->kv, result.value);
		if (tries >= TRIES)
			return kv_fail(-EBUSY);
		if (tries > EAGER_TRIES)
			sched_yield();
		result = call_once(use, request);
	}
}

long kv_call(const struct kv_use *use, const struct kv_request *request)
{
	return kv_call_again(use, request, call_once(use, request));
}

void kv_call_quietly(const struct kv_use *use, const struct kv_request *request)
{
	for (uint32_t tries = 0; tries < TRIES; tries++) {
		const struct elisa_result result = call_once(use, request);

		if (result.error || result.value != -EBUSY)
			return;
		sched_yield();
	}
}

int kv_put_key(const struct kv_use *use, const void *key, size_t key_length)
{
	if (!key_length || key_length > ELISA_KV_KEY_MAX)
		return kv_fail_key(key_length);
	memcpy(use->key, key, key_length);
	return 0;
}
