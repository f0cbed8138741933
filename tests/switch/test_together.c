/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that are held, cut and captured, two of these or all at once. A frame that is cut waits
 * until all its segments have room, and none of a frame's records is written twice, however often
 * it was read.
 */
#include "net.h"

enum {
	SENDER = 0,
	PLAIN = 1, /* no offload */
	SMALL = 2, /* as well, and buffers of 512 bytes */
	OTHER = 9, /* no port's address */
	SIZE = 100,
	SEGMENT = NET_TCP_HEADER + SIZE,
	RECORDS = 256,
};

static struct net *net;
static struct rvs_observer observer;
static struct rvs_copy copy;

static void add(uint32_t port, const struct net_options *changed)
{
	struct net_options options = *changed;

	net_mac(options.config.mac, port);
	assert_int_equal(net_add_with(net, port, &options), 0);
}

static int setup(void **unused)
{
	struct net_options options = net_defaults();
	uint64_t at;

	(void)unused;
	net_config.records = RECORDS;
	at = rvs_capture_offset(&net_config);
	net = net_new();
	net->budget = RVS_HOLD;
	net_add(net, PLAIN);
	options.config.buffer_size = 512;
	options.config.max_frame = 1514;
	add(SMALL, &options);
	options = net_defaults();
	options.config.tx_ring = 64;
	options.config.features = options.policy.features = RVIF_F_CSUM | RVIF_F_TSO4;
	options.policy.flags = RVS_CHECK_SOURCE;
	add(SENDER, &options);
	assert_int_equal(
		rvs_observe(&observer, (uint8_t *)net->rvs + at, rvs_size(&net_config) - at), 0);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	net_check_sums(net);
	net_free(net);
	net_config.records = 0;
	return 0;
}

static void post(uint32_t from, uint32_t to, uint8_t seed)
{
	uint8_t frame[64], source[6], destination[6];

	net_mac(source, from);
	net_mac(destination, to);
	net_frame(frame, sizeof(frame), destination, source, seed);
	net_post(net, SENDER, 0, frame, sizeof(frame));
}

static void forward(uint32_t delivered, uint32_t dropped, uint32_t pending)
{
	net_forward(net, SENDER, 0);
	assert_int_equal(net->result.delivered, delivered);
	assert_int_equal(net->result.dropped, dropped);
	assert_int_equal(net->result.pending, pending);
	assert_int_equal(net->result.held, pending != 0);
}

/* So many frames of this length are the next ones. */
static void expect(uint32_t port, uint32_t count, uint32_t length)
{
	uint8_t frame[65536];

	while (count--)
		assert_int_equal(net_receive(net, port, 0, frame, NULL), length);
}

static void expect_record(uint32_t port, int given, enum rvs_verdict verdict, uint32_t length)
{
	assert_int_equal(rvs_observed(&observer, &copy), 1);
	assert_int_equal(copy.port, port);
	assert_int_equal(copy.given, given);
	assert_int_equal(copy.verdict, verdict);
	assert_int_equal(copy.length, length);
}

/* One by post(). */
static void expect_seed(uint32_t port, int given, enum rvs_verdict verdict, uint8_t seed)
{
	expect_record(port, given, verdict, 64);
	assert_int_equal(copy.bytes[20], (uint8_t)(seed + 20 * 7));
}

static void expect_no_record(void)
{
	for (int call = 0; call < 2; call++)
		assert_int_equal(rvs_observed(&observer, &copy), 0);
}

/* --------------------------------------------------------------------------- held and cut */

static void waits_for_room_for_all_segments(void **unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++)
		net_post_tcp(net, SENDER, PLAIN, 5 * SIZE + 1, SIZE);
	forward(12, 0, 1);
	expect(PLAIN, 1, SEGMENT);
	forward(0, 0, 1); /* there is room for five of six */
	expect(PLAIN, 4, SEGMENT);
	forward(6, 0, 0);
	expect(PLAIN, 1, NET_TCP_HEADER + 1);
	for (int i = 0; i < 2; i++) {
		expect(PLAIN, 5, SEGMENT);
		expect(PLAIN, 1, NET_TCP_HEADER + 1);
	}
	expect(PLAIN, 1, 0);
}

