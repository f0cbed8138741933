/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large items: too long to be copied under the space's lock. upload.c has the story; exchange.h
 * says what guests may do with uploads.
 */
#ifndef KV_UPLOAD_H
#define KV_UPLOAD_H

#include "items.h"

/*
 * These bound how long one caller keeps a space's lock. A change walks along at most KV_AT_ONCE
 * free cells. Items of more than KV_FILLED_AT_ONCE cells are uploads: their bytes are copied
 * without the lock.
 */
#define KV_AT_ONCE	  16u
#define KV_FILLED_AT_ONCE 8u

/*
 * Returns the number of a space's uploads: KV_UPLOADS for each place, for handles, and one for each
 * caller, for its own large puts. The manager is a caller, too.
 */
static inline uint32_t kv_uploads(const struct kv_store *store)
{
	return store->places * KV_UPLOADS +
	       ELISA_CALLER_RECORDS(store->places, store->callers.vcpus);
}

static inline struct kv_upload *kv_upload_number(const struct kv_space *space, uint32_t number)
{
	return (struct kv_upload *)kv_at(space, space->uploads) + number;
}

/* number must be below KV_UPLOADS. */
static inline struct kv_upload *kv_upload_at(const struct kv_call *call, uint32_t place,
					     uint32_t number)
{
	return kv_upload_number(call->space, place * KV_UPLOADS + number);
}

/* caller: elisa_caller_index(). */
static inline struct kv_upload *kv_upload_of(const struct kv_call *call, uint32_t caller)
{
	return kv_upload_number(call->space, call->store->places * KV_UPLOADS + caller);
}

/* Takes the upload's lock, after up to `spins` pauses. -EBUSY, -EDEADLK: see <elisa/sub/lock.h>. */
int kv_upload_lock(const struct kv_call *call, struct kv_upload *upload, uint32_t spins);

/* Empties the upload. Its holder calls it, and has not begun a change. *number: out, a handle that
 * no other upload of the space has. Errors: -EBUSY. */
int kv_upload_clear(const struct kv_call *call, struct kv_upload *upload, uint64_t *number);

/* Takes cells until the upload has so many. Its holder calls it, and has not begun a change.
 * Errors: those of kv_room(), -EBUSY. */
int kv_upload_reserve(const struct kv_call *call, struct kv_upload *upload, uint32_t cells);

/*
 * Takes the caller's own upload: locked, with so many cells. The caller has not begun a change.
 * *upload: out. Errors: those of kv_room(), -EBUSY.
 */
int kv_upload_take(const struct kv_call *call, uint32_t cells, struct kv_upload **upload);

/*
 * Stores the upload's cells as an item, if op and cas allow it; otherwise frees them. Releases the
 * lock. Its holder calls it, and has not begun a change. -EBUSY: an upload with a handle stays.
 */
long kv_upload_link(const struct kv_call *call, struct kv_upload *upload, enum kv_op op,
		    const struct kv_key *key, uint64_t cas);

/* Frees the upload's cells, and releases the lock. Its holder calls it, and has not begun a
 * change. */
void kv_upload_drop(const struct kv_call *call, struct kv_upload *upload);

/*
 * Gives back, with the commit, the cells of one upload of the place that no call will ever end. The
 * caller has begun a change. Returns 1, or 0: there is none.
 */
int kv_upload_reclaim(const struct kv_call *call);

/*
 * Does the same with the attachment's oldest upload that has a handle, unless a call works on it.
 * The handle is not valid any more. The caller has begun a change.
 */
int kv_upload_give_up(const struct kv_call *call);

/* Takes the handles of an attachment's uploads away. The manager calls it when the attachment has
 * ended. */
void kv_upload_disown(const struct kv_call *call, uint64_t ended);

/*
 * Does kv_upload_reclaim() for all places and all such uploads. The manager calls it, and has not
 * begun a change. -EBUSY: other callers change the space, and some uploads are left.
 */
int kv_upload_reclaim_lost(const struct kv_call *call);

#endif
