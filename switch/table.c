/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forwarding table says which address is behind which port. Any number of senders read and
 * change it at once. They need no lock, because an entry is one word. A port may never push out
 * another port's address.
 */
#include "table.h"

uint32_t rvs_lookup_anew(struct rvs_sender *s, uint64_t mac)
{
	return rvs_lookup(s->rvs, s->port->table, mac, s->now, &s->txq->last);
}

static uint64_t make_entry(uint64_t mac, uint32_t port, uint64_t flags)
{
	return mac | (uint64_t)port << RVS_ENTRY_PORT_SHIFT | flags | RVS_ENTRY_VALID;
}

static int replace(uint64_t *word, uint64_t old, uint64_t entry)
{
	return __atomic_compare_exchange_n(word, &old, entry, 0, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/*
 * Changes the count of a port's learned addresses by `n`, for an address in this bucket. While the
 * table ages, addresses are counted anew, bucket by bucket. If this bucket is counted already, the
 * new count changes, too.
 */
static void learned_add(struct rvs *rvs, const struct rvs_bucket *bucket, uint32_t port, uint32_t n)
{
	struct rvs_port *p = rvs_port_at(rvs, port);

	__atomic_fetch_add(&p->learned, n, __ATOMIC_RELAXED);
	if ((uint64_t)(bucket - rvs_bucket_at(rvs, 0)) < rvs_load64(&rvs->aged_to))
		__atomic_fetch_add(&p->learned_seen, n, __ATOMIC_RELAXED);
}

/*
 * Tells whether the address is in another way of the bucket, too. Two senders may enter an address
 * at once. Both look afterwards, so at least one of them sees the other's entry.
 */
static int has_twin(const struct rvs_bucket *bucket, int way, uint64_t mac)
{
	for (int i = 0; i < RVS_WAYS; i++)
		if (i != way && rvs_is_match(rvs_load64(&bucket->entry[i]), mac))
			return 1;
	return 0;
}

/*
 * Makes an entry for a new address. The address is counted before the entry can be seen. A sender
 * that stops in between leaves the count too high until rvs_table_age() counts anew.
 */
static void learn(struct rvs *rvs, struct rvs_bucket *bucket, uint32_t port, uint64_t mac,
		  uint32_t now)
{
	struct rvs_port *p = rvs_port_at(rvs, port);
	uint64_t entry, victim = 0;
	uint32_t age, most = 0;
	int way = -1;

	for (int i = 0; i < RVS_WAYS; i++) {
		entry = rvs_load64(&bucket->entry[i]);
		if (!entry) {
			way = i;
			victim = 0;
			break;
		}
		if (entry & RVS_ENTRY_STATIC)
			continue;
		age = now - rvif_load(&bucket->heard[i]);
		if ((int32_t)age < 0)
			age = 0;
		if (!rvs_is_old(rvs, rvif_load(&bucket->heard[i]), now) &&
		    rvs_entry_port(entry) != port)
			continue;
		if (way < 0 || age > most) {
			way = i;
			victim = entry;
			most = age;
		}
	}
	if (way < 0)
		return;
	if (!(victim && rvs_entry_port(victim) == port) && rvif_load(&p->learned) >= p->max_learned)
		return;
	learned_add(rvs, bucket, port, 1);
	rvif_store(&bucket->heard[way], now);
	entry = make_entry(mac, port, 0);
	if (!replace(&bucket->entry[way], victim, entry)) {
		learned_add(rvs, bucket, port, -1u);
		return;
	}
	if (victim)
		learned_add(rvs, bucket, rvs_entry_port(victim), -1u);
	/* another sender may have entered it at the same time, or the owner a static entry */
	if (has_twin(bucket, way, mac) && replace(&bucket->entry[way], entry, 0))
		learned_add(rvs, bucket, port, -1u);
}

/*
 * Moves an address from another port to this port. If this port may not teach it, the address is
 * forgotten: flooding reaches the station, and the old port does not.
 */
static void move(struct rvs *rvs, struct rvs_bucket *bucket, int way, uint64_t entry, uint32_t port,
		 uint64_t mac, uint32_t now)
{
	struct rvs_port *p = rvs_port_at(rvs, port);

	if ((p->flags & RVS_NO_LEARNING) || rvif_load(&p->learned) >= p->max_learned) {
		if (replace(&bucket->entry[way], entry, 0))
			learned_add(rvs, bucket, rvs_entry_port(entry), -1u);
		return;
	}
	learned_add(rvs, bucket, port, 1);
	rvif_store(&bucket->heard[way], now);
	if (replace(&bucket->entry[way], entry, make_entry(mac, port, 0)))
		learned_add(rvs, bucket, rvs_entry_port(entry), -1u);
	else
		learned_add(rvs, bucket, port, -1u);
}

int rvs_source(struct rvs *rvs, uint32_t port, uint32_t table, uint64_t mac, uint32_t now)
{
	const uint32_t flags = rvs_port_at(rvs, port)->flags;
	struct rvs_bucket *bucket = rvs_bucket_of(rvs, table, mac);

	for (int i = 0; i < RVS_WAYS; i++) {
		uint64_t entry = rvs_load64(&bucket->entry[i]);

		if (!rvs_is_match(entry, mac))
			continue;
		if (entry & RVS_ENTRY_STATIC)
			return rvs_entry_port(entry) == port;
		if (flags & RVS_CHECK_SOURCE)
			break;
		if (rvs_entry_port(entry) != port)
			move(rvs, bucket, i, entry, port, mac, now);
		else if (rvif_load(&bucket->heard[i]) != now)
			rvif_store(&bucket->heard[i], now);
		return 1;
	}
	if (flags & RVS_CHECK_SOURCE)
		return 0;
	if (!(flags & RVS_NO_LEARNING))
		learn(rvs, bucket, port, mac, now);
	return 1;
}

/* ---------------------------------------------------------------------------- control calls */

/*
 * Finds the best way for a static entry, and the way's present entry: the same address, or empty,
 * or an address that any port has learned. Returns -1 if all ways are static.
 */
static int way_for_static(const struct rvs_bucket *bucket, uint64_t mac, uint64_t *entry)
{
	int way = -1;

	for (int i = 0; i < RVS_WAYS; i++) {
		uint64_t seen = rvs_load64(&bucket->entry[i]);

		if (rvs_is_match(seen, mac)) {
			*entry = seen;
			return i;
		}
		if (!(seen & RVS_ENTRY_STATIC) && (way < 0 || (!seen && *entry))) {
			*entry = seen;
			way = i;
		}
	}
	return way;
}

/* Enters a static address. Senders may learn meanwhile, so it retries if the word has changed. */
static int set(struct rvs *rvs, uint32_t port, uint32_t table, uint64_t mac)
{
	struct rvs_bucket *bucket = rvs_bucket_of(rvs, table, mac);
	uint64_t entry = 0;
	int way;

	do {
		way = way_for_static(bucket, mac, &entry);
		if (way < 0)
			return -RVS_FULL;
		if (rvs_is_match(entry, mac) && (entry & RVS_ENTRY_STATIC))
			return rvs_entry_port(entry) == port ? 0 : -RVS_EXISTS;
	} while (!replace(&bucket->entry[way], entry, make_entry(mac, port, RVS_ENTRY_STATIC)));
	if (entry)
		learned_add(rvs, bucket, rvs_entry_port(entry), -1u);
	for (int i = 0; i < RVS_WAYS; i++) {
		entry = rvs_load64(&bucket->entry[i]);
		if (i != way && rvs_is_match(entry, mac) && replace(&bucket->entry[i], entry, 0))
			learned_add(rvs, bucket, rvs_entry_port(entry), -1u);
	}
	return 0;
}

/* Removes a static address of a port from all its VLANs. Returns from how many. */
static int unset(struct rvs *rvs, uint32_t port, uint64_t mac)
{
	int removed = 0;

	for (uint32_t vlan = 0; vlan <= RVS_MAX_VLAN; vlan++) {
		struct rvs_bucket *bucket = rvs_bucket_of(rvs, rvs_table_of(rvs, vlan), mac);

		for (int i = 0; rvs_in_vlan(rvs_port_at(rvs, port), vlan) && i < RVS_WAYS; i++)
			removed += replace(&bucket->entry[i],
					   make_entry(mac, port, RVS_ENTRY_STATIC), 0);
	}
	return removed;
}

/* Enters a static address in all VLANs of the port, or in none. */
int rvs_table_set(struct rvs *rvs, uint32_t port, uint64_t mac)
{
	for (uint32_t vlan = 0; vlan <= RVS_MAX_VLAN; vlan++) {
		int error = rvs_in_vlan(rvs_port_at(rvs, port), vlan) ?
				    set(rvs, port, rvs_table_of(rvs, vlan), mac) :
				    0;

		if (error) {
			unset(rvs, port, mac);
			return error;
		}
	}
	return 0;
}

int rvs_static_add(struct rvs *rvs, uint32_t port, const uint8_t mac[6])
{
	uint64_t word = rvs_mac_word(mac);

	/* a port that is being detached gets none: the sweep may have passed the bucket */
	if (port >= rvs->config.ports || !rvs_port_at(rvs, port)->attached ||
	    rvs_port_at(rvs, port)->swept_to)
		return -RVS_BAD_PORT;
	if (!word || (word & RVS_GROUP_BIT))
		return -RVS_BAD_ADDRESS;
	return rvs_table_set(rvs, port, word);
}

int rvs_static_remove(struct rvs *rvs, uint32_t port, const uint8_t mac[6])
{
	if (port >= rvs->config.ports)
		return -RVS_BAD_PORT;
	return unset(rvs, port, rvs_mac_word(mac)) ? 0 : -RVS_NOT_FOUND;
}

/* Removes a bucket's entries of a port, or of all ports (RVS_FLOOD). Returns how many. */
static int sweep(struct rvs *rvs, uint64_t number, uint32_t port, int statics)
{
	struct rvs_bucket *bucket = rvs_bucket_at(rvs, number);
	int removed = 0;

	for (int i = 0; i < RVS_WAYS; i++) {
		uint64_t entry = rvs_load64(&bucket->entry[i]);

		if (!entry || ((entry & RVS_ENTRY_STATIC) && !statics))
			continue;
		if (port != RVS_FLOOD && rvs_entry_port(entry) != port)
			continue;
		if (!replace(&bucket->entry[i], entry, 0))
			continue;
		if (!(entry & RVS_ENTRY_STATIC))
			learned_add(rvs, bucket, rvs_entry_port(entry), -1u);
		removed++;
	}
	return removed;
}

/* Returns the end of the next part of buckets, which begins at this position. */
static uint64_t part_end(const struct rvs *rvs, uint64_t position)
{
	return rvs->bucket_count - position > RVS_PART ? position + RVS_PART : rvs->bucket_count;
}

int rvs_table_leave(struct rvs *rvs, uint32_t number)
{
	struct rvs_port *port = rvs_port_at(rvs, number);
	const uint64_t end = part_end(rvs, port->swept_to);

	/* a call that is stopped here does not begin its part anew */
	for (uint64_t b = port->swept_to; b < end; b++) {
		sweep(rvs, b, number, 1);
		rvs_store64(&port->swept_to, b + 1);
	}
	return end < rvs->bucket_count;
}

int rvs_table_flush(struct rvs *rvs, int port)
{
	int removed = 0;

	if (port >= (int)rvs->config.ports)
		return -RVS_BAD_PORT;
	for (uint64_t b = 0; b < rvs->bucket_count; b++)
		removed += sweep(rvs, b, port < 0 ? RVS_FLOOD : (uint32_t)port, 0);
	return removed;
}

/* Removes entries that are too old, or that a stopped sender has left twice. Counts the others. */
static void age_bucket(struct rvs *rvs, uint64_t number, uint32_t now)
{
	struct rvs_bucket *bucket = rvs_bucket_at(rvs, number);

	for (int i = 0; i < RVS_WAYS; i++) {
		uint64_t entry = rvs_load64(&bucket->entry[i]);

		if (!entry || (entry & RVS_ENTRY_STATIC))
			continue;
		if (!rvs_is_old(rvs, rvif_load(&bucket->heard[i]), now) &&
		    !has_twin(bucket, i, entry & RVS_MAC_MASK))
			__atomic_fetch_add(&rvs_port_at(rvs, rvs_entry_port(entry))->learned_seen,
					   1, __ATOMIC_RELAXED);
		else if (replace(&bucket->entry[i], entry, 0))
			learned_add(rvs, bucket, rvs_entry_port(entry), -1u);
	}
}

/*
 * Ages the next part of the table. It also counts each port's learned addresses anew, because a
 * stopped sender may have left a count too high. Senders learn meanwhile. So a count may be wrong
 * by the addresses that are learned just then in the bucket at hand. The next round corrects it.
 */
int rvs_table_age(struct rvs *rvs, uint32_t now)
{
	const uint64_t begin = rvs->aged_to, end = part_end(rvs, begin);

	for (uint32_t p = 0; !begin && p < rvs->config.ports; p++)
		rvif_store(&rvs_port_at(rvs, p)->learned_seen, 0);
	for (uint64_t b = begin; b < end; b++) {
		age_bucket(rvs, b, now);
		rvs_store64(&rvs->aged_to, b + 1);
	}
	if (end < rvs->bucket_count)
		return 1;
	for (uint32_t p = 0; p < rvs->config.ports; p++) {
		struct rvs_port *port = rvs_port_at(rvs, p);

		rvif_store(&port->learned, rvif_load(&port->learned_seen));
	}
	rvs_store64(&rvs->aged_to, 0);
	return 0;
}

int rvs_table_dump(struct rvs *rvs, uint64_t *position, struct rvs_entry *entries, uint32_t room)
{
	const uint64_t end = rvs->bucket_count * RVS_WAYS;
	uint32_t n = 0;

	if (*position >= end)
		return -1;
	for (uint32_t looks = 0; *position < end && n < room && looks < RVS_DUMP_LOOKS;
	     ++*position, looks++) {
		struct rvs_bucket *bucket = rvs_bucket_at(rvs, *position / RVS_WAYS);
		uint64_t entry = rvs_load64(&bucket->entry[*position % RVS_WAYS]);

		if (!entry)
			continue;
		rvs_mac_bytes(entries[n].mac, entry & RVS_MAC_MASK);
		entries[n].port = (uint16_t)rvs_entry_port(entry);
		entries[n].vlan = rvs->vlan_of[*position / RVS_WAYS >> rvs->bucket_shift];
		entries[n].is_static = !!(entry & RVS_ENTRY_STATIC);
		entries[n].heard = rvif_load(&bucket->heard[*position % RVS_WAYS]);
		n++;
	}
	return (int)n;
}
