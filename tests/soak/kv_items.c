/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kv_items.h"

/* Of a get that the host ended, or that a change of a dead caller is in the way of. */
#define GET_TRIES    500
#define GET_AGAIN_US 1000

/* At the beginning of a value that is no number. */
struct stamp {
	char key[32];
	uint64_t sequence;
};

static uint8_t expected[VALUE_ROOM], seen[VALUE_ROOM];

static bool is_number(uint32_t number)
{
	return number >= SMALL + LARGE;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15;
	x ^= x >> 29;
	return x * 0xd6e8feb86659fd93 ^ x >> 32;
}

size_t items_key(const struct items *items, uint32_t number, char key[32])
{
	memset(key, 0, 32);
	return (size_t)snprintf(key, 32, "%c:%u:%u", items->guest, items->space, number);
}

/* The one value of an item and a sequence number. */
static size_t make_value(const struct items *items, uint32_t number, uint64_t sequence,
			 uint8_t *value)
{
	struct stamp stamp = {.sequence = sequence};
	size_t length;
	uint64_t word;

	if (is_number(number))
		return (size_t)snprintf((char *)value, 24, "%" PRIu64, sequence);
	items_key(items, number, stamp.key);
	word = mix(sequence << 8 | number);
	length = sizeof(stamp) + (number < SMALL ? word / 256 % 700 : 18000 + word / 256 % 24000);
	memcpy(value, &stamp, sizeof(stamp));
	for (size_t at = sizeof(stamp); at < length; at += 8, word += 0x9e3779b97f4a7c15)
		memcpy(value + at, &word, length - at < 8 ? length - at : 8);
	return length;
}

void items_begin(struct items *items, uint32_t space, char guest)
{
	*items = (struct items){.space = space, .guest = guest};
}

/* -------------------------------------------------------------------------------- changing */

static int store(struct items *items, struct elisa_kv *kv, uint32_t number, uint64_t sequence)
{
	struct elisa_kv_change put = {.value = expected};
	char key[32];

	put.key_length = items_key(items, number, key);
	put.key = key;
	put.length = make_value(items, number, sequence, expected);
	return elisa_kv_put(kv, &put, NULL);
}

/* From the number that is there to the next one. */
static int add(struct items *items, struct elisa_kv *kv, uint32_t number, uint64_t sequence)
{
	const uint64_t before = items->state[number].acknowledged;
	uint64_t is;
	char key[32];
	int error;

	if (!(before & 1) || items->goes_back)
		return store(items, kv, number, sequence);
	error = elisa_kv_increment(kv, key, items_key(items, number, key), sequence - before / 2,
				   &is, NULL);
	if (!error && is != sequence)
		items->faults.stale++;
	if (error != -ENOENT)
		return error;
	if (items->evicts)
		items->absent++;
	else
		items->faults.lost++;
	return store(items, kv, number, sequence);
}

static int take_away(struct items *items, struct elisa_kv *kv, uint32_t number)
{
	char key[32];
	const int error = elisa_kv_delete(kv, key, items_key(items, number, key), 0);

	if (error != -ENOENT)
		return error;
	if ((items->state[number].acknowledged & 1) && !items->goes_back) {
		if (items->evicts)
			items->absent++;
		else
			items->faults.lost++;
	}
	return 0;
}

/* Nothing has happened, says the store. */
static bool is_undone(const struct items *items, int error)
{
	return error == -EBUSY || ((error == -EDQUOT || error == -ENOSPC) && items->evicts);
}

