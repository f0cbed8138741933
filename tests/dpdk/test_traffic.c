// SPDX-License-Identifier: Apache-2.0
/*
 * Frames between ports: each byte is checked, and each frame that was sent is received or counted
 * as lost.
 */
#include "ports.h"

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <stdlib.h>
#include <string.h>

#define BURST 32

static const uint64_t csum_rx = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
static const uint64_t csum_tx = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

/* Takes and checks all that has arrived on all queues. */
static unsigned int drain(uint16_t id, uint16_t queues)
{
	struct rte_mbuf *burst[BURST];
	unsigned int total = 0;
	uint16_t got;

	for (uint16_t q = 0; q < queues; q++)
		while ((got = rte_eth_rx_burst(id, q, burst, BURST))) {
			for (uint16_t i = 0; i < got; i++)
				check_frame(burst[i]);
			rte_pktmbuf_free_bulk(burst, got);
			total += got;
		}
	return total;
}

/* Random sizes, bursts, queues and segments from port 0 to port 1. */
static void exchange(const struct setup *setup, uint32_t max_size, unsigned int max_segments,
		     unsigned int frames)
{
	struct world world;
	struct rte_mbuf *burst[BURST];
	struct rte_eth_stats tx, rx;
	unsigned int sent = 0, received = 0;

	world_open(&world, 2, "queues=4");
	world_start(&world, setup);
	while (sent < frames) {
		uint16_t count = (uint16_t)(1 + rand() % BURST), out;
		uint16_t queue = (uint16_t)(rand() % setup->queues);

		for (uint16_t i = 0; i < count; i++)
			burst[i] = make_frame(setup->pool, 0, 1, sent + i,
					      60 + (uint32_t)rand() % (max_size - 59),
					      1 + (unsigned int)rand() % max_segments);
		out = rte_eth_tx_burst(world.ids[0], queue, burst, count);
		rte_pktmbuf_free_bulk(burst + out, count - out);
		sent += out;
		if (rand() % 4)
			peer_forward(&world.peer);
		if (rand() % 4)
			received += drain(world.ids[1], setup->queues);
	}
	while (peer_forward(&world.peer))
		received += drain(world.ids[1], setup->queues);
	received += drain(world.ids[1], setup->queues);

	assert_int_equal(rte_eth_stats_get(world.ids[0], &tx), 0);
	assert_int_equal(rte_eth_stats_get(world.ids[1], &rx), 0);
	assert_int_equal(tx.opackets, sent);
	assert_int_equal(tx.oerrors, 0);
	assert_int_equal(rx.ipackets, received);
	assert_int_equal(rx.ierrors, 0);
	assert_int_equal(sent, received + rx.imissed);
	assert_true(received > sent / 4);
	world_close(&world);
}

static void test_plain(void **state)
{
	struct setup setup = {1, 256, 256, 1500, 0, 0, make_pool(2047, 2048)};

	(void)state;
	exchange(&setup, 1522, 1, 20000);
	free_pool(setup.pool);
}

static void test_queues(void **state)
{
	struct setup setup = {2, 64, 64, 1500, 0, 0, make_pool(2047, 2048)};

	(void)state;
	exchange(&setup, 1522, 1, 10000);
	setup.queues = 4;
	exchange(&setup, 1522, 1, 10000);
	free_pool(setup.pool);
}

static void test_segments(void **state)
{
	struct setup setup = {1,
			      100,
			      77,
			      1500,
			      RTE_ETH_RX_OFFLOAD_SCATTER,
			      RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			      make_pool(4095, 256)};

	(void)state;
	/* smaller than a buffer of rvif may be */
	if (buffers == COPIED)
		exchange(&setup, 250, 1, 3000);
	free_pool(setup.pool);
	setup.pool = make_pool(4095, 1600);
	exchange(&setup, 1522, 9, 10000);
	free_pool(setup.pool);
}

static void test_jumbo_scattered(void **state)
{
	struct setup setup = {1,
			      256,
			      256,
			      9000,
			      RTE_ETH_RX_OFFLOAD_SCATTER,
			      RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			      make_pool(8191, 2048)};

	(void)state;
	/* one segment of a frame is at most a buffer of the pool: as many as a frame may need */
	for (unsigned int i = 0; i < (buffers == COPIED ? 3 : 1); i++) {
		struct world world;
		struct rte_mbuf *m;

		world_open(&world, 2, i == 1 ? "buffer=1111" : i ? "buffer=9216" : "");
		world_start(&world, &setup);
		for (uint32_t size = 60; size <= MAX_LEN; size += 127) {
			m = make_frame(setup.pool, 0, 1, size, size, 9);
			assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
			peer_forward(&world.peer);
			assert_int_equal(rte_eth_rx_burst(world.ids[1], 0, &m, 1), 1);
			assert_int_equal(m->nb_segs, (size + 2047) / 2048);
			assert_int_equal(check_frame(m), size);
			rte_pktmbuf_free(m);
		}
		world_close(&world);
	}
	free_pool(setup.pool);
}

