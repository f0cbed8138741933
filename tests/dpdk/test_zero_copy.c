// SPDX-License-Identifier: Apache-2.0
/*
 * zero_copy=1: what is sent in place and what is copied, and that each mbuf goes back exactly once,
 * whatever becomes of the frame, of the switch or of the port. Pools count their mbufs.
 */
#include "ports.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define RING 64

/* Two ports with frames of up to 1514 bytes. */
struct pair {
	struct world world;
	struct setup setup;
	unsigned int idle; /* mbufs that are out when nothing is on its way */
};

static void open_pair_of(struct pair *pair, unsigned int count)
{
	pair->setup = (struct setup){.queues = 1,
				     .rx_descriptors = RING,
				     .tx_descriptors = RING,
				     .mtu = 1500,
				     .rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER,
				     .tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS |
						    RTE_ETH_TX_OFFLOAD_UDP_CKSUM,
				     .pool = make_pool(count, 2048)};
	world_open(&pair->world, 2, "");
	world_start(&pair->world, &pair->setup);
	pair->idle = rte_mempool_in_use_count(pair->setup.pool);
}

static void open_pair(struct pair *pair)
{
	open_pair_of(pair, 511);
	assert_int_equal(pair->idle, 2 * RING);
}

static void close_pair(struct pair *pair)
{
	world_close(&pair->world);
	free_pool(pair->setup.pool);
}

static void send_one(struct pair *pair, struct rte_mbuf *m)
{
	assert_int_equal(rte_eth_tx_burst(pair->world.ids[0], 0, &m, 1), 1);
}

static struct rte_mbuf *receive_one(struct pair *pair)
{
	struct rte_mbuf *m;

	peer_forward(&pair->world.peer);
	assert_int_equal(rte_eth_rx_burst(pair->world.ids[1], 0, &m, 1), 1);
	return m;
}

static void receive_and_check(struct pair *pair, uint32_t seed)
{
	struct rte_mbuf *m = receive_one(pair);

	assert_int_equal(check_frame(m), seed);
	rte_pktmbuf_free(m);
}

/* A pool of no receive queue. Its first mbufs may lie in a page with those of another pool, which
 * is shared as a whole, and are the last ones to be had again. */
static struct rte_mempool *make_other_pool(void)
{
	const enum buffers before = buffers;
	struct rte_mbuf *first[32];
	struct rte_mempool *pool;

	buffers = NATIVE; /* nothing can be attached to mbufs of pinned ones */
	pool = make_pool(255, 2048);
	buffers = before;
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, first, 32), 0);
	rte_pktmbuf_free_bulk(first, 32);
	return pool;
}

static uint64_t copied(const struct pair *pair)
{
	return xstat(pair->world.ids[0], "tx_q0_copied");
}

/* What is written to the mbuf behind the burst is what the switch reads: there was no copy. */
static void test_in_place(void **state)
{
	struct pair pair;
	struct rte_mbuf *m, *got;

	(void)state;
	open_pair(&pair);
	for (unsigned int segments = 1; segments <= 3; segments += 2) {
		m = make_frame(pair.setup.pool, 0, 1, 1, 1000, segments);
		send_one(&pair, m);
		*rte_pktmbuf_mtod_offset(m, uint8_t *, 60) ^= 0xff;
		got = receive_one(&pair);
		*rte_pktmbuf_mtod_offset(got, uint8_t *, 60) ^= 0xff;
		assert_int_equal(check_frame(got), 1);
		rte_pktmbuf_free(got);
	}
	assert_int_equal(copied(&pair), 0);
	close_pair(&pair);
}

/* A pool of no receive queue of the port; and segments of both kinds. */
static void test_elsewhere(void **state)
{
	struct rte_mempool *other = make_other_pool();
	struct pair pair;
	struct rte_mbuf *m;

	(void)state;
	open_pair(&pair);
	send_one(&pair, make_frame(other, 0, 1, 1, 1000, 1));
	assert_int_equal(rte_mempool_in_use_count(other), 0);
	receive_and_check(&pair, 1);
	m = make_frame(pair.setup.pool, 0, 1, 2, 1400, 2);
	rte_pktmbuf_free(m->next);
	m->next = rte_pktmbuf_alloc(other);
	m->next->data_len = 700;
	memset(rte_pktmbuf_mtod(m->next, void *), 0, 700);
	send_one(&pair, m);
	assert_int_equal(rte_mempool_in_use_count(other), 0);
	m = receive_one(&pair);
	assert_int_equal(m->pkt_len, 1400);
	rte_pktmbuf_free(m);
	assert_int_equal(copied(&pair), 2);
	close_pair(&pair);
	free_pool(other);
}