/* This process may be killed at each instruction: the parent then goes by what stands here. */
int items_change(struct items *items, struct elisa_kv *kv, uint32_t number, bool remove)
{
	struct state *state = &items->state[number];
	const uint64_t sequence = ++state->last;
	int error;

	__atomic_store_n(&state->issued, 2 * sequence + !remove, __ATOMIC_RELEASE);
	if (remove)
		error = take_away(items, kv, number);
	else if (is_number(number))
		error = add(items, kv, number, sequence);
	else
		error = store(items, kv, number, sequence);
	if (!error) {
		__atomic_store_n(&state->acknowledged, state->issued, __ATOMIC_RELEASE);
		items->done++;
	} else if (is_undone(items, error)) {
		__atomic_store_n(&state->issued, state->acknowledged, __ATOMIC_RELEASE);
		items->undone++;
	} else if (error == -EIO) {
		items->ended++;
	} else if (error != -ENOTCONN || !items->goes_back) {
		items->faults.other++;
		printf("FAILED: a change of item %u: %s\n", number, elisa_kv_error());
	}
	return error;
}

/* --------------------------------------------------------------------------------- looking */

/* The sequence number that a value of this length claims; false: it cannot be a value. */
static bool claimed(uint32_t number, size_t length, uint64_t *sequence)
{
	struct stamp stamp;
	char *end;

	if (is_number(number)) {
		if (!length || length > 20)
			return false;
		seen[length] = 0;
		*sequence = strtoull((char *)seen, &end, 10);
		return !*end;
	}
	if (length < sizeof(stamp))
		return false;
	memcpy(&stamp, seen, sizeof(stamp));
	*sequence = stamp.sequence;
	return true;
}

static void say(const struct items *items, uint32_t number, const char *what, uint64_t is)
{
	const struct state *state = &items->state[number];

	printf("FAILED: item %c:%u:%u: %s; it is %" PRIu64 ", acknowledged %" PRIu64
	       ", under way %" PRIu64 " (sequence number, doubled, and 1 for an item)\n",
	       items->guest, items->space, number, what, is, state->acknowledged, state->issued);
}

static void judge_value(struct items *items, uint32_t number, size_t length, uint64_t *is)
{
	const struct state *state = &items->state[number];
	uint64_t sequence = 0;

	if (!claimed(number, length, &sequence) ||
	    make_value(items, number, sequence, expected) != length ||
	    memcmp(seen, expected, length) != 0) {
		items->faults.torn++;
		say(items, number, "torn", 2 * sequence + 1);
		return;
	}
	*is = 2 * sequence + 1;
	if (items->goes_back ? sequence <= state->last :
			       *is == state->acknowledged || *is == state->issued)
		return;
	items->faults.stale++;
	say(items, number, "neither the last one nor the next", *is);
}

static void judge_absence(struct items *items, uint32_t number)
{
	const struct state *state = &items->state[number];

	if (items->goes_back || !(state->acknowledged & 1) || !(state->issued & 1))
		return;
	if (items->evicts) {
		items->absent++;
		return;
	}
	items->faults.lost++;
	say(items, number, "lost", 0);
}

int items_look(struct items *items, struct elisa_kv *kv, uint32_t number, bool settle)
{
	struct state *state = &items->state[number];
	uint64_t is = state->acknowledged & ~1ull;
	struct elisa_kv_item item;
	char key[32];
	const size_t length = items_key(items, number, key);
	int error = -EIO;

	for (int tries = 0; tries < GET_TRIES && (error == -EIO || error == -EBUSY); tries++) {
		if (tries)
			usleep(GET_AGAIN_US);
		error = elisa_kv_get(kv, key, length, seen, sizeof(seen) - 1, &item);
	}
	if (error && error != -ENOENT) {
		if (!items->goes_back) {
			items->faults.other++;
			printf("FAILED: a get of item %u: %s\n", number, elisa_kv_error());
		}
		return error;
	}
	if (error)
		judge_absence(items, number);
	else
		judge_value(items, number, item.length, &is);
	if (settle)
		state->acknowledged = state->issued = is;
	return !error;
}

int items_look_at_all(struct items *items, struct elisa_kv *kv, bool settle)
{
	int found = 0;

	for (uint32_t number = 0; number < ITEMS; number++) {
		const int is = items_look(items, kv, number, settle);

		if (is < 0)
			return is;
		found += is;
	}
	return found;
}