static void test_jumbo_whole(void **state)
{
	struct setup setup = {1, 64, 64, 9000, 0, 0, make_pool(1023, 9216)};

	(void)state;
	exchange(&setup, MAX_LEN, 1, 3000);
	free_pool(setup.pool);
}

/* Frames wait in the ring while there are no mbufs, and come when there are. */
static void test_mempool_exhausted(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, 0, make_pool(40, 2048)};
	struct rte_mbuf *burst[40], *got[BURST];
	struct rte_eth_stats stats;
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	for (unsigned int i = 0; i < 30; i++)
		burst[i] = make_frame(setup.pool, 0, 1, i, 100, 1);
	assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, burst, 30), 30);
	peer_forward(&world.peer);
	assert_int_equal(rte_pktmbuf_alloc_bulk(setup.pool, burst, 37), 0);
	assert_in_range(rte_eth_rx_burst(world.ids[1], 0, got, BURST), 1, 3);
	assert_int_equal(rte_eth_stats_get(world.ids[1], &stats), 0);
	assert_true(stats.rx_nombuf > 0);
	assert_int_equal(stats.imissed, 0);
	check_frame(got[0]);
	for (unsigned int i = 0; i < stats.ipackets; i++)
		rte_pktmbuf_free(got[i]);
	rte_pktmbuf_free_bulk(burst, 37);
	assert_int_equal(drain(world.ids[1], 1) + stats.ipackets, 30);
	world_close(&world);
	free_pool(setup.pool);
}

/* The same in the middle of a chain: nothing is delivered in part, nothing is lost. */
static void test_mempool_exhausted_in_chain(void **state)
{
	struct setup setup = {1,
			      64,
			      64,
			      9000,
			      RTE_ETH_RX_OFFLOAD_SCATTER,
			      RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			      make_pool(10, 2048)};
	struct rte_mbuf *m, *held[8];
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	m = make_frame(setup.pool, 0, 1, 5, 9000, 5);
	assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
	peer_forward(&world.peer);
	assert_int_equal(rte_pktmbuf_alloc_bulk(setup.pool, held, 8), 0);
	assert_int_equal(rte_eth_rx_burst(world.ids[1], 0, &m, 1), 0);
	assert_int_equal(rte_mempool_in_use_count(setup.pool), 8);
	rte_pktmbuf_free_bulk(held, 8);
	assert_int_equal(drain(world.ids[1], 1), 1);
	world_close(&world);
	free_pool(setup.pool);
}

static void test_full_rings(void **state)
{
	struct setup setup = {1, 32, 48, 1500, 0, 0, make_pool(255, 2048)};
	struct rte_mbuf *burst[64];
	struct rte_eth_stats stats;
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	for (unsigned int i = 0; i < 64; i++)
		burst[i] = make_frame(setup.pool, 0, 1, i, 1514, 1);
	/* the switch does not run: 48 are taken, the rest stays with the caller */
	assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, burst, 64), 48);
	assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, burst + 48, 16), 0);
	assert_int_equal(xstat(world.ids[0], "tx_q0_ring_full"), 2);
	while (peer_forward(&world.peer))
		;
	/* the receiver did not run: 32 found buffers */
	assert_int_equal(rte_eth_stats_get(world.ids[1], &stats), 0);
	assert_int_equal(stats.imissed, 16);
	assert_int_equal(xstat(world.ids[1], "rx_q0_missed"), 16);
	assert_int_equal(drain(world.ids[1], 1), 32);
	assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, burst + 48, 16), 16);
	peer_forward(&world.peer);
	assert_int_equal(drain(world.ids[1], 1), 16);
	assert_int_equal(rte_eth_stats_get(world.ids[0], &stats), 0);
	assert_int_equal(stats.opackets, 64);
	assert_int_equal(stats.q_opackets[0], 64);
	assert_int_equal(rte_eth_stats_reset(world.ids[1]), 0);
	assert_int_equal(rte_eth_stats_get(world.ids[1], &stats), 0);
	assert_int_equal(stats.ipackets + stats.ibytes + stats.imissed, 0);
	world_close(&world);
	free_pool(setup.pool);
}