/* Five segments of three buffers each, and a last one of one: just as many as the ring has. */
static void the_last_segment_is_shorter(void **unused)
{
	(void)unused;
	post(SENDER, SMALL, 1);
	net_post_tcp(net, SENDER, SMALL, 5001, 1000);
	forward(1, 0, 1);
	expect(SMALL, 1, 64);
	forward(6, 0, 0);
	expect(SMALL, 5, NET_TCP_HEADER + 1000);
	expect(SMALL, 1, NET_TCP_HEADER + 1);
}

/* What its only segment has, and not what it could have, has to suit the receiver. */
static void one_segment_is_as_long_as_its_payload(void **unused)
{
	(void)unused;
	for (uint8_t seed = 0; seed < NET_RING; seed++)
		post(SENDER, SMALL, seed);
	net_post_tcp(net, SENDER, SMALL, 10, 5000);
	net_post_tcp(net, SENDER, SMALL, 0, 5000);
	forward(NET_RING, 0, 2);
	expect(SMALL, 2, 64);
	forward(2, 0, 0);
	expect(SMALL, NET_RING - 2, 64);
	expect(SMALL, 1, NET_TCP_HEADER + 10);
	expect(SMALL, 1, NET_TCP_HEADER);
}

/* One that the ring never has room for takes what there is, and no frame behind it is lost. */
static void more_segments_than_the_ring(void **unused)
{
	(void)unused;
	post(SENDER, PLAIN, 1);
	net_post_tcp(net, SENDER, PLAIN, (NET_RING + 4) * SIZE, SIZE);
	post(SENDER, PLAIN, 2);
	forward(NET_RING, 5, 1);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_FULL), 5);
	expect(PLAIN, 1, 64);
	expect(PLAIN, NET_RING - 1, SEGMENT);
	forward(1, 0, 0);
	expect(PLAIN, 1, 64);
}

/* Segments that none is to get take no room from what is behind them. */
static void what_cannot_be_cut_does_not_wait(void **unused)
{
	(void)unused;
	for (uint8_t seed = 0; seed < NET_RING; seed++)
		post(SENDER, SMALL, seed);
	net_post_tcp(net, SENDER, SMALL, 9000, 3000);
	net_post_tcp(net, SENDER, SMALL, 129 * SIZE, SIZE);
	forward(NET_RING, 4, 0);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_TOO_LONG), 3);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_NO_GSO), 1);
}

/* ---------------------------------------------------------------------- held and captured */

/* Bad ones are behind, between and before those that wait. */
static void recorded_when_it_is_taken(void **unused)
{
	(void)unused;
	rvs_capture(net->rvs, SENDER, 1);
	rvs_capture(net->rvs, SMALL, 1);
	post(OTHER, SMALL, 1);
	for (uint8_t seed = 2; seed < NET_RING; seed++)
		post(SENDER, SMALL, seed);
	net_post_desc(net, SENDER, &(struct rvif_desc){.offset = UINT32_MAX, .length = 64});
	post(OTHER, SMALL, NET_RING);
	for (uint8_t seed = NET_RING + 1; seed < NET_RING + 5; seed++)
		post(SENDER, SMALL, seed);
	post(OTHER, SMALL, NET_RING + 5);
	forward(NET_RING, 3, 3);
	for (int i = 0; i < 5; i++)
		forward(0, 0, 3);
	for (uint8_t seed = 1; seed < NET_RING + 3; seed++)
		expect_seed(SENDER, 0, seed == 1 || seed == NET_RING ? RVS_DROP_SPOOFED : RVS_GOOD,
			    seed);
	for (uint8_t seed = 2; seed < NET_RING + 3; seed++)
		if (seed != NET_RING)
			expect_seed(SMALL, 1, RVS_GOOD, seed);
	expect_no_record();
	expect(SMALL, NET_RING, 64);
	forward(2, 1, 0);
	expect_seed(SENDER, 0, RVS_GOOD, NET_RING + 3);
	expect_seed(SENDER, 0, RVS_GOOD, NET_RING + 4);
	expect_seed(SENDER, 0, RVS_DROP_SPOOFED, NET_RING + 5);
	expect_seed(SMALL, 1, RVS_GOOD, NET_RING + 3);
	expect_seed(SMALL, 1, RVS_GOOD, NET_RING + 4);
	expect_no_record();
	assert_int_equal(rvs_observable(&observer, SENDER), NET_RING + 5);
	assert_int_equal(rvs_observable(&observer, SMALL), NET_RING + 2);
}

