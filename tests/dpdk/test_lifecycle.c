// SPDX-License-Identifier: Apache-2.0
/*
 * Start, stop, close, removal, and a switch that comes and goes, in many orders: no step may crash,
 * leak an mbuf or leave a file, and whenever both sides are up, frames flow.
 */
#include "ports.h"

#include <errno.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct setup basic(void)
{
	return (struct setup){1, 64, 64, 1500, 0, 0, make_pool(511, 2048)};
}

static void assert_flow(struct world *world, struct rte_mempool *pool, bool flows)
{
	struct rte_mbuf *m = make_frame(pool, 0, 1, 3, 300, 1);

	if (!rte_eth_tx_burst(world->ids[0], 0, &m, 1))
		rte_pktmbuf_free(m);
	peer_forward(&world->peer);
	if (!rte_eth_rx_burst(world->ids[1], 0, &m, 1)) {
		assert_false(flows);
		return;
	}
	assert_true(flows);
	check_frame(m);
	rte_pktmbuf_free(m);
}

/* rte_eth_dev_stop waits for the switch, which runs in this thread: it is held first. */
static void stop_port(struct world *world, unsigned int port)
{
	peer_hold(&world->peer, port);
	assert_int_equal(rte_eth_dev_stop(world->ids[port]), 0);
	assert_false(link_up(world->ids[port]));
	peer_release(&world->peer, port);
}

static void test_stop_and_start(void **state)
{
	struct setup setup = basic();
	struct world world;

	(void)state;
	world_open(&world, 2, "queues=4");
	world_start(&world, &setup);
	for (unsigned int i = 0; i < 50; i++) {
		assert_flow(&world, setup.pool, true);
		stop_port(&world, i & 1);
		assert_int_equal(rte_eth_dev_start(world.ids[i & 1]), 0);
		peer_control(&world.peer);
		assert_true(link_up(world.ids[i & 1]));
	}
	assert_flow(&world, setup.pool, true);
	world_close(&world);
	free_pool(setup.pool);
}

/* With other queues, rings and MTU: the region has to grow and may stay larger. */
static void test_reconfigure(void **state)
{
	struct setup setup = basic();
	struct world world;

	(void)state;
	free_pool(setup.pool);
	setup.pool = make_pool(2047, 2048);
	srand(1);
	world_open(&world, 2, "queues=4");
	world_start(&world, &setup);
	setup.rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER;
	for (unsigned int i = 0; i < 40; i++) {
		stop_port(&world, 1);
		setup.queues = (uint16_t)(1 + rand() % 4);
		setup.rx_descriptors = (uint16_t)(8 + rand() % 300);
		setup.tx_descriptors = (uint16_t)(8 + rand() % 300);
		setup.mtu = (uint16_t)(1500 + rand() % 7500);
		port_setup(world.ids[1], &setup);
		assert_int_equal(rte_eth_dev_start(world.ids[1]), 0);
		peer_control(&world.peer);
		assert_true(link_up(world.ids[1]));
		/* one flow goes to one queue, which may be any */
		for (uint16_t q = 0; q < setup.queues; q++) {
			struct rte_mbuf *m = make_frame(setup.pool, 0, 1, q, 300, 1);

			assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, &m, 1), 1);
			peer_forward(&world.peer);
			for (uint16_t r = 0; r < setup.queues; r++)
				if (rte_eth_rx_burst(world.ids[1], r, &m, 1)) {
					assert_int_equal(check_frame(m), q);
					rte_pktmbuf_free(m);
				}
		}
		if (buffers == COPIED)
			assert_int_equal(rte_mempool_in_use_count(setup.pool), 0);
	}
	world_close(&world);
	free_pool(setup.pool);
}

/* A switch that does not let go: the port stops anyway, and starts with a new file. */
static void test_switch_hangs(void **state)
{
	struct setup setup = basic();
	struct world world;
	uint64_t inode;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	inode = world.peer.ports[1].map.inode;
	assert_int_equal(rte_eth_dev_stop(world.ids[1]), 0);
	assert_int_equal(rte_eth_dev_start(world.ids[1]), 0);
	assert_false(link_up(world.ids[1]));
	assert_flow(&world, setup.pool, false);
	peer_control(&world.peer);
	assert_true(inode != world.peer.ports[1].map.inode);
	assert_true(link_up(world.ids[1]));
	assert_flow(&world, setup.pool, true);
	world_close(&world);
	if (buffers == COPIED) {
		free_pool(setup.pool);
		return;
	}
	/* what the switch may still write to is never used again */
	assert_int_equal(rte_mempool_in_use_count(setup.pool), setup.rx_descriptors);
	lose_pool(setup.pool);
}

