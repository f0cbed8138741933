/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest of tests/soak/kv.sh: kv_life GUEST CYCLES SEED; GUEST is a or b.
 *
 * 1. CYCLES times, a worker process opens a space and changes items, and is killed at a random
 *    moment. Then this process reads all items, twice. At first a change of the worker may still be
 *    half-way in the store: no read may see that. Then this process stores an item of its own. That
 *    ends what was half-way, and from now on each item is settled. Three times of four the
 *    space has room for all, and no item may be absent; else it has not, and evicts.
 * 2. b stops. a compares what the store has counted with what it finds, deletes all, and looks
 *    whether all memory is free.
 * 3. Both go on while the manager's daemon dies, until it says that it is over. Items go back to
 *    what a snapshot had, but must be whole.
 *
 * Calls that the host ended count as changes that are under way. The last line has the counts.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kv_items.h"

enum {
	ROOMY,
	TIGHT,
	SPACES
};

#define OPEN_TRIES 600
#define NAP_US	   20000
#define AGAIN_US   1000	 /* to a call that was ended, or was in the way of another */
#define LIFE_US	   4000	 /* of a worker that is attached, at most */
#define FILL_BYTES 12000 /* of values that fill a space */
#define PACE_US	   1000	 /* between changes, while managers die */

/* Shared with the worker. */
static struct life {
	bool attached;
	struct items items[SPACES];
} * life;

static char guest;
static uint64_t random_state, cycles, wrong_counts, reconnects, kept;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % below;
}

static struct elisa_kv *open_space(uint32_t space)
{
	const struct elisa_kv_options options = {.space = space, .threads = 1};
	struct elisa_kv *kv;

	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		if (!elisa_kv_open(&options, &kv))
			return kv;
		usleep(NAP_US);
	}
	printf("FAILED: open: %s\n", elisa_kv_error());
	exit(1);
}

/* A process has one attachment at a time: this one's, of the space that it was last asked for. */
static struct elisa_kv *in_space(uint32_t space)
{
	static struct elisa_kv *kv;
	static uint32_t open = SPACES;

	if (open != space) {
		elisa_kv_close(kv);
		kv = open_space(space);
		open = space;
	}
	return kv;
}

static bool is_there(struct elisa_kv *kv, const char *key)
{
	int error;

	do
		error = elisa_kv_get(kv, key, strlen(key), NULL, 0, NULL);
	while ((error == -EIO || error == -EBUSY) && !usleep(AGAIN_US));
	return !error;
}

static void take_out(struct elisa_kv *kv, const char *key)
{
	int error;

	do
		error = elisa_kv_delete(kv, key, strlen(key), 0);
	while ((error == -EIO || error == -EBUSY) && !usleep(AGAIN_US));
}

/* An item that has no meaning but that it is there. */
static void mark(struct elisa_kv *kv, const char *key)
{
	const struct elisa_kv_change put = {.key = key, .key_length = strlen(key)};

	while (elisa_kv_put(kv, &put, NULL))
		usleep(NAP_US);
}

/* A change: with it, what another caller left half-way in this space has an end. */
static void settle(struct elisa_kv *kv)
{
	static char key[] = "settled:?";

	key[sizeof(key) - 2] = guest;
	mark(kv, key);
}

/* ---------------------------------------------------------------------------------- deaths */

static void work(uint32_t space)
{
	struct items *items = &life->items[space];
	struct elisa_kv *kv = open_space(space);

	__atomic_store_n(&life->attached, true, __ATOMIC_RELEASE);
	for (;;) {
		const uint32_t number = draw(ITEMS);

		if (items_change(items, kv, number, !draw(6)) != -EIO)
			continue;
		settle(kv);
		if (items_look(items, kv, number, true) < 0)
			return;
	}
}

