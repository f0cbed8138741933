// SPDX-License-Identifier: Apache-2.0
/*
 * A switch that writes anything at any time into the memory it shares with the driver. Whatever is
 * delivered must be a sound mbuf, nothing outside of the region may be touched, and afterwards all
 * mbufs are there.
 */
#include "ports.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST	 32
#define ROUNDS	 60000
#define MAX_WAIT 60 /* seconds, for a machine that does not let both threads run */

static struct rvif_header *header_of(struct world *world, unsigned int port)
{
	return (struct rvif_header *)(void *)world->peer.ports[port].map.region;
}

static void take_anything(uint16_t id)
{
	struct rte_mbuf *burst[BURST];
	uint16_t got = rte_eth_rx_burst(id, 0, burst, BURST);

	for (uint16_t i = 0; i < got; i++) {
		rte_mbuf_sanity_check(burst[i], 1);
		for (struct rte_mbuf *m = burst[i]; m; m = m->next)
			assert_true(m->data_len <= 2048);
	}
	rte_pktmbuf_free_bulk(burst, got);
}

/* One completed descriptor of port 0 as the switch might write it. */
static void complete(struct world *world, const struct rvif_layout *layout, uint32_t ring,
		     const struct rvif_desc *desc, uint32_t count)
{
	void *region = header_of(world, 0);
	struct rvif_queue *control = rvif_rx_queue(region, layout, 0);
	uint32_t at = control->completed;

	for (uint32_t i = 0; i < count; i++) {
		struct rvif_desc *slot =
			&rvif_rx_ring(region, layout, ring, 0)[(at + i) & (ring - 1)];
		uint32_t offset = slot->offset;

		*slot = desc[i];
		if (desc[i].offset != UINT32_MAX)
			slot->offset = offset;
	}
	rvif_publish(&control->completed, at + count);
}

static void open_one(struct world *world, const struct setup *setup, struct rvif_layout *layout)
{
	world_open(world, 1, "");
	world_start(world, setup);
	assert_int_equal(rvif_layout(&header_of(world, 0)->config, layout), RVIF_OK);
}

static void test_bad_descriptors(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, 0, make_pool(255, 2048)};
	const struct {
		struct rvif_desc desc[2];
		uint32_t count;
		uint32_t frames;
	} cases[] = {
		{{{.length = 60}}, 1, 1},
		/* an offset of the switch's is never used */
		{{{.offset = UINT32_MAX, .length = 60}}, 1, 1},
		{{{.length = 0}}, 1, 0},
		{{{.length = 13}}, 1, 0},
		{{{.length = 1523}}, 1, 0},
		{{{.length = 2049}}, 1, 0},
		{{{.length = 65535}}, 1, 0},
		{{{.length = 60, .flags = 0x8000}}, 1, 0},
		/* offloads that were not asked for */
		{{{.length = 60, .flags = RVIF_CSUM_NEEDED}}, 1, 0},
		{{{.length = 60, .flags = RVIF_CSUM_VALID}}, 1, 0},
		{{{.length = 60, .flags = RVIF_GSO_TCP4, .gso_size = 9}}, 1, 0},
		/* chains: whole, empty part, too long, without an end */
		{{{.length = 60, .flags = RVIF_MORE}, {.length = 60}}, 2, buffers == COPIED},
		{{{.length = 60, .flags = RVIF_MORE}, {.length = 0}}, 2, 0},
		{{{.length = 1500, .flags = RVIF_MORE}, {.length = 1500}}, 2, 0},
		{{{.length = 60, .flags = RVIF_MORE}}, 1, 0},
	};
	struct rvif_layout layout;
	struct world world;
	uint64_t good = 0, bad = 0;

	(void)state;
	open_one(&world, &setup, &layout);
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct rte_eth_stats stats;

		complete(&world, &layout, 64, cases[i].desc, cases[i].count);
		take_anything(world.ids[0]);
		good += cases[i].frames;
		bad += !cases[i].frames;
		assert_int_equal(rte_eth_stats_get(world.ids[0], &stats), 0);
		if (stats.ipackets != good || stats.ierrors != bad)
			fail_msg("case %zu: %lu good, %lu bad", i, stats.ipackets, stats.ierrors);
	}
	world_close(&world);
	free_pool(setup.pool);
}

