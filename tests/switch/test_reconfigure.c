/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A switch of 127 ports, as many as elisa-vmnet can have. First all of them exchange frames. Then
 * pairs of ports exchange numbered frames while all other ports are changed at random: they come,
 * go, lose their link, get other VLANs, limits and filters, and flood. Each numbered frame arrives
 * once, in order. Usage: test_switch_reconfigure [SECONDS [SEED]].
 */
#include <time.h>
#include "net.h"

enum {
	PORTS = 127,
	STEADY = 16, /* the ports below exchange numbered frames, in pairs */
	LENGTH = 64,
	VLANS = 4,
	RECORDS = 256,
};

static struct net *net;
static double seconds = 1;
static uint32_t seed;
static uint32_t random_state;
static uint8_t next_sent[STEADY], next_expected[STEADY];
static uint64_t steady_frames, other_frames, changes;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * below >> 32);
}

static void frame_between(uint8_t *frame, uint32_t to, uint32_t from, uint8_t number)
{
	uint8_t destination[6], source[6];

	net_mac(destination, to);
	net_mac(source, from);
	if (to == UINT32_MAX)
		memset(destination, 0xff, sizeof(destination));
	net_frame(frame, LENGTH, destination, source, number);
}

static void post_between(uint32_t to, uint32_t from, uint8_t number)
{
	uint8_t frame[LENGTH];

	frame_between(frame, to, from, number);
	net_post(net, from, 0, frame, sizeof(frame));
}

static int setup(void **unused)
{
	(void)unused;
	net_config.ports = PORTS;
	net_config.records = RECORDS;
	net = net_new();
	for (uint32_t port = 0; port < PORTS; port++)
		net_add(net, port);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	net_free(net);
	return 0;
}

/* ---------------------------------------------------------------------------------- all ports */

static uint32_t expect_from(uint32_t from)
{
	uint8_t expected[LENGTH], frame[65536];
	uint32_t receivers = 0;

	frame_between(expected, UINT32_MAX, from, 9);
	for (uint32_t port = 0; port < PORTS; port++) {
		const uint32_t length =
			net->port[port].open ? net_receive(net, port, 0, frame, NULL) : 0;

		if (!length)
			continue;
		receivers++;
		assert_int_not_equal(port, from);
		assert_int_equal(length, LENGTH);
		assert_memory_equal(frame, expected, LENGTH);
		assert_int_equal(net_receive(net, port, 0, frame, NULL), 0);
	}
	return receivers;
}

static void all_reach_all(void **unused)
{
	(void)unused;
	for (uint32_t port = 0; port < PORTS; port++) {
		const uint32_t to = (port + 1) % PORTS;

		net_send(net, port, to, LENGTH, (uint8_t)port);
		net_expect(net, port, to, LENGTH, (uint8_t)port);
	}
	for (uint32_t port = 0; port < PORTS; port += 9) {
		post_between(UINT32_MAX, port, 9);
		net_forward(net, port, 0);
		assert_int_equal(expect_from(port), PORTS - 1);
	}
	for (uint32_t port = 1; port < PORTS; port += 2)
		net_remove(net, port);
	post_between(UINT32_MAX, 0, 9);
	net_forward(net, 0, 0);
	assert_int_equal(expect_from(0), PORTS / 2);
	net_send(net, 0, 126, LENGTH, 5);
	net_expect(net, 0, 126, LENGTH, 5);
	net_check_sums(net);
}

static void no_more_ports(void **unused)
{
	struct net_options options = net_defaults();

	(void)unused;
	net_open(net, PORTS, &options);
	assert_int_equal(rvs_port_attach(net->rvs, PORTS, net->port[PORTS].vnic.region,
					 net->port[PORTS].vnic.config.region_size, &options.policy),
			 -RVIF_NO_PORT);
}

/* --------------------------------------------------------------------------- changes at random */