/* Its worker is attached or, once in a while, about to be. */
static void death(uint32_t space)
{
	const bool early = !draw(16);
	const uint32_t after = draw(LIFE_US);
	int status;
	pid_t worker;

	life->attached = false;
	worker = fork();
	if (!worker) {
		work(space);
		_exit(1);
	}
	while (!early && !__atomic_load_n(&life->attached, __ATOMIC_ACQUIRE))
		if (waitpid(worker, &status, WNOHANG))
			break;
		else
			usleep(200);
	usleep(after);
	kill(worker, SIGKILL);
	if (waitpid(worker, &status, 0) == worker && !WIFSIGNALED(status)) {
		printf("FAILED: the worker ended by itself\n");
		life->items[space].faults.other++;
	}
	/* what comes next must not repeat the worker's choices */
	draw(2);
}

static void deaths(uint64_t count)
{
	for (; cycles < count; cycles++) {
		const uint32_t space = cycles % 4 == 3 ? TIGHT : ROOMY;
		struct items *items = &life->items[space];

		death(space);
		if (items_look_at_all(items, in_space(space), false) < 0)
			return;
		settle(in_space(space));
		if (items_look_at_all(items, in_space(space), true) < 0)
			return;
		if (cycles % 50 == 49)
			printf("%" PRIu64 " deaths, %" PRIu64 " changes\n", cycles + 1,
			       life->items[ROOMY].done + life->items[TIGHT].done);
	}
}

/* -------------------------------------------------------------------------------- counters */

static uint64_t statistic(struct elisa_kv *kv, const char *name)
{
	struct elisa_kv_statistic all[ELISA_KV_STATISTICS];
	const int count = elisa_kv_statistics(kv, all, ELISA_KV_STATISTICS);

	for (int i = 0; i < count; i++)
		if (!strcmp(all[i].name, name))
			return all[i].value;
	return UINT64_MAX;
}

static void must_be(const char *what, uint64_t is, uint64_t expected)
{
	if (is == expected)
		return;
	wrong_counts++;
	printf("FAILED: %s: %" PRIu64 ", not %" PRIu64 "\n", what, is, expected);
}

/* Items of both guests that are there.. */
static uint32_t count_items(struct elisa_kv *kv, uint32_t space, bool remove)
{
	struct items name = {.space = space};
	uint32_t found = 0;

	for (name.guest = 'a'; name.guest <= 'b'; name.guest++)
		for (uint32_t number = 0; number < ITEMS; number++) {
			char key[32];

			items_key(&name, number, key);
			found += is_there(kv, key);
			if (remove)
				take_out(kv, key);
		}
	return found;
}

/* A get that the host ended is made again, and counts twice or not at all: then all begins anew. */
static void compare_gets(struct elisa_kv *kv, uint32_t space)
{
	uint64_t hits = 0, misses = 0, found = 0;

	for (int tries = 0; tries < 5; tries++) {
		hits = statistic(kv, "get_hits");
		misses = statistic(kv, "get_misses");
		found = count_items(kv, space, false);
		hits = statistic(kv, "get_hits") - hits;
		misses = statistic(kv, "get_misses") - misses;
		if (hits == found && hits + misses == 2ull * ITEMS)
			return;
	}
	must_be("hits", hits, found);
	must_be("misses", misses, 2ull * ITEMS - found);
}

/* Uploads of workers that died are the manager's to give back: it may take it a moment. */
static void must_become_empty(struct elisa_kv *kv)
{
	for (int tries = 0; tries < 100 && statistic(kv, "bytes"); tries++)
		usleep(NAP_US);
	must_be("items of an empty space", statistic(kv, "curr_items"), 0);
	must_be("bytes of an empty space", statistic(kv, "bytes"), 0);
}

/* Until something is evicted: less than one more item is free then, if no memory is lost. */
static void must_have_all_memory(struct elisa_kv *kv)
{
	static uint8_t value[FILL_BYTES];
	const uint64_t evictions = statistic(kv, "evictions");
	const uint64_t limit = statistic(kv, "limit_maxbytes");
	uint64_t most = 0;
	char key[32];
	int count = 0;

	while (statistic(kv, "evictions") == evictions && count < 10000) {
		const uint64_t bytes = statistic(kv, "bytes");
		struct elisa_kv_change put = {.key = key, .value = value, .length = FILL_BYTES};

		most = bytes > most ? bytes : most;
		put.key_length = (size_t)snprintf(key, sizeof(key), "fill:%d", count++);
		while (elisa_kv_put(kv, &put, NULL))
			usleep(NAP_US);
	}
	if (most > limit || limit - most > FILL_BYTES + FILL_BYTES / 8)
		must_be("bytes of a full space", most, limit);
	while (count--) {
		snprintf(key, sizeof(key), "fill:%d", count);
		take_out(kv, key);
	}
	must_become_empty(kv);
}

