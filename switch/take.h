/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a sender's descriptors and the heads of its frames. Each word is read once, into a
 * variable, and is checked before it is used.
 */
#ifndef RVS_TAKE_H
#define RVS_TAKE_H

#include "internal.h"
#include "words.h"

/* The bounds of a port's plain frames, for loops that hold them in registers. */
struct rvs_bounds {
	uint64_t size;
	uint32_t buffers;
	uint32_t longest; /* less RVIF_MIN_FRAME */
};

static inline struct rvs_bounds rvs_bounds_of(const struct rvs_port *port)
{
	return (struct rvs_bounds){
		.size = port->size,
		.buffers = port->layout.buffers,
		.longest = port->max_frame - RVIF_MIN_FRAME,
	};
}

/*
 * Tells whether a descriptor's first word is a plain frame's: flags of 0, a length in range, data
 * inside. Flags and length are compared as one.
 */
static inline int rvs_is_plain(const struct rvs_bounds *bounds, uint64_t word)
{
	const uint32_t offset = (uint32_t)word, flags_length = (uint32_t)(word >> 32);

	return flags_length - RVIF_MIN_FRAME <= bounds->longest && offset >= bounds->buffers &&
	       (uint64_t)offset + flags_length <= bounds->size;
}

/* Read the first 14 bytes of a frame: its destination, and its source and type. */
static inline uint64_t rvs_read_dst(const uint8_t *data)
{
	return rvs_get_once(data) & RVS_MAC_MASK;
}

static inline uint64_t rvs_read_rest(const uint8_t *data)
{
	return rvs_get_once(data + 6);
}

/* take.c: reads up to `limit` frames of the queue and finds each frame's receiver. They are then
 * s->batch. */
void rvs_take(struct rvs_sender *s, uint32_t next, uint32_t posted, uint32_t limit);

/* take.c: the batch ends before good frame n, as if no more had been posted. */
void rvs_take_less(struct rvs_sender *s, uint32_t n);

/* take.c: the batch counts as taken from now on. */
void rvs_take_commit(struct rvs_sender *s);

#endif
