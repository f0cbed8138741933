/* SPDX-License-Identifier: Apache-2.0 */
/* The two directions of offload.h. Neither may read a byte outside of what it is given. */
#include <errno.h>
#include <string.h>
#include "offload.h"

enum {
	TCP_HEADER = 20,
	TCP_DATA_OFFSET = 12, /* the upper half of this byte: words of the header */
	TCP_CHECKSUM = 16,
};

/* Tells whether the checksum field lies in the frame, behind the Ethernet header. */
static int sum_fits(uint32_t start, uint32_t offset, uint32_t length)
{
	return start >= RVIF_MIN_FRAME && start + offset + sizeof(uint16_t) <= length;
}

/* Describes a frame to be cut. The kernel's hdr_len is what it has in one piece, so the length of
 * the headers is taken from the TCP header. */
static int segments_to_rvif(const struct virtio_net_hdr *header, const uint8_t *head,
			    uint32_t head_length, uint32_t length, struct rvif_desc *desc)
{
	uint32_t end;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !header->gso_size ||
	    header->csum_offset != TCP_CHECKSUM ||
	    (uint32_t)header->csum_start + TCP_HEADER > head_length)
		return -EINVAL;
	end = header->csum_start + (head[header->csum_start + TCP_DATA_OFFSET] >> 4) * 4u;
	if (end < (uint32_t)header->csum_start + TCP_HEADER || end > length)
		return -EINVAL;
	desc->gso_size = header->gso_size;
	desc->header_length = (uint16_t)end;
	return 0;
}

int offload_to_rvif(const struct virtio_net_hdr *header, const uint8_t *head, uint32_t head_length,
		    uint32_t length, uint32_t features, struct rvif_desc *desc)
{
	memset(desc, 0, sizeof(*desc));
	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!(features & RVIF_F_CSUM))
			return -ENOTSUP;
		if (!sum_fits(header->csum_start, header->csum_offset, length))
			return -EINVAL;
		desc->flags = RVIF_CSUM_NEEDED;
		desc->csum_start = header->csum_start;
		desc->csum_offset = header->csum_offset;
	} else if (header->flags & VIRTIO_NET_HDR_F_DATA_VALID && features & RVIF_F_CSUM) {
		desc->flags = RVIF_CSUM_VALID;
	}
	/* ECN: the flag CWR belongs to the first segment only, and the switch cuts frames that
	 * way */
	switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return 0;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		if (!(features & RVIF_F_TSO4))
			return -ENOTSUP;
		desc->flags |= RVIF_GSO_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		if (!(features & RVIF_F_TSO6))
			return -ENOTSUP;
		desc->flags |= RVIF_GSO_TCP6;
		break;
	default:
		return -ENOTSUP;
	}
	return segments_to_rvif(header, head, head_length, length, desc);
}

int offload_to_kernel(const struct rvif_desc *desc, uint32_t length, uint32_t features,
		      struct virtio_net_hdr *header)
{
	const uint32_t flags = desc->flags & ~(uint32_t)RVIF_MORE;
	const uint32_t gso = flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);

	memset(header, 0, sizeof(*header));
	if (!flags)
		return 0;
	if (flags & ~(uint32_t)RVIF_DESC_FLAGS || !(features & RVIF_F_CSUM))
		return -EINVAL;
	if (flags & RVIF_CSUM_NEEDED) {
		if (!sum_fits(desc->csum_start, desc->csum_offset, length))
			return -EINVAL;
		header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header->csum_start = desc->csum_start;
		header->csum_offset = desc->csum_offset;
	} else if (flags & RVIF_CSUM_VALID) {
		header->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (!gso)
		return 0;
	if (!(flags & RVIF_CSUM_NEEDED) || !desc->gso_size || desc->csum_offset != TCP_CHECKSUM ||
	    desc->header_length < (uint32_t)desc->csum_start + TCP_HEADER ||
	    desc->header_length > length)
		return -EINVAL;
	if (gso == RVIF_GSO_TCP4 && features & RVIF_F_TSO4)
		header->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	else if (gso == RVIF_GSO_TCP6 && features & RVIF_F_TSO6)
		header->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	else
		return -EINVAL;
	header->gso_size = desc->gso_size;
	header->hdr_len = desc->header_length;
	return 0;
}