static void compare_counters(void)
{
	static const char *const others[] = {"settled:a", "settled:b", "b waits"};

	for (uint32_t space = 0; space < SPACES; space++) {
		struct elisa_kv *kv = in_space(space);
		uint32_t found = count_items(kv, space, false);

		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
			found += is_there(kv, others[i]);
		must_be("curr_items", statistic(kv, "curr_items"), found);
		compare_gets(kv, space);
		count_items(kv, space, true);
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
			take_out(kv, others[i]);
		must_become_empty(kv);
	}
	must_have_all_memory(in_space(ROOMY));
}

/* ------------------------------------------------------------------------- dying managers */

/* How many items are there; the store may go meanwhile. */
static int look_back(struct items *items, struct elisa_kv *kv)
{
	const int found = items_look_at_all(items, kv, false);

	return found < 0 ? 0 : found;
}

static void managers_die(struct elisa_kv *kv)
{
	struct items *items = &life->items[ROOMY];
	bool away = false;
	uint64_t turn = 0;

	items->goes_back = true;
	for (;;) {
		const int error = items_change(items, kv, draw(ITEMS), !draw(6));

		if (error == -ENOTCONN) {
			away = true;
			usleep(NAP_US);
			continue;
		}
		if (away && !error) {
			away = false;
			reconnects++;
			kept += look_back(items, kv) > 1;
		}
		items_look(items, kv, draw(ITEMS), false);
		if (++turn % 64 == 0 && is_there(kv, "over"))
			break;
		usleep(PACE_US);
	}
	look_back(items, kv);
}

/* ------------------------------------------------------------------------------------- all */

/* Between the parts b waits for a, and the manager, too. */
static void meet(void)
{
	const char *until = guest == 'a' ? "b waits" : "go";

	if (guest == 'b')
		mark(in_space(ROOMY), "b waits");
	while (!is_there(in_space(ROOMY), until))
		usleep(NAP_US);
	if (guest == 'b')
		return;
	compare_counters();
	mark(in_space(ROOMY), "go");
}

static int result(void)
{
	const struct items *roomy = &life->items[ROOMY], *tight = &life->items[TIGHT];
	const uint64_t lost = roomy->faults.lost + tight->faults.lost;
	const uint64_t torn = roomy->faults.torn + tight->faults.torn;
	const uint64_t stale = roomy->faults.stale + tight->faults.stale;
	const uint64_t other = roomy->faults.other + tight->faults.other;

	printf("life deaths=%" PRIu64 " acknowledged=%" PRIu64 " ended=%" PRIu64 " undone=%" PRIu64
	       " evicted=%" PRIu64 " reconnects=%" PRIu64 " kept=%" PRIu64 " lost=%" PRIu64
	       " torn=%" PRIu64 " stale=%" PRIu64 " counters=%" PRIu64 " other=%" PRIu64 "\n",
	       cycles, roomy->done + tight->done, roomy->ended + tight->ended,
	       roomy->undone + tight->undone, tight->absent, reconnects, kept, lost, torn, stale,
	       wrong_counts, other);
	return lost || torn || stale || other || wrong_counts;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: kv_life GUEST CYCLES SEED\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	guest = argv[1][0];
	random_state =
		(strtoull(argv[3], NULL, 10) + 1) * 0x9e3779b97f4a7c15 + (unsigned char)guest;
	life = mmap(NULL, sizeof(*life), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (life == MAP_FAILED)
		return 1;
	for (uint32_t space = 0; space < SPACES; space++)
		items_begin(&life->items[space], space, guest);
	life->items[TIGHT].evicts = true;
	deaths(strtoull(argv[2], NULL, 10));
	meet();
	managers_die(in_space(ROOMY));
	return result();
}
