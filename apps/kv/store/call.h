/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the store, as the function and the manager call them. Values and replies are
 * pointers to memory that a guest may change at any time. The function has checked that this memory
 * is the caller's. Keys are copies that no guest can change. (The short way of a get, in
 * kv_function.c, uses none of these functions.) Results are as in exchange.h.
 */
#ifndef KV_CALL_H
#define KV_CALL_H

#include "key.h"
#include "store.h"

#define KV_MANAGER (~0ull)

struct kv_call {
	struct kv_store *store;
	struct kv_space *space;
	uint64_t *counters;
	uint32_t place; /* the place that owns items which are stored */
	uint32_t rights;
	uint32_t now;
	uint64_t attachment;	/* the caller's, or KV_MANAGER */
	struct elisa_caller me; /* for operations that change something */
};

static inline void kv_count(const struct kv_call *call, enum kv_stat stat)
{
	call->counters[stat]++; /* no other caller writes it */
}

/* ------------------------------------------------------------------------------ reading */

struct kv_reply {
	void *at;
	uint64_t room;
};

/* read.c: without a lock. room: at least struct kv_item. The caller counts hits and misses. */
long kv_get(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply);

/* Gets the value from `offset` on, if the item has this CAS number. */
long kv_get_piece(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply,
		  uint64_t cas, uint32_t offset);

/* ------------------------------------------------------------------------------ writing */

struct kv_put {
	enum kv_op op; /* KV_SET .. KV_DECREMENT; for numbers, number.c has computed the value */
	const struct kv_key *key;
	const void *value;
	uint32_t length;
	uint64_t cas; /* 0: any */
	uint64_t meta;
};

static inline int kv_is_number(enum kv_op op)
{
	return op == KV_INCREMENT || op == KV_DECREMENT;
}

/* put.c */
long kv_put(const struct kv_call *call, const struct kv_put *put);

/* number.c: op is KV_INCREMENT or KV_DECREMENT. */
long kv_add_number(const struct kv_call *call, enum kv_op op, const struct kv_key *key,
		   uint64_t difference, struct kv_reply reply);

/* remove.c */
long kv_touch(const struct kv_call *call, const struct kv_key *key, uint32_t expiry);
long kv_delete(const struct kv_call *call, const struct kv_key *key, uint64_t cas);
long kv_flush(const struct kv_call *call);

/* upload.c, pieces.c; handles as in exchange.h. */
long kv_upload(const struct kv_call *call, const struct kv_put *put);
long kv_upload_piece(const struct kv_call *call, uint64_t handle, uint64_t offset,
		     const void *value, uint64_t length);
long kv_upload_end(const struct kv_call *call, uint64_t handle, enum kv_op op, uint64_t cas);
long kv_upload_cancel(const struct kv_call *call, uint64_t handle);

/*
 * statistics.c: KV_STATS numbers, as a place sees them. attachment: the counts are of this one;
 * KV_MANAGER: the counts are of all attachments that the place has had.
 */
void kv_statistics(const struct kv_store *store, const struct kv_space *space, uint32_t place,
		   uint64_t attachment, uint64_t stat[KV_STATS]);
/* Begins the counts of a new attachment. The manager calls it. */
void kv_statistics_begin(struct kv_store *store, uint32_t place, uint64_t attachment);

/* Converts a TTL of exchange.h to the second at which an item expires; 0: never. */
static inline uint32_t kv_expiry(uint32_t now, uint32_t ttl)
{
	if (!ttl)
		return 0;
	return ttl > KV_TTL_MAX ? 1 : now + 1 + ttl;
}

/* Converts back: returns the seconds that an item has left. */
static inline uint32_t kv_seconds_left(uint32_t now, uint32_t expiry)
{
	if (!expiry)
		return KV_TTL_NEVER;
	return expiry - now > 1 ? expiry - now - 1 : 1;
}

#endif
