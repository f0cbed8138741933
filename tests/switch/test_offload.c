/* SPDX-License-Identifier: Apache-2.0 */
/* Checksum and segmentation offload: passed on, filled in, or refused, by what each side was
 * granted. What is cut: test_segment.c. */
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

static uint32_t sum_of(const uint8_t *data, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void post_with_flags(struct net *net, uint32_t port, const uint8_t *frame, uint32_t length,
			    struct rvif_desc desc)
{
	const struct rvif_vnic *vnic = &net->port[port].vnic;

	memcpy(vnic->region + vnic->layout.buffers, frame, length);
	desc.offset = vnic->layout.buffers;
	desc.length = (uint16_t)length;
	net_post_desc(net, port, &desc);
	net_forward(net, port, 0);
}

static void checksum_is_passed_on_or_filled_in(void **state)
{
	struct net *net = *state;
	const struct rvif_desc csum = {
		.flags = RVIF_CSUM_NEEDED, .csum_start = 34, .csum_offset = 6};
	uint8_t frame[NET_BUFFER], sent[1500];
	struct rvif_desc got;

	net_add_with_features(net, 8, RVIF_F_CSUM);
	net_add_with_features(net, 9, RVIF_F_CSUM);
	for (uint32_t length = 60; length < 80; length++) {
		memset(sent, (int)length, sizeof(sent));
		net_udp_frame(sent, 9, 8, 5);
		post_with_flags(net, 8, sent, length, csum);
		assert_int_equal(net_receive(net, 9, 0, frame, &got), length);
		assert_int_equal(got.flags, RVIF_CSUM_NEEDED);
		assert_int_equal(got.csum_start, 34);
		assert_int_equal(got.csum_offset, 6);
		assert_memory_equal(frame, sent, length);
		net_udp_frame(sent, 1, 8, 5); /* port 1 does not do checksums */
		post_with_flags(net, 8, sent, length, csum);
		assert_int_equal(net_receive(net, 1, 0, frame, &got), length);
		assert_int_equal(got.flags, 0);
		/* nothing but the field differs */
		assert_int_equal(frame[40] << 8 | frame[41],
				 (uint16_t)~sum_of(sent + 34, length - 34));
		memcpy(frame + 40, sent + 40, 2);
		assert_memory_equal(frame, sent, length);
	}
	post_with_flags(net, 8, sent, 60, (struct rvif_desc){.flags = RVIF_CSUM_VALID});
	net_receive(net, 1, 0, frame, &got);
	assert_int_equal(got.flags, 0);
}

static void checksum_over_several_buffers(void **state)
{
	struct net *net = *state;
	struct net_options options = net_defaults();
	uint8_t frame[NET_BUFFER], sent[1001];
	struct rvif_desc got;
	uint16_t expected;

	options.config.buffer_size = 515; /* odd */
	options.config.max_frame = 1514;
	net_mac(options.config.mac, 9);
	assert_int_equal(net_add_with(net, 9, &options), 0);
	net_add_with_features(net, 8, RVIF_F_CSUM);
	for (uint32_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 31);
	net_udp_frame(sent, 9, 8, 5);
	expected = (uint16_t)~sum_of(sent + 34, sizeof(sent) - 34);
	post_with_flags(net, 8, sent, sizeof(sent),
			(struct rvif_desc){
				.flags = RVIF_CSUM_NEEDED, .csum_start = 34, .csum_offset = 480});
	assert_int_equal(net_receive(net, 9, 0, frame, &got), sizeof(sent));
	assert_int_equal(frame[514] << 8 | frame[515], expected); /* astride two buffers */
}

static void bad_offloads(void **state)
{
	struct net *net = *state;
	const struct rvif_desc bad[] = {
		{.flags = RVIF_CSUM_NEEDED, .csum_start = 13},
		{.flags = RVIF_CSUM_NEEDED, .csum_start = 63},
		{.flags = RVIF_CSUM_NEEDED, .csum_start = 34, .csum_offset = 29},
		{.flags = RVIF_CSUM_NEEDED, .csum_start = 65535, .csum_offset = 65535},
		{.flags = RVIF_GSO_TCP4, .csum_start = 34, .gso_size = 1, .header_length = 54},
		{.flags = RVIF_GSO_TCP4 | RVIF_CSUM_NEEDED, .csum_start = 34, .header_length = 54},
		{.flags = RVIF_GSO_TCP4 | RVIF_CSUM_NEEDED,
		 .csum_start = 34,
		 .gso_size = 1,
		 .header_length = 65},
		{.flags = RVIF_GSO_TCP4 | RVIF_CSUM_NEEDED,
		 .csum_start = 34,
		 .gso_size = 1,
		 .header_length = 34},
		{.flags = RVIF_GSO_TCP4 | RVIF_GSO_TCP6 | RVIF_CSUM_NEEDED,
		 .csum_start = 34,
		 .gso_size = 1,
		 .header_length = 54},
		{.flags = RVIF_GSO_TCP6 | RVIF_CSUM_NEEDED,
		 .csum_start = 34,
		 .gso_size = 1,
		 .header_length = 54}, /* not granted */
	};
	uint8_t frame[NET_BUFFER];

	net_add_with_features(net, 8, RVIF_F_CSUM | RVIF_F_TSO4);
	net_udp_frame(frame, 1, 8, 5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		post_with_flags(net, 8, frame, 64, bad[i]);
		assert_int_equal(net_drops(net, 8, RVS_DROP_BAD_OFFLOAD), i + 1);
	}
	net_udp_frame(frame, 1, 0, 5); /* port 0 was granted nothing */
	post_with_flags(net, 0, frame, 64, (struct rvif_desc){.flags = RVIF_CSUM_VALID});
	assert_int_equal(net_drops(net, 0, RVS_DROP_BAD_OFFLOAD), 1);
	assert_int_equal(net_receive(net, 1, 0, frame, NULL), 0);
}

static void segmentation(void **state)
{
	struct net *net = *state;
	const struct rvif_desc gso = {.flags = RVIF_GSO_TCP4 | RVIF_CSUM_NEEDED,
				      .csum_start = 34,
				      .csum_offset = 16,
				      .gso_size = 1448,
				      .header_length = 54};
	uint8_t frame[65536], sent[20000];
	struct rvif_desc got;

	net_add_with_features(net, 8, RVIF_F_CSUM | RVIF_F_TSO4);
	net_add_with_features(net, 9, RVIF_F_CSUM | RVIF_F_TSO4);
	memset(sent, 0x77, sizeof(sent));
	net_udp_frame(sent, 9, 8, 5);
	post_with_flags(net, 8, sent, sizeof(sent), gso); /* longer than max_frame */
	assert_int_equal(net_receive(net, 9, 0, frame, &got), sizeof(sent));
	assert_int_equal(got.flags, RVIF_GSO_TCP4 | RVIF_CSUM_NEEDED | RVIF_MORE);
	assert_int_equal(got.gso_size, 1448);
	assert_int_equal(got.header_length, 54);
	assert_memory_equal(frame, sent, sizeof(sent));
}

#define on_net(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_net(checksum_is_passed_on_or_filled_in),
		on_net(checksum_over_several_buffers),
		on_net(bad_offloads),
		on_net(segmentation),
	};

	return cmocka_run_group_tests_name("offloads", tests, NULL, NULL);
}
