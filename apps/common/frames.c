/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <errno.h>
#include <stdbool.h>

#define FIRST_PAUSE_US 20

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---------------------------------------------------------------------------------- to send */

int frames_have_room(struct frames *f, uint32_t skip)
{
	const uint32_t longest = (RVIF_MAX_FRAME + skip + f->buffer - 1) / f->buffer;

	if (rvif_ring_room(&f->ring) < longest)
		f->ring.reaped += rvif_ring_completed(&f->ring);
	return rvif_ring_room(&f->ring) >= longest;
}

uint32_t frames_aim(const struct frames *f, uint32_t skip, struct iovec *parts)
{
	uint32_t left = RVIF_MAX_FRAME, i;

	for (i = 0; left; i++) {
		const uint32_t length = least(left, f->buffer - skip);

		parts[i] = (struct iovec){
			.iov_base = f->region + frames_offset(f, f->ring.posted + i) + skip,
			.iov_len = length,
		};
		left -= length;
		skip = 0;
	}
	return i;
}

void frames_put(struct frames *f, const struct rvif_desc *desc, uint32_t skip, uint32_t length)
{
	struct rvif_desc *first = rvif_ring_desc(&f->ring, f->ring.posted);
	uint32_t left = length, flags = desc->flags;

	first->csum_start = desc->csum_start;
	first->csum_offset = desc->csum_offset;
	first->gso_size = desc->gso_size;
	first->header_length = desc->header_length;
	while (left) {
		const uint32_t part = least(left, f->buffer - skip);

		left -= part;
		rvif_desc_set(rvif_ring_desc(&f->ring, f->ring.posted),
			      (uint32_t)frames_offset(f, f->ring.posted) + skip, (uint16_t)part,
			      (uint16_t)(flags | (left ? RVIF_MORE : 0)));
		f->ring.posted++;
		flags = skip = 0;
	}
}

uint64_t frames_pause_us(uint64_t waited_us)
{
	const uint64_t quarter = waited_us / 4;

	if (quarter < FIRST_PAUSE_US)
		return FIRST_PAUSE_US;
	return quarter < FRAMES_RETRY_US ? quarter : FRAMES_RETRY_US;
}

/* --------------------------------------------------------------------------------- received */

static void post(struct frames *f)
{
	rvif_desc_set(rvif_ring_desc(&f->ring, f->ring.posted),
		      (uint32_t)frames_offset(f, f->ring.posted), 0, 0);
	f->ring.posted++;
}

void frames_post_all(struct frames *f)
{
	while (rvif_ring_room(&f->ring))
		post(f);
	rvif_ring_publish(&f->ring);
}

/* Returns a private copy, because the shared descriptor may change at any time. */
static struct rvif_desc read_desc(const struct rvif_desc *shared)
{
	union {
		uint64_t words[2];
		struct rvif_desc desc;
	} copy;

	copy.words[0] = __atomic_load_n((const uint64_t *)(const void *)shared, __ATOMIC_RELAXED);
	copy.words[1] =
		__atomic_load_n((const uint64_t *)(const void *)shared + 1, __ATOMIC_RELAXED);
	return copy.desc;
}

int frames_read(const struct frames *f, uint32_t available, uint32_t features, uint32_t max_frame,
		struct frame *frame)
{
	struct rvif_desc desc = {.flags = RVIF_MORE}, first = {0};
	bool bad = false;

	frame->count = frame->length = 0;
	while (desc.flags & RVIF_MORE && frame->count < available &&
	       frame->count < RVIF_MAX_CHAIN) {
		const uint32_t index = f->ring.reaped + frame->count;

		desc = read_desc(rvif_ring_desc(&f->ring, index));
		if (!frame->count)
			first = desc;
		bad |= !desc.length || desc.length > f->buffer;
		frame->parts[++frame->count] = (struct iovec){
			.iov_base = f->region + frames_offset(f, index),
			.iov_len = desc.length,
		};
		frame->length += desc.length;
	}
	if (bad || desc.flags & RVIF_MORE || frame->length < RVIF_MIN_FRAME ||
	    offload_to_kernel(&first, frame->length, features, &frame->header))
		return -EINVAL;
	if (frame->length > (frame->header.gso_type ? RVIF_MAX_FRAME : max_frame))
		return -EINVAL;
	frame->parts[0] =
		(struct iovec){.iov_base = &frame->header, .iov_len = sizeof(frame->header)};
	return 0;
}

void frames_return(struct frames *f, const struct frame *frame)
{
	f->ring.reaped += frame->count;
	for (uint32_t i = 0; i < frame->count; i++)
		post(f);
}
