/* SPDX-License-Identifier: Apache-2.0 */
/* Looking an address up, which each batch does. It only reads; table.c changes the table. */
#ifndef RVS_TABLE_H
#define RVS_TABLE_H

#include "internal.h"

static inline struct rvs_bucket *rvs_bucket_of(struct rvs *rvs, uint64_t mac)
{
	uint64_t hash = (mac ^ rvs->config.seed) * 0x9e3779b97f4a7c15ull;

	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	return rvs_bucket_at(rvs, (hash >> 32) & rvs->bucket_mask);
}

static inline uint32_t rvs_entry_port(uint64_t entry)
{
	return (uint32_t)(entry >> RVS_ENTRY_PORT_SHIFT & RVS_ENTRY_PORT_MASK);
}

static inline int rvs_is_match(uint64_t entry, uint64_t mac)
{
	return !((entry ^ (mac | RVS_ENTRY_VALID)) & (RVS_MAC_MASK | RVS_ENTRY_VALID));
}

/* Clocks of senders may differ a little, so that "heard" may lie ahead. */
static inline int rvs_is_old(const struct rvs *rvs, uint32_t heard, uint32_t now)
{
	return (int32_t)(now - heard) > (int32_t)rvs->config.max_age;
}

/* The port of an address, or RVS_FLOOD. */
static inline uint32_t rvs_lookup(struct rvs *rvs, uint64_t mac, uint32_t now)
{
	struct rvs_bucket *bucket = rvs_bucket_of(rvs, mac);

	for (int i = 0; i < RVS_WAYS; i++) {
		uint64_t entry = rvs_load64(&bucket->entry[i]);

		if (!rvs_is_match(entry, mac))
			continue;
		if (!(entry & RVS_ENTRY_STATIC) &&
		    rvs_is_old(rvs, rvif_load(&bucket->heard[i]), now))
			return RVS_FLOOD;
		return rvs_entry_port(entry);
	}
	return RVS_FLOOD;
}

#endif
