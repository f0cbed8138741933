/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, without a lock: look, copy, and look again whether it was still the same.
 *
 * A slot of the index led to a cell. If the cell's version was even and is the same after the copy,
 * then all that was read in between is one item's. Versions are unique, and a writer makes the
 * version odd before it writes anything into the item's cells (cells.h). The item was in the index
 * when the slot was read, which was during this call: so it may be told, though it may be replaced by
 * now.
 *
 * Until the second look everything may be torn: a length is bounded by the room for the reply, and a
 * link by the number of cells. If the version has changed then the walk begins again: the item that
 * is looked for may have got another slot's cell meanwhile. Writers that die change nothing of this:
 * readers never wait.
 *
 * The only thing that readers write is one byte, if it is not written yet: eviction's sign that the
 * item is in use. By an old reference it may go to any cell, where it means the same.
 */
#include "call.h"
#include "cells.h"

#define TRIES 64

static inline int same_bytes(const uint8_t *a, const uint8_t *b, uint32_t length)
{
	uint32_t at;

	if (length < 8)
		return elisa_hash_tail(a, length) == elisa_hash_tail(b, length);
	for (at = 0; at + 8 < length; at += 8)
		if (elisa_copy_get(a + at) != elisa_copy_get(b + at))
			return 0;
	return elisa_copy_get(a + length - 8) == elisa_copy_get(b + length - 8);
}

static inline int same_key(const struct kv_space *space, struct kv_head *head,
			   const struct kv_key *key)
{
	struct kv_walk walk;

	if (head->key_length != key->length)
		return 0;
	if (__builtin_expect(key->length <= (1u << space->cell_shift) - KV_ITEM_HEAD, 1))
		return same_bytes((const uint8_t *)(head + 1), key->bytes, key->length);
	kv_walk_from(&walk, space, head);
	return kv_walk_same(&walk, key->bytes, key->length);
}

static inline int still(const struct kv_head *head, uint64_t version)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return kv_load(&head->cell.version) == version;
}

/* 1: this is the item, 0: there is none, -EAGAIN. */
static inline int look(struct kv_space *space, const struct kv_key *key, struct kv_head **head,
		       uint64_t *version)
{
	struct elisa_find find;
	kv_ref ref;

	for (ref = elisa_find(&find, &space->index, key->hash); ref; ref = elisa_find_next(&find)) {
		*head = kv_head(space, ref);
		*version = __atomic_load_n(&(*head)->cell.version, __ATOMIC_ACQUIRE);
		if (*version & 1)
			return -EAGAIN;
		if (same_key(space, *head, key))
			return 1;
		if (!still(*head, *version))
			return -EAGAIN;
	}
	return 0;
}

/* Bytes of the value, from an offset. */
static inline int copy_value(const struct kv_space *space, struct kv_head *head, uint32_t key,
			     uint32_t offset, uint8_t *to, uint64_t bytes)
{
	struct kv_walk walk;

	if (__builtin_expect(key + (uint64_t)offset + bytes <=
				     (1u << space->cell_shift) - KV_ITEM_HEAD,
			     1)) {
		elisa_copy(to, (const uint8_t *)(head + 1) + key + offset, bytes);
		return 0;
	}
	kv_walk_from(&walk, space, head);
	return kv_walk_skip(&walk, key + (uint64_t)offset) ? -EAGAIN :
							     kv_walk_out(&walk, to, bytes);
}

/* struct kv_item, at any alignment. */
static inline void write_reply(const struct kv_call *call, uint8_t *at, uint64_t version,
			       uint64_t meta, uint32_t length)
{
	elisa_copy_put(at + offsetof(struct kv_item, cas), kv_cas(version));
	elisa_copy_put(at + offsetof(struct kv_item, flags), KV_PAIR(KV_LOW(meta), length));
	elisa_copy_put(at + offsetof(struct kv_item, ttl),
		       kv_seconds_left(call->now, KV_HIGH(meta)));
}

static inline void mark_recent(struct kv_head *head)
{
	uint8_t *recent = (uint8_t *)&head->cell.link + KV_RECENT;

	if (!__atomic_load_n(recent, __ATOMIC_RELAXED))
		__atomic_store_n(recent, 1, __ATOMIC_RELAXED);
}

/* The item is there, but has expired or was flushed. */
static int gone(const struct kv_call *call, const struct kv_head *head, uint64_t version)
{
	if (!still(head, version))
		return -EAGAIN;
	kv_count(call, version <= kv_load(&call->space->flushed) ? KV_STAT_GET_FLUSHED :
								   KV_STAT_GET_EXPIRED);
	return 0;
}

/* One try. cas: 0 for any. *result: out, if it is not -EAGAIN. */
static inline int once(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply,
		       uint64_t cas, uint32_t offset, long *result)
{
	uint64_t version, meta, bytes = reply.room - sizeof(struct kv_item);
	struct kv_head *head;
	uint32_t length, rest;
	const int found = look(call->space, key, &head, &version);

	*result = -ENOENT;
	if (found <= 0)
		return found;
	meta = kv_load(&head->meta);
	if (kv_is_dead(call->space, version, meta, call->now))
		return gone(call, head, version);
	if (cas && kv_cas(version) != cas) {
		*result = -ESTALE;
		return still(head, version) ? 0 : -EAGAIN;
	}
	length = __atomic_load_n(&head->length, __ATOMIC_RELAXED);
	rest = offset < length ? length - offset : 0;
	bytes = rest < bytes ? rest : bytes;
	if (copy_value(call->space, head, key->length, offset,
		       (uint8_t *)reply.at + sizeof(struct kv_item), bytes))
		return -EAGAIN;
	write_reply(call, reply.at, version, meta, length);
	if (!still(head, version))
		return -EAGAIN;
	mark_recent(head);
	*result = cas ? (long)bytes : (long)length;
	return 0;
}

static inline long several_times(const struct kv_call *call, const struct kv_key *key,
				 struct kv_reply reply, uint64_t cas, uint32_t offset)
{
	long result;

	for (uint32_t tries = 0; tries < TRIES; tries++)
		if (__builtin_expect(!once(call, key, reply, cas, offset, &result), 1))
			return result;
	return -EBUSY;
}

long kv_get(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply)
{
	return several_times(call, key, reply, 0, 0);
}

long kv_get_piece(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply,
		  uint64_t cas, uint32_t offset)
{
	/* no item has this one */
	return cas ? several_times(call, key, reply, cas, offset) : -ESTALE;
}
