/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way: a run of frames of one part each, from one source to one receive queue. The first
 * frame is taken, admitted and looked up. The next frames with the same head get the same answers.
 * Each frame is copied at once, and all frames are published together. A frame of any other kind
 * ends the run, and goes the way of take.c and deliver.c. The run itself drops no frame.
 */
#ifndef RVS_RUN_H
#define RVS_RUN_H

#include "admit.h"
#include "receiver.h"
#include "table.h"
#include "take.h"

/*
 * Tells whether the first frame of a run is admitted, and with it all frames with the same head.
 * Its source is not simply the port's own address.
 */
static __attribute__((noinline)) int rvs_run_admit(struct rvs_sender *s, uint64_t word,
						   uint64_t dst, uint64_t rest)
{
	struct rvs_frame *frame = &s->frames[0];

	if (s->port->each)
		return 0;
	frame->data = s->port->region + (uint32_t)word;
	frame->head_dst = dst;
	frame->head_rest = rest;
	frame->total = (uint16_t)(word >> 32);
	frame->flags = 0;
	return rvs_admit(s, 0) == RVS_GOOD && !frame->flags;
}

/* Returns the receiver of a run from this frame on, or RVS_FLOOD: it needs the long way. */
static inline uint32_t rvs_run_to(struct rvs_sender *s, uint64_t word, uint64_t dst, uint64_t rest)
{
	uint32_t to;

	if (dst & RVS_GROUP_BIT)
		return RVS_FLOOD;
	if (rvs_unlikely((rest & RVS_MAC_MASK) != s->port->own_source) &&
	    !rvs_run_admit(s, word, dst, rest))
		return RVS_FLOOD;
	to = rvs_lookup_again(s, dst);
	if (rvs_unlikely(to == RVS_FLOOD || to == s->port_number ||
			 rvif_load(&rvs_port_at(s->rvs, to)->rx_queues) != 1))
		return RVS_FLOOD;
	return to;
}

/*
 * Guesses whether the second of several frames has the same receiver. If not, grouping the frames
 * costs less than a run of one frame. All bytes that it reads are read and checked again later.
 */
static inline int rvs_run_pays(const struct rvs_bounds *bounds, const uint8_t *region,
			       uint64_t word, uint64_t dst)
{
	return rvs_is_plain(bounds, word) && rvs_read_dst(region + (uint32_t)word) == dst;
}

/*
 * Moves a run of up to `limit` frames from descriptor `next` on, and makes it count as taken and as
 * given. Returns how many frames; 0 means that the first frame needs the long way. If the sender is
 * stopped before the run counts, none of it was taken.
 */
static inline uint32_t rvs_run(struct rvs_sender *s, uint32_t next, uint32_t limit)
{
	const struct rvs_port *const from = s->port, *to;
	const struct rvif_desc *const ring = s->txq->ring;
	const struct rvs_bounds bounds = rvs_bounds_of(from);
	uint64_t word = rvs_desc_word(ring, next, from->tx_mask), dst, rest, before, bytes = 0;
	uint32_t number, n = 0;
	struct rvs_receiver r;

	if (limit > RVS_BATCH)
		limit = RVS_BATCH;
	if (rvs_unlikely(!rvs_is_plain(&bounds, word)))
		return 0;
	dst = rvs_read_dst(from->region + (uint32_t)word);
	rest = rvs_read_rest(from->region + (uint32_t)word);
	if (limit > 1 &&
	    !rvs_run_pays(&bounds, from->region, rvs_desc_word(ring, next + 1, from->tx_mask), dst))
		return 0;
	number = rvs_run_to(s, word, dst, rest);
	if (rvs_unlikely(number == RVS_FLOOD))
		return 0;
	r.port = rvs_port_at(s->rvs, number);
	to = r.port;
	r.rxq = rvs_rxq_at(s->rvs, number * s->rvs->config.queues);
	if (rvs_unlikely(!rvs_lock_for(s->rvs, &r.rxq->lock, s->number + 1)))
		return 0;
	rvs_receiver_open(&r);
	if (rvs_unlikely(from->sends_to != to->hears || rvs_receiver_is_crowded(&r) ||
			 (rvif_load(&from->captured) | rvif_load(&to->captured)))) {
		rvs_unlock(&r.rxq->lock);
		return 0;
	}
	if (limit > r.room)
		limit = r.room;

	while (n < limit) {
		const uint32_t length = (uint32_t)(word >> 32);
		const uint8_t *data = from->region + (uint32_t)word;
		struct rvif_desc *desc = &r.ring[(r.next + n) & to->rx_mask];
		const uint32_t buffer = rvif_load(&desc->offset);

		if (rvs_unlikely(length > to->plain_frame || buffer < to->layout.buffers ||
				 buffer > to->last_buffer))
			break;
		elisa_copy(to->region + buffer, data, length);
		rvs_put_head(to->region + buffer, dst, rest);
		rvif_desc_set(desc, buffer, (uint16_t)length, 0);
		bytes += length;
		if (++n == limit)
			break;
		word = rvs_desc_word(ring, next + n, from->tx_mask);
		if (!rvs_is_plain(&bounds, word))
			break;
		data = from->region + (uint32_t)word;
		before = rest;
		rest = rvs_read_rest(data);
		if ((rvs_read_dst(data) ^ dst) | ((rest ^ before) & from->head_mask))
			break;
	}
	r.next += n;
	r.frames = n;
	r.bytes = bytes;
	if (rvs_likely(n)) {
		rvs_commit_taken(s->txq, n, bytes, n);
		rvs_receiver_finish(s, &r, number, 0);
	}
	rvs_unlock(&r.rxq->lock);
	return n;
}

#endif
