/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sender that stops for ever after any one instruction of a forward, and a vNIC that changes
 * after any one: nothing is left inconsistent, nothing that was checked is read again. Runs the
 * freestanding libraries as they are.
 */
#include <elisa/sub_test.h>
#include "step.h"

enum {
	SENDER = 0,
	ONE = 1,  /* gets single frames */
	MANY = 2, /* small buffers, wants to be woken */
	FRAMES = 6,
};

static struct net *make_net(uint32_t sender_flags, uint64_t limit)
{
	struct net_options options = net_defaults();
	struct net *net = net_new();

	options.config.features = options.policy.features = RVIF_F_CSUM;
	options.policy.flags = sender_flags;
	for (int i = 0; i < RVS_LIMITS; i++)
		options.policy.per_second[i] = limit;
	net_mac(options.config.mac, SENDER);
	assert_int_equal(net_add_with(net, SENDER, &options), 0);
	net_add(net, ONE);
	options = net_defaults();
	options.config.features = options.policy.features = RVIF_F_NOTIFY;
	options.config.buffer_size = 512;
	options.config.rx_ring = 64;
	net_mac(options.config.mac, MANY);
	assert_int_equal(net_add_with(net, MANY, &options), 0);
	rvif_store(&net->port[MANY].rx[0].control->need_notify, 1);
	return net;
}

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
	struct net *net = make_net(0, limit);
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
	struct net *net = make_net(0, 1000000);
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
	net = make_net(0, 0);
	for (uint32_t port = SENDER; port <= MANY; port++)
		rvs_capture(net->rvs, port, 1);
	held = 0;
	post_all(net);
	step_and_stop(net, 0, SENDER, record_is_released);
	assert_true(held > 20);
	net_free(net);
	net_config.records = 0;
}

/* An observer whose record is written over while it reads it. */
struct reading {
	struct net *net;
	struct rvs_observer observer;
	struct rvs_copy copy;
	int found;
};

static void read_next(void *context)
{
	struct reading *r = context;

	r->found = rvs_observed(&r->observer, &r->copy);
}

static void write_over(void *context)
{
	struct reading *r = context;

	net_send(r->net, ONE, SENDER, 64, 2);
}

static void observed_while_written_over(void **state)
{
	uint32_t whole = 0, lost = 0;
	uint64_t at;
	struct reading r;
	int done = 0;

	(void)state;
	net_config.records = 1;
	at = rvs_capture_offset(&net_config);
	r.net = make_net(0, 0);
	rvs_capture(r.net->rvs, ONE, 1);
	for (uint32_t n = 1; !done; n++) {
		uint8_t frame[NET_BUFFER];

		assert_int_equal(rvs_observe(&r.observer, (uint8_t *)r.net->rvs + at,
					     rvs_size(&net_config) - at),
				 0);
		net_send(r.net, ONE, SENDER, 64, 1);
		done = !elisa_step_once(read_next, n, write_over, &r);
		if (!r.found)
			lost++;
		for (uint32_t i = 14; r.found && i < 64; i++)
			assert_int_equal(r.copy.bytes[i],
					 (uint8_t)(r.copy.bytes[14] + (i - 14) * 7));
		whole += r.found != 0;
		while (net_receive(r.net, SENDER, 0, frame, NULL))
			;
	}
	assert_true(whole > 10 && lost > 60);
	net_free(r.net);
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
	struct net *net = make_net(0, 0);

	(void)state;
	busy = 0;
	post_all(net);
	step_and_stop(net, 0, SENDER, detach_receiver);
	assert_true(busy > 20);
	net_free(net);
}

/* ---- a frame that is cut */

enum {
	SEGMENTS = 2,
	HEADER = 54,
	TCP_LENGTH_AT = 46,
};

static struct net *make_net_that_cuts(void)
{
	struct net_options options = net_defaults();
	struct net *net = net_new();

	net_add(net, ONE);
	net_add(net, MANY);
	options.config.features = options.policy.features = RVIF_F_CSUM | RVIF_F_TSO4;
	net_mac(options.config.mac, SENDER);
	assert_int_equal(net_add_with(net, SENDER, &options), 0);
	return net;
}

static void post_segments(struct net *net)
{
	uint8_t frame[HEADER + SEGMENTS * 100 - 1] = {
		[12] = 8, [14] = 0x45, [23] = 6, [TCP_LENGTH_AT] = 0x50};
	struct rvif_ring *tx = &net->port[SENDER].tx[0];
	struct rvif_desc *desc = rvif_ring_desc(tx, tx->posted);

	net_mac(frame, ONE);
	net_mac(frame + 6, SENDER);
	net_post(net, SENDER, 0, frame, sizeof(frame));
	desc->flags = RVIF_CSUM_NEEDED | RVIF_GSO_TCP4;
	desc->csum_start = HEADER - 20;
	desc->csum_offset = 16;
	desc->gso_size = 100;
	desc->header_length = HEADER;
}

