/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks addresses up, as each batch does. These functions only read the table, and table.c changes
 * it. Each VLAN has a table of its own, named by its first bucket. So no VLAN can fill another
 * VLAN's table.
 */
#ifndef RVS_TABLE_H
#define RVS_TABLE_H

#include "internal.h"

static inline struct rvs_bucket *rvs_bucket_of(struct rvs *rvs, uint32_t table, uint64_t mac)
{
	uint64_t hash = (mac ^ rvs->config.seed) * 0x9e3779b97f4a7c15ull;

	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	return rvs_bucket_at(rvs, table + ((hash >> 32) & rvs->bucket_mask));
}

static inline uint32_t rvs_entry_port(uint64_t entry)
{
	return (uint32_t)(entry >> RVS_ENTRY_PORT_SHIFT & RVS_ENTRY_PORT_MASK);
}

static inline int rvs_is_match(uint64_t entry, uint64_t mac)
{
	return !((entry ^ (mac | RVS_ENTRY_VALID)) & (RVS_MAC_MASK | RVS_ENTRY_VALID));
}

/* Tells whether an entry is too old. Senders' clocks differ a little, so "heard" may lie ahead. */
static inline int rvs_is_old(const struct rvs *rvs, uint32_t heard, uint32_t now)
{
	return (int32_t)(now - heard) > (int32_t)rvs->config.max_age;
}

/* Returns the port of an entry that is for the address, or RVS_FLOOD if the entry is too old. */
static inline uint32_t rvs_entry_use(const struct rvs *rvs, const struct rvs_bucket *bucket,
				     uint32_t way, uint64_t entry, uint32_t now)
{
	if (!(entry & RVS_ENTRY_STATIC) && rvs_is_old(rvs, rvif_load(&bucket->heard[way]), now))
		return RVS_FLOOD;
	return rvs_entry_port(entry);
}

/* Returns the port of an address, or RVS_FLOOD. *place tells where the entry is. */
static inline uint32_t rvs_lookup(struct rvs *rvs, uint32_t table, uint64_t mac, uint32_t now,
				  struct rvs_place *place)
{
	const struct rvs_bucket *bucket = rvs_bucket_of(rvs, table, mac);

	for (uint32_t way = 0; way < RVS_WAYS; way++) {
		uint64_t entry = rvs_load64(&bucket->entry[way]);

		if (!rvs_is_match(entry, mac))
			continue;
		place->bucket = (uint32_t)(bucket - rvs_bucket_at(rvs, 0));
		place->way = way;
		return rvs_entry_use(rvs, bucket, way, entry, now);
	}
	return RVS_FLOOD;
}

/* table.c: looks an address up in the VLAN of a sender's port, and remembers the place. */
uint32_t rvs_lookup_anew(struct rvs_sender *s, uint64_t mac);

/*
 * Looks an address up in the place of the last one of the sender's queue first. If it is there, the
 * sender does not wait for the hash. An address has an entry in its own bucket only, so a matching
 * entry is the right one.
 */
static inline uint32_t rvs_lookup_again(struct rvs_sender *s, uint64_t mac)
{
	const struct rvs_place *place = &s->txq->last;
	const struct rvs_bucket *bucket = rvs_bucket_at(s->rvs, place->bucket);
	const uint64_t entry = rvs_load64(&bucket->entry[place->way]);

	if (rvs_likely(rvs_is_match(entry, mac)))
		return rvs_entry_use(s->rvs, bucket, place->way, entry, s->now);
	return rvs_lookup_anew(s, mac);
}

#endif
