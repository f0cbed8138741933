/* SPDX-License-Identifier: Apache-2.0 */
/* What a switch does: learning, ageing, flooding, queues, full receivers, waking them. */
#include <stdbool.h>
#include "net.h"

static int setup(void **state)
{
	struct net *net = net_new();

	for (uint32_t port = 0; port < 4; port++)
		net_add(net, port);
	*state = net;
	return 0;
}

static int teardown(void **state)
{
	net_check_sums(*state);
	net_free(*state);
	return 0;
}

/* From an address behind a port to another one. */
static void send_from(struct net *net, uint32_t port, uint32_t from, uint32_t to)
{
	uint8_t frame[64], source[6], destination[6];

	net_mac(source, from);
	net_mac(destination, to);
	net_frame(frame, 64, destination, source, 1);
	net_post(net, port, 0, frame, 64);
	net_forward(net, port, 0);
}

/* How many of ports 0 to 3 got a frame; those as bits. */
static uint32_t who_got_one(struct net *net)
{
	uint32_t ports = 0;
	uint8_t frame[65536];

	for (uint32_t port = 0; port < 4; port++)
		while (net_receive(net, port, 0, frame, NULL))
			ports |= 1u << port;
	return ports;
}

static void sizes(void **state)
{
	struct net *net = *state;

	for (uint32_t length = 14; length < 400; length++) {
		net_send(net, 0, 1, length, (uint8_t)length);
		net_expect(net, 0, 1, length, (uint8_t)length);
	}
	for (uint32_t length = 1500; length <= 9216; length += 257) {
		net_send(net, 0, 1, length, (uint8_t)length);
		net_expect(net, 0, 1, length, (uint8_t)length);
	}
}

static void parts_of_any_size(void **state)
{
	struct net *net = *state;
	const struct rvif_vnic *vnic = &net->port[0].vnic;
	static const uint32_t cuts[][4] = {
		{14, 1, 1, 1}, {60, 2000, 48, 2048}, {14, 2034, 2048, 2048}, {2048, 1, 2047, 1}};
	uint8_t expected[9216], frame[9216], from[6], to[6];

	net_mac(from, 0);
	net_mac(to, 1);
	for (size_t c = 0; c < sizeof(cuts) / sizeof(*cuts); c++) {
		uint32_t total = 0;

		for (int i = 0; i < 4; i++)
			total += cuts[c][i];
		net_frame(expected, total, to, from, (uint8_t)c);
		memcpy(vnic->region + vnic->layout.buffers, expected, total);
		total = 0;
		for (int i = 0; i < 4; i++) {
			net_post_desc(net, 0,
				      &(struct rvif_desc){.offset = vnic->layout.buffers + total,
							  .length = (uint16_t)cuts[c][i],
							  .flags = i < 3 ? RVIF_MORE : 0});
			total += cuts[c][i];
		}
		net_forward(net, 0, 0);
		assert_int_equal(net->result.frames, 1);
		assert_int_equal(net_receive(net, 1, 0, frame, NULL), total);
		assert_memory_equal(frame, expected, total);
	}
}

static void learning(void **state)
{
	struct net *net = *state;

	send_from(net, 0, 50, 51); /* unknown: to all others */
	assert_int_equal(who_got_one(net), 0xe);
	send_from(net, 1, 51, 50); /* 50 is known now */
	assert_int_equal(who_got_one(net), 0x1);
	send_from(net, 0, 50, 51);
	assert_int_equal(who_got_one(net), 0x2);
	send_from(net, 2, 50, 51); /* it moved */
	assert_int_equal(who_got_one(net), 0x2);
	send_from(net, 1, 51, 50);
	assert_int_equal(who_got_one(net), 0x4);
}

