/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile driver may write into its vNIC, case by case: the switch stays inside, terminates,
 * counts the right reason, and other ports do not notice.
 */
#include "net.h"

struct fixture {
	struct net *net;
	struct rvif_vnic *vnic; /* the hostile one, port 0 */
	uint32_t data, end;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->net = net_new();
	for (uint32_t port = 0; port < 3; port++)
		net_add(f->net, port);
	f->vnic = &f->net->port[0].vnic;
	f->data = f->vnic->layout.buffers;
	f->end = (uint32_t)f->vnic->config.region_size;
	*state = f;
	return 0;
}

/* Whatever happened, the others go on, and so does this one after it behaves. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	net_send(f->net, 1, 2, 64, 1);
	net_expect(f->net, 1, 2, 64, 1);
	net_check_sums(f->net);
	net_free(f->net);
	free(f);
	return 0;
}

/* A descriptor that counts as a drop for this reason, and after which good ones pass. */
static void refused(struct fixture *f, struct rvif_desc desc, enum rvs_verdict reason)
{
	uint64_t before = net_drops(f->net, 0, reason);

	net_post_desc(f->net, 0, &desc);
	net_forward(f->net, 0, 0);
	assert_int_equal(net_drops(f->net, 0, reason), before + 1);
	net_send(f->net, 0, 1, 100, 9);
	net_expect(f->net, 0, 1, 100, 9);
}

static void put_frame(struct fixture *f, uint32_t at, uint32_t to)
{
	uint8_t source[6], destination[6];

	net_mac(source, 0);
	net_mac(destination, to);
	net_frame(f->vnic->region + at, 64, destination, source, 3);
}

static void offset_past_end(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct rvif_desc){.offset = f->end, .length = 64}, RVS_DROP_BAD_DESC);
	refused(f, (struct rvif_desc){.offset = f->end - 63, .length = 64}, RVS_DROP_BAD_DESC);
	refused(f, (struct rvif_desc){.offset = UINT32_MAX, .length = 64}, RVS_DROP_BAD_DESC);
	refused(f, (struct rvif_desc){.offset = UINT32_MAX - 63, .length = 64}, RVS_DROP_BAD_DESC);
}

static void offset_in_header_or_rings(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct rvif_desc){.offset = 0, .length = 64}, RVS_DROP_BAD_DESC);
	refused(f, (struct rvif_desc){.offset = f->data - 1, .length = 64}, RVS_DROP_BAD_DESC);
}

static void last_byte_of_region_is_usable(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[64];

	put_frame(f, f->end - 64, 1);
	net_post_desc(f->net, 0, &(struct rvif_desc){.offset = f->end - 64, .length = 64});
	net_forward(f->net, 0, 0);
	assert_int_equal(net_receive(f->net, 1, 0, frame, NULL), 64);
}

static void shortest_frame_at_the_very_end(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[64], mac[6];

	net_mac(mac, 1);
	memcpy(f->vnic->region + f->end - 14, mac, 6);
	net_mac(mac, 0);
	memcpy(f->vnic->region + f->end - 8, mac, 6);
	net_post_desc(f->net, 0, &(struct rvif_desc){.offset = f->end - 14, .length = 14});
	net_forward(f->net, 0, 0);
	assert_int_equal(net_receive(f->net, 1, 0, frame, NULL), 14);
}

static void length_zero(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct rvif_desc){.offset = f->data}, RVS_DROP_BAD_LENGTH);
}

static void length_short(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct rvif_desc){.offset = f->data, .length = 13}, RVS_DROP_BAD_LENGTH);
}

static void length_huge(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct rvif_desc){.offset = f->data, .length = 9217}, RVS_DROP_BAD_LENGTH);
	refused(f, (struct rvif_desc){.offset = f->data, .length = 65535}, RVS_DROP_BAD_LENGTH);
}

static void first_part_without_head(void **state)
{
	struct fixture *f = *state;

	net_post_desc(f->net, 0,
		      &(struct rvif_desc){.offset = f->data, .length = 13, .flags = RVIF_MORE});
	refused(f, (struct rvif_desc){.offset = f->data, .length = 64}, RVS_DROP_BAD_LENGTH);
}