static void test_switch_comes_and_goes(void **state)
{
	struct setup setup = basic();
	struct rte_eth_stats stats;
	struct rte_mbuf *m;
	struct world world;
	unsigned int taken;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	for (unsigned int i = 0; i < 20; i++) {
		peer_hold(&world.peer, 0);
		assert_false(link_up(world.ids[0]));
		for (taken = 0; taken < 100; taken++) {
			m = make_frame(setup.pool, 0, 1, taken, 100, 1);
			if (!rte_eth_tx_burst(world.ids[0], 0, &m, 1)) {
				rte_pktmbuf_free(m);
				break;
			}
		}
		assert_int_equal(taken, 64);
		peer_release(&world.peer, 0);
		assert_true(link_up(world.ids[0]));
		/* the rings went on where they were */
		while (peer_forward(&world.peer))
			;
		for (taken = 0; rte_eth_rx_burst(world.ids[1], 0, &m, 1); taken++) {
			assert_int_equal(check_frame(m), taken);
			rte_pktmbuf_free(m);
		}
		assert_int_equal(taken, 64);
	}
	assert_int_equal(rte_eth_stats_get(world.ids[1], &stats), 0);
	assert_int_equal(stats.ipackets, 20 * 64);
	world_close(&world);
	free_pool(setup.pool);
}

static void test_refused(void **state)
{
	struct setup setup = basic();
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	memcpy(world.peer.ports[0].policy.mac, "\x02\x11\x11\x11\x11\x11", 6);
	port_setup(world.ids[0], &setup);
	assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
	peer_control(&world.peer);
	assert_false(link_up(world.ids[0]));
	assert_false(link_up(world.ids[0]));
	world_close(&world);
	free_pool(setup.pool);
}

/* What must be refused while a port runs, and goes when it stands. */
static void test_mtu_and_address(void **state)
{
	struct rte_ether_addr mac = {{2, 0, 0, 0, 1, 1}};
	struct setup setup = basic();
	struct world world;

	(void)state;
	world_open(&world, 2, "");
	world_start(&world, &setup);
	assert_int_equal(rte_eth_dev_set_mtu(world.ids[0], 1400), -EBUSY);
	assert_int_equal(rte_eth_dev_default_mac_addr_set(world.ids[0], &mac), -EBUSY);
	stop_port(&world, 0);
	assert_int_equal(rte_eth_dev_set_mtu(world.ids[0], 1400), 0);
	assert_int_equal(rte_eth_dev_set_mtu(world.ids[0], 9000), -EINVAL);
	assert_int_equal(rte_eth_dev_default_mac_addr_set(world.ids[0], &mac), 0);
	assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
	peer_control(&world.peer);
	assert_true(link_up(world.ids[0]));
	assert_int_equal(rte_eth_macaddr_get(world.ids[0], &mac), 0);
	assert_memory_equal(&mac, "\x02\x00\x00\x00\x01\x01", 6);
	world_close(&world);
	free_pool(setup.pool);
}

static const char *by_path(const struct world *world)
{
	static char arguments[128];

	snprintf(arguments, sizeof(arguments), "path=%s", world->paths[0]);
	return arguments;
}

