/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sender that stops for ever after any one instruction of a forward: nothing is left
 * inconsistent, and others go on. Runs the freestanding libraries as they are.
 */
#include "step_net.h"

enum {
	FRAMES = 6,
};

/* All kinds of frames, with growing seeds. */
static void post_all(struct net *net)
{
	uint8_t mac[FRAMES][6], source[6], frame[1200];
	const struct rvif_vnic *vnic = &net->port[SENDER].vnic;
	static const uint16_t lengths[FRAMES] = {64, 600, 70, 80, 64, 100};

	net_mac(source, SENDER);
	net_mac(mac[0], ONE);
	net_mac(mac[1], MANY);	 /* several buffers */
	memset(mac[2], 0xff, 6); /* everybody */
	net_mac(mac[3], ONE);	 /* with a checksum to be filled in */
	net_mac(mac[4], 77);	 /* from an address that is to be learned, to an unknown one */
	net_mac(mac[5], MANY);
	for (uint8_t i = 0; i < FRAMES; i++) {
		struct rvif_ring *tx = &net->port[SENDER].tx[0];

		if (i == 4)
			net_mac(source, 50);
		net_frame(frame, lengths[i], mac[i], source, i);
		net_post(net, SENDER, 0, frame, lengths[i]);
		if (i == 3)
			*rvif_ring_desc(tx, tx->posted - 1) = (struct rvif_desc){
				.offset = rvif_ring_desc(tx, tx->posted - 1)->offset,
				.length = lengths[i],
				.flags = RVIF_CSUM_NEEDED,
				.csum_start = 14,
				.csum_offset = 64};
	}
	net_post_desc(net, SENDER, &(struct rvif_desc){.offset = 0, .length = 64});
	assert_true(vnic->config.tx_ring > FRAMES);
}

/* Takes all from a port: whole frames, each at most once, in order but for those to everybody. */
static uint32_t drain(struct net *net, uint32_t port)
{
	uint8_t frame[65536];
	uint32_t length, got = 0, seen = 0, last = 0;

	while ((length = net_receive(net, port, 0, frame, NULL))) {
		const uint8_t seed = (uint8_t)(frame[20] - 20 * 7);

		assert_true(seed < FRAMES);
		assert_false(seen & 1u << seed);
		seen |= 1u << seed;
		if (seed != 2 && seed != 4) {
			assert_true(seed >= last);
			last = seed;
		}
		for (uint32_t i = 14; i < length - 2; i++)
			assert_int_equal(frame[i], (uint8_t)(seed + i * 7 + i / 256));
		got++;
	}
	return got;
}

static uint64_t frames_of(struct net *net, uint32_t port)
{
	struct rvs_stats stats;

	rvs_port_stats(net->rvs, port, &stats);
	return stats.frames;
}

static uint64_t frames_before;
static uint32_t held, busy;

static void go_on_without_it(struct net *net, uint32_t n)
{
	int gone;

	(void)n;
	/* the others need not wait until somebody notices */
	assert_int_equal(rvs_forward(net->rvs, 1, ONE, 0, 100, net->now, &net->result), 0);

	gone = rvs_sender_gone(net->rvs, 0);
	assert_in_range(gone, 0, 2);
	held += gone == 2;
	net_check_sums(net);
	assert_int_equal(rvs_sender_gone(net->rvs, 0), 0);
	net_forward(net, SENDER, 0); /* what was not taken is still there */
	assert_int_equal(frames_of(net, SENDER), frames_before + FRAMES + 1);
	net_check_sums(net);
	drain(net, ONE);
	drain(net, MANY);
	/* and the queues are as good as before */
	for (uint32_t port = ONE; port <= MANY; port++) {
		net_send(net, SENDER, port, 64, 3);
		net_expect(net, SENDER, port, 64, 3);
		net_send(net, port, SENDER, 64, 3);
		net_expect(net, port, SENDER, 64, 3);
	}
	assert_int_equal(rvs_table_age(net->rvs, net->now), 0);
}

