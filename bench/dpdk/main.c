// SPDX-License-Identifier: Apache-2.0
/*
 * What a packet costs from one port to another: net_rvif with the switch between, beside what DPDK has for
 * the same. One process, one thread, repeats interleaved over the paths, medians. It must never print a
 * figure of a path that lost or changed a packet.
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REPEATS 2001
#define KINDS	    5
#define BURSTS	    3

const char *bench_folder;

static const struct path_kind *const kinds[KINDS] = {
	&rvif_kind, &memif_kind, &vhost_kind, &memif_zero_copy_kind, &rvif_one_mapping_kind,
};
static const unsigned int bursts[BURSTS] = {1, 8, 32};

static unsigned int repeats = 201;
static unsigned int packets = 4096;
static const char *only;
static bool jumbo;

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* All bursts of one size over all open paths. */
static int measure_size(struct path *paths, unsigned int count, struct rte_mempool *pool,
			unsigned int size)
{
	static double samples[KINDS][MAX_REPEATS];
	int failed = 0;

	for (unsigned int p = 0; p < count; p++)
		failed |= path_verify(&paths[p], pool, size);
	path_prepare(pool);
	for (unsigned int b = 0; b < BURSTS; b++) {
		bool lost[KINDS] = {false};

		for (unsigned int r = 0; r < repeats; r++)
			for (unsigned int p = 0; p < count; p++) {
				samples[p][r] =
					path_measure(&paths[p], pool, size, bursts[b], packets);
				lost[p] |= samples[p][r] < 0;
			}
		for (unsigned int p = 0; p < count; p++) {
			if (lost[p]) {
				fprintf(stderr, "%s: packets lost, size %u, batch %u\n",
					paths[p].name, size, bursts[b]);
				failed = -1;
				continue;
			}
			qsort(samples[p], repeats, sizeof(double), compare);
			printf("result bench=dpdk driver=%s size=%u batch=%u cycles_per_packet=%.1f\n",
			       paths[p].name, size, bursts[b], samples[p][repeats / 2]);
		}
		fflush(stdout);
	}
	return failed;
}

/* The sizes that fit a pool, over all paths that take frames of that size. Once in a process: zero-copy memif
 * closes files of DPDK's memory when it goes, so that nothing can be opened afterwards. */
static int measure_pool(uint16_t room, const unsigned int *sizes, unsigned int size_count)
{
	unsigned int largest = sizes[size_count - 1], count = 0;
	struct rte_mempool *pool;
	struct path paths[KINDS];
	const struct path_kind *open[KINDS];
	int failed = 0;

	pool = rte_pktmbuf_pool_create("frames", 16383, 256, 0, room, SOCKET_ID_ANY);
	if (!pool) {
		fprintf(stderr, "no memory for frames of %u bytes\n", largest);
		return -1;
	}
	for (unsigned int k = 0; k < KINDS; k++) {
		/* the same driver once more is no contender: when asked for */
		if (only ? strcmp(only, kinds[k]->name) != 0 : kinds[k] == &rvif_one_mapping_kind)
			continue;
		paths[count] = (struct path){.name = kinds[k]->name};
		open[count] = kinds[k];
		if (kinds[k]->open(&paths[count], pool, largest))
			failed = -1;
		else
			count++;
	}
	for (unsigned int s = 0; s < size_count; s++)
		failed |= measure_size(paths, count, pool, sizes[s]);
	while (count--)
		open[count]->close(&paths[count]);
	rte_mempool_free(pool);
	return failed;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"repeats", required_argument, NULL, 'r'},
		{"packets", required_argument, NULL, 'p'},
		{"folder", required_argument, NULL, 'f'},
		{"only", required_argument, NULL, 'o'},
		{"jumbo", no_argument, NULL, 'j'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long value = optarg ? strtoul(optarg, NULL, 10) : 0;

		if (option == 'r' && value >= 1 && value <= MAX_REPEATS)
			repeats = (unsigned int)value;
		else if (option == 'p' && value >= 32 && value <= 100000000)
			packets = (unsigned int)value;
		else if (option == 'f')
			bench_folder = optarg;
		else if (option == 'o')
			only = optarg;
		else if (option == 'j')
			jumbo = true;
		else
			return -1;
	}
	return bench_folder && optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const unsigned int standard[] = {64, 512, 1514}, large[] = {9000};
	int eal = rte_eal_init(argc, argv), failed;

	if (eal < 0 || parse(argc - eal, argv + eal)) {
		fprintf(stderr, "usage: bench-dpdk EAL-OPTIONS -- --folder FOLDER [--repeats N] "
				"[--packets N] [--only DRIVER] [--jumbo]\n"
				"FOLDER is for sockets and shared files and has to exist. --jumbo: "
				"frames of 9000 bytes.\n");
		return 2;
	}
	if (jumbo)
		failed = measure_pool(RTE_PKTMBUF_HEADROOM + 9216, large, RTE_DIM(large));
	else
		failed = measure_pool(RTE_MBUF_DEFAULT_BUF_SIZE, standard, RTE_DIM(standard));
	rte_eal_cleanup();
	return failed ? 1 : 0;
}
