/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tool kit's memcpy() costs, compared with the switch's own copy, which is elisa_copy() in
 * line: the same bytes between the same buffers, in turn, medians. Built for each register mode.
 * Lines:
 *   result bench=sub_copy mode=... bytes=... ns_memcpy=... ns_switch=... ratio=...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "measured.h"

enum {
	REPEATS = 41,
	LARGEST = 65536,
	BYTES = 1 << 19 /* in each repeat, at least; and at least 8192 copies */
};

static uint8_t from[LARGEST + 64] __attribute__((aligned(64)));
static uint8_t to[LARGEST + 64] __attribute__((aligned(64)));

/* Returns the thread's own time, because other programs may use the CPU, too. */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double once(bench_copy *copy, size_t size, uint32_t copies)
{
	const double start = now();

	copy(to, from, size, copies);
	return (now() - start) / copies;
}

static void measure(size_t size)
{
	const uint32_t copies = size * 8192 > BYTES ? 8192 : (uint32_t)(BYTES / size);
	double ours[REPEATS], theirs[REPEATS];

	for (int i = 0; i < REPEATS; i++) {
		ours[i] = once(bench_memcpy, size, copies);
		theirs[i] = once(bench_switch, size, copies);
	}
	qsort(ours, REPEATS, sizeof(ours[0]), compare);
	qsort(theirs, REPEATS, sizeof(theirs[0]), compare);
	printf("result bench=sub_copy mode=%s bytes=%zu ns_memcpy=%.1f ns_switch=%.1f ratio=%.2f\n",
	       BENCH_MODE, size, ours[REPEATS / 2], theirs[REPEATS / 2],
	       ours[REPEATS / 2] / theirs[REPEATS / 2]);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)i;
	for (size_t size = 16; size <= LARGEST; size *= 2) {
		measure(size);
		if (size < LARGEST)
			measure(size + size / 2 - 1);
	}
	return 0;
}