/* More completed than was posted: nothing is believed. */
static void test_bad_indexes(void **state)
{
	static const uint32_t wrong[] = {65, 1000, UINT32_MAX, 1u << 31};
	struct setup setup = {1, 64, 64, 1500, 0, 0, make_pool(255, 2048)};
	struct rvif_layout layout;
	struct rte_mbuf *m;
	struct world world;

	(void)state;
	open_one(&world, &setup, &layout);
	for (size_t i = 0; i < RTE_DIM(wrong); i++) {
		rvif_store(&rvif_rx_queue(header_of(&world, 0), &layout, 0)->completed, wrong[i]);
		rvif_store(&rvif_tx_queue(header_of(&world, 0), &layout, 0)->completed, wrong[i]);
		assert_int_equal(rte_eth_rx_burst(world.ids[0], 0, &m, 1), 0);
		m = make_frame(setup.pool, 0, 1, 1, 60, 1);
		assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
	}
	world_close(&world);
	free_pool(setup.pool);
}

static bool finished;

/* Scribbles over all but the data, the switch's lines more often. */
static void *scribble(void *opaque)
{
	struct world *world = opaque;
	uint8_t *region = (uint8_t *)header_of(world, 0);
	struct rvif_layout layout;
	unsigned int seed = 1;

	if (rvif_layout(&header_of(world, 0)->config, &layout))
		return NULL;
	while (!__atomic_load_n(&finished, __ATOMIC_RELAXED)) {
		struct rvif_queue *rx = rvif_rx_queue(region, &layout, 0);
		uint32_t at = (uint32_t)rand_r(&seed) % (layout.buffers / 4);

		/* posted is spared: it tells below what is believable */
		if ((uint32_t *)(void *)region + at != &rx->posted)
			__atomic_store_n((uint32_t *)(void *)region + at, (uint32_t)rand_r(&seed),
					 __ATOMIC_RELAXED);
		/* mostly a number that the driver has to believe */
		rvif_store(&rx->completed, rvif_load(&rx->posted) - (uint32_t)rand_r(&seed) % 66);
		at = layout.rx_rings + 4 + (uint32_t)rand_r(&seed) % 64 * 16;
		__atomic_store_n((uint32_t *)(void *)(region + at),
				 (uint32_t)rand_r(&seed) % 2048 | (uint32_t)rand_r(&seed) % 32
									  << 16,
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_scribbling(void **state)
{
	struct setup setup = {1,
			      64,
			      64,
			      9000,
			      RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
				      RTE_ETH_RX_OFFLOAD_TCP_LRO,
			      RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
				      RTE_ETH_TX_OFFLOAD_TCP_TSO,
			      make_pool(1023, 2048)};
	struct rvif_layout layout;
	struct rte_eth_stats stats;
	struct world world;
	pthread_t thread;
	time_t start = time(NULL);

	(void)state;
	world_open(&world, 1, "tso=1");
	world_start(&world, &setup);
	assert_int_equal(rvif_layout(&header_of(&world, 0)->config, &layout), RVIF_OK);
	finished = false;
	assert_int_equal(pthread_create(&thread, NULL, scribble, &world), 0);
	memset(&stats, 0, sizeof(stats));
	for (unsigned int i = 0; i < ROUNDS || stats.ierrors < 1000 || stats.ipackets < 1000; i++) {
		struct rte_mbuf *m;

		take_anything(world.ids[0]);
		m = make_frame(setup.pool, 0, 1, i, 60 + i % 3000, 2);
		if (i % 3 == 0) {
			m->l2_len = 14;
			m->l3_len = 20;
			m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
		}
		if (!rte_eth_tx_burst(world.ids[0], 0, &m, 1))
			rte_pktmbuf_free(m);
		if (i % 1000 == 0) {
			link_up(world.ids[0]);
			rte_eth_stats_get(world.ids[0], &stats);
			assert_true(time(NULL) - start < MAX_WAIT);
		}
	}
	__atomic_store_n(&finished, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	/* the switch's state is garbage, too: stop without it */
	peer_kill(&world.peer);
	assert_int_equal(rte_eth_dev_stop(world.ids[0]), 0);
	assert_int_equal(rte_mempool_in_use_count(setup.pool), 0);
	world_close(&world);
	free_pool(setup.pool);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_descriptors),
		cmocka_unit_test(test_bad_indexes),
		cmocka_unit_test(test_scribbling),
	};

	choose_buffers(argc, argv);
	return cmocka_run_group_tests(tests, start_dpdk, stop_dpdk);
}
