/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in the manager's process: preparing it, setting rights, and what the manager itself
 * does with items. Results are 0 or -errno. Only one thread at a time may call the functions
 * kv_manager_...
 */
#ifndef KV_MANAGER_H
#define KV_MANAGER_H

#include "call.h"

struct kv_space_config {
	uint64_t memory; /* bytes for items, with their heads and rounding */
	/* a power of two, 128 to 4096. A quarter of a typical value's size is good. */
	uint32_t cell_size;
};

struct kv_config {
	uint32_t places; /* places of the export */
	uint32_t vcpus;	 /* vCPUs of each guest that may call; places * vcpus is at most 4093 */
	uint32_t spaces;
	const struct kv_space_config *space;
	uint64_t secret;    /* random, for the hash */
	uint64_t first_cas; /* larger than any CAS number of an earlier store, such as nanoseconds
			     * since 1970 */
};

/* Returns the bytes that the store takes, a multiple of pages; 0: a number is out of range. */
uint64_t kv_store_size(const struct kv_config *config);

/*
 * Prepares an empty store in kv_store_size() bytes at a page boundary. To be called before the
 * export is published. No place may do anything yet, and all quotas are 0.
 */
int kv_store_init(struct kv_store *store, const struct kv_config *config);

/* Sets the store's time. seconds: since the store began or longer, less than 2^31. Thread-safe, as
 * are the next two functions, which also take effect at once. */
void kv_store_time(struct kv_store *store, uint64_t seconds);
/* Sets the rights of a place in a space. rights: enum kv_right. -EINVAL: place or space. */
int kv_store_rights(struct kv_store *store, uint32_t place, uint32_t space, uint32_t rights);
/*
 * Sets the quota of a place in a space. bytes: counted in whole cells; -1 is all of the space. If
 * the place has more than a new limit, items go when the place stores something. -EINVAL: place or
 * space.
 */
int kv_store_quota(struct kv_store *store, uint32_t place, uint32_t space, uint64_t bytes,
		   uint64_t items);

/*
 * kv_manager_event() must get each event of elisa_events_read(). It notes callers that have died,
 * so that other callers can take their locks. It also begins a new attachment's counts.
 * kv_manager_reclaim() is to be called once after all events: it frees memory that dead callers had
 * taken. -EBUSY: some memory is not free yet; call it later.
 */
void kv_manager_event(struct kv_store *store, const struct elisa_event *event);
int kv_manager_reclaim(struct kv_store *store);

/* An item, for a snapshot. key and value point into the caller's buffer. */
struct kv_record {
	uint32_t place, flags, ttl; /* ttl: seconds left, or KV_TTL_NEVER */
	uint32_t key_length, length;
	uint64_t cas;
	uint8_t *key, *value;
};

#define KV_RECORD_MAX ((size_t)KV_KEY_MAX + 6 + KV_VALUE_MAX)

/*
 * Reads the next item of the space into a buffer of KV_RECORD_MAX bytes. *cursor: 0 at first.
 * *slots: how many slots of the index it may look at; out: how many are left. Guests continue
 * meanwhile. An item that is there all the time comes once. Returns 1, 0: there is no more item, or
 * -EAGAIN: no slots are left.
 */
int kv_manager_next(struct kv_store *store, uint32_t space, uint64_t *cursor, uint64_t *slots,
		    uint8_t *buffer, struct kv_record *record);

/* Stores an item as if its place did, as KV_SET does. The record's cas is not used. */
int kv_manager_put(struct kv_store *store, uint32_t space, const struct kv_record *record);

/*
 * Removes items that have expired or were flushed, in the next `buckets` buckets of the index.
 * *cursor: 0 at first, and 0 again at the end. Returns how many items went, or -EBUSY.
 */
int kv_manager_sweep(struct kv_store *store, uint32_t space, uint64_t *cursor, uint32_t buckets);

#endif
