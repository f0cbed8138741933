/* SPDX-License-Identifier: Apache-2.0 */
/* Offloads between the kernel's words and rvif's: what is meant arrives,
 * what lies outside of the frame does not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "offload.h"

#define ALL	 RVIF_F_ALL
#define V4_START 34
#define V6_START 54
#define TCP_SUM	 16

static const struct virtio_net_hdr segments = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.hdr_len = 200, /* more than the headers, as the kernel may say */
	.gso_size = 1448,
	.csum_start = V4_START,
	.csum_offset = TCP_SUM,
};

/* The head of a TCP frame, of exactly so many bytes that a sanitizer sees an access behind it. */
static int convert(const struct virtio_net_hdr *header, uint32_t start, uint32_t tcp_words,
		   uint32_t head_length, uint32_t length, uint32_t features, struct rvif_desc *desc)
{
	uint8_t *head = calloc(1, head_length);
	int error;

	assert_non_null(head);
	if (start + 12 < head_length)
		head[start + 12] = (uint8_t)(tcp_words << 4);
	error = offload_to_rvif(header, head, head_length, length, features, desc);
	free(head);
	return error;
}

static int to_rvif(const struct virtio_net_hdr *header, uint32_t features, struct rvif_desc *desc)
{
	return convert(header, V4_START, 8, 4096, 60000, features, desc);
}

static void test_plain(void **state)
{
	struct virtio_net_hdr header = {0};
	struct rvif_desc desc;

	(void)state;
	assert_int_equal(convert(&header, V4_START, 0, 14, 14, 0, &desc), 0);
	assert_int_equal(desc.flags, 0);
	assert_int_equal(offload_to_kernel(&desc, 14, 0, &header), 0);
	assert_int_equal(header.flags, 0);
	assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
}

static void test_there_and_back(void **state)
{
	struct virtio_net_hdr header = segments, back;
	struct rvif_desc desc;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		header.gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		header.csum_start = v6 ? V6_START : V4_START;
		assert_int_equal(convert(&header, header.csum_start, 8, 4096, 60000, ALL, &desc),
				 0);
		assert_int_equal(desc.flags,
				 RVIF_CSUM_NEEDED | (v6 ? RVIF_GSO_TCP6 : RVIF_GSO_TCP4));
		assert_int_equal(desc.csum_start, header.csum_start);
		assert_int_equal(desc.csum_offset, TCP_SUM);
		assert_int_equal(desc.gso_size, 1448);
		assert_int_equal(desc.header_length, header.csum_start + 32);
		desc.flags |= RVIF_MORE;
		assert_int_equal(offload_to_kernel(&desc, 60000, ALL, &back), 0);
		assert_int_equal(back.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(back.gso_type, header.gso_type);
		assert_int_equal(back.gso_size, 1448);
		assert_int_equal(back.hdr_len, header.csum_start + 32);
		assert_int_equal(back.csum_start, header.csum_start);
		assert_int_equal(back.csum_offset, TCP_SUM);
	}
}

static void test_checksums(void **state)
{
	struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_DATA_VALID}, back;
	struct rvif_desc desc;

	(void)state;
	assert_int_equal(to_rvif(&header, RVIF_F_CSUM, &desc), 0);
	assert_int_equal(desc.flags, RVIF_CSUM_VALID);
	assert_int_equal(offload_to_kernel(&desc, 100, RVIF_F_CSUM, &back), 0);
	assert_int_equal(back.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	/* no switch needs to know it */
	assert_int_equal(to_rvif(&header, 0, &desc), 0);
	assert_int_equal(desc.flags, 0);

	header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = V4_START, .csum_offset = 6};
	assert_int_equal(convert(&header, 0, 0, 42, 42, RVIF_F_CSUM, &desc), 0);
	assert_int_equal(desc.flags, RVIF_CSUM_NEEDED);
	/* the field's last byte is the frame's, or not */
	assert_int_equal(convert(&header, 0, 0, 41, 41, RVIF_F_CSUM, &desc), -EINVAL);
	header.csum_start = 13;
	assert_int_equal(convert(&header, 0, 0, 60, 60, RVIF_F_CSUM, &desc), -EINVAL);
	header.csum_start = 65535;
	header.csum_offset = 65535;
	assert_int_equal(to_rvif(&header, RVIF_F_CSUM, &desc), -EINVAL);
}

