/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile guest takes from another one by a space's lock. It measures a victim's sets for
 * each second (values of 64 bytes): alone, and beside a hostile guest. The hostile guest sets large
 * values as fast as it can, in the same space or in another one. Each is a process. Lines: result
 * bench=kv_lock victim=alone|same_space|other_space hostile_bytes=... ops=... hostile_ops=...
 * cpu_ns=... ratio=... ratio: of ops to those of the victim alone. Medians.
 *
 * Sizes: as small as the victim's; the largest that is copied with the lock held; some that are
 * copied without it; the largest of libelisa-kv's that travels in one piece. Where processors are
 * busy, other_space shows what the hostile guest takes of them. The difference between other_space
 * and same_space is due to the lock.
 */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

enum {
	HOSTILE_KEYS = 64,
	VICTIM_KEYS = 1000,
	VICTIM_BYTES = 64,
	KEY_BYTES = 16,
	REPEATS = 5
};

#define SECONDS 0.4

static const long hostile_bytes[] = {300, 700, 1600, 16000};

static const struct {
	const char *name;
	int hostile_space; /* below 0: there is no hostile guest */
} beside[] = {{"alone", -1}, {"same_space", 0}, {"other_space", 1}};

enum {
	CASES = sizeof(beside) / sizeof(*beside)
};

struct rate {
	double ops, cpu_ns, hostile_ops;
};

/* Shared by the processes. */
static struct shared {
	struct rate victim;
	uint64_t hostile_ops;
} * shared;

/* Sets a value, as libelisa-kv does when the store is busy. */
static void set(uint32_t space, char who, uint32_t number, long length)
{
	char key[KEY_BYTES + 1];
	long result;

	snprintf(key, sizeof(key), "%c-%014u", who, number);
	memcpy(bench_exchange + BENCH_KEY, key, KEY_BYTES);
	while ((result = bench_call(KV_CALL(KV_SET, space, KEY_BYTES), BENCH_KEY, BENCH_VALUE,
				    length, 0, 0)) == -EBUSY)
		sched_yield();
	if (result < 0)
		errx(1, "set: %ld", result);
}

static void attack(uint32_t space, long bytes)
{
	for (uint32_t i = 0;; i++) {
		set(space, 'h', i % HOSTILE_KEYS, bytes);
		__atomic_fetch_add(&shared->hostile_ops, 1, __ATOMIC_RELAXED);
	}
}

static void suffer(void)
{
	uint64_t ops = 0, hostile_ops;
	double cpu, end;

	for (uint32_t i = 0; i < VICTIM_KEYS; i++)
		set(0, 'v', i, VICTIM_BYTES);
	hostile_ops = __atomic_load_n(&shared->hostile_ops, __ATOMIC_RELAXED);
	end = bench_seconds(CLOCK_MONOTONIC) + SECONDS;
	cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
	do {
		for (int i = 0; i < 100; i++, ops++)
			set(0, 'v', (uint32_t)(ops % VICTIM_KEYS), VICTIM_BYTES);
	} while (bench_seconds(CLOCK_MONOTONIC) < end);
	cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	hostile_ops = __atomic_load_n(&shared->hostile_ops, __ATOMIC_RELAXED) - hostile_ops;
	shared->victim = (struct rate){(double)ops / SECONDS, 1e9 * cpu / (double)ops,
				       (double)hostile_ops / SECONDS};
}

/* Runs a victim. Each victim has a store of its own, because a hostile guest that was killed may
 * hold the lock. */
static void victim(const char *function_file, int hostile_space, long bytes)
{
	pid_t hostile = 0;

	bench_store(function_file, 2, 2, 4 << 20);
	if (hostile_space >= 0) {
		hostile = fork();
		if (hostile < 0)
			err(1, "fork");
		if (!hostile) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			bench_become(1);
			attack((uint32_t)hostile_space, bytes);
		}
		while (__atomic_load_n(&shared->hostile_ops, __ATOMIC_RELAXED) < HOSTILE_KEYS)
			usleep(100);
	}
	bench_become(0);
	suffer();
	if (hostile) {
		kill(hostile, SIGKILL);
		waitpid(hostile, NULL, 0);
	}
}

static struct rate once(const char *function_file, int hostile_space, long bytes)
{
	pid_t child;
	int status;

	shared->hostile_ops = 0;
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		victim(function_file, hostile_space, bytes);
		_exit(0);
	}
	if (waitpid(child, &status, 0) < 0 || status)
		errx(1, "the victim has failed");
	return shared->victim;
}

static int by_ops(const void *a, const void *b)
{
	const double x = ((const struct rate *)a)->ops, y = ((const struct rate *)b)->ops;

	return (x > y) - (x < y);
}

static void measure(const char *function_file, long bytes)
{
	struct rate rate[CASES][REPEATS];
	double alone = 0;

	for (int repeat = 0; repeat < REPEATS; repeat++)
		for (int i = 0; i < CASES; i++)
			rate[i][repeat] = once(function_file, beside[i].hostile_space, bytes);
	for (int i = 0; i < CASES; i++) {
		const struct rate *median = &rate[i][REPEATS / 2];

		qsort(rate[i], REPEATS, sizeof(rate[i][0]), by_ops);
		alone = i ? alone : median->ops;
		printf("result bench=kv_lock victim=%s hostile_bytes=%ld ops=%.0f "
		       "hostile_ops=%.0f cpu_ns=%.0f ratio=%.2f\n",
		       beside[i].name, bytes, median->ops, median->hostile_ops, median->cpu_ns,
		       median->ops / alone);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s FUNCTION.so\n", argv[0]);
		return 2;
	}
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	for (size_t i = 0; i < sizeof(hostile_bytes) / sizeof(*hostile_bytes); i++)
		measure(argv[1], hostile_bytes[i]);
	return 0;
}
