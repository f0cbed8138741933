/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way: a run of frames of one part, from one source to one receive queue. The first is
 * taken, admitted and looked up; those that follow with the same head are as good as it. Each is
 * copied at once, and all are published together. Frames of any other kind end the run, and go the
 * way of take.c and deliver.c: the run drops none.
 */
#ifndef RVS_RUN_H
#define RVS_RUN_H

#include "admit.h"
#include "receiver.h"
#include "table.h"
#include "take.h"

/* Is the first frame of a run admitted, from a source that is not simply the port's own, and are
 * then all with the same head? */
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

/* Where a run that begins with this frame goes; RVS_FLOOD: nowhere, the long way has to decide. */
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

/* Is the second of several frames for the same receiver? Else grouping them costs less than a
 * run of one. A guess: whatever was read here is read and checked again. */
static inline int rvs_run_pays(const struct rvs_bounds *bounds, const uint8_t *region,
			       uint64_t word, uint64_t dst)
{
	return rvs_is_plain(bounds, word) && rvs_read_dst(region + (uint32_t)word) == dst;
}

/*
 * Moves a run of up to limit frames that begins at descriptor next, and makes it count as taken and
 * as given. Returns how many; 0: the first frame has to take the other way. If the sender is
 * stopped before the run counts, it was not taken at all.
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
