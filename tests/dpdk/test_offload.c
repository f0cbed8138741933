// SPDX-License-Identifier: Apache-2.0
/*
 * Checksums and segmentation as DPDK's interface asks for them: what a flag implies is done, too,
 * and what the driver cannot do is refused and counted. Sums are computed here, from the RFCs, not
 * by the functions that the driver has.
 */
#include "ports.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#define ETHER 14
#define MSS   1000

static const uint64_t csum_tx = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
				RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

static struct setup with_tso(void)
{
	return (struct setup){
		1,
		64,
		64,
		1500,
		RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
			RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER,
		csum_tx | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
		make_pool(255, 4096),
	};
}

/* Ones' complement sum of bytes, RFC 1071. */
static uint16_t sum_of(uint32_t sum, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The pseudo header's, RFC 793 and 8200. */
static uint16_t pseudo_of(const uint8_t *addresses, uint32_t bytes, uint8_t protocol,
			  uint32_t length)
{
	return sum_of((uint32_t)protocol + length, addresses, bytes);
}

/* Ethernet, an IPv4 header with 8 bytes of options, TCP, payload, padding. */
static struct rte_mbuf *tcp4(struct rte_mempool *pool, uint32_t payload, uint32_t padding)
{
	const uint32_t length = 28 + 20 + payload;
	struct rte_mbuf *m = make_frame(pool, 0, 1, 5, RTE_MAX(ETHER + length + padding, 64u), 1);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	const uint8_t ip[28] = {0x47,
				0,
				(uint8_t)(length >> 8),
				(uint8_t)length,
				0,
				0,
				0,
				0,
				64,
				IPPROTO_TCP,
				0,
				0,
				10,
				0,
				0,
				1,
				10,
				0,
				0,
				2,
				1,
				1,
				1,
				1,
				1,
				1,
				1,
				1};

	frame[12] = 8;
	frame[13] = 0;
	memcpy(frame + ETHER, ip, sizeof(ip));
	memset(frame + ETHER + 28, 0, 20);
	frame[ETHER + 28 + 12] = 0x50;
	memset(frame + ETHER + length, 0, padding);
	m->data_len = (uint16_t)(ETHER + length + padding);
	m->pkt_len = m->data_len;
	m->l2_len = ETHER;
	m->l3_len = 28;
	m->l4_len = 20;
	m->tso_segsz = MSS;
	m->ol_flags = RTE_MBUF_F_TX_IPV4;
	return m;
}

/* By prepare, burst and switch to the other port. */
static struct rte_mbuf *pass(struct world *world, struct rte_mbuf *m)
{
	assert_int_equal(rte_eth_tx_prepare(world->ids[0], 0, &m, 1), 1);
	assert_int_equal(rte_eth_tx_burst(world->ids[0], 0, &m, 1), 1);
	peer_forward(&world->peer);
	assert_int_equal(rte_eth_rx_burst(world->ids[1], 0, &m, 1), 1);
	return m;
}

static bool ip_sum_right(struct rte_mbuf *m)
{
	return sum_of(0, rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER), 28) == 0xffff;
}

/* TCP_SEG over IPv4, with the IP checksum asked for or only implied, of any size. */
static void test_segmentation_implies_ip_checksum(void **state)
{
	static const uint32_t sizes[] = {0, 1, MSS - 1, MSS, MSS + 1, 1900, 3500};
	struct setup setup = with_tso();
	struct world world;

	(void)state;
	world_open(&world, 2, "tso=1");
	world_start(&world, &setup);
	for (size_t i = 0; i < 2 * RTE_DIM(sizes); i++) {
		const uint32_t size = sizes[i / 2];
		struct rte_mbuf *m = tcp4(setup.pool, size, 0);
		const uint8_t *frame;

		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (i % 2 ? RTE_MBUF_F_TX_IP_CKSUM : 0);
		m = pass(&world, m);
		frame = rte_pktmbuf_mtod(m, uint8_t *);
		assert_int_equal(m->pkt_len, ETHER + 48 + size);
		assert_true(ip_sum_right(m));
		/* the pseudo header's sum has the length */
		assert_int_equal((frame[ETHER + 28 + 16] << 8 | frame[ETHER + 28 + 17]),
				 pseudo_of(frame + ETHER + 12, 8, IPPROTO_TCP, 20 + size));
		assert_int_equal(!!(m->ol_flags & RTE_MBUF_F_RX_LRO), size > MSS);
		rte_pktmbuf_free(m);
	}
	world_close(&world);
	free_pool(setup.pool);
}

