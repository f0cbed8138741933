// SPDX-License-Identifier: Apache-2.0
/*
 * Ports, a switch and frames for the driver's tests; see ports.h. It must leave nothing behind:
 * pools are counted when they are freed, files when a port is closed.
 */
#include "ports.h"

#include <rte_bus_vdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct content {
	struct rte_ether_hdr header;
	uint32_t seed;
	uint32_t size;
} __attribute__((packed, aligned(2)));

enum buffers buffers;

void choose_buffers(int argc, char **argv)
{
	if (argc > 1)
		buffers = strcmp(argv[1], "pinned") ? NATIVE : PINNED;
}

int start_dpdk(void **state)
{
	const char *plugin = getenv("NET_RVIF_PLUGIN");
	char line[512], *arguments[32], *rest = line;
	int count = 0;

	(void)state;
	if (!plugin) {
		fprintf(stderr, "NET_RVIF_PLUGIN is not set\n");
		return -1;
	}
	snprintf(line, sizeof(line),
		 "test --no-huge -m 256 --no-pci --no-shconf --no-telemetry -l 0 "
		 "--log-level=lib.eal:4 -d %s",
		 plugin);
	while (count < 31 && (arguments[count] = strsep(&rest, " ")))
		count++;
	return rte_eal_init(count, arguments) < 0 ? -1 : 0;
}

