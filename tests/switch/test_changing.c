/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that changes after any one instruction while the switch, or an observer of its captures,
 * reads it: nothing that was checked is read again. Runs the freestanding libraries as they are.
 */
#include <elisa/sub_test.h>
#include "step_net.h"

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
	struct net *net = step_net(flags, 0);
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
	struct net *net = step_net_that_cuts();
	uint32_t done = 0, got = 0;

	(void)state;
	for (uint32_t n = 1; !done; n += 41) {
		struct change change = {.length = 1, .bytes = {0xf0}};

		step_post_segments(net);
		change.at =
			net->port[SENDER].vnic.region + last_desc(net)->offset + STEP_TCP_LENGTH_AT;
		done = (uint32_t)step_and_disturb(net, 0, SENDER, n, apply, &change);
		got += step_take_segments(net);
		net_check_sums(net);
	}
	assert_true(got > 5 * STEP_SEGMENTS);
	assert_true(net_drops(net, SENDER, RVS_DROP_NO_GSO) > 0);
	net_free(net);
}

/*
 * The receiver's own driver reads where the switch did not write; here it asks for the buffer's
 * place.
 */
static void receive_descriptor_changes(void **state)
{
	struct net *net = step_net(0, 0);
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

/* ---- a captured frame */

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
	r.net = step_net(0, 0);
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

/* With any argument: the switch of one thread. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_changes),
		cmocka_unit_test(destination_changes),
		cmocka_unit_test(descriptor_changes),
		cmocka_unit_test(posted_changes),
		cmocka_unit_test(tag_changes),
		cmocka_unit_test(ip_address_changes),
		cmocka_unit_test(header_changes),
		cmocka_unit_test(receive_descriptor_changes),
		cmocka_unit_test(observed_while_written_over),
	};

	(void)argv;
	step_config(argc > 1);
	return cmocka_run_group_tests_name("disturbed", tests, NULL, NULL);
}
