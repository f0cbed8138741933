/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store from the manager's process: preparing it, setting rights, and what the manager does
 * with items itself. Results are 0 or -errno. Only one thread at a time may call the functions
 * kv_manager_...
 */
#ifndef KV_MANAGER_H
#define KV_MANAGER_H

#include "call.h"

struct kv_space_config {
	uint64_t memory;    /* bytes for items, their heads and rounding included */
	uint32_t cell_size; /* a power of two, 128 to 4096: a quarter of a usual value is good */
};

struct kv_config {
	uint32_t places; /* of the export */
	uint32_t vcpus;	 /* of each guest that may call; places * vcpus is at most 4093 */
	uint32_t spaces;
	const struct kv_space_config *space;
	uint64_t secret;    /* random, of the hash */
	uint64_t first_cas; /* larger than any of an earlier store: nanoseconds since 1970, say */
};

/* Bytes that the store takes, a multiple of pages; 0: a number is out of range. */
uint64_t kv_store_size(const struct kv_config *config);

/*
 * An empty store, before it is published, in kv_store_size() bytes at a page's boundary. No place
 * may do anything; no quota is set, which is a limit of 0.
 */
int kv_store_init(struct kv_store *store, const struct kv_config *config);

/* From now on; all thread-safe. seconds: since the store began or longer, less than 2^31. */
void kv_store_time(struct kv_store *store, uint64_t seconds);
/* rights: enum kv_right. -EINVAL: place or space. */
int kv_store_rights(struct kv_store *store, uint32_t place, uint32_t space, uint32_t rights);
/*
 * bytes: whole cells; -1 is all of the space. What is above a new limit goes when the place stores
 * something. -EINVAL: place or space.
 */
int kv_store_quota(struct kv_store *store, uint32_t place, uint32_t space, uint64_t bytes,
		   uint64_t items);

/*
 * With each event of elisa_events_read(): callers that have died are known, what they held is free
 * for callers that want it, and a new attachment's counts begin. Then, once for all events,
 * kv_manager_reclaim(): memory that they had taken is free. -EBUSY: some is not yet; call it later.
 */
void kv_manager_event(struct kv_store *store, const struct elisa_event *event);
int kv_manager_reclaim(struct kv_store *store);

/* An item, for a snapshot. key and value are in the buffer of the one that asks. */
struct kv_record {
	uint32_t place, flags, ttl; /* ttl: seconds left, KV_TTL_NEVER */
	uint32_t key_length, length;
	uint64_t cas;
	uint8_t *key, *value;
};

#define KV_RECORD_MAX ((size_t)KV_KEY_MAX + 6 + KV_VALUE_MAX)

/*
 * The next item of the space, into a buffer of KV_RECORD_MAX bytes. *cursor: 0 at first. *slots: of
 * the index, so many may be looked at; out: how many are left. Items that are there all the time
 * come once; guests go on. 1; 0: there is no more item; -EAGAIN: no slots are left.
 */
int kv_manager_next(struct kv_store *store, uint32_t space, uint64_t *cursor, uint64_t *slots,
		    uint8_t *buffer, struct kv_record *record);

/* Stores an item as if its place did. cas of the record is not used. As KV_SET. */
int kv_manager_put(struct kv_store *store, uint32_t space, const struct kv_record *record);

/*
 * Removes what has expired or was flushed among the next so many buckets of the index. *cursor: 0
 * at first, and 0 again at the end. Returns how many items went, or -EBUSY.
 */
int kv_manager_sweep(struct kv_store *store, uint32_t space, uint64_t *cursor, uint32_t buckets);

#endif