int stop_dpdk(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

/* A zone's name is the pool's. */
static struct rte_mempool *make_pinned(const char *name, unsigned int count, uint16_t size)
{
	struct rte_pktmbuf_extmem memory = {
		.buf_len = (size_t)count * RTE_CACHE_LINE_ROUNDUP(size),
		.elt_size = (uint16_t)RTE_CACHE_LINE_ROUNDUP(size),
	};
	const struct rte_memzone *zone =
		rte_memzone_reserve(name, memory.buf_len, SOCKET_ID_ANY, 0);

	assert_non_null(zone);
	memory.buf_ptr = zone->addr;
	memory.buf_iova = zone->iova;
	return rte_pktmbuf_pool_create_extbuf(name, count, 0, 0, size, SOCKET_ID_ANY, &memory, 1);
}

struct rte_mempool *make_pool(unsigned int count, uint16_t room)
{
	const uint16_t size = (uint16_t)(room + RTE_PKTMBUF_HEADROOM);
	static unsigned int number;
	char name[32];
	struct rte_mempool *pool;

	snprintf(name, sizeof(name), "pool%u", number++);
	pool = buffers == PINNED ? make_pinned(name, count, size) :
				   rte_pktmbuf_pool_create(name, count, 0, 0, size, SOCKET_ID_ANY);
	assert_non_null(pool);
	return pool;
}

void lose_pool(struct rte_mempool *pool)
{
	const struct rte_memzone *zone = rte_memzone_lookup(pool->name);

	rte_mempool_free(pool);
	rte_memzone_free(zone);
}

void free_pool(struct rte_mempool *pool)
{
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	lose_pool(pool);
}

void world_open(struct world *world, unsigned int count, const char *more)
{
	const char *paths[PORTS];
	char name[32], arguments[256];

	memset(world, 0, sizeof(*world));
	snprintf(world->folder, sizeof(world->folder), "/dev/shm/rvif-test-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	world->count = count;
	for (unsigned int i = 0; i < count; i++) {
		snprintf(world->paths[i], sizeof(world->paths[i]), "%s/port%u", world->folder, i);
		snprintf(name, sizeof(name), "net_rvif%u", i);
		snprintf(arguments, sizeof(arguments), "path=%s,mac=02:00:00:00:00:%02x%s%s%s",
			 world->paths[i], i + 1, *more ? "," : "", more,
			 buffers == COPIED ? "" : ",zero_copy=1");
		assert_int_equal(rte_vdev_init(name, arguments), 0);
		assert_int_equal(rte_eth_dev_get_port_by_name(name, &world->ids[i]), 0);
		paths[i] = world->paths[i];
	}
	assert_int_equal(peer_open(&world->peer, paths, count), 0);
}

void port_setup(uint16_t id, const struct setup *setup)
{
	struct rte_eth_conf config = {0};

	config.rxmode.mtu = setup->mtu;
	config.rxmode.offloads = setup->rx_offloads;
	config.txmode.offloads = setup->tx_offloads;
	assert_int_equal(rte_eth_dev_configure(id, setup->queues, setup->queues, &config), 0);
	for (uint16_t q = 0; q < setup->queues; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(id, q, setup->rx_descriptors, SOCKET_ID_ANY,
							NULL, setup->pool),
				 0);
		assert_int_equal(rte_eth_tx_queue_setup(id, q, setup->tx_descriptors, SOCKET_ID_ANY,
							NULL),
				 0);
	}
}

bool link_up(uint16_t id)
{
	struct rte_eth_link link;

	assert_int_equal(rte_eth_link_get_nowait(id, &link), 0);
	return link.link_status == RTE_ETH_LINK_UP;
}

void world_start(struct world *world, const struct setup *setup)
{
	for (unsigned int i = 0; i < world->count; i++) {
		port_setup(world->ids[i], setup);
		assert_int_equal(rte_eth_dev_start(world->ids[i]), 0);
	}
	peer_control(&world->peer);
	for (unsigned int i = 0; i < world->count; i++)
		assert_true(link_up(world->ids[i]));
}

void world_close(struct world *world)
{
	char name[32];

	peer_close(&world->peer);
	for (unsigned int i = 0; i < world->count; i++) {
		snprintf(name, sizeof(name), "net_rvif%u", i);
		rte_vdev_uninit(name);
		assert_int_not_equal(access(world->paths[i], F_OK), 0);
	}
	assert_int_equal(rmdir(world->folder), 0);
}

static uint8_t byte_of(uint32_t seed, uint32_t index)
{
	uint32_t x = seed * 2654435761u + index * 2246822519u;

	x ^= x >> 15;
	x *= 3266489917u;
	return (uint8_t)(x >> 24);
}

struct rte_mbuf *make_frame(struct rte_mempool *pool, unsigned int from, unsigned int to,
			    uint32_t seed, uint32_t size, unsigned int segments)
{
	static uint8_t bytes[MAX_LEN];
	struct content content = {
		.header =
			{
				.dst_addr.addr_bytes = {2, 0, 0, 0, 0, (uint8_t)(to + 1)},
				.src_addr.addr_bytes = {2, 0, 0, 0, 0, (uint8_t)(from + 1)},
				.ether_type = RTE_BE16(0x88b5),
			},
		.seed = seed,
		.size = size,
	};
	struct rte_mbuf *first = NULL, *m;
	uint32_t at = 0;

	assert_in_range(size, sizeof(content), MAX_LEN);
	memcpy(bytes, &content, sizeof(content));
	for (uint32_t i = sizeof(content); i < size; i++)
		bytes[i] = byte_of(seed, i);
	for (unsigned int left = segments; left && at < size; left--) {
		uint32_t part = left == 1 ? size - at : RTE_MAX(64u, (size - at) / left);
		char *data;

		part = RTE_MIN(part, size - at);
		m = rte_pktmbuf_alloc(pool);
		assert_non_null(m);
		data = rte_pktmbuf_append(m, (uint16_t)part);
		assert_non_null(data);
		memcpy(data, bytes + at, part);
		at += part;
		if (!first)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return first;
}

uint32_t check_frame(const struct rte_mbuf *m)
{
	static uint8_t copy[UINT16_MAX];
	struct content content;
	const uint8_t *bytes;

	rte_mbuf_sanity_check(m, 1);
	assert_true(m->pkt_len >= sizeof(content));
	bytes = rte_pktmbuf_read(m, 0, m->pkt_len, copy);
	assert_non_null(bytes);
	memcpy(&content, bytes, sizeof(content));
	assert_int_equal(content.size, m->pkt_len);
	for (uint32_t i = sizeof(content); i < m->pkt_len; i++)
		if (bytes[i] != byte_of(content.seed, i))
			fail_msg("byte %u of a frame of %u changed", i, m->pkt_len);
	return content.seed;
}

uint64_t xstat(uint16_t id, const char *name)
{
	uint64_t number, value = 0;

	assert_int_equal(rte_eth_xstats_get_id_by_name(id, name, &number), 0);
	assert_int_equal(rte_eth_xstats_get_by_id(id, &number, &value, 1), 1);
	return value;
}
