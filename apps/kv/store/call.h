/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the store, as the function and the manager call them. Keys are copied before
 * anything looks at them. Values and replies are pointers to memory that may change at any time:
 * the function has checked that it is the caller's. Results are as in exchange.h.
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
	uint32_t place; /* whose items they become */
	uint32_t rights;
	uint32_t now;
	uint64_t attachment;	/* or KV_MANAGER */
	struct elisa_caller me; /* of operations that change something */
};

static inline void kv_count(const struct kv_call *call, enum kv_stat stat)
{
	call->counters[stat]++; /* of this caller alone */
}

/* ------------------------------------------------------------------------------ reading */

struct kv_reply {
	void *at;
	uint64_t room;
};

/* read.c: no lock. room: at least struct kv_item. Hits and misses are the caller's to count. */
long kv_get(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply);

/* The value from offset on, of the item that has this CAS number. */
long kv_get_piece(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply,
		  uint64_t cas, uint32_t offset);

/* ------------------------------------------------------------------------------ writing */

struct kv_put {
	enum kv_op op; /* KV_SET .. KV_DECREMENT; number.c has worked out the value */
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

/* upload.c; handles as in exchange.h. */
long kv_upload(const struct kv_call *call, const struct kv_put *put);
long kv_upload_piece(const struct kv_call *call, uint64_t handle, uint64_t offset,
		     const void *value, uint64_t length);
long kv_upload_end(const struct kv_call *call, uint64_t handle, enum kv_op op, uint64_t cas);
long kv_upload_cancel(const struct kv_call *call, uint64_t handle);

/*
 * statistics.c: KV_STATS numbers, of a place's point of view. attachment: what it has counted;
 * KV_MANAGER: what all of the place's have.
 */
void kv_statistics(const struct kv_store *store, const struct kv_space *space, uint32_t place,
		   uint64_t attachment, uint64_t stat[KV_STATS]);
/* Manager: this attachment's counts begin. */
void kv_statistics_begin(struct kv_store *store, uint32_t place, uint64_t attachment);

/* A TTL of exchange.h as the second at which an item ends; 0: never. */
static inline uint32_t kv_expiry(uint32_t now, uint32_t ttl)
{
	if (!ttl)
		return 0;
	return ttl > KV_TTL_MAX ? 1 : now + 1 + ttl;
}

/* The other way round, of an item that is there. */
static inline uint32_t kv_seconds_left(uint32_t now, uint32_t expiry)
{
	if (!expiry)
		return KV_TTL_NEVER;
	return expiry - now > 1 ? expiry - now - 1 : 1;
}

#endif