/* Frames that cannot be sent are dropped and counted, and those around them go. */
static void test_bad_frames(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, csum_tx, make_pool(255, 2048)};
	struct rte_mbuf *burst[5];
	struct rte_eth_stats stats;
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	for (unsigned int i = 0; i < 5; i++)
		burst[i] = make_frame(setup.pool, 0, 1, i, 1000, 1);
	burst[0]->pkt_len = burst[0]->data_len = 13;
	burst[2]->pkt_len = burst[2]->data_len = 1523;
	burst[3]->ol_flags |= RTE_MBUF_F_TX_SCTP_CKSUM;
	assert_int_equal(rte_eth_tx_prepare(world.ids[0], 0, burst, 5), 0);
	assert_int_equal(rte_eth_tx_prepare(world.ids[0], 0, burst + 1, 4), 1);
	assert_int_equal(rte_eth_tx_prepare(world.ids[0], 0, burst + 3, 2), 0);
	assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, burst, 5), 5);
	peer_forward(&world.peer);
	assert_int_equal(drain(world.ids[1], 1), 2);
	assert_int_equal(rte_eth_stats_get(world.ids[0], &stats), 0);
	assert_int_equal(stats.opackets, 2);
	assert_int_equal(stats.oerrors, 3);
	world_close(&world);
	free_pool(setup.pool);
}

/* Mbufs that others hold, too, or of another pool: none is freed early or twice. */
static void test_shared_mbufs(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, 0, make_pool(255, 2048)};
	struct rte_mempool *other = make_pool(63, 2048);
	struct rte_mbuf *burst[4], *clone;
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	burst[0] = make_frame(setup.pool, 0, 1, 1, 700, 1);
	burst[1] = make_frame(other, 0, 1, 2, 700, 1);
	clone = make_frame(setup.pool, 0, 1, 3, 700, 1);
	burst[2] = rte_pktmbuf_clone(clone, other);
	assert_non_null(burst[2]);
	burst[3] = clone;
	rte_mbuf_refcnt_update(clone, 1);
	assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, burst, 4), 4);
	assert_int_equal(rte_mbuf_refcnt_read(clone), 1);
	assert_int_equal(check_frame(clone), 3);
	rte_pktmbuf_free(clone);
	peer_forward(&world.peer);
	assert_int_equal(drain(world.ids[1], 1), 4);
	world_close(&world);
	free_pool(setup.pool);
	free_pool(other);
}

static struct rte_mbuf *make_udp(struct rte_mempool *pool, uint16_t payload)
{
	struct rte_mbuf *m = make_frame(pool, 0, 1, 1, 42u + payload, 1);
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(28 + payload)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 1)),
		.dst_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 2)),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*udp = (struct rte_udp_hdr){
		.src_port = RTE_BE16(1000),
		.dst_port = RTE_BE16(2000),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(8 + payload)),
	};
	m->l2_len = sizeof(*eth);
	m->l3_len = sizeof(*ip);
	m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
	return m;
}

static bool udp_sum_right(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *,
								sizeof(struct rte_ether_hdr));

	return !rte_ipv4_udptcp_cksum_verify(ip, ip + 1);
}

/* Which side computes the sum: the driver if the switch did not grant the feature, the switch if
 * the receiver did not ask for it, no side does if both have it. */
