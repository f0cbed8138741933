/* SPDX-License-Identifier: Apache-2.0 */
/* The small switch of tests that stop or disturb a forward; see step_net.h. */
#include "step_net.h"

void step_config(int one_thread)
{
	net_config.ports = 4;
	net_config.buckets = 64;
	net_config.one_thread = one_thread;
}

struct net *step_net(uint32_t sender_flags, uint64_t limit)
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

struct net *step_net_that_cuts(void)
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

void step_post_segments(struct net *net)
{
	uint8_t frame[NET_TCP_HEADER + STEP_SEGMENTS * 100 - 1] = {
		[12] = 8, [14] = 0x45, [23] = 6, [STEP_TCP_LENGTH_AT] = 0x50};
	struct rvif_ring *tx = &net->port[SENDER].tx[0];
	struct rvif_desc *desc = rvif_ring_desc(tx, tx->posted);

	net_mac(frame, ONE);
	net_mac(frame + 6, SENDER);
	net_post(net, SENDER, 0, frame, sizeof(frame));
	desc->flags = RVIF_CSUM_NEEDED | RVIF_GSO_TCP4;
	desc->csum_start = NET_TCP_HEADER - 20;
	desc->csum_offset = 16;
	desc->gso_size = 100;
	desc->header_length = NET_TCP_HEADER;
}

uint32_t step_take_segments(struct net *net)
{
	uint8_t frame[65536];
	uint32_t n = 0, length;

	for (; (length = net_receive(net, ONE, 0, frame, NULL)); n++) {
		assert_in_range(length, NET_TCP_HEADER + 99, NET_TCP_HEADER + 100);
		assert_int_equal(frame[STEP_TCP_LENGTH_AT], 0x50);
		assert_int_equal(frame[41], n * 100 & 0xff);
	}
	return n;
}
