/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back-pressure: frames for a receiver that has no room wait in their sender's ring, in order, as
 * long as they keep no others back; and for how long.
 */
#include <rvif/patience.h>
#include "net.h"

enum {
	SENDER = 0,
	FULL = 1, /* takes what NET_RING buffers hold */
	OTHER = 2,
	DEAD = 3, /* has no buffers */
};

static int setup(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();

	net->budget = RVS_HOLD;
	options.config.tx_ring = 64;
	net_mac(options.config.mac, SENDER);
	assert_int_equal(net_add_with(net, SENDER, &options), 0);
	net_add(net, FULL);
	net_add(net, OTHER);
	options = net_defaults();
	options.buffers = 0;
	net_mac(options.config.mac, DEAD);
	assert_int_equal(net_add_with(net, DEAD, &options), 0);
	*state = net;
	return 0;
}

static int teardown(void **state)
{
	net_check_sums(*state);
	net_free(*state);
	return 0;
}

/* Frames with these seeds, not yet forwarded. */
static void post(struct net *net, uint32_t to, uint8_t first, uint32_t count)
{
	uint8_t frame[NET_BUFFER], source[6], destination[6];

	net_mac(source, SENDER);
	net_mac(destination, to);
	for (uint32_t i = 0; i < count; i++) {
		net_frame(frame, 100, destination, source, (uint8_t)(first + i));
		net_post(net, SENDER, 0, frame, 100);
	}
}

static void expect(struct net *net, uint32_t port, uint8_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		net_expect(net, SENDER, port, 100, (uint8_t)(first + i));
}

static void expect_nothing(struct net *net, uint32_t port)
{
	uint8_t frame[65536];

	assert_int_equal(net_receive(net, port, 0, frame, NULL), 0);
}

static void assert_moved(const struct net *net, uint32_t delivered, uint32_t dropped,
			 uint32_t pending)
{
	assert_int_equal(net->result.delivered, delivered);
	assert_int_equal(net->result.dropped, dropped);
	assert_int_equal(net->result.frames, delivered + dropped);
	assert_int_equal(net->result.pending, pending);
}

static void waits_for_room(void **state)
{
	struct net *net = *state;

	post(net, FULL, 1, NET_RING + 5);
	net_forward(net, SENDER, 0);
	assert_moved(net, NET_RING, 0, 5);
	assert_true(net->result.held);
	assert_int_equal(net->result.next, NET_RING);
	for (int i = 0; i < 3; i++) {
		net_forward(net, SENDER, 0);
		assert_moved(net, 0, 0, 5);
		assert_true(net->result.held);
	}
	expect(net, FULL, 1, 2);
	net_forward(net, SENDER, 0);
	assert_moved(net, 2, 0, 3);
	expect(net, FULL, 3, NET_RING);
	net_forward(net, SENDER, 0);
	assert_moved(net, 3, 0, 0);
	assert_false(net->result.held);
	expect(net, FULL, 3 + NET_RING, 3);
	expect_nothing(net, FULL);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_FULL), 0);
}

static void until_the_caller_says_so(void **state)
{
	struct net *net = *state;

	post(net, DEAD, 1, 10);
	net_forward(net, SENDER, 0);
	assert_moved(net, 0, 0, 10);
	net->budget = 0;
	net_forward(net, SENDER, 0);
	assert_moved(net, 0, 10, 0);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_FULL), 10);
}

/* Whatever is for others, and can be seen, is not kept back. */
static void not_in_the_way_of_others(void **state)
{
	struct net *net = *state;

	post(net, DEAD, 1, 10);
	net_forward(net, SENDER, 0);
	assert_true(net->result.held);
	post(net, OTHER, 11, 1);
	net_forward(net, SENDER, 0);
	assert_moved(net, 1, 10, 0);
	expect(net, OTHER, 11, 1);
	/* nor what is flooded */
	post(net, DEAD, 1, 3);
	post(net, 99, 4, 1);
	net_forward(net, SENDER, 0);
	assert_int_equal(net->result.pending, 0);
	assert_int_equal(net->result.delivered, 2);
	expect_nothing(net, DEAD);
}

static void floods_never_wait(void **state)
{
	struct net *net = *state;

	post(net, FULL, 1, NET_RING);
	net_forward(net, SENDER, 0);
	post(net, 99, 1, 2);
	net_forward(net, SENDER, 0);
	assert_false(net->result.held);
	assert_int_equal(net->result.pending, 0);
	expect(net, FULL, 1, NET_RING);
	expect_nothing(net, FULL);
}

/* What no room would help is dropped at once. */
static void never_fits(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();

	options.config.rx_ring = 8;
	options.config.buffer_size = 512;
	options.config.max_frame = 9000;
	net_mac(options.config.mac, 4);
	assert_int_equal(net_add_with(net, 4, &options), 0);
	net_send(net, SENDER, 4, 8 * 512 + 1, 1);
	assert_moved(net, 0, 1, 0);
	net_send(net, SENDER, 4, 9001, 1);
	assert_moved(net, 0, 1, 0);
	net_send(net, SENDER, 4, 8 * 512, 1);
	net_send(net, SENDER, 4, 64, 2);
	assert_moved(net, 0, 0, 1);
	net_expect(net, SENDER, 4, 8 * 512, 1);
	net_forward(net, SENDER, 0);
	net_expect(net, SENDER, 4, 64, 2);
}