static void unknown_flags(void **state)
{
	struct fixture *f = *state;

	for (uint32_t bit = 5; bit < 16; bit++)
		refused(f,
			(struct rvif_desc){
				.offset = f->data, .length = 64, .flags = (uint16_t)(1u << bit)},
			RVS_DROP_BAD_DESC);
}

static void chain_without_end(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct rvif_desc){.offset = f->data, .length = 64, .flags = RVIF_MORE},
		RVS_DROP_BAD_CHAIN);
}

static void chain_around_the_whole_ring(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < NET_RING; i++)
		net_post_desc(
			f->net, 0,
			&(struct rvif_desc){.offset = f->data, .length = 64, .flags = RVIF_MORE});
	net_forward(f->net, 0, 0);
	assert_int_equal(net_drops(f->net, 0, RVS_DROP_BAD_CHAIN), 1);
	assert_int_equal(net_drops(f->net, 0, RVS_DROP_BAD_LENGTH), 0);
}

static void chain_with_empty_part(void **state)
{
	struct fixture *f = *state;

	net_post_desc(f->net, 0,
		      &(struct rvif_desc){.offset = f->data, .length = 64, .flags = RVIF_MORE});
	refused(f, (struct rvif_desc){.offset = f->data}, RVS_DROP_BAD_CHAIN);
}

static void chain_that_leaves_the_region(void **state)
{
	struct fixture *f = *state;

	net_post_desc(f->net, 0,
		      &(struct rvif_desc){.offset = f->data, .length = 64, .flags = RVIF_MORE});
	refused(f, (struct rvif_desc){.offset = f->end - 10, .length = 11}, RVS_DROP_BAD_DESC);
}

static void chain_longer_than_max_frame(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 9; i++)
		net_post_desc(
			f->net, 0,
			&(struct rvif_desc){.offset = f->data, .length = 1024, .flags = RVIF_MORE});
	refused(f, (struct rvif_desc){.offset = f->data, .length = 1}, RVS_DROP_BAD_LENGTH);
}

static void chain_of_more_than_64(void **state)
{
	struct fixture *f = *state;
	struct net_options options = net_defaults();
	struct net *net = f->net;

	options.config.tx_ring = 256;
	net_mac(options.config.mac, 5);
	assert_int_equal(net_add_with(net, 5, &options), 0);
	for (int i = 0; i < 100; i++)
		net_post_desc(net, 5,
			      &(struct rvif_desc){.offset = net->port[5].vnic.layout.buffers,
						  .length = 14,
						  .flags = i < 99 ? RVIF_MORE : 0});
	net_forward(net, 5, 0);
	assert_true(net_drops(net, 5, RVS_DROP_BAD_CHAIN) >= 1);
	assert_int_equal(net->result.pending, 0);
}

static void chain_across_the_rings_end(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[256];

	for (int i = 0; i < NET_RING - 1; i++)
		refused(f, (struct rvif_desc){.offset = 0, .length = 64}, RVS_DROP_BAD_DESC);
	f->net->port[0].tx[0].reaped += rvif_ring_completed(&f->net->port[0].tx[0]);
	while ((f->net->port[0].tx[0].posted & (NET_RING - 1)) != NET_RING - 1)
		net_post_desc(f->net, 0, &(struct rvif_desc){.offset = 0, .length = 64});
	net_forward(f->net, 0, 0);
	put_frame(f, f->data, 1);
	net_post_desc(f->net, 0,
		      &(struct rvif_desc){.offset = f->data, .length = 64, .flags = RVIF_MORE});
	net_post_desc(f->net, 0, &(struct rvif_desc){.offset = f->data + 500, .length = 36});
	net_forward(f->net, 0, 0);
	assert_int_equal(net_receive(f->net, 1, 0, frame, NULL), 100);
}

static void posted_far_ahead(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *tx = &f->net->port[0].tx[0];

	for (uint32_t ahead = NET_RING + 1; ahead; ahead <<= 1) {
		rvif_publish(&tx->control->posted, tx->posted + ahead);
		net_forward(f->net, 0, 0);
		assert_int_equal(f->net->result.frames, 0);
	}
	rvif_publish(&tx->control->posted, tx->posted);
	net_send(f->net, 0, 1, 64, 1);
	net_expect(f->net, 0, 1, 64, 1);
}