/* Shapes that a descriptor cannot have: no data, a head shorter than Ethernet's, too many parts. */
static void test_odd_segments(void **state)
{
	struct pair pair;
	struct rte_mbuf *m, *part;

	(void)state;
	open_pair(&pair);
	/* an empty one in the middle and one at the end */
	m = make_frame(pair.setup.pool, 0, 1, 1, 1000, 2);
	part = rte_pktmbuf_alloc(pair.setup.pool);
	part->next = m->next;
	m->next = part;
	m->nb_segs++;
	assert_int_equal(rte_pktmbuf_chain(m, rte_pktmbuf_alloc(pair.setup.pool)), 0);
	send_one(&pair, m);
	receive_and_check(&pair, 1);
	assert_int_equal(copied(&pair), 0);
	/* 10 bytes in the first one */
	m = rte_pktmbuf_alloc(pair.setup.pool);
	part = make_frame(pair.setup.pool, 0, 1, 2, 1000, 1);
	memcpy(rte_pktmbuf_append(m, 10), rte_pktmbuf_mtod(part, void *), 10);
	rte_pktmbuf_adj(part, 10);
	assert_int_equal(rte_pktmbuf_chain(m, part), 0);
	send_one(&pair, m);
	receive_and_check(&pair, 2);
	assert_int_equal(copied(&pair), 1);
	/* more than a frame's descriptors */
	m = make_frame(pair.setup.pool, 0, 1, 3, 100, 1);
	rte_pktmbuf_trim(m, 70);
	for (unsigned int i = 0; i < 70; i++) {
		uint8_t *to;

		part = rte_pktmbuf_alloc(pair.setup.pool);
		to = (uint8_t *)rte_pktmbuf_append(part, 1);
		*to = *(rte_pktmbuf_mtod_offset(m, uint8_t *, 30) + i);
		assert_int_equal(rte_pktmbuf_chain(m, part), 0);
	}
	send_one(&pair, m);
	receive_and_check(&pair, 3);
	assert_int_equal(copied(&pair), 2);
	close_pair(&pair);
}

/* Other holders of an mbuf, or of its data, keep it: the driver lets go once, and not before the
 * switch is done. */
static void test_other_holders(void **state)
{
	struct rte_mempool *other = make_other_pool();
	struct pair pair;
	struct rte_mbuf *m, *clone;

	(void)state;
	open_pair(&pair);
	m = make_frame(pair.setup.pool, 0, 1, 1, 700, 1);
	rte_mbuf_refcnt_update(m, 1);
	send_one(&pair, m);
	assert_int_equal(rte_mbuf_refcnt_read(m), 2);
	receive_and_check(&pair, 1);
	for (unsigned int i = 0; i < RING; i++) {
		send_one(&pair, make_frame(pair.setup.pool, 0, 1, 2, 60, 1));
		receive_and_check(&pair, 2);
	}
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	assert_int_equal(check_frame(m), 1);

	/* indirect, of a pool that is not shared, to data that is */
	clone = rte_pktmbuf_clone(m, other);
	assert_non_null(clone);
	rte_pktmbuf_free(m);
	send_one(&pair, clone);
	assert_int_equal(rte_mempool_in_use_count(other), 1);
	receive_and_check(&pair, 1);
	assert_int_equal(copied(&pair), 0);
	close_pair(&pair);
	free_pool(other);
}

static void count_free(void *address, void *opaque)
{
	(void)address;
	++*(unsigned int *)opaque;
}

/* Data that the application attached: copied, and free at once. */
static void test_attached_data(void **state)
{
	static uint8_t data[2048 + sizeof(struct rte_mbuf_ext_shared_info)]
		__attribute__((aligned(64)));
	struct rte_mempool *other = make_other_pool();
	uint16_t room = sizeof(data);
	unsigned int freed = 0;
	struct rte_mbuf_ext_shared_info *info;
	struct rte_mbuf *m, *frame;
	struct pair pair;

	(void)state;
	open_pair(&pair);
	info = rte_pktmbuf_ext_shinfo_init_helper(data, &room, count_free, &freed);
	m = rte_pktmbuf_alloc(other);
	frame = make_frame(pair.setup.pool, 0, 1, 1, 900, 1);
	rte_pktmbuf_attach_extbuf(m, data, RTE_BAD_IOVA, room, info);
	memcpy(rte_pktmbuf_append(m, 900), rte_pktmbuf_mtod(frame, void *), 900);
	rte_pktmbuf_free(frame);
	send_one(&pair, m);
	assert_int_equal(freed, 1);
	receive_and_check(&pair, 1);
	assert_int_equal(copied(&pair), 1);
	close_pair(&pair);
	free_pool(other);
}