static void ageing(void **state)
{
	struct net *net = *state;
	struct rvs_port_info info;

	send_from(net, 0, 50, 1);
	who_got_one(net);
	net->now += 300;
	send_from(net, 1, 1, 50);
	assert_int_equal(who_got_one(net), 0x1);
	net->now += 1; /* too old, although no call removed it */
	send_from(net, 1, 1, 50);
	assert_int_equal(who_got_one(net), 0xd);
	send_from(net, 0, 50, 1); /* heard again */
	who_got_one(net);
	assert_int_equal(rvs_table_age(net->rvs, net->now), 0);
	send_from(net, 1, 1, 50);
	assert_int_equal(who_got_one(net), 0x1);
	rvs_port_info(net->rvs, 0, &info);
	assert_int_equal(info.learned, 1);
	assert_int_equal(rvs_table_age(net->rvs, net->now + 301), 0);
	rvs_port_info(net->rvs, 0, &info);
	assert_int_equal(info.learned, 0);
	net->now += 100000; /* ports' own addresses stay */
	send_from(net, 1, 1, 0);
	assert_int_equal(who_got_one(net), 0x1);
}

static void limit_of_learned_addresses(void **state)
{
	struct net *net = *state;
	struct rvs_port_info info;
	struct rvs_entry entries[64];
	uint64_t position = 0;
	int n, mine = 0;

	for (uint32_t i = 0; i < 100; i++)
		send_from(net, 0, 1000 + i, 1);
	rvs_port_info(net->rvs, 0, &info);
	assert_int_equal(info.learned, 8);
	while ((n = rvs_table_dump(net->rvs, &position, entries, 64)) >= 0)
		for (int i = 0; i < n; i++)
			mine += entries[i].port == 0 && !entries[i].is_static;
	assert_int_equal(mine, 8);
	assert_int_equal(rvs_table_flush(net->rvs, 0), 8);
	rvs_port_info(net->rvs, 0, &info);
	assert_int_equal(info.learned, 0);
	who_got_one(net);
}

/* A station that moves to a port which may not teach its address is flooded to, not sent to where
 * it was. */
static void moved_to_a_port_that_may_not_learn(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	struct rvs_port_info info;

	for (uint32_t way = 0; way < 3; way++) {
		options.policy.max_learned = way == 0 ? 1 : way == 1 ? 0 : 8;
		options.policy.flags = way == 2 ? RVS_NO_LEARNING : 0;
		assert_int_equal(net_add_with(net, 9 + way, &options), 0);
		send_from(net, 9 + way, 600 + way, 1); /* all that the first may teach */
		send_from(net, 2, 50, 1);
		who_got_one(net);
		send_from(net, 0, 0, 50);
		assert_int_equal(who_got_one(net), 0x4);
		send_from(net, 9 + way, 50, 1);
		who_got_one(net);
		send_from(net, 0, 0, 50);
		assert_int_equal(who_got_one(net), 0xe);
		rvs_port_info(net->rvs, 2, &info);
		assert_int_equal(info.learned, 0);
		/* and back */
		send_from(net, 2, 50, 1);
		who_got_one(net);
		send_from(net, 0, 0, 50);
		assert_int_equal(who_got_one(net), 0x4);
		net_remove(net, 9 + way);
		assert_int_equal(rvs_table_flush(net->rvs, 2), 1);
	}
}