static void abandoned_after_each_instruction(uint64_t limit)
{
	struct net *net = step_net(0, limit);
	uint32_t n;

	/* twice, so that records of the first time lie about */
	for (int round = 0; round < 2; round++) {
		rvs_table_flush(net->rvs, -1);
		frames_before = frames_of(net, SENDER);
		held = 0;
		post_all(net);
		n = step_and_stop(net, 0, SENDER, go_on_without_it);
		assert_int_equal(net->result.frames, FRAMES + 1);
		drain(net, ONE);
		drain(net, MANY);
		print_message("%u instructions, in %u of them with a receive queue locked\n", n,
			      held);
		assert_true(n > 500);
		assert_true(held > 100);
	}
	net_free(net);
}

static void abandoned(void **state)
{
	(void)state;
	abandoned_after_each_instruction(0);
}

static void abandoned_within_limits(void **state)
{
	(void)state;
	abandoned_after_each_instruction(1000000);
}

enum {
	HAS_ROOM_FOR = 4,
	POSTED = 9,
};

/* Of frames that partly find room each arrives once and in order, or was in flight. */
static void hold_without_it(struct net *net, uint32_t n)
{
	uint8_t frame[65536];
	uint32_t got = 0, last = 0;

	(void)n;
	rvs_sender_gone(net->rvs, 0);
	net_check_sums(net);
	for (int round = 0; round < 3; round++) {
		while (net_receive(net, ONE, 0, frame, NULL)) {
			const uint8_t seed = (uint8_t)(frame[20] - 20 * 7);

			if (seed == 100) /* filled the ring */
				continue;
			assert_true(seed > last && seed <= POSTED);
			last = seed;
			got++;
		}
		net_forward(net, SENDER, 0);
	}
	assert_int_equal(net->result.pending, 0);
	assert_int_equal(got + net_drops(net, SENDER, RVS_DROP_ABANDONED), POSTED);
	assert_int_equal(net_drops(net, SENDER, RVS_DROP_FULL), 0);
	net_check_sums(net);
}

static void abandoned_while_holding(void **state)
{
	struct net *net = step_net(0, 1000000);
	uint8_t frame[64], source[6], destination[6];
	uint32_t n;

	(void)state;
	for (int i = 0; i < NET_RING - HAS_ROOM_FOR; i++)
		net_send(net, SENDER, ONE, 64, 100);
	net_mac(source, SENDER);
	net_mac(destination, ONE);
	for (uint8_t seed = 1; seed <= POSTED; seed++) {
		net_frame(frame, 64, destination, source, seed);
		net_post(net, SENDER, 0, frame, 64);
	}
	net->budget = RVS_HOLD;
	n = step_and_stop(net, 0, SENDER, hold_without_it);
	assert_int_equal(net->result.delivered, HAS_ROOM_FOR);
	assert_int_equal(net->result.pending, POSTED - HAS_ROOM_FOR);
	assert_true(net->result.held);
	assert_true(n > 200);
	net_free(net);
}

/* ---- a sender that stops while its frame is captured */

/* Another sender moves a frame. How many copies of it there are: sent, and given. */
static uint32_t copies_of_another(struct net *net)
{
	const uint64_t at = rvs_capture_offset(&net_config);
	uint8_t frame[64], source[6], destination[6];
	struct rvs_observer observer;
	struct rvs_copy copy;
	uint32_t found = 0;

	assert_int_equal(
		rvs_observe(&observer, (uint8_t *)net->rvs + at, rvs_size(&net_config) - at), 0);
	net_mac(source, ONE);
	net_mac(destination, SENDER);
	net_frame(frame, sizeof(frame), destination, source, 3);
	net_post(net, ONE, 0, frame, sizeof(frame));
	assert_int_equal(rvs_forward(net->rvs, 1, ONE, 0, 1, net->now, &net->result), 0);
	assert_int_equal(net->result.delivered, 1);
	for (int call = 0; call < 4; call++)
		found += rvs_observed(&observer, &copy) &&
			 !memcmp(copy.bytes, frame, sizeof(frame));
	return found;
}

