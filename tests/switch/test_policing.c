/* SPDX-License-Identifier: Apache-2.0 */
/* What a port costs others: limits of what it sends, its share of a receiver's ring, isolated
 * ports. */
#include "net.h"

enum {
	FLOODER = 0,
	VICTIM = 1,
	RECEIVER = 2,
	OTHER = 3,
	RING = 256,
};

static void add(struct net *net, uint32_t port, struct net_options *options)
{
	options->config.tx_ring = options->config.rx_ring = RING;
	net_mac(options->config.mac, port);
	assert_int_equal(net_add_with(net, port, options), 0);
}

static int setup(void **state)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();

	add(net, VICTIM, &options);
	add(net, OTHER, &options);
	*state = net;
	return 0;
}

static int teardown(void **state)
{
	net_check_sums(*state);
	net_free(*state);
	return 0;
}

/* Of tests in which a port comes again: its counters begin anew. */
static int teardown_anew(void **state)
{
	net_free(*state);
	return 0;
}

static void post(struct net *net, uint32_t from, uint32_t to, uint32_t count, uint32_t length)
{
	uint8_t frame[NET_BUFFER], source[6], destination[6];

	net_mac(source, from);
	net_mac(destination, to);
	if (to == UINT32_MAX)
		memset(destination, 0xff, 6);
	net_frame(frame, length, destination, source, 1);
	for (uint32_t i = 0; i < count; i++)
		net_post(net, from, 0, frame, length);
}

/* How many of these arrive. */
static uint32_t send_many(struct net *net, uint32_t from, uint32_t to, uint32_t count,
			  uint32_t length)
{
	post(net, from, to, count, length);
	net_forward(net, from, 0);
	return net->result.delivered;
}

/* Takes up to so many frames; counts those from each port. */
static void take_frames(struct net *net, uint32_t port, uint32_t most, uint32_t *counts)
{
	uint8_t frame[65536];

	for (uint32_t i = 0; i < most && net_receive(net, port, 0, frame, NULL); i++)
		counts[frame[11]]++;
}

/* ------------------------------------------------------------------------------------ limits */

static void frames_a_second(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t counts[256] = {0}, sent = 0;

	options.policy.per_second[RVS_LIMIT_FRAMES] = 1000;
	add(net, FLOODER, &options);
	assert_int_equal(send_many(net, FLOODER, OTHER, 200, 64), 100);
	assert_int_equal(net_drops(net, FLOODER, RVS_DROP_RATE), 100);
	take_frames(net, OTHER, RING, counts);
	assert_int_equal(rvs_refill(net->rvs, 500), 1);
	assert_int_equal(rvs_refill(net->rvs, 500), 1);
	assert_int_equal(send_many(net, FLOODER, OTHER, 1, 64), 1);
	/* ten seconds of it */
	for (uint32_t ms = 0; ms < 10000; ms++) {
		rvs_refill(net->rvs, 1000);
		sent += send_many(net, FLOODER, OTHER, 3, 64);
		take_frames(net, OTHER, RING, counts);
	}
	assert_in_range(sent, 9900, 10100);
	/* never more than a tenth of a second at once */
	for (int i = 0; i < 100; i++)
		rvs_refill(net->rvs, 1000000);
	assert_int_equal(rvs_refill(net->rvs, 1000), 0);
	assert_int_equal(send_many(net, FLOODER, OTHER, 100, 64), 100);
	assert_int_equal(send_many(net, FLOODER, OTHER, 1, 64), 0);
}

static void bytes_a_second(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t counts[256] = {0}, sent = 0;

	options.policy.per_second[RVS_LIMIT_BYTES] = 1000000;
	add(net, FLOODER, &options);
	for (uint32_t ms = 0; ms < 10000; ms++) {
		rvs_refill(net->rvs, 1000);
		sent += send_many(net, FLOODER, OTHER, 2, 1000);
		take_frames(net, OTHER, RING, counts);
	}
	assert_in_range(sent, 10000, 10200); /* and a tenth of a second's that it had at first */
}

/* A port that comes again has not more than when it went. */
static void coming_again_is_no_refill(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t counts[256] = {0};

	options.policy.per_second[RVS_LIMIT_FRAMES] = 640;
	add(net, FLOODER, &options);
	assert_int_equal(send_many(net, FLOODER, OTHER, 200, 64), 64);
	take_frames(net, OTHER, RING, counts);
	net_remove(net, FLOODER);
	add(net, FLOODER, &options);
	assert_int_equal(send_many(net, FLOODER, OTHER, 10, 64), 0);
	net_remove(net, FLOODER);
	options.policy.per_second[RVS_LIMIT_FRAMES] = 650; /* another limit begins anew */
	add(net, FLOODER, &options);
	assert_int_equal(send_many(net, FLOODER, OTHER, 10, 64), 10);
}

/* Groups and unknown addresses; what is for one port does not count. */
static void floods_a_second(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t counts[256] = {0};

	options.policy.per_second[RVS_LIMIT_FLOODS] = 100;
	add(net, FLOODER, &options);
	assert_int_equal(send_many(net, FLOODER, UINT32_MAX, 5, 64), 10);
	assert_int_equal(send_many(net, FLOODER, 77, 10, 64), 10);
	assert_int_equal(net_drops(net, FLOODER, RVS_DROP_STORM), 5);
	assert_int_equal(send_many(net, FLOODER, OTHER, 100, 64), 100);
	rvs_refill(net->rvs, 10000);
	assert_int_equal(send_many(net, FLOODER, UINT32_MAX, 5, 64), 2);
	take_frames(net, VICTIM, RING, counts);
	take_frames(net, OTHER, RING, counts);
}