/* Returns how many segments came, each with the header that was sent. */
static uint32_t take_segments(struct net *net)
{
	uint8_t frame[65536];
	uint32_t n = 0, length;

	for (; (length = net_receive(net, ONE, 0, frame, NULL)); n++) {
		assert_in_range(length, HEADER + 99, HEADER + 100);
		assert_int_equal(frame[TCP_LENGTH_AT], 0x50);
		assert_int_equal(frame[41], n * 100 & 0xff);
	}
	return n;
}

static void go_on_without_the_rest(struct net *net, uint32_t n)
{
	uint32_t got;

	(void)n;
	assert_in_range(rvs_sender_gone(net->rvs, 0), 0, 2);
	net_check_sums(net);
	net_forward(net, SENDER, 0);
	net_check_sums(net);
	got = take_segments(net);
	assert_true(!got || got == SEGMENTS);
}

static void abandoned_while_it_cuts(void **state)
{
	struct net *net = make_net_that_cuts();

	(void)state;
	post_segments(net);
	assert_true(step_and_stop(net, 0, SENDER, go_on_without_the_rest) > 500);
	assert_int_equal(take_segments(net), SEGMENTS);
	net_free(net);
}

/* ---- memory that changes meanwhile */

struct change {
	uint8_t *at;
	uint8_t bytes[16];
	uint8_t length;
};

static void apply(void *argument)
{
	const struct change *change = argument;

	memcpy(change->at, change->bytes, change->length);
}

/* What the sender's memory may become at any instruction. The frame is one of 64 bytes to ONE. */
static void changed_after_each_instruction(struct change (*what)(struct net *net), uint32_t flags)
{
	struct net *net = make_net(flags, 0);
	uint8_t frame[65536], own[6];
	uint32_t sent = 0, done = 0;

	net_mac(own, SENDER);
	for (uint32_t n = 1; !done; n++) {
		uint8_t destination[6], sender[NET_BUFFER];
		uint32_t length;
		struct change change;

		net_mac(destination, ONE);
		net_frame(sender, 64, destination, own, 3);
		net_post(net, SENDER, 0, sender, 64);
		change = what(net);
		done = (uint32_t)step_and_disturb(net, 0, SENDER, n, apply, &change);
		net_forward(net, SENDER, 0);
		for (uint32_t port = ONE; port <= MANY; port++)
			while ((length = net_receive(net, port, 0, frame, NULL))) {
				assert_true(length <= 9216);
				if (flags & RVS_CHECK_SOURCE)
					assert_memory_equal(frame + 6, own, 6);
				sent++;
			}
		/* behave again */
		rvif_ring_publish(&net->port[SENDER].tx[0]);
		net_forward(net, SENDER, 0);
		while (net_receive(net, ONE, 0, frame, NULL))
			sent++;
		net_check_sums(net);
	}
	assert_true(sent > 100);
	net_free(net);
}

static struct rvif_desc *last_desc(struct net *net)
{
	return rvif_ring_desc(&net->port[SENDER].tx[0], net->port[SENDER].tx[0].posted - 1);
}

static struct change source_becomes_another(struct net *net)
{
	struct change change = {.at = net->port[SENDER].vnic.region + last_desc(net)->offset + 6,
				.length = 6};

	net_mac(change.bytes, MANY);
	return change;
}

static struct change destination_becomes_another(struct net *net)
{
	struct change change = {.at = net->port[SENDER].vnic.region + last_desc(net)->offset,
				.length = 6};

	net_mac(change.bytes, MANY);
	return change;
}

static struct change descriptor_leaves_the_region(struct net *net)
{
	struct change change = {.at = (uint8_t *)last_desc(net), .length = 8};

	memset(change.bytes, 0xff, sizeof(change.bytes));
	return change;
}

static struct change posted_jumps(struct net *net)
{
	struct change change = {.at = (uint8_t *)&net->port[SENDER].tx[0].control->posted,
				.length = 4,
				.bytes = {0, 0, 0, 0x40}};

	return change;
}

static struct change receive_descriptor_leaves_the_region(struct net *net)
{
	const struct rvif_ring *rx = &net->port[ONE].rx[0];
	struct change change = {.at = (uint8_t *)rvif_ring_desc(rx, rx->reaped), .length = 4};
	const uint32_t end = (uint32_t)net->port[ONE].vnic.config.region_size - 1;

	memcpy(change.bytes, &end, 4);
	return change;
}

static void source_changes(void **state)
{
	(void)state;
	changed_after_each_instruction(source_becomes_another, RVS_CHECK_SOURCE);
}

static void destination_changes(void **state)
{
	(void)state;
	changed_after_each_instruction(destination_becomes_another, 0);
}

static void descriptor_changes(void **state)
{
	(void)state;
	changed_after_each_instruction(descriptor_leaves_the_region, 0);
}

static void posted_changes(void **state)
{
	(void)state;
	changed_after_each_instruction(posted_jumps, 0);
}

/*
 * Of a frame that is changed like this in the sender's memory only what was checked is delivered.
 */