/* An acknowledgement, padded, for a switch that grants nothing: the driver's sum leaves the padding
 * out of the length. */
static void test_segmentation_of_nothing(void **state)
{
	struct setup setup = with_tso();

	(void)state;
	for (uint32_t payload = 0; payload < 3; payload++) {
		struct world world;
		struct rte_mbuf *m;
		const uint8_t *ip;

		world_open(&world, 2, "tso=1");
		world.peer.ports[0].policy.features = 0;
		world_start(&world, &setup);
		m = tcp4(setup.pool, payload, 6);
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m = pass(&world, m);
		ip = rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER);
		assert_true(ip_sum_right(m));
		assert_int_equal(sum_of(pseudo_of(ip + 12, 8, IPPROTO_TCP, 20 + payload), ip + 28,
					20 + payload),
				 0xffff);
		rte_pktmbuf_free(m);
		world_close(&world);
	}
	free_pool(setup.pool);
}

static void test_ip_checksum_alone(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, csum_tx, make_pool(255, 2048)};
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	for (unsigned int garbage = 0; garbage < 2; garbage++) {
		struct rte_mbuf *m = tcp4(setup.pool, 100, 0);

		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
		rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, ETHER)->hdr_checksum =
			(uint16_t)(garbage * 0x1234);
		m = pass(&world, m);
		assert_true(ip_sum_right(m));
		rte_pktmbuf_free(m);
	}
	assert_int_equal(xstat(world.ids[0], "tx_q0_checksums_computed"), 2);
	world_close(&world);
	free_pool(setup.pool);
}

enum extension {
	NONE,
	OPTIONS,
	TWO_OPTIONS,
	USED_ROUTE,
	ROUTE,
	FRAGMENT,
};

/* UDP behind the extension headers; 101 bytes of payload. */
static struct rte_mbuf *udp6(struct rte_mempool *pool, enum extension kind)
{
	static const uint8_t first[] = {IPPROTO_UDP,	 IPPROTO_DSTOPTS, IPPROTO_HOPOPTS,
					IPPROTO_ROUTING, IPPROTO_ROUTING, IPPROTO_FRAGMENT};
	const uint32_t extension = kind == NONE ? 0 : kind == TWO_OPTIONS ? 24 : 8;
	const uint32_t bytes = 8 + 101;
	struct rte_mbuf *m = make_frame(pool, 0, 1, 3, ETHER + 40 + extension + bytes, 1);
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER);

	ip[-2] = 0x86;
	ip[-1] = 0xdd;
	memset(ip, 0, 40 + extension + 8);
	ip[0] = 0x60;
	ip[5] = (uint8_t)(extension + bytes);
	ip[6] = first[kind];
	ip[8] = ip[24] = 0xfd;
	ip[23] = 1;
	ip[39] = 2;
	if (extension)
		ip[40] = kind == TWO_OPTIONS ? IPPROTO_DSTOPTS : IPPROTO_UDP;
	if (kind == TWO_OPTIONS) {
		ip[48] = IPPROTO_UDP;
		ip[49] = 1; /* 16 bytes */
	}
	if (kind == ROUTE)
		ip[43] = 1;
	ip[40 + extension + 5] = (uint8_t)bytes;
	m->l2_len = ETHER;
	m->l3_len = 40 + extension;
	m->ol_flags = RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM;
	return m;
}

