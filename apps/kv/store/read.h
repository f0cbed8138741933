/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, without a lock: look, copy, and look again whether it is still the same.
 *
 * A slot of the index leads to a cell. If the cell's version was even, and is the same after the
 * copy, then all bytes that were read in between belong to one item. Versions are unique, and a
 * writer makes the version odd before it writes anything into the item's cells (cells.h). If the
 * item has the key, it was in the index during this call: the slot led to its cell, or to one that
 * has become its cell since. So the reader may return it, even if it has been replaced by now.
 *
 * If the item has another key, the key's item may still exist. The cell may have become another
 * item's after the slot was read, and the key's item may be in a new cell. So the slot must still
 * lead to the cell, and after that the version must still be the same. A key's item never changes
 * its slot while it is there, so one look at each slot is enough.
 *
 * Until the second look, everything may be torn. So a length is bounded by the room for the reply,
 * and a link by the number of cells. If the version has changed, the walk begins again: the item
 * may have got another cell meanwhile. Writers that die do not matter: readers never wait.
 *
 * Readers write only one byte, if it is not written yet: the mark for eviction that the item is in
 * use. With an old reference a reader may mark any cell, which does no harm there: the mark means
 * the same.
 */
#ifndef KV_READ_H
#define KV_READ_H

#include "call.h"
#include "cells.h"

/* Not done: something has changed, or the case is not one that a simple get handles. */
#define KV_AGAIN (-(long)EAGAIN)

/*
 * Which part to read: 0 and 0, or a CAS number that the item must have and an offset in the value.
 */
struct kv_part {
	uint64_t cas;
	uint32_t offset;
};

/* Returns the upper half of a slot. It belongs to the lower half only if both are read at once. */
static inline uint32_t kv_slot_tag(const uint64_t *slot)
{
	return ((const volatile struct elisa_half_word *)slot)[1].value;
}

/* Tells whether the first `bytes` bytes of an item lie in its first cell. */
static inline int kv_in_first_cell(const struct kv_space *space, uint64_t bytes)
{
	return __builtin_expect(bytes <= space->first_bytes, 1);
}

static inline int kv_still(const struct kv_head *head, uint64_t version)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return kv_load(&head->cell.version) == version;
}

/* read.c: for an item that lies in several cells. */
int kv_is_long_key(const struct kv_space *space, struct kv_head *head, const struct kv_key *key);
int kv_copy_long_value(const struct kv_space *space, struct kv_head *head, uint64_t skip, void *to,
		       uint64_t bytes);

/* read.c: counts an item that is there, but has expired or was flushed. Returns -ENOENT. */
long kv_read_dead(const struct kv_call *call, uint64_t version);

/* Returns the first slot from `from` on that may be the key's, or ELISA_INDEX_WAYS. */
static inline uint32_t kv_match(const struct elisa_bucket *bucket, uint32_t tag, uint32_t from)
{
#pragma GCC unroll 8
	for (uint32_t i = 0; i < ELISA_INDEX_WAYS; i++)
		if (i >= from && __builtin_expect(kv_slot_tag(&bucket->slot[i]) == tag, 0))
			return i;
	return ELISA_INDEX_WAYS;
}

/* Looks at the item that a slot leads to. Returns 1: it is the key's; 0: it is another key's; or
 * KV_AGAIN. */
static inline long kv_is_it(const struct kv_space *space, const uint64_t *slot,
			    const struct kv_key *key, struct kv_head **head, uint64_t *version,
			    int simple)
{
	const uint64_t seen = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	int same = 0;

	if (!KV_LOW(seen))
		return 0;
	*head = kv_head(space, KV_LOW(seen));
	*version = __atomic_load_n(&(*head)->cell.version, __ATOMIC_ACQUIRE);
	if (*version & 1)
		return KV_AGAIN;
	if ((*head)->key_length == key->length) {
		if (kv_in_first_cell(space, key->length))
			same = kv_key_is(key, (const uint8_t *)(*head + 1));
		else if (simple)
			return KV_AGAIN;
		else
			same = kv_is_long_key(space, *head, key);
	}
	if (same)
		return 1;
	/* the cell may have become another item's before its version was read */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return kv_load(slot) == seen && kv_still(*head, *version) ? 0 : KV_AGAIN;
}

