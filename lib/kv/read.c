/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading items from the store. The slot is memory of this process, but the store writes to it, and
 * so may the store's manager at any time. Each word of a reply is therefore read once, and bounded
 * before use.
 */
#include <string.h>
#include "internal.h"

#define TRIES 100 /* for a value in pieces that changes meanwhile */

static void read_item(const struct kv_use *use, uint64_t length, struct elisa_kv_item *item)
{
	struct kv_item is;

	memcpy(&is, use->value, sizeof(is));
	item->cas = is.cas;
	item->flags = is.flags;
	item->ttl = is.ttl;
	item->length = length;
}

/* Gets the pieces of a value after the first one. Returns 0, an error, or -EAGAIN if the item has
 * changed. */
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

/* A get of a key that is already in the slot. */
struct get {
	enum kv_op op;
	size_t key_length;
	uint64_t meta;
	void *value;
	size_t room;
	struct elisa_kv_item *item;
};

/* Returns how many bytes of a value come with the first call. */
static inline size_t at_first(size_t room)
{
	const size_t most = KV_SLOT_ROOM - sizeof(struct kv_item);

	return room < most ? room : most;
}

/* Gets an item once. first: the result of the first call if it was made already, or NULL. */
static int get_once(const struct kv_use *use, const struct get *get,
		    const struct elisa_result *first)
{
	const size_t wanted = at_first(get->room), room = get->room;
	const struct kv_request request = {.op = get->op,
					   .key_length = get->key_length,
					   .length = sizeof(struct kv_item) + wanted,
					   .meta = get->meta};
	const long length = first ? kv_call_again(use, &request, *first) : kv_call(use, &request);
	size_t have;

	if (length < 0)
		return (int)length;
	if ((size_t)length > ELISA_KV_VALUE_MAX)
		return kv_fail_text(-EIO, "the store gave a value of %ld bytes", length);
	read_item(use, (uint64_t)length, get->item);
	if (!room)
		return 0;
	if ((size_t)length > room)
		return kv_fail(-EMSGSIZE);
	have = (size_t)length < wanted ? (size_t)length : wanted;
	memcpy(get->value, use->value + sizeof(struct kv_item), have);
	return get_rest(use, get->key_length, get->item, have, get->value);
}

/* Gets an item, and begins again if it changes between its pieces. */
static int get_at(const struct kv_use *use, const struct get *get, const struct elisa_result *first)
{
	for (int tries = 0; tries < TRIES; tries++) {
		const int error = get_once(use, get, tries ? NULL : first);

		if (error != -EAGAIN)
			return error;
	}
	return kv_fail(-EBUSY);
}

static int get(struct elisa_kv *kv, const void *key, const struct get *get, int attempts)
{
	struct kv_use use;
	int error;

	do {
		error = kv_begin(kv, &use);
		if (error)
			return error;
		error = kv_put_key(&use, key, get->key_length);
		if (!error)
			error = get_at(&use, get, NULL);
		kv_end(&use);
	} while (!kv_is_final(error) && --attempts);
	return error;
}

/* A get without the shortcut. first: the result of the call that was made in *use, or NULL. */
static __attribute__((noinline)) int get_at_length(struct elisa_kv *kv, const void *key,
						   size_t key_length, void *value, size_t room,
						   struct elisa_kv_item *item,
						   const struct kv_use *use,
						   const struct elisa_result *first)
{
	const struct get want = {
		.op = KV_GET, .key_length = key_length, .value = value, .room = room, .item = item};
	int error;

	if (!first)
		return get(kv, key, &want, KV_ATTEMPTS);
	error = get_at(use, &want, first);
	kv_end(use);
	return kv_is_final(error) ? error : get(kv, key, &want, KV_ATTEMPTS - 1);
}

/*
 * Handles the usual case in one function: the slot is free, the item is there, and its value fits.
 * Any other case continues in get_at_length(), from the point that it has reached.
 */
int elisa_kv_get(struct elisa_kv *kv, const void *key, size_t key_length, void *value, size_t room,
		 struct elisa_kv_item *item)
{
	const size_t wanted = at_first(room);
	struct elisa_kv_item unwanted;
	struct elisa_result result;
	struct kv_use use;
	long what, at, length;

	if (!item)
		item = &unwanted;
	if (key_length - 1 >= ELISA_KV_KEY_MAX || !kv_begin_at_once(kv, &use))
		return get_at_length(kv, key, key_length, value, room, item, NULL, NULL);
	memcpy(use.key, key, key_length);
	what = KV_CALL(KV_GET, kv->space, key_length);
	at = use.key - kv->exchange;
	length = (long)(sizeof(struct kv_item) + wanted);
	result = kv->general ?
			 elisa_call_general(&kv->stub, what, at, at + KV_SLOT_VALUE, length, 0, 0) :
			 elisa_call(&kv->stub, what, at, at + KV_SLOT_VALUE, length, 0, 0);
	if (__builtin_expect(result.error || (size_t)result.value > wanted || !room, 0))
		return get_at_length(kv, key, key_length, value, room, item, &use, &result);
	read_item(&use, (uint64_t)result.value, item);
	memcpy(value, use.value + sizeof(struct kv_item), (size_t)result.value);
	kv_end(&use);
	return 0;
}

int elisa_kv_get_and_touch(struct elisa_kv *kv, const void *key, size_t key_length, int64_t ttl,
			   void *value, size_t room, struct elisa_kv_item *item)
{
	struct elisa_kv_item unwanted;

	return get(kv, key,
		   &(struct get){.op = KV_GET_TOUCH,
				 .key_length = key_length,
				 .meta = (uint64_t)KV_META(0, kv_ttl(ttl)),
				 .value = value,
				 .room = room,
				 .item = item ? item : &unwanted},
		   KV_ATTEMPTS);
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
