/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share of a receiver's ring for each sender, by "Dynamic queue length thresholds" of Choudhury
 * and Hahne: no sender has more than three times the descriptors that are free. One flooding sender
 * leaves a quarter of the ring, n of them together leave 1/(3n+1), and senders of few frames find
 * room. The switch estimates each sender's part of the used descriptors from which senders filled
 * them last. It notes that only while the ring is crowded, so at other times this costs nothing.
 *
 * A sender alone has the whole ring. The first frame of another one may find it full, and is lost;
 * from then on, for max_age, the rule holds. All of this is under the queue's lock, and wrong notes
 * cost room only.
 */
#include "receiver.h"

/*
 * Chooses one of the descriptors that share a cell, and another one in each round of the ring. So a
 * sender whose frames come at regular places counts for its true part.
 */
static uint32_t chosen(const struct rvs *rvs, uint32_t cell)
{
	return (uint32_t)((cell ^ rvs->config.seed) * 0x9e3779b97f4a7c15ull >> 48);
}

/* Notes which sender filled the descriptors of the last delivery. Its record, and the one before,
 * tell which descriptors these are. */
static void note_last(const struct rvs *rvs, struct rvs_sharing *sharing,
		      const struct rvs_receiver *r, uint32_t shift)
{
	const struct rvs_given *last = rvs_given_now(r->rxq);
	const struct rvs_given *before = &r->rxq->given[~r->rxq->current & 1];
	const uint32_t mask = r->port->rx_mask, in_cell = (1u << shift) - 1;
	const uint16_t owner = (uint16_t)(last->from / rvs->config.queues + 1);
	uint32_t count = rvs_min(rvif_distance(last->next, before->next), mask + 1);

	for (; count; count--) {
		const uint32_t at = last->next - count;

		if (!((at ^ chosen(rvs, at >> shift)) & in_cell))
			sharing->owner[(at & mask) >> shift] = owner;
	}
}

void rvs_share(const struct rvs_sender *s, struct rvs_receiver *r)
{
	struct rvs_sharing *sharing =
		rvs_sharing_at(s->rvs, (uint32_t)(r->rxq - rvs_rxq_at(s->rvs, 0)));
	const uint32_t ring = r->port->rx_mask + 1, me = s->port_number + 1;
	const uint32_t shift = ring > RVS_CELLS ? (uint32_t)__builtin_ctz(ring / RVS_CELLS) : 0;
	const uint32_t cells = ring >> shift;
	uint32_t mine = 0, others = 0, used;

	note_last(s->rvs, sharing, r, shift);
	for (uint32_t cell = 0; cell < cells; cell++) {
		const uint32_t owner = sharing->owner[cell];

		mine += owner == me;
		others += owner && owner != me;
	}
	if (others) {
		sharing->was_shared = 1;
		sharing->shared_at = s->now;
	}
	if (!sharing->was_shared ||
	    (int32_t)(s->now - sharing->shared_at) > (int32_t)s->rvs->config.max_age)
		return;
	used = mine ? (ring - r->room) * mine / (mine + others) : 0;
	r->room = 3 * r->room > used ? (3 * r->room - used + 3) / 4 : 0;
}