/* What is for the next bridge, or for the other end of a cable, goes nowhere. */
static void link_local_frames(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint8_t frame[64], mac[6], to[6] = {1, 0x80, 0xc2, 0, 0, 0};

	options.policy.flags = RVS_FORWARD_LINK_LOCAL;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	for (uint32_t from = 0; from <= 9; from += 9)
		for (uint32_t last = 0; last < 17; last++) {
			const bool goes = last == 16 || (from && last != 1 && last != 2);
			const uint64_t before = net_drops(net, from, RVS_DROP_LINK_LOCAL);

			net_mac(mac, from);
			to[5] = (uint8_t)last;
			net_frame(frame, 64, to, mac, 1);
			net_post(net, from, 0, frame, 64);
			net_forward(net, from, 0);
			assert_int_equal(who_got_one(net), !goes ? 0 : from ? 0xf : 0xe);
			assert_int_equal(net_drops(net, from, RVS_DROP_LINK_LOCAL) - before, !goes);
			while (net_receive(net, 9, 0, frame, NULL))
				;
		}
	/* pause frames and LACP to any group, also from that port; the same types to a station */
	for (uint32_t type = 7; type < 11; type++) {
		net_mac(mac, 9);
		net_frame(frame, 64, (const uint8_t[]){255, 255, 255, 255, 255, 255}, mac, 1);
		frame[13] = (uint8_t)type;
		frame[12] = 0x88;
		net_post(net, 9, 0, frame, 64);
		net_forward(net, 9, 0);
		assert_int_equal(who_got_one(net), type == 8 || type == 9 ? 0 : 0xf);
		net_mac(frame, 1);
		net_post(net, 9, 0, frame, 64);
		net_forward(net, 9, 0);
		assert_int_equal(who_got_one(net), 0x2);
	}
}

/* A port that fills the table must not make others forgotten. */
static void others_are_not_pushed_out(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();

	options.policy.max_learned = 100000;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	send_from(net, 0, 50, 1);
	for (uint32_t i = 0; i < 12000; i++)
		send_from(net, 9, 1000 + i, 1);
	who_got_one(net);
	send_from(net, 1, 1, 50);
	assert_int_equal(who_got_one(net), 0x1);
}

static void static_entries(void **state)
{
	struct net *net = *state;
	uint8_t mac[6];

	net_mac(mac, 60);
	assert_int_equal(rvs_static_add(net->rvs, 2, mac), 0);
	assert_int_equal(rvs_static_add(net->rvs, 2, mac), 0);
	assert_int_equal(rvs_static_add(net->rvs, 3, mac), -RVS_EXISTS);
	assert_int_equal(rvs_static_add(net->rvs, 200, mac), -RVS_BAD_PORT);
	assert_int_equal(rvs_static_add(net->rvs, 2, (const uint8_t[6]){1}), -RVS_BAD_ADDRESS);
	net->now += 100000;
	send_from(net, 0, 0, 60);
	assert_int_equal(who_got_one(net), 0x4);
	send_from(net, 1, 60, 0); /* not port 1's to use */
	assert_int_equal(net_drops(net, 1, RVS_DROP_SPOOFED), 1);
	assert_int_equal(rvs_static_remove(net->rvs, 3, mac), -RVS_NOT_FOUND);
	assert_int_equal(rvs_static_remove(net->rvs, 2, mac), 0);
	send_from(net, 0, 0, 60);
	assert_int_equal(who_got_one(net), 0xe);
	send_from(net, 3, 60, 0); /* learned, then taken for good */
	assert_int_equal(rvs_static_add(net->rvs, 2, mac), 0);
	who_got_one(net);
	send_from(net, 0, 0, 60);
	assert_int_equal(who_got_one(net), 0x4);
}

static void checked_port_has_static_addresses(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint8_t mac[6];

	options.policy.flags = RVS_CHECK_SOURCE;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	net_mac(mac, 90);
	send_from(net, 9, 90, 1);
	assert_int_equal(net_drops(net, 9, RVS_DROP_SPOOFED), 1);
	assert_int_equal(rvs_static_add(net->rvs, 9, mac), 0);
	send_from(net, 9, 90, 1);
	send_from(net, 9, 9, 1);
	assert_int_equal(net_drops(net, 9, RVS_DROP_SPOOFED), 1);
	assert_int_equal(who_got_one(net), 0x2);
}

static void port_that_teaches_nothing(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	struct rvs_port_info info;

	options.policy.flags = RVS_NO_LEARNING;
	assert_int_equal(net_add_with(net, 9, &options), 0);
	send_from(net, 9, 90, 1);
	assert_int_equal(who_got_one(net), 0x2);
	rvs_port_info(net->rvs, 9, &info);
	assert_int_equal(info.learned, 0);
}