static void posted_jumps_back(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *tx = &f->net->port[0].tx[0];

	net_send(f->net, 0, 1, 64, 1);
	rvif_publish(&tx->control->posted, tx->posted - 1);
	net_forward(f->net, 0, 0);
	assert_int_equal(f->net->result.frames, 0);
}

static void completed_is_rewritten(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *tx = &f->net->port[0].tx[0];

	rvif_store(&tx->control->completed, 0x80000000);
	net_send(f->net, 0, 1, 64, 1);
	net_expect(f->net, 0, 1, 64, 1);
	assert_int_equal(rvif_load(&tx->control->completed), tx->posted);
}

static void filled_is_rewritten(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *rx = &f->net->port[0].rx[0];

	rvif_store(&rx->control->completed, 12345);
	net_send(f->net, 1, 0, 64, 1);
	net_expect(f->net, 1, 0, 64, 1);
}

static void receive_posted_far_ahead(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *rx = &f->net->port[0].rx[0];

	rvif_publish(&rx->control->posted, rx->posted + 1);
	net_send(f->net, 1, 0, 64, 1);
	assert_int_equal(net_drops(f->net, 1, RVS_DROP_FULL), 1);
	rvif_publish(&rx->control->posted, rx->posted);
	net_send(f->net, 1, 0, 64, 2);
	net_expect(f->net, 1, 0, 64, 2);
}

static void receive_buffer_outside(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *rx = &f->net->port[0].rx[0];
	const uint32_t bad[] = {0,	    f->data - 1, f->end - NET_BUFFER + 1,
				UINT32_MAX, f->end,	 UINT32_MAX - NET_BUFFER + 1};
	uint8_t frame[NET_BUFFER];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		rvif_ring_desc(rx, rx->reaped)->offset = bad[i];
		net_send(f->net, 1, 0, 64, 1);
		assert_int_equal(net_drops(f->net, 1, RVS_DROP_BAD_BUFFER), i + 1);
		rvif_ring_desc(rx, rx->reaped)->offset = f->data; /* net_receive reads there */
		assert_int_equal(net_receive(f->net, 0, 0, frame, NULL), 0); /* an empty buffer */
	}
	net_send(f->net, 1, 0, 64, 7);
	net_expect(f->net, 1, 0, 64, 7);
}

static void second_receive_buffer_of_chain_outside(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *rx = &f->net->port[0].rx[0];
	uint8_t frame[NET_BUFFER];

	rvif_ring_desc(rx, rx->reaped + 1)->offset = 0;
	net_send(f->net, 1, 0, 5000, 1);
	assert_int_equal(net_drops(f->net, 1, RVS_DROP_BAD_BUFFER), 1);
	assert_int_equal(net_receive(f->net, 0, 0, frame, NULL), 0);
	assert_int_equal(net_receive(f->net, 0, 0, frame, NULL), 0);
	net_send(f->net, 1, 0, 5000, 7);
	net_expect(f->net, 1, 0, 5000, 7);
}

static void receive_length_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *rx = &f->net->port[0].rx[0];

	for (uint32_t i = 0; i < NET_RING; i++) {
		rvif_ring_desc(rx, i)->length = 0xffff;
		rvif_ring_desc(rx, i)->flags = 0xffff;
	}
	net_send(f->net, 1, 0, 64, 1);
	net_expect(f->net, 1, 0, 64, 1);
}

static void config_changed_after_attach(void **state)
{
	struct fixture *f = *state;
	struct rvif_header *header = rvif_header(f->vnic);

	memset(&header->config, 0xff, sizeof(header->config));
	net_send(f->net, 0, 1, 64, 1);
	net_expect(f->net, 0, 1, 64, 1);
	net_send(f->net, 1, 0, 64, 1);
	net_expect(f->net, 1, 0, 64, 1);
}

static void budget_ends_a_queue_that_never_does(void **state)
{
	struct fixture *f = *state;
	struct rvif_ring *tx = &f->net->port[0].tx[0];

	for (int i = 0; i < NET_RING; i++)
		net_post_desc(f->net, 0, &(struct rvif_desc){.offset = 0, .length = 64});
	for (int i = 0; i < 100; i++) {
		assert_int_equal(rvs_forward(f->net->rvs, 0, 0, 0, 5, 1, &f->net->result), 0);
		assert_int_equal(f->net->result.frames, 5);
		tx->posted += 5;
		rvif_ring_publish(tx);
	}
}

