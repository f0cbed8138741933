/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large items: what is too long to be copied under the space's lock. upload.c has the story;
 * call.h has what guests may do with one.
 */
#ifndef KV_UPLOAD_H
#define KV_UPLOAD_H

#include "items.h"

/*
 * How long one caller keeps a space's lock from the others. A change walks along no more free cells
 * than KV_AT_ONCE. Items of more cells than KV_FILLED_AT_ONCE are uploads: their bytes are copied
 * without the lock.
 */
#define KV_AT_ONCE	  16u
#define KV_FILLED_AT_ONCE 8u

/*
 * Uploads of a space: KV_UPLOADS of each place, for handles, and one of each caller, for its own
 * large puts. The manager is a caller, too.
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

/* number: below KV_UPLOADS. */
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

/* Takes its lock, after up to so many pauses. -EBUSY, -EDEADLK: of <elisa/sub/lock.h>. */
int kv_upload_lock(const struct kv_call *call, struct kv_upload *upload, uint32_t spins);

/* Its holder, not begun: it is empty. *number: out, no other upload of the space has it. -EBUSY. */
int kv_upload_clear(const struct kv_call *call, struct kv_upload *upload, uint64_t *number);

/* Its holder, not begun: it has as many cells as that. Errors: as of kv_room(), -EBUSY. */
int kv_upload_reserve(const struct kv_call *call, struct kv_upload *upload, uint32_t cells);

/*
 * Not begun: the caller's own one, locked and empty, with as many cells as the item has.
 * *upload: out. Errors: as of kv_room(), -EBUSY.
 */
int kv_upload_take(const struct kv_call *call, uint32_t cells, struct kv_upload **upload);

/*
 * Its holder, not begun: the item of these cells is stored, if op and cas allow it; else the cells
 * are free. Released. -EBUSY: if it has a handle it stays.
 */
long kv_upload_link(const struct kv_call *call, struct kv_upload *upload, enum kv_op op,
		    const struct kv_key *key, uint64_t cas);

/* Its holder, not begun: its cells are free. Released. */
void kv_upload_drop(const struct kv_call *call, struct kv_upload *upload);

/*
 * Begun: gives back, with the commit, the cells of one upload of the place that nothing will ever
 * end. 1, or 0: there is none.
 */
int kv_upload_reclaim(const struct kv_call *call);

/*
 * Begun: the same with the oldest upload of the attachment that has a handle, unless a call is at
 * it. Its handle is none from now on.
 */
int kv_upload_give_up(const struct kv_call *call);

/* Manager: uploads of an attachment that has ended have no handle any more. */
void kv_upload_disown(const struct kv_call *call, uint64_t ended);

/*
 * Manager, not begun: kv_upload_reclaim() for all places, all that there is. -EBUSY: others change
 * the space, and some is left.
 */
int kv_upload_reclaim_lost(const struct kv_call *call);

#endif
