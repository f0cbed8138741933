// SPDX-License-Identifier: Apache-2.0
/*
 * What a packet costs from one port to another: net_rvif with the switch between, compared with
 * what DPDK has for the same. One process, one thread; repeats take turns over the paths; medians.
 * It must never print a figure of a path that lost or changed a packet.
 */
#include "bench.h"
#include "options.h"

#include <errno.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REPEATS 2001
#define KINDS	    6
#define BURSTS	    3

const char *bench_folder;

static const struct path_kind *const kinds[KINDS] = {
	&rvif_kind,	      &memif_kind,	     &vhost_kind,
	&rvif_zero_copy_kind, &memif_zero_copy_kind, &rvif_one_mapping_kind,
};
static const unsigned int bursts[BURSTS] = {1, 8, 32};

static struct options {
	const char *folder, *only;
	uint32_t repeats, packets;
	bool jumbo;
} options = {.repeats = 201, .packets = 4096};

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Measures all bursts of one size over all open paths. */
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

		for (unsigned int r = 0; r < options.repeats; r++)
			for (unsigned int p = 0; p < count; p++) {
				samples[p][r] = path_measure(&paths[p], pool, size, bursts[b],
							     options.packets);
				lost[p] |= samples[p][r] < 0;
			}
		for (unsigned int p = 0; p < count; p++) {
			if (lost[p]) {
				fprintf(stderr, "%s: packets lost, size %u, batch %u\n",
					paths[p].name, size, bursts[b]);
				failed = -1;
				continue;
			}
			qsort(samples[p], options.repeats, sizeof(double), compare);
			printf("result bench=dpdk driver=%s size=%u batch=%u "
			       "cycles_per_packet=%.1f\n",
			       paths[p].name, size, bursts[b], samples[p][options.repeats / 2]);
		}
		fflush(stdout);
	}
	return failed;
}

/* Measures the sizes that fit a pool, over all paths that take such frames. It works only once in a
 * process: when zero-copy memif closes, it closes files of DPDK's memory, so no path can be opened
 * afterwards. */
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
		/* this path is a variant of net_rvif, so it is measured only if asked for */
		if (options.only ? strcmp(options.only, kinds[k]->name) != 0 :
				   kinds[k] == &rvif_one_mapping_kind)
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

static const struct program_option known[] = {
	OPTION_TEXT("folder", "FOLDER", "a folder", folder,
		    "for sockets and shared files; has to exist"),
	OPTION_NUMBER("repeats", "N", "a number of measurements", repeats, 1, MAX_REPEATS,
		      "measurements of which the median counts (default 201)"),
	OPTION_NUMBER("packets", "N", "a number of packets", packets, 32, 1e8,
		      "packets of each (default 4096)"),
	OPTION_TEXT("only", "DRIVER", "a driver", only, "this one alone"),
	OPTION_FLAG("jumbo", jumbo, "frames of 9000 bytes"),
};

static const struct program program = {
	.name = "bench-dpdk",
	.before =
		"Usage: bench-dpdk EAL-OPTIONS -- --folder FOLDER [OPTION]...\n"
		"\n"
		"Prints what a packet costs from port to port, as lines \"result bench=dpdk ...\".\n"
		"\n",
	.after = "Exit status: 0 done; 1 failed, or a path lost packets; 2 wrong usage.\n",
	.options = known,
	.option_count = RTE_DIM(known),
};

int main(int argc, char **argv)
{
	static const unsigned int standard[] = {64, 512, 1514}, large[] = {9000};
	int eal = rte_eal_init(argc, argv), failed, first, status;

	if (eal < 0)
		return options_wrong(&program, "EAL: %s", rte_strerror(rte_errno));
	first = options_read(&program, 0, &options, argc - eal, argv + eal, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first < argc - eal || !options.folder)
		return options_wrong(&program, "--folder, and nothing else but options");
	bench_folder = options.folder;
	if (options.jumbo)
		failed = measure_pool(RTE_PKTMBUF_HEADROOM + 9216, large, RTE_DIM(large));
	else
		failed = measure_pool(RTE_MBUF_DEFAULT_BUF_SIZE, standard, RTE_DIM(standard));
	rte_eal_cleanup();
	return failed ? 1 : 0;
}
