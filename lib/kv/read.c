/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items from the store. The slot is this process's memory, but the store writes it, and so its
 * manager may at any time: what is taken from there is read once and bounded.
 */
#include <string.h>
#include "internal.h"

#define TRIES 100 /* of a value in pieces that changes meanwhile */

static void read_item(const struct kv_use *use, uint64_t length, struct elisa_kv_item *item)
{
	struct kv_item is;

	memcpy(&is, use->value, sizeof(is));
	item->cas = is.cas;
	item->flags = is.flags;
	item->ttl = is.ttl;
	item->length = length;
}

/* What did not fit behind the first piece. 0, an error, or -EAGAIN: it has changed. */
static int get_rest(const struct kv_use *use, size_t key_length, const struct elisa_kv_item *item,
		    size_t have, uint8_t *value)
{
	while (have < item->length) {
		const long got = kv_call(use, &(struct kv_request){.op = KV_GET_PIECE,
								   .key_length = key_length,
								   .length = KV_SLOT_ROOM,
								   .number = item->cas,
								   .meta = have});

		if (got == -ESTALE || got == -ENOENT)
			return -EAGAIN;
		if (got < 0)
			return (int)got;
		if (!got || (size_t)got > KV_SLOT_ROOM - sizeof(struct kv_item) ||
		    (size_t)got > item->length - have)
			return kv_fail_text(-EIO, "the store gave a piece of %ld bytes", got);
		memcpy(value + have, use->value + sizeof(struct kv_item), (size_t)got);
		have += (size_t)got;
	}
	return 0;
}

static int get_once(const struct kv_use *use, enum kv_op op, size_t key_length, uint64_t meta,
		    void *value, size_t room, struct elisa_kv_item *item)
{
	const size_t most = KV_SLOT_ROOM - sizeof(struct kv_item);
	const size_t wanted = room < most ? room : most;
	const long length =
		kv_call(use, &(struct kv_request){.op = op,
						  .key_length = key_length,
						  .length = sizeof(struct kv_item) + wanted,
						  .meta = meta});
	size_t have;

	if (length < 0)
		return (int)length;
	if ((size_t)length > ELISA_KV_VALUE_MAX)
		return kv_fail_text(-EIO, "the store gave a value of %ld bytes", length);
	read_item(use, (uint64_t)length, item);
	if (!room)
		return 0;
	if ((size_t)length > room)
		return kv_fail(-EMSGSIZE);
	have = (size_t)length < wanted ? (size_t)length : wanted;
	memcpy(value, use->value + sizeof(struct kv_item), have);
	return get_rest(use, key_length, item, have, value);
}

/* The key is at its place. A value that changes between its pieces is read anew. */
static int get_at(const struct kv_use *use, enum kv_op op, size_t key_length, uint64_t meta,
		  void *value, size_t room, struct elisa_kv_item *item)
{
	for (int tries = 0; tries < TRIES; tries++) {
		const int error = get_once(use, op, key_length, meta, value, room, item);

		if (error != -EAGAIN)
			return error;
	}
	return kv_fail(-EBUSY);
}

static int get(struct elisa_kv *kv, enum kv_op op, const void *key, size_t key_length,
	       uint64_t meta, void *value, size_t room, struct elisa_kv_item *item)
{
	struct elisa_kv_item unwanted;
	struct kv_use use;
	int error;

	for (int tries = 0; tries < KV_ATTEMPTS; tries++) {
		error = kv_begin(kv, &use);
		if (error)
			return error;
		error = kv_put_key(&use, key, key_length);
		if (!error)
			error = get_at(&use, op, key_length, meta, value, room,
				       item ? item : &unwanted);
		kv_end(&use);
		if (kv_is_final(error))
			break;
	}
	return error;
}

int elisa_kv_get(struct elisa_kv *kv, const void *key, size_t key_length, void *value, size_t room,
		 struct elisa_kv_item *item)
{
	return get(kv, KV_GET, key, key_length, 0, value, room, item);
}

int elisa_kv_get_and_touch(struct elisa_kv *kv, const void *key, size_t key_length, int64_t ttl,
			   void *value, size_t room, struct elisa_kv_item *item)
{
	return get(kv, KV_GET_TOUCH, key, key_length, (uint64_t)KV_META(0, kv_ttl(ttl)), value,
		   room, item);
}

/* ---------------------------------------------------------------------------- statistics */

int elisa_kv_statistics(struct elisa_kv *kv, struct elisa_kv_statistic *statistics, size_t room)
{
	static const char *const names[] = {
#define NAME(name, text, what) text,
		KV_STATS_LIST(NAME)
#undef NAME
	};
	uint64_t numbers[KV_STATS];
	struct kv_use use;
	long count = 0;

	for (int tries = 0; tries < KV_ATTEMPTS; tries++) {
		const int error = kv_begin(kv, &use);

		if (error)
			return error;
		count = kv_call(&use, &(struct kv_request){.op = KV_STATISTICS,
							   .length = sizeof(numbers)});
		memcpy(numbers, use.value, sizeof(numbers));
		kv_end(&use);
		if (kv_is_final((int)count))
			break;
	}
	if (count < 0)
		return (int)count;
	for (size_t i = 0; i < KV_STATS && i < room; i++)
		statistics[i] = (struct elisa_kv_statistic){names[i], numbers[i]};
	return room < KV_STATS ? (int)room : (int)KV_STATS;
}