static void delivered_as_checked(const struct rvs_policy *policy, uint8_t *sent, uint32_t length,
				 uint32_t at, const uint8_t *bytes, uint8_t count)
{
	struct net *net = net_new();
	struct net_options options = net_defaults();
	uint32_t done = 0, got = 0;
	uint8_t frame[65536];

	options.policy = *policy;
	net_mac(options.config.mac, SENDER);
	assert_int_equal(net_add_with(net, SENDER, &options), 0);
	options.policy = net_defaults().policy;
	options.policy.trunk[0] = policy->trunk[0] ? policy->trunk[0] | 1u << 20 : 0;
	net_mac(options.config.mac, ONE);
	assert_int_equal(net_add_with(net, ONE, &options), 0);
	net_mac(sent, ONE);
	net_mac(sent + 6, SENDER);
	for (uint32_t n = 1; !done; n += 7) { /* it lies there for longer */
		struct change change = {.length = count};

		memcpy(change.bytes, bytes, count);
		net_post(net, SENDER, 0, sent, length);
		change.at = net->port[SENDER].vnic.region + last_desc(net)->offset + at;
		done = (uint32_t)step_and_disturb(net, 0, SENDER, n, apply, &change);
		while (net_receive(net, ONE, 0, frame, NULL)) {
			assert_memory_equal(frame + at, sent + at, count);
			got++;
		}
		net_check_sums(net);
	}
	assert_true(got > 20);
	net_free(net);
}

static void tag_changes(void **state)
{
	const struct rvs_policy policy = {.trunk = {1u << 10}};
	uint8_t sent[68] = {[12] = 0x81, [15] = 10};

	(void)state;
	delivered_as_checked(&policy, sent, sizeof(sent), 12, (const uint8_t[]){0x81, 0, 0, 20}, 4);
}

static void ip_address_changes(void **state)
{
	const struct rvs_policy policy = {
		.flags = RVS_CHECK_IP, .ipv4_count = 1, .ipv4 = {{10, 0, 0, 1}}};
	uint8_t sent[200] = {[12] = 8, [14] = 0x45, [26] = 10, [29] = 1};

	(void)state;
	delivered_as_checked(&policy, sent, sizeof(sent), 26, (const uint8_t[]){10, 0, 0, 2}, 4);
}

/* The length of TCP's header becomes another one while the frame is cut. */
static void header_changes(void **state)
{
	struct net *net = make_net_that_cuts();
	uint32_t done = 0, got = 0;

	(void)state;
	for (uint32_t n = 1; !done; n += 41) {
		struct change change = {.length = 1, .bytes = {0xf0}};

		post_segments(net);
		change.at = net->port[SENDER].vnic.region + last_desc(net)->offset + TCP_LENGTH_AT;
		done = (uint32_t)step_and_disturb(net, 0, SENDER, n, apply, &change);
		got += take_segments(net);
		net_check_sums(net);
	}
	assert_true(got > 5 * SEGMENTS);
	assert_true(net_drops(net, SENDER, RVS_DROP_NO_GSO) > 0);
	net_free(net);
}

/*
 * The receiver's own driver reads where the switch did not write; here it asks for the buffer's
 * place.
 */
static void receive_descriptor_changes(void **state)
{
	struct net *net = make_net(0, 0);
	uint32_t done = 0;

	(void)state;
	for (uint32_t n = 1; !done; n++) {
		uint8_t frame[64], from[6], to[6];
		struct change change;
		struct rvif_ring *rx = &net->port[ONE].rx[0];

		net_mac(from, SENDER);
		net_mac(to, ONE);
		net_frame(frame, 64, to, from, 3);
		net_post(net, SENDER, 0, frame, 64);
		change = receive_descriptor_leaves_the_region(net);
		done = (uint32_t)step_and_disturb(net, 0, SENDER, n, apply, &change);
		while (rvif_ring_completed(rx)) {
			rx->reaped++;
			rvif_ring_desc(rx, rx->posted)->offset = net->port[ONE].vnic.layout.buffers;
			rx->posted++;
		}
		rvif_ring_publish(rx);
		net_check_sums(net);
	}
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
		cmocka_unit_test(observed_while_written_over),
		cmocka_unit_test(detached_while_a_sender_is_inside),
		cmocka_unit_test(abandoned_while_it_cuts),
		cmocka_unit_test(source_changes),
		cmocka_unit_test(destination_changes),
		cmocka_unit_test(descriptor_changes),
		cmocka_unit_test(posted_changes),
		cmocka_unit_test(tag_changes),
		cmocka_unit_test(ip_address_changes),
		cmocka_unit_test(header_changes),
		cmocka_unit_test(receive_descriptor_changes),
	};

	net_config.ports = 4; /* all of the switch is copied for each instruction */
	net_config.buckets = 64;
	net_config.one_thread = argc > 1;
	(void)argv;
	return cmocka_run_group_tests_name("stopped and disturbed", tests, NULL, NULL);
}
