/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shortest way: a run of frames of one part, from one source to one receive queue, each read,
 * checked and copied in one pass. Frames of any other kind end it, and go the way of take.c and
 * deliver.c.
 */
#ifndef RVS_RUN_H
#define RVS_RUN_H

#include "receiver.h"
#include "table.h"

/* The first word of a plain frame's descriptor: flags of 0, a length in range, data inside. Flags and length are
 * compared as one. */
static inline int rvs_is_plain(const struct rvs_port *port, uint64_t word)
{
	const uint32_t offset = (uint32_t)word, flags_length = (uint32_t)(word >> 32);

	return flags_length - RVIF_MIN_FRAME <= port->max_frame - RVIF_MIN_FRAME &&
	       offset >= port->layout.buffers && (uint64_t)offset + flags_length <= port->size;
}

/* Where a run that begins with this frame would go; RVS_FLOOD: nowhere, it has to take the other way. */
static inline uint32_t rvs_run_to(struct rvs_sender *s, uint64_t dst, uint64_t source)
{
	const uint64_t own = s->port->mac;
	uint32_t to;

	if (dst & RVS_GROUP_BIT)
		return RVS_FLOOD;
	if (rvs_unlikely(source != own || !own) &&
	    ((source & RVS_GROUP_BIT) || !source ||
	     !rvs_source(s->rvs, s->port_number, source, s->now)))
		return RVS_FLOOD;
	to = rvs_lookup_again(s->rvs, dst, s->now, &s->txq->last);
	if (rvs_unlikely(to == RVS_FLOOD || to == s->port_number ||
			 rvif_load(&rvs_port_at(s->rvs, to)->rx_queues) != 1))
		return RVS_FLOOD;
	return to;
}

/* Is the second of several frames for the same receiver? Else grouping them costs less than a run of one.
 * A guess: whatever was read here is read and checked again. */
static inline int rvs_run_pays(const struct rvs_port *port, uint64_t word, uint64_t head)
{
	return rvs_is_plain(port, word) &&
	       !((rvs_get_once(port->region + (uint32_t)word) ^ head) & RVS_MAC_MASK);
}

/*
 * Moves a run of up to limit frames that begins at descriptor next, and makes it count as taken and as
 * given. Returns how many; 0: the first frame has to take the other way. If the sender is stopped
 * before the run counts, it was not taken at all.
 */
static inline uint32_t rvs_run(struct rvs_sender *s, uint32_t next, uint32_t limit)
{
	const struct rvs_port *const from = s->port, *to;
	const struct rvif_desc *const ring = s->txq->ring;
	uint64_t word = rvs_desc_word(ring, next, from->tx_mask), dst, rest, bytes = 0;
	uint32_t number, n = 0;
	struct rvs_receiver r;

	if (limit > RVS_BATCH)
		limit = RVS_BATCH;
	if (rvs_unlikely(!rvs_is_plain(from, word)))
		return 0;
	dst = rvs_get_once(from->region + (uint32_t)word) & RVS_MAC_MASK;
	rest = rvs_get_once(from->region + (uint32_t)word + 6);
	if (limit > 1 && !rvs_run_pays(from, rvs_desc_word(ring, next + 1, from->tx_mask), dst))
		return 0;
	number = rvs_run_to(s, dst, rest & RVS_MAC_MASK);
	if (rvs_unlikely(number == RVS_FLOOD))
		return 0;
	r.port = rvs_port_at(s->rvs, number);
	to = r.port;
	r.rxq = rvs_rxq_at(s->rvs, number * s->rvs->config.queues);
	if (rvs_unlikely(!rvs_lock_try(&r.rxq->lock, s->number + 1)))
		return 0;
	rvs_receiver_open(&r);
	if (limit > r.room)
		limit = r.room;

	while (n < limit) {
		const uint32_t length = (uint32_t)(word >> 32);
		const uint8_t *data = from->region + (uint32_t)word;
		const uint64_t source = rest & RVS_MAC_MASK;
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
		if (!rvs_is_plain(from, word))
			break;
		data = from->region + (uint32_t)word;
		rest = rvs_get_once(data + 6);
		if (((rvs_get_once(data) ^ dst) | (rest ^ source)) & RVS_MAC_MASK)
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
