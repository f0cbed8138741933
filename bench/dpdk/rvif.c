// SPDX-License-Identifier: Apache-2.0
/*
 * The path through net_rvif and the switch, which runs between transmit and receive in the same
 * thread. All its checks are on: descriptors, lengths, and the sender's address.
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rvif/switch.h>
#include <rvs/rvs.h>
#include <stdio.h>
#include <string.h>

struct bench_switch {
	struct rvs *rvs;
	struct rvif_mapping map[2]; /* mapped again for the switch, as in a process of its own */
};

static void hop(struct path *path)
{
	struct bench_switch *sw = path->state;
	struct rvs_result result;

	rvs_forward(sw->rvs, 0, 0, 0, MAX_BURST, 0, &result);
}

/* Returns where this process, which is the driver, has mapped the file. */
static void *driver_mapping(const char *file)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], path[400];
	void *found = NULL;
	uintptr_t start;

	while (maps && !found && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNxPTR "-%*x %*s %*s %*s %*s %399s", &start, path) == 2 &&
		    !strcmp(path, file))
			found = (void *)start;
	if (maps)
		fclose(maps);
	return found;
}

/* Maps a region for the switch. The driver gives its memory in another thread. */
static int map(struct rvif_mapping *mapping, const char *file)
{
	const char *why;
	int error;

	while ((error = rvif_map(mapping, file, &why)) == -EAGAIN)
		rte_delay_us_sleep(100);
	if (error)
		fprintf(stderr, "%s: cannot map: %s\n", file, why);
	return error;
}

static int attach(struct bench_switch *sw, uint32_t port, const char *file, bool own_mapping)
{
	const struct rvs_policy policy = {
		.flags = RVS_CHECK_SOURCE,
		.features = RVIF_F_CSUM,
		.max_learned = 16,
		.mbps = 100000,
	};
	struct rvif_mapping *mapping = &sw->map[port];
	void *region;
	int error = map(mapping, file);

	if (error)
		return error;
	region = own_mapping ? mapping->region : driver_mapping(file);
	if (!region) {
		fprintf(stderr, "%s: not found in /proc/self/maps\n", file);
		return -1;
	}
	error = rvs_port_attach(sw->rvs, port, region, mapping->size, &policy);
	if (error)
		fprintf(stderr, "%s: refused, reason %d\n", file, -error);
	return error;
}

static void close_rvif(struct path *path)
{
	struct bench_switch *sw = path->state;

	for (uint32_t port = 0; port < 2; port++) {
		rvs_port_detach(sw->rvs, port);
		rvif_unmap(&sw->map[port]);
	}
	port_close(path->tx);
	port_close(path->rx);
	rte_free(sw->rvs);
	rte_free(sw);
}

/* more: further arguments of the ports */
static int open_switch(struct path *path, struct rte_mempool *pool, unsigned int frame,
		       bool own_mapping, const char *more)
{
	const struct rvs_config config = {
		.ports = 2,
		.senders = 1,
		.queues = 1,
		.buckets = 1024,
		.max_age = 300,
		.one_thread = 1,
		.seed = 1,
	};
	uint64_t size = rvs_size(&config);
	struct bench_switch *sw = rte_zmalloc(NULL, sizeof(*sw), 0);
	char arguments[512], file[2][200];
	int port[2] = {-1, -1};

	if (!sw)
		return -1;
	sw->rvs = rte_zmalloc(NULL, size, RVS_ALIGNMENT);
	if (!sw->rvs || rvs_init(sw->rvs, size, &config)) {
		fprintf(stderr, "no switch of %" PRIu64 " bytes\n", size);
		rte_free(sw->rvs);
		rte_free(sw);
		return -1;
	}
	for (unsigned int i = 0; i < 2; i++) {
		char name[32];

		/* different names, because the paths are open at the same time */
		snprintf(name, sizeof(name), "net_%s%u", path->name, i);
		snprintf(file[i], sizeof(file[i]), "%s/%s", bench_folder, name);
		snprintf(arguments, sizeof(arguments), "path=%s,mac=02:00:00:00:00:0%u,%s", file[i],
			 i + 1, more);
		port[i] = port_open(name, arguments, pool, frame);
		if (port[i] < 0)
			break;
	}
	path->tx = (uint16_t)port[0];
	path->rx = (uint16_t)port[1];
	path->state = sw;
	path->hop = hop;
	if (port[0] >= 0 && port[1] >= 0 && !attach(sw, 0, file[0], own_mapping) &&
	    !attach(sw, 1, file[1], own_mapping) && !port_wait_link(path->tx) &&
	    !port_wait_link(path->rx))
		return 0;
	close_rvif(path);
	return -1;
}

static const char *buffers(unsigned int frame)
{
	return frame > 2048 ? "buffer=9216" : "buffer=2048";
}

static int open_rvif(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	return open_switch(path, pool, frame, true, buffers(frame));
}

/* A path with driver and switch at the same addresses. The first-level caches of some CPUs find a
 * line fast only by the address by which it came. This path shows how much of a packet's cost that
 * is. */
static int open_one_mapping(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	return open_switch(path, pool, frame, false, buffers(frame));
}

static int open_zero_copy(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	return open_switch(path, pool, frame, true, "zero_copy=1");
}

const struct path_kind rvif_kind = {"rvif", open_rvif, close_rvif};
const struct path_kind rvif_zero_copy_kind = {"rvif_zero_copy", open_zero_copy, close_rvif};
const struct path_kind rvif_one_mapping_kind = {"rvif_one_mapping", open_one_mapping, close_rvif};