static void test_ipv6_extensions(void **state)
{
	struct setup setup = {1, 64, 64, 1500, 0, csum_tx, make_pool(255, 2048)};

	(void)state;
	for (int granted = 0; granted < 2; granted++) {
		struct world world;

		world_open(&world, 2, "");
		world.peer.ports[0].policy.features = granted ? RVIF_F_CSUM : 0;
		world_start(&world, &setup);
		for (enum extension kind = NONE; kind <= FRAGMENT; kind++) {
			struct rte_mbuf *m = udp6(setup.pool, kind);
			const uint32_t l4 = ETHER + m->l3_len;
			const uint8_t *frame;

			if (kind >= ROUTE) {
				/* the sum would be another destination's, or a part's */
				rte_errno = 0;
				assert_int_equal(rte_eth_tx_prepare(world.ids[0], 0, &m, 1), 0);
				assert_int_equal(rte_errno, ENOTSUP);
				rte_pktmbuf_free(m);
				continue;
			}
			m = pass(&world, m);
			frame = rte_pktmbuf_mtod(m, uint8_t *);
			assert_int_equal(sum_of(pseudo_of(frame + ETHER + 8, 32, IPPROTO_UDP, 109),
						frame + l4, 109),
					 0xffff);
			rte_pktmbuf_free(m);
		}
		world_close(&world);
	}
	free_pool(setup.pool);
}

/* Flags for what the driver never offered, and fields that make no sense: refused, counted, not
 * half done. */
static void test_what_cannot_be(void **state)
{
	static const uint64_t flags[] = {
		RTE_MBUF_F_TX_VLAN,
		RTE_MBUF_F_TX_QINQ,
		RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_IPV4,
		RTE_MBUF_F_TX_OUTER_UDP_CKSUM,
		RTE_MBUF_F_TX_UDP_SEG,
		RTE_MBUF_F_TX_MACSEC,
		RTE_MBUF_F_TX_SEC_OFFLOAD,
		RTE_MBUF_F_TX_IEEE1588_TMST,
		RTE_MBUF_F_TX_SCTP_CKSUM,
		RTE_MBUF_F_TX_TUNNEL_VXLAN | RTE_MBUF_F_TX_TCP_SEG,
	};
	struct setup setup = with_tso();
	struct rte_eth_stats stats;
	struct world world;
	struct rte_mbuf *m;

	(void)state;
	world_open(&world, 2, "tso=1");
	world_start(&world, &setup);
	for (size_t i = 0; i < RTE_DIM(flags) + 5; i++) {
		const size_t field = i - RTE_DIM(flags);

		m = tcp4(setup.pool, 1400, 0);
		m->ol_flags |= i < RTE_DIM(flags) ? flags[i] : RTE_MBUF_F_TX_TCP_SEG;
		if (field == 0)
			m->l3_len = 12;
		if (field == 1)
			m->l3_len = 64;
		if (field == 2)
			m->tso_segsz = 0;
		if (field == 3)
			m->l4_len = 12;
		if (field == 4)
			m->ol_flags = RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_IP_CKSUM;
		rte_errno = 0;
		assert_int_equal(rte_eth_tx_prepare(world.ids[0], 0, &m, 1), 0);
		assert_int_equal(rte_errno, i < RTE_DIM(flags) ? ENOTSUP : EINVAL);
		assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
	}
	assert_int_equal(peer_forward(&world.peer), 0);
	assert_int_equal(rte_eth_stats_get(world.ids[0], &stats), 0);
	assert_int_equal(stats.oerrors, RTE_DIM(flags) + 5);
	assert_int_equal(xstat(world.ids[0], "tx_q0_offload_not_granted"), RTE_DIM(flags));
	/* flags that only say what a frame is */
	m = tcp4(setup.pool, 100, 0);
	m->ol_flags |= RTE_MBUF_F_TX_OUTER_IPV4 | RTE_MBUF_F_TX_TUNNEL_VXLAN;
	rte_pktmbuf_free(pass(&world, m));
	world_close(&world);
	free_pool(setup.pool);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segmentation_implies_ip_checksum),
		cmocka_unit_test(test_segmentation_of_nothing),
		cmocka_unit_test(test_ip_checksum_alone),
		cmocka_unit_test(test_ipv6_extensions),
		cmocka_unit_test(test_what_cannot_be),
	};

	choose_buffers(argc, argv);
	return cmocka_run_group_tests(tests, start_dpdk, stop_dpdk);
}
