/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations a second of elisa-kv, of a plain table with one lock, and of memcached: 95 gets to 5
 * sets, keys of 16 bytes, values of 64. All take turns on the same machine; medians. Lines: result
 * bench=kv_speed store=... clients=... keys=uniform|zipf ops=... cpu_ns=... ratio=... cpu_ns: the
 * CPU time of an operation, with the server's; it is valid on a busy machine, too. ratio: of cpu_ns
 * to elisa's in the same run. A client is a process.
 */
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"
#include "speed.h"

enum {
	DRAWN = 1 << 18,
	REPEATS = 5,
	STORES = 3
};

#define SECONDS 0.4

static char key[KEYS][KEY_BYTES + 1];
static char value[VALUE_BYTES + 1];
static uint32_t drawn[DRAWN];

/* Results of each client, for its parent. */
static struct done {
	uint64_t ops;
	double cpu;
} * done;

/* Draws numbers of keys: all equally often, or the nth in proportion to 1/n^0.99. */
static void draw(int zipf)
{
	static double sum[KEYS + 1];

	for (int i = 0; i < KEYS; i++)
		sum[i + 1] = sum[i] + (zipf ? 1 / pow(i + 1, 0.99) : 1);
	srand48(1);
	for (int i = 0; i < DRAWN; i++) {
		const double at = drand48() * sum[KEYS];
		uint32_t low = 0, high = KEYS;

		while (high - low > 1) {
			const uint32_t middle = (low + high) / 2;

			if (sum[middle] <= at)
				low = middle;
			else
				high = middle;
		}
		/* so that popular keys are not neighbours */
		drawn[i] = (uint32_t)(low * 7919ull % KEYS);
	}
}

static void fill(const struct speed_store *store)
{
	for (int i = 0; i < KEYS; i++)
		if (!store->set(key[i], value))
			errx(1, "%s does not store", store->name);
}

/* Touches the store's pages, so that the process has them. */
static void warm_up(const struct speed_store *store)
{
	for (int i = 0; i < KEYS; i += 4)
		store->get(key[i]);
}

static void client(const struct speed_store *store, uint32_t number)
{
	uint64_t ops = 0, missed = 0;
	uint32_t at = number * (DRAWN / 2);
	double end, cpu;

	warm_up(store);
	end = bench_seconds(CLOCK_MONOTONIC) + SECONDS;
	cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
	do {
		for (int i = 0; i < 200; i++, ops++, at = (at + 1) % DRAWN)
			if (ops % 20)
				missed += !store->get(key[drawn[at]]);
			else
				store->set(key[drawn[at]], value);
	} while (bench_seconds(CLOCK_MONOTONIC) < end);
	if (missed)
		errx(1, "%s misses", store->name);
	done[number].ops = ops;
	done[number].cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
}

/* Runs what(store, number) in so many processes, and waits for their end. */
static void in_clients(const struct speed_store *store, uint32_t clients,
		       void (*what)(const struct speed_store *store, uint32_t number))
{
	int status;

	for (uint32_t i = 0; i < clients; i++) {
		const pid_t child = fork();

		if (child < 0)
			err(1, "fork");
		if (child)
			continue;
		store->become(i);
		what(store, i);
		_exit(0);
	}
	for (uint32_t i = 0; i < clients; i++)
		if (wait(&status) < 0 || status)
			errx(1, "%s: a client has failed", store->name);
}

static void fill_by(const struct speed_store *store, uint32_t number)
{
	(void)number;
	fill(store);
}

struct rate {
	double ops, cpu_ns;
};

static struct rate once(const struct speed_store *store, uint32_t clients)
{
	const double before = store->server ? bench_seconds(store->server) : 0;
	struct rate rate = {0};
	double cpu;

	in_clients(store, clients, client);
	cpu = store->server ? bench_seconds(store->server) - before : 0;
	for (uint32_t i = 0; i < clients; i++) {
		rate.ops += (double)done[i].ops;
		cpu += done[i].cpu;
	}
	rate.cpu_ns = 1e9 * cpu / rate.ops;
	rate.ops /= SECONDS;
	return rate;
}

static int by_ops(const void *a, const void *b)
{
	const double x = ((const struct rate *)a)->ops, y = ((const struct rate *)b)->ops;

	return (x > y) - (x < y);
}

static int by_cpu(const void *a, const void *b)
{
	const double x = ((const struct rate *)a)->cpu_ns, y = ((const struct rate *)b)->cpu_ns;

	return (x > y) - (x < y);
}

static void measure(const struct speed_store *const store[STORES], uint32_t clients,
		    const char *keys)
{
	struct rate rate[STORES][REPEATS];
	double elisa = 0;

	for (int repeat = 0; repeat < REPEATS; repeat++)
		for (int i = 0; i < STORES && store[i]; i++)
			rate[i][repeat] = once(store[i], clients);
	for (int i = 0; i < STORES && store[i]; i++) {
		double ops, cpu_ns;

		qsort(rate[i], REPEATS, sizeof(rate[i][0]), by_ops);
		ops = rate[i][REPEATS / 2].ops;
		qsort(rate[i], REPEATS, sizeof(rate[i][0]), by_cpu);
		cpu_ns = rate[i][REPEATS / 2].cpu_ns;
		elisa = i ? elisa : cpu_ns;
		printf("result bench=kv_speed store=%s clients=%u keys=%s ops=%.0f cpu_ns=%.0f "
		       "ratio=%.2f\n",
		       store[i]->name, clients, keys, ops, cpu_ns, cpu_ns / elisa);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const struct speed_store *store[STORES] = {0};

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "usage: %s FUNCTION.so [MEMCACHED_SOCKET ITS_PID]\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < KEYS; i++)
		snprintf(key[i], sizeof(key[i]), "key-%012d", i);
	memset(value, 'v', VALUE_BYTES);
	done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (done == MAP_FAILED)
		err(1, "mmap");
	store[0] = speed_elisa(argv[1]);
	store[1] = speed_locked();
	store[2] = argc == 4 ? speed_memcached(argv[2], atoi(argv[3])) : NULL;
	for (int i = 0; i < STORES && store[i]; i++)
		in_clients(store[i], 1, fill_by);
	for (int zipf = 0; zipf <= 1; zipf++) {
		draw(zipf);
		for (uint32_t clients = 1; clients <= CLIENTS_MAX; clients++)
			measure(store, clients, zipf ? "zipf" : "uniform");
	}
	return 0;
}