/* Looks for the key's item. Returns 1 with its *head and *version, 0 if there is none, or
 * KV_AGAIN. */
static inline __attribute__((always_inline)) long kv_look(struct kv_space *space,
							  const struct kv_key *key,
							  struct kv_head **head, uint64_t *version,
							  int simple)
{
	const uint32_t tag = KV_HIGH(key->hash);
	const struct elisa_bucket *bucket = elisa_index_bucket(&space->index, key->hash);
	uint32_t i = kv_match(bucket, tag, 0), second = 0;

	for (;;) {
		long found;

		if (i == ELISA_INDEX_WAYS) {
			if (second)
				return 0;
			second = 1;
			bucket = elisa_index_other(&space->index, key->hash);
			i = kv_match(bucket, tag, 0);
			continue;
		}
		found = kv_is_it(space, &bucket->slot[i], key, head, version, simple);
		if (found)
			return found;
		/* another key with the same tag */
		if (simple)
			return KV_AGAIN;
		i = kv_match(bucket, tag, i + 1);
	}
}

/* Writes struct kv_item, at any alignment. */
static inline void kv_write_reply(uint8_t *at, uint64_t version, uint64_t meta, uint32_t length,
				  uint32_t now)
{
	elisa_copy_put(at + offsetof(struct kv_item, cas), kv_cas(version));
	elisa_copy_put(at + offsetof(struct kv_item, flags), KV_PAIR(KV_LOW(meta), length));
	elisa_copy_put(at + offsetof(struct kv_item, ttl), kv_seconds_left(now, KV_HIGH(meta)));
}

static inline void kv_mark_recent(struct kv_head *head)
{
	uint8_t *recent = (uint8_t *)&head->cell.link + KV_RECENT;

	if (!__atomic_load_n(recent, __ATOMIC_RELAXED))
		__atomic_store_n(recent, 1, __ATOMIC_RELAXED);
}

/*
 * Tries to read once. Returns the result of KV_GET or KV_GET_PIECE, or KV_AGAIN. simple: an item in
 * several cells, and a dead one, give KV_AGAIN. Then this counts nothing through `call`, so a
 * compiler may keep *call in registers.
 */
static inline __attribute__((always_inline)) long kv_read_once(const struct kv_call *call,
							       const struct kv_key *key,
							       struct kv_reply reply,
							       struct kv_part part, int simple)
{
	uint64_t version, meta, bytes = reply.room - sizeof(struct kv_item);
	uint8_t *to = (uint8_t *)reply.at + sizeof(struct kv_item);
	struct kv_head *head;
	uint32_t length, rest;
	const long found = kv_look(call->space, key, &head, &version, simple);

	if (found <= 0)
		return found ? KV_AGAIN : -ENOENT;
	meta = kv_load(&head->meta);
	if (kv_is_dead(call->space, version, meta, call->now))
		return simple || !kv_still(head, version) ? KV_AGAIN : kv_read_dead(call, version);
	if (part.cas && kv_cas(version) != part.cas)
		return kv_still(head, version) ? -ESTALE : KV_AGAIN;
	length = __atomic_load_n(&head->length, __ATOMIC_RELAXED);
	rest = part.offset < length ? length - part.offset : 0;
	bytes = rest < bytes ? rest : bytes;
	if (kv_in_first_cell(call->space, key->length + (uint64_t)part.offset + bytes))
		elisa_copy(to, (const uint8_t *)(head + 1) + key->length + part.offset, bytes);
	else if (simple || kv_copy_long_value(call->space, head,
					      key->length + (uint64_t)part.offset, to, bytes))
		return KV_AGAIN;
	kv_write_reply(reply.at, version, meta, length, call->now);
	if (!kv_still(head, version))
		return KV_AGAIN;
	kv_mark_recent(head);
	return part.cas ? (long)bytes : (long)length;
}

#endif