/* Those before a frame that waits count once, those behind it when their turn comes. */
static void bad_ones_between(void **state)
{
	struct net *net = *state;
	const struct rvif_desc outside = {.offset = 0, .length = 64};

	post(net, FULL, 1, NET_RING - 1);
	net_post_desc(net, SENDER, &outside);
	post(net, FULL, NET_RING, 2);
	net_post_desc(net, SENDER, &outside);
	post(net, FULL, NET_RING + 2, 1);
	net_forward(net, SENDER, 0);
	assert_moved(net, NET_RING, 1, 3);
	net_forward(net, SENDER, 0);
	assert_moved(net, 0, 0, 3);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_BAD_DESC), 1);
	expect(net, FULL, 1, NET_RING);
	net_forward(net, SENDER, 0);
	assert_moved(net, 2, 1, 0);
	expect(net, FULL, NET_RING + 1, 2);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_BAD_DESC), 2);
}

/* A frame pays for its port's limit when it is taken, however often it was looked at. */
static void paid_for_once(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();

	rvs_port_detach(net->rvs, SENDER);
	rvif_close(&net->port[SENDER].vnic);
	options.config.tx_ring = 64;
	options.policy.per_second[RVS_LIMIT_FRAMES] = 300; /* 30 at once */
	net_mac(options.config.mac, SENDER);
	assert_int_equal(net_add_with(net, SENDER, &options), 0);
	post(net, FULL, 1, NET_RING + 10);
	for (int i = 0; i < 20; i++)
		net_forward(net, SENDER, 0);
	expect(net, FULL, 1, NET_RING);
	net_forward(net, SENDER, 0);
	assert_moved(net, 10, 0, 0);
	post(net, OTHER, 1, 6);
	net_forward(net, SENDER, 0);
	assert_moved(net, 30 - NET_RING - 10, 2, 0);
}

/* -------------------------------------------------------------------------------- patience */

enum {
	MOST = 100
};

static void as_long_as_it_moves(void **state)
{
	struct rvif_patience patience = {0};
	uint64_t now = 7;

	(void)state;
	assert_true(rvif_has_patience(&patience, 0));
	for (uint32_t next = UINT32_MAX - 50; next != 100; next++, now += MOST / 10) {
		rvif_wait_on(&patience, next, next + 8, now, MOST);
		assert_true(rvif_has_patience(&patience, now));
	}
}

/* Of one that takes nothing, or a frame now and then, a queue of 64 is rid in that time. */
static void not_for_ever(void **state)
{
	(void)state;
	for (uint32_t takes = 0; takes < 2; takes++) {
		struct rvif_patience patience = {0};
		uint64_t now, waited = 0;
		uint32_t next = 5;

		for (now = 0; now < 100 * MOST; now += MOST / 10) {
			if (!rvif_has_patience(&patience, now))
				continue;
			rvif_wait_on(&patience, next, next + 64, now, MOST);
			next += takes;
			waited += MOST / 10;
		}
		assert_in_range(waited, 5 * MOST, 12 * MOST);
	}
}

/* ------------------------------------------------------------------------- a switch that sleeps */

static uint32_t kick_wanted(struct net *net, uint32_t port)
{
	return rvif_load(&net->port[port].tx[0].control->kick_wanted);
}

static void asks_for_kicks(void **state)
{
	struct net *net = *state;

	/* SENDER, FULL, OTHER and DEAD never kick */
	assert_int_equal(rvs_want_kicks(net->rvs, 1), 4);
	assert_int_equal(kick_wanted(net, SENDER), 0);
	for (uint32_t port = SENDER; port <= DEAD; port++)
		net_remove(net, port);
	net_add_with_features(net, 7, RVIF_F_NOTIFY);
	net_add_with_features(net, 8, RVIF_F_NOTIFY);
	assert_int_equal(rvs_want_kicks(net->rvs, 1), 0);
	assert_int_equal(kick_wanted(net, 7), 1);
	assert_int_equal(kick_wanted(net, 8), 1);
	assert_int_equal(rvs_want_kicks(net->rvs, 0), 0);
	assert_int_equal(kick_wanted(net, 7), 0);
	/* what came in the meantime came without a kick */
	net_post_desc(net, 8, &(struct rvif_desc){.offset = 0, .length = 64});
	assert_int_equal(rvs_want_kicks(net->rvs, 1), 1);
	net_forward(net, 8, 0);
	assert_int_equal(rvs_want_kicks(net->rvs, 1), 0);
}

#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_net(waits_for_room),
		on_net(until_the_caller_says_so),
		on_net(not_in_the_way_of_others),
		on_net(floods_never_wait),
		on_net(never_fits),
		on_net(bad_ones_between),
		on_net(paid_for_once),
		cmocka_unit_test(as_long_as_it_moves),
		cmocka_unit_test(not_for_ever),
		on_net(asks_for_kicks),
	};

	return cmocka_run_group_tests_name("holding", tests, NULL, NULL);
}