static void test_checksums(void **state)
{
	struct rte_mempool *pool = make_pool(255, 2048);
	const struct setup with = {1, 64, 64, 1500, csum_rx, csum_tx, pool};
	const struct setup without = {1, 64, 64, 1500, 0, 0, pool};
	const struct setup send_only = {1, 64, 64, 1500, 0, csum_tx, pool};
	const struct {
		uint32_t granted;
		const struct setup *receiver;
		bool left_out;
		uint64_t computed;
		uint64_t completed;
	} cases[] = {
		{0, &without, false, 1, 0},
		{RVIF_F_CSUM, &without, false, 0, 0},
		{RVIF_F_CSUM, &with, true, 0, 0},
		{RVIF_F_CSUM, &send_only, false, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct world world;
		struct rte_mbuf *m;

		world_open(&world, 2, "");
		world.peer.ports[0].policy.features = cases[i].granted;
		port_setup(world.ids[0], &send_only);
		port_setup(world.ids[1], cases[i].receiver);
		assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
		assert_int_equal(rte_eth_dev_start(world.ids[1]), 0);
		peer_control(&world.peer);
		m = make_udp(pool, 301);
		assert_int_equal(rte_eth_tx_prepare(world.ids[0], 0, &m, 1), 1);
		assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
		peer_forward(&world.peer);
		assert_int_equal(rte_eth_rx_burst(world.ids[1], 0, &m, 1), 1);
		assert_int_equal(udp_sum_right(m), !cases[i].left_out);
		if (cases[i].left_out)
			assert_int_equal(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK,
					 RTE_MBUF_F_RX_L4_CKSUM_NONE);
		assert_int_equal(xstat(world.ids[0], "tx_q0_checksums_computed"),
				 cases[i].computed);
		assert_int_equal(xstat(world.ids[1], "rx_q0_checksums_computed"),
				 cases[i].completed);
		rte_pktmbuf_free(m);
		world_close(&world);
	}
	free_pool(pool);
}

/* A frame of 20000 bytes to be segmented arrives whole where the feature was granted. */
static void test_segmentation(void **state)
{
	struct setup setup = {1,
			      64,
			      64,
			      1500,
			      csum_rx | RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER,
			      csum_tx | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
			      make_pool(255, 2048)};

	(void)state;
	for (unsigned int granted = 0; granted < 2; granted++) {
		struct rte_mbuf *m, *part;
		struct rte_eth_stats stats;
		struct world world;

		world_open(&world, 2, "tso=1");
		if (!granted)
			world.peer.ports[0].policy.features = RVIF_F_CSUM;
		world_start(&world, &setup);
		m = make_udp(setup.pool, 1900);
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14)->next_proto_id = IPPROTO_TCP;
		for (unsigned int i = 0; i < 9; i++) {
			part = make_frame(setup.pool, 0, 1, i, 2000, 1);
			assert_int_equal(rte_pktmbuf_chain(m, part), 0);
		}
		m->l4_len = sizeof(struct rte_tcp_hdr);
		m->tso_segsz = 1400;
		m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_SEG;
		assert_int_equal(rte_eth_tx_prepare(world.ids[0], 0, &m, 1), 1);
		assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
		peer_forward(&world.peer);
		assert_int_equal(rte_eth_rx_burst(world.ids[1], 0, &m, 1), granted);
		assert_int_equal(rte_eth_stats_get(world.ids[0], &stats), 0);
		assert_int_equal(stats.oerrors, !granted);
		assert_int_equal(xstat(world.ids[0], "tx_q0_offload_not_granted"), !granted);
		if (granted) {
			assert_int_equal(m->pkt_len, 42 + 1900 + 9 * 2000);
			assert_int_equal(m->tso_segsz, 1400);
			assert_true(m->ol_flags & RTE_MBUF_F_RX_LRO);
			rte_mbuf_sanity_check(m, 1);
			rte_pktmbuf_free(m);
		}
		world_close(&world);
	}
	free_pool(setup.pool);
}

/* Promiscuous and allmulticast decide what the switch sends here. */
static void test_receive_modes(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, 0, make_pool(255, 2048)};
	struct world world;
	struct rte_mbuf *m;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	for (unsigned int mode = 0; mode < 3; mode++) {
		if (mode == 1)
			assert_int_equal(rte_eth_allmulticast_enable(world.ids[1]), 0);
		if (mode == 2)
			assert_int_equal(rte_eth_promiscuous_enable(world.ids[1]), 0);
		/* to an address that no port has, and to a group */
		for (unsigned int kind = 0; kind < 2; kind++) {
			m = make_frame(setup.pool, 0, 99, 1, 200, 1);
			if (kind)
				*rte_pktmbuf_mtod(m, uint8_t *) = 1;
			assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
			peer_forward(&world.peer);
			assert_int_equal(drain(world.ids[1], 1), mode + kind >= 2);
		}
	}
	world_close(&world);
	free_pool(setup.pool);
}

/* The driver kicks if the switch wants it, and only then. */
static void test_kicks(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, 0, make_pool(255, 2048)};

	(void)state;
	for (unsigned int wanted = 0; wanted < 2; wanted++) {
		struct world world;
		struct rte_mbuf *m;

		world_open(&world, 2, "");
		world.peer.ports[0].policy.flags = wanted ? RVS_KICK : 0;
		world_start(&world, &setup);
		for (unsigned int i = 0; i < 50; i++) {
			m = make_frame(setup.pool, 0, 1, i, 200, 1);
			assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
			peer_forward(&world.peer);
		}
		assert_int_equal(drain(world.ids[1], 1), 50);
		assert_int_equal(xstat(world.ids[0], "tx_q0_kicks"), wanted * 50);
		world_close(&world);
	}
	free_pool(setup.pool);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	     cmocka_unit_test(test_queues),
		cmocka_unit_test(test_segments),     cmocka_unit_test(test_jumbo_scattered),
		cmocka_unit_test(test_jumbo_whole),  cmocka_unit_test(test_full_rings),
		cmocka_unit_test(test_bad_frames),   cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_segmentation), cmocka_unit_test(test_receive_modes),
		cmocka_unit_test(test_kicks),
	};
	/* with zero_copy=1 it is another thing; see test_zero_copy.c */
	const struct CMUnitTest copying[] = {
		cmocka_unit_test(test_mempool_exhausted),
		cmocka_unit_test(test_mempool_exhausted_in_chain),
		cmocka_unit_test(test_shared_mbufs),
	};
	int failed;

	choose_buffers(argc, argv);
	if (start_dpdk(NULL))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (buffers == COPIED)
		failed += cmocka_run_group_tests(copying, NULL, NULL);
	stop_dpdk(NULL);
	return failed;
}