static void spoofed_source(void **state)
{
	struct fixture *f = *state;
	struct net_options options = net_defaults();
	uint8_t frame[64], from[6], to[6];

	options.policy.flags = RVS_CHECK_SOURCE;
	net_mac(options.config.mac, 5);
	assert_int_equal(net_add_with(f->net, 5, &options), 0);
	net_mac(to, 1);
	net_mac(from, 2);
	net_frame(frame, 64, to, from, 0);
	net_post(f->net, 5, 0, frame, 64);
	net_mac(from, 77); /* of no port */
	net_frame(frame, 64, to, from, 0);
	net_post(f->net, 5, 0, frame, 64);
	net_forward(f->net, 5, 0);
	assert_int_equal(net_drops(f->net, 5, RVS_DROP_SPOOFED), 2);
	assert_int_equal(net_receive(f->net, 1, 0, frame, NULL), 0);
}

/* An address that belongs to another port for good is protected even from ports without a check. */
static void taking_over_anothers_address(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[64], from[6], to[6];

	net_mac(to, 1);
	net_mac(from, 2);
	net_frame(frame, 64, to, from, 0);
	net_post(f->net, 0, 0, frame, 64);
	net_forward(f->net, 0, 0);
	assert_int_equal(net_drops(f->net, 0, RVS_DROP_SPOOFED), 1);
	net_send(f->net, 1, 2, 64, 5);
	net_expect(f->net, 1, 2, 64, 5);
}

static void source_of_a_group_or_none(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[64], to[6];

	net_mac(to, 1);
	net_frame(frame, 64, to, (const uint8_t[6]){3, 0, 0, 0, 0, 1}, 0);
	net_post(f->net, 0, 0, frame, 64);
	net_frame(frame, 64, to, (const uint8_t[6]){0}, 0);
	net_post(f->net, 0, 0, frame, 64);
	net_forward(f->net, 0, 0);
	assert_int_equal(net_drops(f->net, 0, RVS_DROP_BAD_SOURCE), 2);
}

/* Ports that have no address of their own take the same way. */
static void source_none_at_a_port_without_address(void **state)
{
	struct fixture *f = *state;
	struct net_options options = net_defaults();
	uint8_t frame[64], to[6];

	assert_int_equal(net_add_with(f->net, 6, &options), 0);
	net_mac(to, 1);
	for (uint8_t first = 0; first < 2; first++) {
		net_frame(frame, 64, to, (const uint8_t[6]){first}, 0);
		net_post(f->net, 6, 0, frame, 64);
		net_forward(f->net, 6, 0);
		assert_int_equal(net_drops(f->net, 6, RVS_DROP_BAD_SOURCE), first + 1u);
	}
}

#define hostile(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		hostile(offset_past_end),
		hostile(offset_in_header_or_rings),
		hostile(last_byte_of_region_is_usable),
		hostile(shortest_frame_at_the_very_end),
		hostile(length_zero),
		hostile(length_short),
		hostile(length_huge),
		hostile(first_part_without_head),
		hostile(unknown_flags),
		hostile(chain_without_end),
		hostile(chain_around_the_whole_ring),
		hostile(chain_with_empty_part),
		hostile(chain_that_leaves_the_region),
		hostile(chain_longer_than_max_frame),
		hostile(chain_of_more_than_64),
		hostile(chain_across_the_rings_end),
		hostile(posted_far_ahead),
		hostile(posted_jumps_back),
		hostile(completed_is_rewritten),
		hostile(filled_is_rewritten),
		hostile(receive_posted_far_ahead),
		hostile(receive_buffer_outside),
		hostile(second_receive_buffer_of_chain_outside),
		hostile(receive_length_is_not_believed),
		hostile(config_changed_after_attach),
		hostile(budget_ends_a_queue_that_never_does),
		hostile(spoofed_source),
		hostile(taking_over_anothers_address),
		hostile(source_of_a_group_or_none),
		hostile(source_none_at_a_port_without_address),
	};

	return cmocka_run_group_tests_name("hostile drivers", tests, NULL, NULL);
}