/* ------------------------------------------------------------------------------------ sharing */

/*
 * A receiver takes 16 frames a round, of which a victim sends some, one after the other, as a guest
 * that waits for answers; a flooder sends all it can before and after each. Returns the victim's
 * frames that arrived.
 */
static uint32_t beside_flooders(struct net *net, uint32_t frames, uint32_t flooders, uint32_t to)
{
	uint32_t counts[256] = {0};

	for (uint32_t i = 0; i < RING; i++) /* nothing is left of the last time */
		take_frames(net, RECEIVER, 1, counts);
	memset(counts, 0, sizeof(counts));
	for (uint32_t round = 0; round < 1000; round++) {
		for (uint32_t i = 0; i < frames; i++) {
			for (uint32_t f = 0; f < flooders; f++)
				send_many(net, f ? 9 + f : FLOODER, to, 64, 64);
			send_many(net, VICTIM, RECEIVER, 1, 64);
		}
		take_frames(net, RECEIVER, 16, counts);
		take_frames(net, OTHER, RING, counts + 128);
	}
	return counts[VICTIM];
}

static void one_sender_cannot_take_all(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t fair;

	add(net, FLOODER, &options);
	add(net, RECEIVER, &options);
	fair = beside_flooders(net, 3, 1, RECEIVER);
	print_message("of 3000 frames beside a flooder arrive %u", fair);
	assert_true(fair < 600);
	net_remove(net, RECEIVER);
	options.policy.flags = RVS_SHARE_RING;
	add(net, RECEIVER, &options);
	fair = beside_flooders(net, 3, 1, RECEIVER);
	print_message(", with a share of the ring %u", fair);
	assert_true(fair > 2900);
	fair = beside_flooders(net, 3, 1, UINT32_MAX);
	print_message(", if it broadcasts %u", fair);
	assert_true(fair > 2900);
	options.policy.flags = 0;
	for (uint32_t f = 1; f < 4; f++)
		add(net, 9 + f, &options);
	/* three are as many as five senders can have each: it gets less, as it asks less often
	 * than they */
	print_message(", beside four %u", beside_flooders(net, 3, 4, RECEIVER));
	fair = beside_flooders(net, 2, 4, RECEIVER);
	print_message(", of 2000 beside four %u\n", fair);
	assert_true(fair > 1600);
}

/* All of the ring is a lone sender's, until another one comes, and again when it has not for
 * long. */
static void a_lone_sender_has_all(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t counts[256] = {0};

	add(net, FLOODER, &options);
	options.policy.flags = RVS_SHARE_RING;
	add(net, RECEIVER, &options);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_many(net, FLOODER, RECEIVER, 250, 64) +
					 send_many(net, FLOODER, RECEIVER, 250, 64),
				 RING);
		take_frames(net, RECEIVER, RING, counts);
	}
	send_many(net, FLOODER, RECEIVER, 250, 64);
	send_many(net, FLOODER, RECEIVER, 250, 64);
	assert_int_equal(send_many(net, VICTIM, RECEIVER, 1, 64), 0);
	take_frames(net, RECEIVER, RING, counts);
	assert_int_equal(send_many(net, FLOODER, RECEIVER, 250, 64) +
				 send_many(net, FLOODER, RECEIVER, 250, 64),
			 RING * 3 / 4);
	assert_int_equal(send_many(net, VICTIM, RECEIVER, 60, 64), 48); /* three quarters */
	take_frames(net, RECEIVER, RING, counts);
	net->now += 301;
	for (int i = 0; i < 2; i++) {
		send_many(net, FLOODER, RECEIVER, 250, 64);
		send_many(net, FLOODER, RECEIVER, 250, 64);
		take_frames(net, RECEIVER, RING, counts);
	}
	net->now += 301;
	assert_int_equal(send_many(net, FLOODER, RECEIVER, 250, 64) +
				 send_many(net, FLOODER, RECEIVER, 250, 64),
			 RING);
}

/* ----------------------------------------------------------------------------------- isolated */

static void isolated_ports(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint32_t counts[256] = {0};

	options.policy.flags = RVS_ISOLATED;
	add(net, 20, &options);
	add(net, 21, &options);
	assert_int_equal(send_many(net, 20, 21, 2, 64), 0);
	assert_int_equal(net_drops(net, 20, RVS_DROP_ISOLATED), 2);
	assert_int_equal(send_many(net, 20, OTHER, 2, 64), 2);
	assert_int_equal(send_many(net, OTHER, 20, 2, 64), 2);
	assert_int_equal(send_many(net, 20, UINT32_MAX, 1, 64), 2); /* VICTIM, OTHER */
	assert_int_equal(send_many(net, OTHER, UINT32_MAX, 1, 64), 3);
	take_frames(net, 21, RING, counts);
	assert_int_equal(counts[20], 0);
}

#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_net(frames_a_second),
		on_net(bytes_a_second),
		cmocka_unit_test_setup_teardown(coming_again_is_no_refill, setup, teardown_anew),
		on_net(floods_a_second),
		cmocka_unit_test_setup_teardown(one_sender_cannot_take_all, setup, teardown_anew),
		on_net(a_lone_sender_has_all),
		on_net(isolated_ports),
	};

	return cmocka_run_group_tests_name("policing", tests, NULL, NULL);
}