/* The ring has two places: one that stayed taken would be missed at once. */
static void record_is_released(struct net *net, uint32_t n)
{
	const uint32_t copies = copies_of_another(net);

	(void)n;
	assert_in_range(copies, 1, 2);
	held += copies == 1;
	rvs_sender_gone(net->rvs, 0);
	assert_int_equal(copies_of_another(net), 2);
}

static void abandoned_while_captured(void **state)
{
	struct net *net;

	(void)state;
	net_config.records = 2;
	net = step_net(0, 0);
	for (uint32_t port = SENDER; port <= MANY; port++)
		rvs_capture(net->rvs, port, 1);
	held = 0;
	post_all(net);
	step_and_stop(net, 0, SENDER, record_is_released);
	assert_true(held > 20);
	net_free(net);
	net_config.records = 0;
}

static void detach_receiver(struct net *net, uint32_t n)
{
	const uint64_t before = net_drops(net, MANY, RVS_DROP_BUSY);
	struct rvs_port_info info;

	if (n % 4) /* it is slow */
		return;
	if (rvs_port_detach(net->rvs, ONE)) {
		busy++;
		assert_int_equal(rvs_port_detach(net->rvs, ONE), -RVS_BUSY);
		/* the sender that is stuck holds the queue */
		net_send(net, MANY, ONE, 64, 1);
		assert_int_equal(net_drops(net, MANY, RVS_DROP_BUSY), before + 1);
		assert_true(rvs_sender_gone(net->rvs, 0) > 0);
		assert_int_equal(rvs_port_detach(net->rvs, ONE), 0);
	}
	rvs_port_info(net->rvs, ONE, &info);
	assert_false(info.attached);
	assert_int_equal(rvif_attached(&net->port[ONE].vnic), 0);
	rvs_sender_gone(net->rvs, 0);
	net_forward(net, SENDER, 0);
	net_send(net, MANY, SENDER, 64, 3);
	net_expect(net, MANY, SENDER, 64, 3);
}

/* The receiver's port goes away while a sender is stopped in it: not before that one is gone. */
static void detached_while_a_sender_is_inside(void **state)
{
	struct net *net = step_net(0, 0);

	(void)state;
	busy = 0;
	post_all(net);
	step_and_stop(net, 0, SENDER, detach_receiver);
	assert_true(busy > 20);
	net_free(net);
}

/* ---- a frame that is cut */

static void go_on_without_the_rest(struct net *net, uint32_t n)
{
	uint32_t got;

	(void)n;
	assert_in_range(rvs_sender_gone(net->rvs, 0), 0, 2);
	net_check_sums(net);
	net_forward(net, SENDER, 0);
	net_check_sums(net);
	got = step_take_segments(net);
	assert_true(!got || got == STEP_SEGMENTS);
}

static void abandoned_while_it_cuts(void **state)
{
	struct net *net = step_net_that_cuts();

	(void)state;
	step_post_segments(net);
	assert_true(step_and_stop(net, 0, SENDER, go_on_without_the_rest) > 500);
	assert_int_equal(step_take_segments(net), STEP_SEGMENTS);
	net_free(net);
}

/* With any argument: the switch of one thread. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abandoned),
		cmocka_unit_test(abandoned_within_limits),
		cmocka_unit_test(abandoned_while_holding),
		cmocka_unit_test(abandoned_while_captured),
		cmocka_unit_test(detached_while_a_sender_is_inside),
		cmocka_unit_test(abandoned_while_it_cuts),
	};

	(void)argv;
	step_config(argc > 1);
	return cmocka_run_group_tests_name("stopped", tests, NULL, NULL);
}