static void broadcast_and_multicast(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint8_t frame[64], mac[6];

	options.rx_mode = 0;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	net_mac(mac, 0);
	net_frame(frame, 64, (const uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac, 1);
	net_post(net, 0, 0, frame, 64);
	net_forward(net, 0, 0);
	assert_int_equal(net->result.delivered, 4);
	assert_int_equal(net_receive(net, 9, 0, frame, NULL), 64);
	net_frame(frame, 64, (const uint8_t[]){1, 0, 0x5e, 0, 0, 1}, mac, 1);
	net_post(net, 0, 0, frame, 64);
	net_forward(net, 0, 0);
	assert_int_equal(net_receive(net, 9, 0, frame, NULL), 0);
	send_from(net, 0, 0, 77);
	assert_int_equal(net_receive(net, 9, 0, frame, NULL), 0);
	rvif_header(&net->port[9].vnic)->driver.rx_mode = RVIF_RX_ALLMULTI;
	net_frame(frame, 64, (const uint8_t[]){1, 0, 0x5e, 0, 0, 1}, mac, 1);
	net_post(net, 0, 0, frame, 64);
	net_forward(net, 0, 0);
	assert_int_equal(net_receive(net, 9, 0, frame, NULL), 64);
	rvif_header(&net->port[9].vnic)->driver.rx_mode = RVIF_RX_PROMISCUOUS;
	send_from(net, 0, 0, 77);
	assert_int_equal(net_receive(net, 9, 0, frame, NULL), 64);
	who_got_one(net);
}

static void to_its_own_port(void **state)
{
	struct net *net = *state;

	send_from(net, 0, 50, 1);
	send_from(net, 0, 51, 50);
	assert_int_equal(net_drops(net, 0, RVS_DROP_SAME_PORT), 1);
	assert_int_equal(who_got_one(net), 0x2);
}

static void nobody_to_flood_to(void **state)
{
	struct net *net = *state;

	for (uint32_t port = 1; port < 4; port++)
		net_remove(net, port);
	send_from(net, 0, 0, 77);
	assert_int_equal(net_drops(net, 0, RVS_DROP_NO_RECEIVER), 1);
}

static void many_receivers_in_a_batch(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint8_t frame[64], from[6], to[6];

	options.config.tx_ring = 128;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	net_mac(from, 9);
	for (uint32_t i = 0; i < 48; i++) {
		net_mac(to, i % 8 == 7 ? 78 : i % 4);
		net_frame(frame, 64, to, from, (uint8_t)i);
		net_post(net, 9, 0, frame, 64);
	}
	net_forward(net, 9, 0);
	assert_int_equal(net->result.frames, 48);
	for (uint32_t port = 0; port < 4; port++) {
		uint8_t expected[64];

		/* flooded frames first */
		for (uint32_t i = 7; i < 48; i += 8) {
			net_mac(to, 78);
			net_frame(expected, 64, to, from, (uint8_t)i);
			assert_int_equal(net_receive(net, port, 0, frame, NULL), 64);
			assert_memory_equal(frame, expected, 64);
		}
		for (uint32_t i = port; i < 48 && port < 3; i += 4) {
			net_mac(to, port);
			net_frame(expected, 64, to, from, (uint8_t)i);
			if (i % 8 == 7)
				continue;
			if (!net_receive(net, port, 0, frame, NULL))
				break; /* the ring of 16 was full */
			assert_memory_equal(frame, expected, 64);
		}
	}
	assert_int_equal(net->result.delivered + net->result.dropped, 48 + 6 * 3);
	who_got_one(net);
}

/* ---------------------------------------------------------------------------------- queues */

static void a_flow_stays_in_its_queue(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t counts[4] = {0}, used = 0;
	uint8_t frame[NET_BUFFER];

	options.config.rx_queues = 4;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	for (uint16_t flow = 0; flow < 400; flow++) {
		int queue = -1;

		for (int again = 0; again < 2; again++) {
			net_udp_frame(frame, 9, 0, flow);
			net_post(net, 0, 0, frame, 64);
			net_forward(net, 0, 0);
			for (uint32_t q = 0; q < 4; q++) {
				if (!net_receive(net, 9, q, frame, NULL))
					continue;
				assert_true(queue < 0 || queue == (int)q);
				queue = (int)q;
				counts[q]++;
			}
		}
		assert_true(queue >= 0);
	}
	for (int q = 0; q < 4; q++)
		used += counts[q] > 100 && counts[q] < 300;
	assert_int_equal(used, 4);
	/* the later pieces of a packet have no ports, so none of them counts */
	net_udp_frame(frame, 9, 0, 1);
	frame[20] = 0x20;
	net_post(net, 0, 0, frame, 64);
	net_udp_frame(frame, 9, 0, 77);
	frame[21] = 5;
	net_post(net, 0, 0, frame, 64);
	net_forward(net, 0, 0);
	for (uint32_t q = 0; q < 4; q++) {
		uint32_t n = 0;

		while (net_receive(net, 9, q, frame, NULL))
			n++;
		assert_true(n == 0 || n == 2);
	}
}

static void flooding_uses_queues_as_well(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t got = 0, queues = 0;
	uint8_t frame[NET_BUFFER];

	options.config.rx_queues = 4;
	assert_int_equal(net_add_with(net, 9, &options), 0);
	for (uint16_t flow = 0; flow < 12; flow++) {
		net_udp_frame(frame, 99, 0, flow);
		net_post(net, 0, 0, frame, 64);
	}
	net_forward(net, 0, 0);
	for (uint32_t q = 0; q < 4; q++) {
		uint32_t before = got;

		while (net_receive(net, 9, q, frame, NULL))
			got++;
		queues += got != before;
	}
	assert_int_equal(got, 12);
	assert_true(queues > 1);
	who_got_one(net);
}

static void several_transmit_queues(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint8_t frame[64], from[6], to[6];
	struct rvs_stats stats;

	options.config.tx_queues = 3;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	net_mac(from, 9);
	net_mac(to, 1);
	for (uint32_t q = 0; q < 3; q++) {
		net_frame(frame, 64, to, from, (uint8_t)q);
		net_post(net, 9, q, frame, 64);
		net_forward(net, 9, q);
		net_expect(net, 9, 1, 64, (uint8_t)q);
		assert_int_equal(rvs_queue_stats(net->rvs, 9, q, &stats), 0);
		assert_int_equal(stats.frames, 1);
		assert_int_equal(stats.bytes, 64);
	}
}

static void too_long_for_the_receiver(void **state)
{
	struct net *net = *state;

	net_add_with_features(net, 9, 0);
	net_send(net, 0, 9, 1514, 1);
	net_expect(net, 0, 9, 1514, 1);
	net_send(net, 0, 9, 1515, 1);
	assert_int_equal(net_drops(net, 0, RVS_DROP_TOO_LONG), 1);
}

/* ----------------------------------------------------------------------------- full and busy */

static void full_receiver(void **state)
{
	struct net *net = *state;
	struct rvs_stats stats;

	for (uint8_t i = 0; i < NET_RING + 3; i++)
		net_send(net, 0, 1, 64, i);
	assert_int_equal(net_drops(net, 0, RVS_DROP_FULL), 3);
	rvs_port_stats(net->rvs, 1, &stats);
	assert_int_equal(stats.rx_missed, 3);
	assert_int_equal(net->port[1].rx[0].control->missed, 3);
	for (uint8_t i = 0; i < NET_RING; i++)
		net_expect(net, 0, 1, 64, i);
	for (uint8_t i = 0; i < NET_RING - 4; i++)
		net_send(net, 0, 1, 64, i);
	net_send(net, 0, 1, 9000, 1); /* needs 5, 4 are left */
	assert_int_equal(net_drops(net, 0, RVS_DROP_FULL), 4);
	net_send(net, 0, 1, 8192, 2);
	for (uint8_t i = 0; i < NET_RING - 4; i++)
		net_expect(net, 0, 1, 64, i);
	net_expect(net, 0, 1, 8192, 2);
}

static void receiver_that_posted_nothing(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();

	options.buffers = 0;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	net_send(net, 0, 9, 64, 1);
	assert_int_equal(net_drops(net, 0, RVS_DROP_FULL), 1);
}

/* --------------------------------------------------------------------------- waking receivers */

static void wakes(void **state)
{
	struct net *net = *state;
	uint32_t seen;

	net_add_with_features(net, 9, RVIF_F_NOTIFY);
	net_send(net, 0, 9, 64, 1);
	assert_int_equal(net->result.wakes, 0);
	assert_false(rvif_ring_may_sleep(&net->port[9].rx[0], &seen)); /* there is a frame */
	net_expect(net, 0, 9, 64, 1);
	assert_true(rvif_ring_may_sleep(&net->port[9].rx[0], &seen));
	net_send(net, 0, 9, 64, 2);
	assert_int_equal(net->result.wakes, 1);
	assert_int_equal(net->result.wake[0].port, 9);
	assert_int_equal(net->result.wake[0].queue, 0);
	assert_int_not_equal(rvif_load(&net->port[9].rx[0].control->completed), seen);
	/* once is enough, until it sleeps again */
	net_send(net, 0, 9, 64, 3);
	assert_int_equal(net->result.wakes, 0);
	rvif_ring_awake(&net->port[9].rx[0]);
	net_send(net, 0, 9, 64, 4);
	assert_int_equal(net->result.wakes, 0);
	net_expect(net, 0, 9, 64, 2);
	net_expect(net, 0, 9, 64, 3);
	net_expect(net, 0, 9, 64, 4);
	assert_true(rvif_ring_may_sleep(&net->port[9].rx[0], &seen));
	/* not for a frame that it does not get: it would sleep on and not be woken for the next */
	net_send(net, 0, 9, 1515, 1);
	assert_int_equal(net_drops(net, 0, RVS_DROP_TOO_LONG), 1);
	assert_int_equal(net->result.wakes, 0);
	net_send(net, 0, 9, 64, 5);
	assert_int_equal(net->result.wakes, 1);
	/* a port that was not granted it is not asked */
	rvif_ring_may_sleep(&net->port[1].rx[0], &seen);
	net_send(net, 0, 1, 64, 2);
	assert_int_equal(net->result.wakes, 0);
}

static void more_wakes_than_fit(void **state)
{
	struct net *net = *state;
	uint32_t seen;

	for (uint32_t port = 10; port < 30; port++) {
		net_add_with_features(net, port, RVIF_F_NOTIFY);
		rvif_ring_may_sleep(&net->port[port].rx[0], &seen);
	}
	send_from(net, 0, 0, 99);
	assert_int_equal(net->result.wakes, RVS_MAX_WAKES);
	assert_true(net->result.more_wakes);
}

#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_net(sizes),
		on_net(parts_of_any_size),
		on_net(learning),
		on_net(ageing),
		on_net(limit_of_learned_addresses),
		on_net(moved_to_a_port_that_may_not_learn),
		on_net(link_local_frames),
		on_net(others_are_not_pushed_out),
		on_net(static_entries),
		on_net(checked_port_has_static_addresses),
		on_net(port_that_teaches_nothing),
		on_net(broadcast_and_multicast),
		on_net(to_its_own_port),
		on_net(nobody_to_flood_to),
		on_net(many_receivers_in_a_batch),
		on_net(a_flow_stays_in_its_queue),
		on_net(flooding_uses_queues_as_well),
		on_net(several_transmit_queues),
		on_net(too_long_for_the_receiver),
		on_net(full_receiver),
		on_net(receiver_that_posted_nothing),
		on_net(wakes),
		on_net(more_wakes_than_fit),
	};

	return cmocka_run_group_tests_name("forwarding", tests, NULL, NULL);
}
