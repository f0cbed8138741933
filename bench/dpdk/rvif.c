// SPDX-License-Identifier: Apache-2.0
/*
 * The path through net_rvif and the switch, which runs between transmit and receive in the same
 * thread. All its checks are on: descriptors, lengths, and the sender's address.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <rte_malloc.h>
#include <rvs/rvs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench_switch {
	struct rvs *rvs;
	void *mapped[2]; /* by the switch, as a process of its own would */
	size_t size[2];
};

static void hop(struct path *path)
{
	struct bench_switch *sw = path->state;
	struct rvs_result result;

	rvs_forward(sw->rvs, 0, 0, 0, MAX_BURST, 0, &result);
}

/* Where this process, that is the driver, has the file mapped. */
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

static int attach(struct bench_switch *sw, uint32_t port, const char *file, bool own_mapping)
{
	const struct rvs_policy policy = {
		.flags = RVS_CHECK_SOURCE | RVS_KICK,
		.features = RVIF_F_CSUM,
		.max_learned = 16,
		.mbps = 100000,
	};
	void *region = driver_mapping(file);
	int fd = open(file, O_RDWR | O_CLOEXEC), error;
	struct stat status;

	if (fd < 0 || fstat(fd, &status)) {
		fprintf(stderr, "%s: %s\n", file, strerror(errno));
		return -1;
	}
	sw->size[port] = (size_t)status.st_size;
	sw->mapped[port] = mmap(NULL, sw->size[port], PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (sw->mapped[port] == MAP_FAILED) {
		sw->mapped[port] = NULL;
		fprintf(stderr, "%s: cannot map: %s\n", file, strerror(errno));
		return -1;
	}
	if (own_mapping)
		region = sw->mapped[port];
	if (!region) {
		fprintf(stderr, "%s: not found in /proc/self/maps\n", file);
		return -1;
	}
	error = rvs_port_attach(sw->rvs, port, region, sw->size[port], &policy);
	if (error)
		fprintf(stderr, "%s: refused, reason %d\n", file, -error);
	return error;
}

static void close_rvif(struct path *path)
{
	struct bench_switch *sw = path->state;

	for (uint32_t port = 0; port < 2; port++) {
		rvs_port_detach(sw->rvs, port);
		if (sw->mapped[port])
			munmap(sw->mapped[port], sw->size[port]);
	}
	port_close(path->tx);
	port_close(path->rx);
	rte_free(sw->rvs);
	rte_free(sw);
}

static int open_switch(struct path *path, struct rte_mempool *pool, unsigned int frame,
		       bool own_mapping)
{
	const struct rvs_config config = {
		.ports = 2,
		.senders = 1,
		.queues = 1,
		.buckets = 1024,
		.max_age = 300,
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

		/* the paths are open at the same time */
		snprintf(name, sizeof(name), "net_rvif%u", i + 2 * own_mapping);
		snprintf(file[i], sizeof(file[i]), "%s/%s", bench_folder, name);
		snprintf(arguments, sizeof(arguments), "path=%s,mac=02:00:00:00:00:0%u,buffer=%u",
			 file[i], i + 1, frame > 2048 ? 9216u : 2048u);
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

static int open_rvif(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	return open_switch(path, pool, frame, true);
}

/* Driver and switch at the same addresses: some CPUs' first-level caches find a line fast only by
 * the address by which it came, and this shows how much of a packet's cost that is. */
static int open_one_mapping(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	return open_switch(path, pool, frame, false);
}

const struct path_kind rvif_kind = {"rvif", open_rvif, close_rvif};
const struct path_kind rvif_one_mapping_kind = {"rvif_one_mapping", open_one_mapping, close_rvif};
