/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client in a VM: operations on a store, one after the other, in windows. It writes marks to a
 * device when a window begins and ends, and kv_meter on the host takes what the window costs.
 * Windows without operations are the zero line.
 *
 *   kv_load NAME STORE MARKS
 *     NAME   for the results
 *     STORE  elisa, elisa-trusting, ADDRESS:PORT or the path of a socket
 *
 * A window is for one operation and size: get of items that exist, get of items that do not, set of
 * items that exist, and 95 gets to 5 sets. Keys are used in turn. Values that are read are
 * compared.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>
#include "load.h"

#define KEYS	    64
#define QUIET_US    30000 /* before and after a window, for the host to look */
#define REPEATS	    5
#define SAMPLES_MAX 4096

enum op {
	NOTHING,
	GET,
	MISS,
	SET,
	MIX
};

static const char *const op_name[] = {"nothing", "get", "miss", "set", "mix"};

struct window {
	enum op op;
	size_t size;
};

static const struct window windows[] = {
	{NOTHING, 0}, {GET, 64},   {MISS, 64},	  {SET, 64},	 {MIX, 64},
	{GET, 1024},  {SET, 1024}, {GET, 102400}, {SET, 102400},
};

static const struct load_store *store;
static FILE *marks;
static char pattern[LOAD_VALUE_MAX + KEYS], value[LOAD_VALUE_MAX];
static unsigned long long sample[SAMPLES_MAX];

static void pause_us(unsigned int us)
{
	const struct timespec time = {.tv_nsec = us * 1000L};

	nanosleep(&time, NULL);
}

static int by_number(const void *a, const void *b)
{
	const unsigned long long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct key {
	char text[32];
	size_t length;
};

static void name_key(struct key *key, const struct window *window, unsigned int number)
{
	key->length = (size_t)sprintf(key->text, "%s:%06zu:%04u",
				      window->op == MISS ? "none" : "item", window->size, number);
}

/* Makes one operation. Returns the instructions of its call. *bad: counts values that are not what
 * was stored. */
static unsigned long long operate(const struct window *window, unsigned int number,
				  const struct key *key, unsigned int *bad)
{
	const unsigned int of_key = number % KEYS;
	unsigned long long start = __rdtsc();
	long length;

	if (window->op == SET || (window->op == MIX && number % 20 == 19)) {
		store->set(key->text, key->length, pattern + of_key, window->size);
		return __rdtsc() - start;
	}
	length = store->get(key->text, key->length, value);
	start = __rdtsc() - start;
	if (window->op == MISS)
		*bad += length >= 0;
	else
		*bad += length != (long)window->size || memcmp(value, pattern + of_key, 8) ||
			value[length - 1] != pattern[of_key + (unsigned int)length - 1];
	return start;
}

/* Runs a window. The median is an operation's share of this program's own time. */
static void run(const struct window *window, unsigned int ops)
{
	static struct key keys[KEYS];
	unsigned int bad = 0;

	for (unsigned int i = 0; i < KEYS; i++)
		name_key(&keys[i], window, i);
	fprintf(marks, "begin\n");
	fflush(marks);
	pause_us(QUIET_US);
	for (unsigned int i = 0; window->op && i < ops; i++)
		sample[i] = operate(window, i, &keys[i % KEYS], &bad);
	pause_us(QUIET_US);
	qsort(sample, window->op ? ops : 0, sizeof(sample[0]), by_number);
	fprintf(marks, "end\nwindow %s %zu %u %u %llu\n", op_name[window->op], window->size,
		window->op ? ops : 1, bad, window->op ? sample[ops / 2] : 0);
	fflush(marks);
}

static void fill(void)
{
	static const size_t size[] = {64, 1024, 102400};
	struct key key;

	for (size_t s = 0; s < sizeof(size) / sizeof(size[0]); s++)
		for (unsigned int i = 0; i < KEYS; i++) {
			name_key(&key, &(struct window){GET, size[s]}, i);
			store->set(key.text, key.length, pattern + i, size[s]);
		}
}

int main(int argc, char **argv)
{
	unsigned int ops = 200;

	if (argc != 4) {
		fprintf(stderr, "usage: kv_load NAME STORE MARKS\n");
		return 2;
	}
	marks = fopen(argv[3], "we");
	if (!marks)
		err(1, "%s", argv[3]);
	if (!strncmp(argv[2], "elisa", 5)) {
		store = load_elisa(!strcmp(argv[2], "elisa-trusting"));
		ops = SAMPLES_MAX;
	} else {
		store = load_text(argv[2]);
	}
	for (unsigned int i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)('a' + i * 7 % 26);
	fill();
	/* once to fill caches and page tables */
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
		run(&windows[i], 20);
	fprintf(marks, "store %s\n", argv[1]);
	for (unsigned int repeat = 0; repeat < REPEATS; repeat++)
		for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
			run(&windows[i], windows[i].size > 4096 ? ops / 10 : ops);
	fprintf(marks, "done\n");
	return fclose(marks) ? 1 : 0;
}