/* The driver writes a checksum into a copy of the head: others may read the mbuf. */
static void test_checksum_in_shared_mbuf(void **state)
{
	struct pair pair;
	uint8_t before[300];

	(void)state;
	open_pair(&pair);
	for (unsigned int granted = 0; granted < 2; granted++) {
		struct rte_mbuf *m = make_frame(pair.setup.pool, 0, 1, 1, sizeof(before), 1), *got;
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, 14);

		peer_hold(&pair.world.peer, 0);
		pair.world.peer.ports[0].policy.features = granted ? RVIF_F_CSUM : 0;
		peer_release(&pair.world.peer, 0);
		rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->ether_type =
			RTE_BE16(RTE_ETHER_TYPE_IPV4);
		*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
					    .total_length = RTE_BE16(sizeof(before) - 14),
					    .next_proto_id = IPPROTO_UDP};
		*(struct rte_udp_hdr *)(ip + 1) =
			(struct rte_udp_hdr){.dgram_len = RTE_BE16(sizeof(before) - 34)};
		m->l2_len = 14;
		m->l3_len = 20;
		m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
		assert_int_equal(rte_eth_tx_prepare(pair.world.ids[0], 0, &m, 1), 1);
		memcpy(before, rte_pktmbuf_mtod(m, void *), sizeof(before));
		rte_mbuf_refcnt_update(m, 1);
		send_one(&pair, m);
		got = receive_one(&pair);
		assert_memory_equal(before, rte_pktmbuf_mtod(m, void *), sizeof(before));
		ip = rte_pktmbuf_mtod_offset(got, struct rte_ipv4_hdr *, 14);
		assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip, ip + 1), 0);
		rte_pktmbuf_free(got);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(copied(&pair), 0);
	close_pair(&pair);
}

static void send_frames(struct pair *pair, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		send_one(pair, make_frame(pair->setup.pool, 0, 1, i, 400, 1 + i % 3));
}

/* Frames on their way in both directions when the port stops: all come back. */
static void test_stop_in_flight(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair);
	for (unsigned int i = 0; i < 10; i++) {
		send_frames(&pair, 20);
		if (i & 1)
			peer_forward(&pair.world.peer);
		for (unsigned int p = 0; p < 2; p++) {
			peer_hold(&pair.world.peer, p);
			assert_int_equal(rte_eth_dev_stop(pair.world.ids[p]), 0);
			peer_release(&pair.world.peer, p);
		}
		assert_int_equal(rte_mempool_in_use_count(pair.setup.pool), 0);
		for (unsigned int p = 0; p < 2; p++)
			assert_int_equal(rte_eth_dev_start(pair.world.ids[p]), 0);
		peer_control(&pair.world.peer);
		assert_int_equal(rte_mempool_in_use_count(pair.setup.pool), pair.idle);
		send_one(&pair, make_frame(pair.setup.pool, 0, 1, 5, 1000, 2));
		receive_and_check(&pair, 5);
	}
	close_pair(&pair);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A switch that dies holds nothing: its lock on the file is gone. Its successor goes on with what
 * it held. */
static void test_switch_dies(void **state)
{
	struct pair pair;
	double start;

	(void)state;
	open_pair(&pair);
	send_frames(&pair, 10);
	peer_kill(&pair.world.peer);
	send_frames(&pair, 10);
	start = now();
	for (unsigned int p = 0; p < 2; p++)
		assert_int_equal(rte_eth_dev_stop(pair.world.ids[p]), 0);
	assert_true(now() - start < 0.4);
	assert_int_equal(rte_mempool_in_use_count(pair.setup.pool), 0);
	for (unsigned int p = 0; p < 2; p++)
		assert_int_equal(rte_eth_dev_start(pair.world.ids[p]), 0);
	send_frames(&pair, 1);
	peer_close(&pair.world.peer);
	assert_int_equal(peer_open(&pair.world.peer,
				   (const char *[]){pair.world.paths[0], pair.world.paths[1]}, 2),
			 0);
	peer_control(&pair.world.peer);
	receive_and_check(&pair, 0);
	close_pair(&pair);
}

/* Rings that the pool cannot fill work with what there is. */
static void test_small_pool(void **state)
{
	struct rte_mempool *other = make_other_pool();
	struct rte_eth_stats stats;
	struct pair pair;

	(void)state;
	open_pair_of(&pair, RING + 20);
	assert_int_equal(pair.idle, RING + 20);
	for (unsigned int i = 0; i < 3 * RING; i++) {
		send_one(&pair, make_frame(other, 0, 1, i, 100, 1));
		receive_and_check(&pair, i);
	}
	assert_int_equal(rte_eth_stats_get(pair.world.ids[1], &stats), 0);
	assert_true(stats.rx_nombuf > 0);
	close_pair(&pair);
	free_pool(other);
}