static void test_not_granted(void **state)
{
	struct virtio_net_hdr header = segments;
	struct rvif_desc desc;

	(void)state;
	assert_int_equal(to_rvif(&header, RVIF_F_TSO4, &desc), -ENOTSUP);
	assert_int_equal(to_rvif(&header, RVIF_F_CSUM | RVIF_F_TSO6, &desc), -ENOTSUP);
	assert_int_equal(to_rvif(&header, RVIF_F_CSUM | RVIF_F_TSO4, &desc), 0);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_int_equal(to_rvif(&header, RVIF_F_CSUM | RVIF_F_TSO4, &desc), -ENOTSUP);
	header.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	assert_int_equal(to_rvif(&header, ALL, &desc), -ENOTSUP);
	header.gso_type = VIRTIO_NET_HDR_GSO_UDP | VIRTIO_NET_HDR_GSO_ECN;
	assert_int_equal(to_rvif(&header, ALL, &desc), -ENOTSUP);
	header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	assert_int_equal(to_rvif(&header, ALL, &desc), 0);
	assert_int_equal(desc.flags, RVIF_CSUM_NEEDED | RVIF_GSO_TCP4);
}

static void test_bad_segments(void **state)
{
	struct virtio_net_hdr header = segments;
	struct rvif_desc desc;

	(void)state;
	header.flags = 0;
	assert_int_equal(to_rvif(&header, ALL, &desc), -EINVAL);
	header = segments;
	header.gso_size = 0;
	assert_int_equal(to_rvif(&header, ALL, &desc), -EINVAL);
	header = segments;
	header.csum_offset = 6;
	assert_int_equal(to_rvif(&header, ALL, &desc), -EINVAL);
	/* a TCP header of less than 20 bytes, beyond the head, beyond the frame */
	assert_int_equal(convert(&segments, V4_START, 4, 4096, 60000, ALL, &desc), -EINVAL);
	assert_int_equal(convert(&segments, V4_START, 5, 53, 60000, ALL, &desc), -EINVAL);
	assert_int_equal(convert(&segments, V4_START, 5, 54, 60000, ALL, &desc), 0);
	assert_int_equal(convert(&segments, V4_START, 15, 54, 93, ALL, &desc), -EINVAL);
	assert_int_equal(convert(&segments, V4_START, 15, 54, 94, ALL, &desc), 0);
}

static const struct rvif_desc good = {
	.flags = RVIF_CSUM_NEEDED | RVIF_GSO_TCP4,
	.csum_start = V4_START,
	.csum_offset = TCP_SUM,
	.gso_size = 1448,
	.header_length = 54,
};

static int to_kernel(const struct rvif_desc *desc, uint32_t length, uint32_t features)
{
	struct virtio_net_hdr header;

	return offload_to_kernel(desc, length, features, &header);
}

static void test_hostile_switch(void **state)
{
	struct rvif_desc desc = good;

	(void)state;
	assert_int_equal(to_kernel(&good, 54, ALL), 0);
	assert_int_equal(to_kernel(&good, 53, ALL), -EINVAL);
	assert_int_equal(to_kernel(&good, 60000, 0), -EINVAL);
	assert_int_equal(to_kernel(&good, 60000, RVIF_F_CSUM | RVIF_F_TSO6), -EINVAL);
	desc.flags |= RVIF_GSO_TCP6;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc.flags = RVIF_GSO_TCP4;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc.flags = RVIF_GSO_TCP4 | RVIF_CSUM_VALID;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc.flags = RVIF_DESC_FLAGS + 1;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc = good;
	desc.gso_size = 0;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc = good;
	desc.csum_offset = 6;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc = good;
	desc.header_length = 53;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc = good;
	desc.csum_start = 13;
	assert_int_equal(to_kernel(&desc, 60000, ALL), -EINVAL);
	desc.flags = RVIF_CSUM_NEEDED;
	desc.csum_start = desc.csum_offset = 65535;
	assert_int_equal(to_kernel(&desc, 65535, ALL), -EINVAL);
}

/* Whatever comes: what is accepted lies in the frame. */
static void test_random(void **state)
{
	struct virtio_net_hdr header;
	struct rvif_desc desc;
	uint32_t accepted = 0;

	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		const uint32_t length = 14 + (uint32_t)random() % 120;

		desc = (struct rvif_desc){
			.flags = (uint16_t)(random() & RVIF_DESC_FLAGS),
			.csum_start = (uint16_t)(random() % 140),
			.csum_offset = (uint16_t)(random() % 4 ? TCP_SUM : random()),
			.gso_size = (uint16_t)(random() % 3),
			.header_length = (uint16_t)(random() % 140),
		};
		if (offload_to_kernel(&desc, length, ALL, &header))
			continue;
		accepted++;
		assert_true(header.hdr_len <= length);
		if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			assert_true(header.csum_start + header.csum_offset + 2u <= length);
		if (header.gso_type)
			assert_true(header.gso_size && header.hdr_len >= header.csum_start + 20u);
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	     cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_checksums),    cmocka_unit_test(test_not_granted),
		cmocka_unit_test(test_bad_segments), cmocka_unit_test(test_hostile_switch),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
