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

#define FRAMES_APART 64u /* bytes; without it, all buffers would begin in a few sets of the cache */

/* A ring and its buffers. Only the thread that uses it may touch it. */
struct frames {
	struct rvif_ring ring;
	uint8_t *region;
	uint64_t first;	 /* offset of the first buffer */
	uint32_t buffer; /* bytes of each buffer; a chain has room for the longest frame, and for
			  * skip */
};

/* A frame that was received. Everything except its data is in private memory. */
struct frame {
	struct virtio_net_hdr header;
	struct iovec parts[RVIF_MAX_CHAIN + 1]; /* the header, then the data */
	uint32_t count;				/* number of buffers */
	uint32_t length;			/* bytes of the data */
};

/* Returns the bytes from one buffer to the next. */
static inline uint64_t frames_stride(uint32_t buffer)
{
	return ((buffer + FRAMES_APART - 1) & ~(FRAMES_APART - 1)) + FRAMES_APART;
}

static inline uint64_t frames_offset(const struct frames *f, uint32_t index)
{
	return f->first + (index & f->ring.mask) * frames_stride(f->buffer);
}

/* Returns the first buffer of the next frame to be sent. */
static inline uint8_t *frames_buffer(const struct frames *f)
{
	return f->region + frames_offset(f, f->ring.posted);
}

/* Tells whether the longest frame can be sent, behind `skip` bytes. */
int frames_have_room(struct frames *f, uint32_t skip);
/* Fills in the parts of the next buffers, without `skip` bytes of the first one: RVIF_MAX_FRAME
 * bytes. Returns how many parts that is, RVIF_MAX_CHAIN at most. */
uint32_t frames_aim(const struct frames *f, uint32_t skip, struct iovec *parts);
/* Posts a frame of `length` bytes, which is in these buffers behind `skip` bytes, with desc's
 * offloads. */
void frames_put(struct frames *f, const struct rvif_desc *desc, uint32_t skip, uint32_t length);

/* How long a sender sleeps before it looks again, in microseconds. No switch wakes a sender that
 * waits for room, or for a kick that can succeed. So the sender looks again each time after a
 * quarter of what it has waited so far, and after FRAMES_RETRY_US at most. */
#define FRAMES_RETRY_US 100000
uint64_t frames_pause_us(uint64_t waited_us);

/* Posts all buffers of a receive ring. */
void frames_post_all(struct frames *f);
/*
 * Reads the next frame. available: how many descriptors it may have. features: those that the
 * driver asked the switch for. max_frame: limit of a frame that is not to be cut. Returns 0, or
 * -EINVAL: it is not valid. Call frames_return() in both cases.
 */
int frames_read(const struct frames *f, uint32_t available, uint32_t features, uint32_t max_frame,
		struct frame *frame);
/* Gives the frame's buffers back to the switch. */
void frames_return(struct frames *f, const struct frame *frame);

#endif