/* A bad frame that was looked at in a copy of its first bytes: the next one's do not replace it. */
static void recorded_as_it_was_looked_at(void **unused)
{
	struct net_options options = net_defaults();

	(void)unused;
	net_remove(net, SENDER);
	options.policy.flags = RVS_CHECK_IP;
	add(SENDER, &options);
	rvs_capture(net->rvs, SENDER, 1);
	for (uint8_t seed = 1; seed <= 12; seed++)
		post(SENDER, PLAIN, seed); /* neither IP nor ARP */
	forward(0, 12, 0);
	for (uint8_t seed = 1; seed <= 12; seed++)
		expect_seed(SENDER, 0, RVS_DROP_BAD_IP, seed);
	expect_no_record();
}

/* ----------------------------------------------------------------------- cut and captured */

static void each_segment_is_recorded(void **unused)
{
	const uint32_t length = NET_TCP_HEADER + 5 * SIZE;

	(void)unused;
	rvs_capture(net->rvs, SENDER, 1);
	rvs_capture(net->rvs, PLAIN, 1);
	net_post_tcp(net, SENDER, PLAIN, 5 * SIZE, SIZE);
	forward(5, 0, 0);
	expect_record(SENDER, 0, RVS_GOOD, length);
	for (uint32_t n = 0; n < 5; n++) {
		uint8_t frame[65536];

		expect_record(PLAIN, 1, RVS_GOOD, SEGMENT);
		assert_int_equal(copy.bytes[41], (uint8_t)(n * SIZE)); /* of the sequence number */
		assert_int_equal(net_receive(net, PLAIN, 0, frame, NULL), SEGMENT);
		assert_memory_equal(copy.bytes, frame, SEGMENT);
	}
	expect_no_record();
	/* those that are not given have one record, of the frame */
	for (uint8_t seed = 0; seed < NET_RING - 2; seed++)
		post(SENDER, PLAIN, seed);
	net_forward(net, SENDER, 0);
	while (rvs_observed(&observer, &copy))
		;
	net_post_tcp(net, SENDER, PLAIN, 5 * SIZE, SIZE);
	net->budget = 0;
	forward(2, 3, 0);
	expect_record(SENDER, 0, RVS_GOOD, length);
	expect_record(PLAIN, 1, RVS_GOOD, SEGMENT);
	expect_record(PLAIN, 1, RVS_GOOD, SEGMENT);
	expect_record(PLAIN, 1, RVS_DROP_FULL, length);
	expect_no_record();
}

/* ---------------------------------------------------------------------------- all of them */

static void held_cut_and_captured(void **unused)
{
	(void)unused;
	rvs_capture(net->rvs, SENDER, 1);
	rvs_capture(net->rvs, PLAIN, 1);
	for (uint32_t n = 1; n <= 3; n++) {
		net_post_tcp(net, SENDER, PLAIN, 6 * SIZE, SIZE);
		post(OTHER, PLAIN, (uint8_t)n);
	}
	forward(12, 2, 2);
	for (int i = 0; i < 5; i++)
		forward(0, 0, 2);
	for (uint8_t n = 1; n <= 2; n++) {
		expect_record(SENDER, 0, RVS_GOOD, NET_TCP_HEADER + 6 * SIZE);
		expect_seed(SENDER, 0, RVS_DROP_SPOOFED, n);
	}
	for (uint32_t n = 0; n < 12; n++)
		expect_record(PLAIN, 1, RVS_GOOD, SEGMENT);
	expect_no_record();
	expect(PLAIN, 12, SEGMENT);
	forward(6, 1, 0);
	expect_record(SENDER, 0, RVS_GOOD, NET_TCP_HEADER + 6 * SIZE);
	expect_seed(SENDER, 0, RVS_DROP_SPOOFED, 3);
	for (uint32_t n = 0; n < 6; n++)
		expect_record(PLAIN, 1, RVS_GOOD, SEGMENT);
	expect_no_record();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waits_for_room_for_all_segments),
		TEST(the_last_segment_is_shorter),
		TEST(one_segment_is_as_long_as_its_payload),
		TEST(more_segments_than_the_ring),
		TEST(what_cannot_be_cut_does_not_wait),
		TEST(recorded_when_it_is_taken),
		TEST(recorded_as_it_was_looked_at),
		TEST(each_segment_is_recorded),
		TEST(held_cut_and_captured),
	};

	return cmocka_run_group_tests_name("held, cut and captured", tests, NULL, NULL);
}
