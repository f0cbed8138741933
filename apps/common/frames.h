/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in a vNIC's buffers, for a driver that exchanges them with the kernel. A ring has a buffer
 * for each descriptor, and a frame takes as many as it needs. The driver uses only lengths and
 * flags of what the switch writes, and copies and checks these once.
 */
#ifndef COMMON_FRAMES_H
#define COMMON_FRAMES_H

#include <sys/uio.h>
#include <rvif/driver.h>
#include "offload.h"

#define FRAMES_APART 64u /* else all buffers begin in a few sets of the cache */

/* A ring and its buffers; private to the thread that uses it. */
struct frames {
	struct rvif_ring ring;
	uint8_t *region;
	uint64_t first;	 /* offset of the first buffer */
	uint32_t buffer; /* size of each; a chain has room for the longest frame, and for skip */
};

/* A frame that was received, in private memory but for its data. */
struct frame {
	struct virtio_net_hdr header;
	struct iovec parts[RVIF_MAX_CHAIN + 1]; /* the header, then the data */
	uint32_t count;				/* of buffers */
	uint32_t length;			/* of the data */
};

/* From one buffer to the next. */
static inline uint64_t frames_stride(uint32_t buffer)
{
	return ((buffer + FRAMES_APART - 1) & ~(FRAMES_APART - 1)) + FRAMES_APART;
}

static inline uint64_t frames_offset(const struct frames *f, uint32_t index)
{
	return f->first + (index & f->ring.mask) * frames_stride(f->buffer);
}

/* Of the next frame to be sent. */
static inline uint8_t *frames_buffer(const struct frames *f)
{
	return f->region + frames_offset(f, f->ring.posted);
}

/* Can the longest frame be sent, behind skip bytes? */
int frames_have_room(struct frames *f, uint32_t skip);
/* The next buffers, less skip bytes of the first one: RVIF_MAX_FRAME bytes. Returns how many parts
 * that is, RVIF_MAX_CHAIN at most. */
uint32_t frames_aim(const struct frames *f, uint32_t skip, struct iovec *parts);
/* A frame of so many bytes, behind skip, is in these: its descriptors, with desc's offloads. */
void frames_put(struct frames *f, const struct rvif_desc *desc, uint32_t skip, uint32_t length);

/* How long a sender sleeps before it looks again, in microseconds. No switch wakes a sender that
 * waits for room, or for a kick that can succeed. So the sender looks again each time after a
 * quarter of what it has waited so far, and after FRAMES_RETRY_US at most. */
#define FRAMES_RETRY_US 100000
uint64_t frames_pause_us(uint64_t waited_us);

/* Gives all buffers to the switch. */
void frames_post_all(struct frames *f);
/*
 * The next frame, of at most so many descriptors, from a switch that was asked for these features.
 * max_frame: but for one that is to be cut. 0, or -EINVAL: it is none. frames_return() either way.
 */
int frames_read(const struct frames *f, uint32_t available, uint32_t features, uint32_t max_frame,
		struct frame *frame);
/* Gives its buffers back. */
void frames_return(struct frames *f, const struct frame *frame);

#endif