/* An address that came by chance gives way to the switch's; one that was asked for does not. */
static void test_whose_address(void **state)
{
	const uint8_t given[6] = {2, 0, 0, 0, 7, 7};
	struct rte_ether_addr mac = {{2, 0, 0, 0, 1, 1}};
	struct setup setup = basic();
	struct world world;

	(void)state;
	world_open(&world, 1, "");
	memcpy(world.peer.ports[0].policy.mac, given, 6);
	/* by an argument */
	port_setup(world.ids[0], &setup);
	assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
	peer_control(&world.peer);
	assert_false(link_up(world.ids[0]));
	assert_int_equal(rte_vdev_uninit("net_rvif0"), 0);
	/* by chance */
	assert_int_equal(rte_vdev_init("net_rvif0", by_path(&world)), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_rvif0", &world.ids[0]), 0);
	port_setup(world.ids[0], &setup);
	assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
	peer_control(&world.peer);
	assert_true(link_up(world.ids[0]));
	assert_int_equal(rte_eth_macaddr_get(world.ids[0], &mac), 0);
	assert_memory_equal(&mac, given, 6);
	/* and another one at the next start */
	stop_port(&world, 0);
	world.peer.ports[0].policy.mac[5] = 8;
	assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
	peer_control(&world.peer);
	assert_true(link_up(world.ids[0]));
	/* by the application */
	stop_port(&world, 0);
	mac.addr_bytes[4] = 1;
	assert_int_equal(rte_eth_dev_default_mac_addr_set(world.ids[0], &mac), 0);
	assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
	peer_control(&world.peer);
	assert_false(link_up(world.ids[0]));
	world_close(&world);
	free_pool(setup.pool);
}

/* What the driver cannot do it refuses when it is asked for, and a queue that is missing when the
 * port starts. */
static void test_refused_configurations(void **state)
{
	const struct rte_eth_rxconf late_rx = {.rx_deferred_start = 1};
	const struct rte_eth_txconf late_tx = {.tx_deferred_start = 1};
	const struct rte_eth_conf cases[] = {
		{.rxmode.mq_mode = RTE_ETH_MQ_RX_DCB},
		{.rxmode.mq_mode = RTE_ETH_MQ_RX_VMDQ_ONLY},
		{.txmode.mq_mode = RTE_ETH_MQ_TX_DCB},
		{.dcb_capability_en = RTE_ETH_DCB_PG_SUPPORT},
		{.lpbk_mode = 1},
		{.link_speeds = RTE_ETH_LINK_SPEED_FIXED | RTE_ETH_LINK_SPEED_10G},
		{.intr_conf.rxq = 1},
		{.txmode.hw_vlan_insert_pvid = 1, .txmode.pvid = 5},
	};
	const uint64_t lro = RTE_ETH_RX_OFFLOAD_TCP_LRO;
	const struct rte_eth_conf large[] = {
		{.rxmode.offloads = lro, .rxmode.max_lro_pkt_size = 4000},
		{.rxmode.offloads = lro, .rxmode.max_lro_pkt_size = 65535},
		{.rxmode.offloads = lro},
	};
	const struct rte_eth_conf plain = {0};
	struct setup setup = basic();
	struct world world;
	uint16_t id;

	(void)state;
	world_open(&world, 2, "queues=2,tso=1");
	id = world.ids[0];
	for (size_t i = 0; i < RTE_DIM(large); i++)
		assert_int_equal(rte_eth_dev_configure(id, 1, 1, &large[i]), i ? 0 : -EINVAL);
	for (size_t i = 0; i < RTE_DIM(cases); i++)
		assert_int_equal(rte_eth_dev_configure(id, 1, 1, &cases[i]), -EINVAL);
	assert_int_equal(rte_eth_dev_configure(id, 2, 2, &plain), 0);
	assert_int_equal(rte_eth_dev_start(id), -EINVAL);
	assert_int_equal(rte_eth_rx_queue_setup(id, 0, 64, 0, &late_rx, setup.pool), -EINVAL);
	assert_int_equal(rte_eth_tx_queue_setup(id, 0, 64, 0, &late_tx), -EINVAL);
	for (uint16_t q = 0; q < 2; q++)
		assert_int_equal(rte_eth_rx_queue_setup(id, q, 64, 0, NULL, setup.pool), 0);
	assert_int_equal(rte_eth_tx_queue_setup(id, 0, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(id), -EINVAL);
	assert_int_equal(rte_eth_tx_queue_setup(id, 1, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(id), 0);
	/* one more queue than before, not set up */
	assert_int_equal(rte_eth_dev_stop(id), 0);
	assert_int_equal(rte_eth_dev_configure(id, 1, 1, &plain), 0);
	assert_int_equal(rte_eth_dev_configure(id, 2, 1, &plain), 0);
	assert_int_equal(rte_eth_dev_start(id), -EINVAL);
	world_close(&world);
	free_pool(setup.pool);
}

static unsigned int events;

static int count_event(uint16_t id, enum rte_eth_event_type type, void *arg, void *result)
{
	(void)id;
	(void)type;
	(void)arg;
	(void)result;
	__atomic_fetch_add(&events, 1, __ATOMIC_RELAXED);
	return 0;
}

static void wait_events(unsigned int count)
{
	for (unsigned int ms = 0; ms < 5000; ms++) {
		if (__atomic_load_n(&events, __ATOMIC_RELAXED) >= count)
			return;
		rte_delay_us_sleep(1000);
	}
	fail_msg("%u link events instead of %u", events, count);
}

static void test_link_events(void **state)
{
	struct rte_eth_conf config = {.intr_conf.lsc = 1};
	struct setup setup = basic();
	struct world world;
	uint16_t id;

	(void)state;
	events = 0;
	world_open(&world, 1, "");
	id = world.ids[0];
	port_setup(id, &setup);
	assert_int_equal(rte_eth_dev_configure(id, 1, 1, &config), 0);
	assert_int_equal(rte_eth_rx_queue_setup(id, 0, 64, SOCKET_ID_ANY, NULL, setup.pool), 0);
	assert_int_equal(rte_eth_tx_queue_setup(id, 0, 64, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(
		rte_eth_dev_callback_register(id, RTE_ETH_EVENT_INTR_LSC, count_event, NULL), 0);
	assert_int_equal(rte_eth_dev_start(id), 0);
	peer_control(&world.peer);
	wait_events(1);
	assert_true(link_up(id));
	peer_hold(&world.peer, 0);
	wait_events(2);
	assert_false(link_up(id));
	peer_release(&world.peer, 0);
	wait_events(3);
	assert_int_equal(
		rte_eth_dev_callback_unregister(id, RTE_ETH_EVENT_INTR_LSC, count_event, NULL), 0);
	world_close(&world);
	free_pool(setup.pool);
}

/* The device goes while it runs and frames are on their way in both directions. */
static void test_removal_while_running(void **state)
{
	struct setup setup = basic();

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		struct rte_mbuf *burst[16];
		struct world world;

		world_open(&world, 2, "");
		world_start(&world, &setup);
		for (unsigned int k = 0; k < 16; k++)
			burst[k] = make_frame(setup.pool, 0, 1, k, 400, 1);
		assert_int_equal(rte_eth_tx_burst(world.ids[0], 0, burst, 16), 16);
		if (i & 1)
			peer_forward(&world.peer);
		peer_hold(&world.peer, i & 1);
		assert_int_equal(rte_vdev_uninit(i & 1 ? "net_rvif1" : "net_rvif0"), 0);
		assert_int_equal(rte_eth_dev_count_avail(), 1);
		assert_int_equal(rte_vdev_uninit(i & 1 ? "net_rvif1" : "net_rvif0"), -ENOENT);
		peer_control(&world.peer);
		peer_forward(&world.peer);
		world_close(&world);
	}
	free_pool(setup.pool);
}

static void test_close_without_start(void **state)
{
	struct setup setup = basic();

	(void)state;
	for (unsigned int step = 0; step < 4; step++) {
		struct world world;

		world_open(&world, 1, "");
		if (step > 0)
			port_setup(world.ids[0], &setup);
		if (step > 1)
			assert_int_equal(rte_eth_dev_start(world.ids[0]), 0);
		if (step > 2)
			assert_int_equal(rte_eth_dev_stop(world.ids[0]), 0);
		if (step != 2)
			assert_int_equal(rte_eth_dev_close(world.ids[0]), 0);
		world_close(&world);
	}
	free_pool(setup.pool);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop_and_start),
		cmocka_unit_test(test_reconfigure),
		cmocka_unit_test(test_switch_hangs),
		cmocka_unit_test(test_switch_comes_and_goes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_mtu_and_address),
		cmocka_unit_test(test_refused_configurations),
		cmocka_unit_test(test_whose_address),
		cmocka_unit_test(test_link_events),
		cmocka_unit_test(test_removal_while_running),
		cmocka_unit_test(test_close_without_start),
	};

	choose_buffers(argc, argv);
	return cmocka_run_group_tests(tests, start_dpdk, stop_dpdk);
}