static void add_at_random(uint32_t port)
{
	struct net_options options = net_defaults();

	net_mac(options.config.mac, port);
	options.policy.flags = draw(2 * RVS_SHARE_RING) & ~(uint32_t)RVS_KICK;
	options.policy.max_learned = draw(8);
	options.policy.vlan = draw(VLANS);
	for (uint32_t vlan = 1; vlan < VLANS; vlan++)
		if (!draw(4) && vlan != options.policy.vlan)
			options.policy.trunk[0] |= 1ull << vlan;
	for (uint32_t limit = 0; limit < RVS_LIMITS; limit++)
		options.policy.per_second[limit] = draw(2) ? draw(100000) : 0;
	if (options.policy.flags & RVS_CHECK_IP) {
		options.policy.ipv4_count = 1;
		memcpy(options.policy.ipv4[0], (uint8_t[]){10, 0, 0, (uint8_t)port}, 4);
	}
	options.buffers = draw(4) ? UINT32_MAX : 0;
	assert_int_equal(net_add_with(net, port, &options), 0);
}

static void change(uint32_t port)
{
	const uint8_t more[] = {2, 9, 0, 0, 0, (uint8_t)port};

	switch (draw(8)) {
	case 0:
	case 1:
		if (!net->port[port].open) {
			add_at_random(port);
			break;
		}
		net_remove(net, port);
		if (draw(2))
			assert_int_equal(rvs_port_forget(net->rvs, port), 0);
		break;
	case 2:
		rvs_port_set_link(net->rvs, port, (int)draw(2));
		break;
	case 3:
		rvs_static_add(net->rvs, port, more);
		break;
	case 4:
		rvs_static_remove(net->rvs, port, more);
		break;
	case 5:
		rvs_capture(net->rvs, draw(PORTS), (int)draw(2));
		break;
	case 6:
		rvs_table_flush(net->rvs, (int)port);
		break;
	case 7:
		net->now += draw(2);
		rvs_table_age(net->rvs, net->now);
		rvs_refill(net->rvs, draw(100000));
		break;
	}
	changes++;
}

/* One frame of a port that changes: to another one, to no port, or to all. */
static void disturb(uint32_t port)
{
	const uint32_t to = draw(3) ? STEADY + draw(PORTS - STEADY) : draw(2) ? 999 : UINT32_MAX;

	if (!net->port[port].open)
		return;
	net->port[port].tx[0].reaped += rvif_ring_completed(&net->port[port].tx[0]);
	if (!rvif_ring_room(&net->port[port].tx[0]))
		return;
	post_between(to, port, 0);
	net_forward(net, port, 0);
}

static void drain(uint32_t port)
{
	uint8_t frame[65536], expected[LENGTH];
	uint32_t length;

	while ((length = net_receive(net, port, 0, frame, NULL))) {
		frame_between(expected, port, port ^ 1, next_expected[port < STEADY ? port : 0]);
		if (port >= STEADY || memcmp(frame + 6, expected + 6, 6) != 0) {
			other_frames++;
			continue;
		}
		assert_int_equal(length, LENGTH);
		assert_memory_equal(frame, expected, LENGTH);
		next_expected[port]++;
		steady_frames++;
	}
}

static void steady_ports_lose_nothing(void **unused)
{
	const clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);

	(void)unused;
	random_state = seed;
	while (clock() < end) {
		for (int i = 0; i < 4; i++) {
			change(STEADY + draw(PORTS - STEADY));
			disturb(STEADY + draw(PORTS - STEADY));
		}
		for (uint32_t port = 0; port < STEADY; port++) {
			post_between(port ^ 1, port, next_sent[port ^ 1]++);
			net_forward(net, port, 0);
		}
		for (uint32_t port = 0; port < PORTS; port++)
			if (net->port[port].open)
				drain(port);
		for (uint32_t port = 0; port < STEADY; port++)
			assert_int_equal(next_expected[port], next_sent[port]);
	}
	print_message("seed %u: %llu changes, %llu frames of ports that stay, %llu others\n", seed,
		      (unsigned long long)changes, (unsigned long long)steady_frames,
		      (unsigned long long)other_frames);
	assert_true(changes > 100 && other_frames > 100);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_reach_all, setup, teardown),
		cmocka_unit_test_setup_teardown(no_more_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(steady_ports_lose_nothing, setup, teardown),
	};

	seed = (uint32_t)time(NULL);
	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	if (argc > 2)
		seed = (uint32_t)strtoul(argv[2], NULL, 0);
	return cmocka_run_group_tests_name("reconfiguration", tests, NULL, NULL);
}