/* The application keeps all that it gets until there is no mbuf left; then it gives all back. */
static void test_application_keeps_all(void **state)
{
	struct rte_mempool *other = make_other_pool();
	struct rte_mbuf *held[4 * RING];
	struct rte_eth_stats stats;
	struct pair pair;

	(void)state;
	open_pair_of(&pair, 3 * RING);
	for (unsigned int round = 0; round < 2; round++) {
		unsigned int count = 0;

		for (unsigned int i = 0; i < 4 * RING; i++) {
			send_one(&pair, make_frame(other, 0, 1, i, 100, 1));
			peer_forward(&pair.world.peer);
			count += rte_eth_rx_burst(pair.world.ids[1], 0, held + count, 8);
		}
		assert_int_equal(count, 2 * RING);
		assert_int_equal(rte_eth_stats_get(pair.world.ids[1], &stats), 0);
		assert_int_equal(stats.imissed, (round + 1) * 2 * RING);
		assert_true(stats.rx_nombuf > 0);
		for (unsigned int i = 0; i < count; i++)
			assert_int_equal(check_frame(held[i]), i);
		rte_pktmbuf_free_bulk(held, count);
		/* looks for mbufs anew */
		assert_int_equal(rte_eth_rx_burst(pair.world.ids[1], 0, held, 1), 0);
	}
	close_pair(&pair);
	free_pool(other);
}

static struct rvif_queue *tx_control(struct pair *pair)
{
	uint8_t *region = pair->world.peer.ports[0].map.region;
	struct rvif_layout layout;

	assert_int_equal(rvif_layout(&((struct rvif_header *)(void *)region)->config, &layout),
			 RVIF_OK);
	return rvif_tx_queue(region, &layout, 0);
}

/* A switch that says it is done with more than there is, or again with the same: of what the driver
 * posted each mbuf goes back once. */
static void test_false_completions(void **state)
{
	const unsigned int frames = 40; /* more than may be out before the driver looks */
	const struct {
		uint32_t completed;
		unsigned int freed;
	} steps[] = {{frames + 1, 0}, {1000, 0}, {1u << 31, 0}, {UINT32_MAX, 0},
		     {5, 5},	      {4, 5},	 {5, 5},	{frames, frames}};
	struct pair pair;
	struct rte_mbuf *none[1];

	(void)state;
	open_pair(&pair);
	for (unsigned int i = 0; i < frames; i++)
		send_one(&pair, make_frame(pair.setup.pool, 0, 1, i, 400, 1));
	for (size_t i = 0; i < RTE_DIM(steps); i++) {
		rvif_store(&tx_control(&pair)->completed, steps[i].completed);
		assert_int_equal(rte_eth_tx_burst(pair.world.ids[0], 0, none, 0), 0);
		assert_int_equal(rte_mempool_in_use_count(pair.setup.pool),
				 pair.idle + frames - steps[i].freed);
	}
	peer_kill(&pair.world.peer);
	close_pair(&pair);
}

/* Memory that no file is behind cannot be shared. */
static void test_memory_without_file(void **state)
{
	const size_t size = 4 << 20;
	struct rte_pktmbuf_extmem memory = {.buf_len = size, .elt_size = 2176};
	struct setup setup = {1, RING, RING, 1500, 0, 0, NULL};
	struct world world;

	(void)state;
	memory.buf_ptr =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory.buf_ptr, MAP_FAILED);
	memory.buf_iova = RTE_BAD_IOVA;
	setup.pool = rte_pktmbuf_pool_create_extbuf("anonymous", 255, 0, 0, 2176, SOCKET_ID_ANY,
						    &memory, 1);
	assert_non_null(setup.pool);
	world_open(&world, 1, "");
	port_setup(world.ids[0], &setup);
	assert_true(rte_eth_dev_start(world.ids[0]) < 0);
	world_close(&world);
	free_pool(setup.pool);
	munmap(memory.buf_ptr, size);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_odd_segments),
		cmocka_unit_test(test_other_holders),
		cmocka_unit_test(test_attached_data),
		cmocka_unit_test(test_checksum_in_shared_mbuf),
		cmocka_unit_test(test_stop_in_flight),
		cmocka_unit_test(test_switch_dies),
		cmocka_unit_test(test_small_pool),
		cmocka_unit_test(test_application_keeps_all),
		cmocka_unit_test(test_false_completions),
		cmocka_unit_test(test_memory_without_file),
	};

	choose_buffers(argc, argv);
	return cmocka_run_group_tests(tests, start_dpdk, stop_dpdk);
}
