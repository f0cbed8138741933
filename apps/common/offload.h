/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offloads as the kernel describes them (struct virtio_net_hdr), and as rvif does. Both sides are
 * checked: a field that points outside of the frame is refused.
 */
#ifndef COMMON_OFFLOAD_H
#define COMMON_OFFLOAD_H

#include <linux/virtio_net.h>
#include <rvif/rvif.h>

/*
 * Converts what the kernel says of a frame of `length` bytes; its first bytes are at head.
 * features: those that the switch granted. Fills in flags and offload fields. Returns 0, -ENOTSUP:
 * the switch cannot take it, or -EINVAL: the fields contradict each other.
 */
int offload_to_rvif(const struct virtio_net_hdr *header, const uint8_t *head, uint32_t head_length,
		    uint32_t length, uint32_t features, struct rvif_desc *desc);

/* Converts what the switch says in a frame's first descriptor. desc must be a private copy.
 * features: those that the driver asked for. Returns 0 or -EINVAL. */
int offload_to_kernel(const struct rvif_desc *desc, uint32_t length, uint32_t features,
		      struct virtio_net_hdr *header);

#endif
