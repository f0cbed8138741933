/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several items by one call of the store. The keys lie at the beginning of the slot: an array that
 * says where each key is, then their bytes. The replies follow at KV_SLOT_REPLIES, one after the
 * other. An item that is too large for this is read by a call of its own.
 *
 * The store's manager may change the slot at any time. So the head of a reply is copied once. Its
 * length is bounded by what is left of the slot, and of the caller's room.
 */
#include <string.h>
#include "internal.h"

#define KEYS_ROOM    KV_SLOT_REPLIES
#define REPLIES_ROOM (KV_SLOT_SIZE - KV_SLOT_REPLIES)

static int check(const struct elisa_kv_wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!wanted[i].key_length || wanted[i].key_length > ELISA_KV_KEY_MAX)
			return kv_fail_key(wanted[i].key_length);
	return 0;
}

/* Returns how many of the keys fit into the slot. */
static uint32_t fitting(const struct elisa_kv_wanted *wanted, size_t count)
{
	size_t bytes = 0;
	uint32_t fit;

	for (fit = 0; fit < count && fit < KV_MANY_MAX; fit++) {
		bytes += sizeof(struct kv_key_at) + wanted[fit].key_length;
		if (bytes > KEYS_ROOM)
			break;
	}
	return fit;
}

static void put_keys(const struct kv_use *use, const struct elisa_kv_wanted *wanted, uint32_t count)
{
	uint32_t at = count * (uint32_t)sizeof(struct kv_key_at);

	for (uint32_t i = 0; i < count; i++) {
		const uint32_t length = (uint32_t)wanted[i].key_length;
		const struct kv_key_at where = {.at = use->slot * KV_SLOT_SIZE + at,
						.length = length};

		memcpy(use->key + i * sizeof(where), &where, sizeof(where));
		memcpy(use->key + at, wanted[i].key, length);
		at += length;
	}
}

/* Takes the replies to `count` keys. Returns for how many of their values there is room, or an
 * error. */
static long take(const struct kv_use *use, long count, struct elisa_kv_wanted *wanted,
		 uint8_t *values, size_t room)
{
	const uint8_t *reply = use->key + KV_SLOT_REPLIES;
	size_t left = REPLIES_ROOM;
	long i;

	for (i = 0; i < count; i++) {
		struct kv_item is;
		size_t length, size;

		if (left < sizeof(is))
			return kv_fail_text(-EIO, "the store gave %ld items in too few bytes",
					    count);
		memcpy(&is, reply, sizeof(is));
		length = is.cas ? is.length : 0;
		if (length > left - sizeof(is))
			return kv_fail_text(-EIO, "the store gave a value of %zu bytes", length);
		if (length > room)
			break;
		wanted[i].value = is.cas ? values : NULL;
		wanted[i].item = (struct elisa_kv_item){is.cas, is.ttl, length, is.flags};
		memcpy(values, reply + sizeof(is), length);
		values += length;
		room -= length;
		size = (sizeof(is) + length + KV_ALIGN - 1) & ~(size_t)(KV_ALIGN - 1);
		size = size < left ? size : left;
		reply += size;
		left -= size;
	}
	return i;
}

/* Gets several items by one call. Returns how many, or 0 if the first item does not fit into the
 * slot. */
static long together(struct elisa_kv *kv, struct elisa_kv_wanted *wanted, uint32_t count,
		     void *values, size_t room)
{
	struct kv_use use;
	long got = 0;

	for (int tries = 0; tries < KV_ATTEMPTS; tries++) {
		got = kv_begin(kv, &use);
		if (got)
			return got;
		put_keys(&use, wanted, count);
		got = kv_call(&use, &(struct kv_request){.op = KV_GET_MANY,
							 .key_length = count,
							 .length = REPLIES_ROOM});
		if (got > (long)count)
			got = kv_fail_text(-EIO, "the store gave %ld items for %u keys", got,
					   count);
		if (got > 0)
			got = take(&use, got, wanted, values, room);
		kv_end(&use);
		if (kv_is_final((int)got))
			break;
	}
	return got == -EMSGSIZE ? 0 : got;
}

static long alone(struct elisa_kv *kv, struct elisa_kv_wanted *wanted, void *values, size_t room)
{
	const int error =
		elisa_kv_get(kv, wanted->key, wanted->key_length, values, room, &wanted->item);

	/* `room` is 0, and the value is not empty */
	if (!error && wanted->item.length > room)
		return kv_fail(-EMSGSIZE);
	if (error && error != -ENOENT)
		return error;
	wanted->value = error ? NULL : values;
	return 1;
}

int elisa_kv_get_many(struct elisa_kv *kv, struct elisa_kv_wanted *wanted, size_t count,
		      void *values, size_t room)
{
	long done = check(wanted, count);

	if (done || !count)
		return (int)done;
	done = together(kv, wanted, fitting(wanted, count), values, room);
	return (int)(done ? done : alone(kv, wanted, values, room));
}
