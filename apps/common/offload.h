/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offloads as the kernel says them (struct virtio_net_hdr) and as rvif does. Both sides are
 * checked: a field that does not lie in the frame goes no further.
 */
#ifndef COMMON_OFFLOAD_H
#define COMMON_OFFLOAD_H

#include <linux/virtio_net.h>
#include <rvif/rvif.h>

/*
 * What the kernel says of a frame of so many bytes, whose first ones are at head, for a switch that
 * granted these features: flags and the fields beside them. 0, -ENOTSUP:
 * the switch cannot take it, or -EINVAL: it makes no sense.
 */
int offload_to_rvif(const struct virtio_net_hdr *header, const uint8_t *head, uint32_t head_length,
		    uint32_t length, uint32_t features, struct rvif_desc *desc);

/* What the switch says in a frame's first descriptor, a private copy, when
 * these features were wanted. 0 or -EINVAL. */
int offload_to_kernel(const struct rvif_desc *desc, uint32_t length, uint32_t features,
		      struct virtio_net_hdr *header);

#endif
