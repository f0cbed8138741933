// SPDX-License-Identifier: Apache-2.0
/*
 * Receiving frames that are not short frames in one descriptor: chains, frames larger than an mbuf,
 * offload flags, and anything that a broken or hostile switch may have written. A bad frame is
 * counted, and its buffers go back. It must never be delivered in part.
 */
#include "copy.h"
#include "net_rvif.h"

#include <rte_ip.h>

/* Returns a private copy of a descriptor, because the shared one may change at any time. */
static struct rvif_desc read_desc(const struct rvif_desc *shared)
{
	union {
		uint64_t words[2];
		struct rvif_desc desc;
	} copy;

	copy.words[0] = __atomic_load_n((const uint64_t *)shared, __ATOMIC_RELAXED);
	copy.words[1] = __atomic_load_n((const uint64_t *)shared + 1, __ATOMIC_RELAXED);
	return copy.desc;
}

/* Reads the lengths of a frame's parts. Returns its number of descriptors, or 0 if it is not valid.
 * *used: how many descriptors to skip then. */
static uint32_t read_chain(struct net_rvif_rxq *queue, uint32_t available, uint16_t *lengths,
			   struct rvif_desc *first, uint32_t *used)
{
	uint32_t total = 0, longest = queue->max_frame, count;
	bool bad = false;

	for (count = 0; count < available && count < RVIF_MAX_CHAIN;) {
		struct rvif_desc desc =
			read_desc(rvif_ring_desc(&queue->ring, queue->ring.reaped + count));

		if (!count) {
			*first = desc;
			bad = desc.flags & ~RVIF_DESC_FLAGS;
			if (desc.flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6))
				longest = RVIF_MAX_FRAME;
		}
		bad |= !desc.length || desc.length > queue->buffer_size;
		total += desc.length;
		lengths[count++] = desc.length;
		if (desc.flags & RVIF_MORE)
			continue;
		*used = count;
		bad |= total < RVIF_MIN_FRAME || total > longest;
		return bad ? 0 : count;
	}
	*used = count;
	return 0;
}

/* Appends data to a frame, in new segments where the last one is full. */
static int append(struct net_rvif_rxq *queue, struct rte_mbuf *frame, struct rte_mbuf **last,
		  const uint8_t *data, uint32_t length)
{
	while (length) {
		struct rte_mbuf *m = *last;
		uint32_t part = RTE_MIN(length, (uint32_t)queue->room - m->data_len);

		if (!part) {
			m = rte_mbuf_raw_alloc(queue->pool);
			if (!m)
				return -ENOMEM;
			net_rvif_rearm(m, queue);
			m->data_len = 0;
			(*last)->next = m;
			*last = m;
			frame->nb_segs++;
			continue;
		}
		net_rvif_copy(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len), data, part);
		m->data_len = (uint16_t)(m->data_len + part);
		frame->pkt_len += part;
		data += part;
		length -= part;
	}
	return 0;
}

/* Fills in the checksum that the sender left out, for an application that does not expect a missing
 * one. */
static int complete_checksum(struct rte_mbuf *m, const struct rvif_desc *desc)
{
	uint32_t at = (uint32_t)desc->csum_start + desc->csum_offset;
	uint16_t sum;

	if (at + sizeof(sum) > m->data_len ||
	    rte_raw_cksum_mbuf(m, desc->csum_start, m->pkt_len - desc->csum_start, &sum) < 0)
		return -EINVAL;
	sum = (uint16_t)~sum;
	memcpy(rte_pktmbuf_mtod_offset(m, void *, at), &(uint16_t){sum ? sum : 0xffff},
	       sizeof(sum));
	return 0;
}

static int read_flags(struct net_rvif_rxq *queue, struct rte_mbuf *m, const struct rvif_desc *desc)
{
	uint16_t gso = desc->flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);

	if (desc->flags & ~RVIF_MORE && !(queue->features & RVIF_F_CSUM))
		return -EINVAL;
	if (gso) {
		if (!(queue->features & RVIF_F_TSO4) || !desc->gso_size ||
		    gso == (RVIF_GSO_TCP4 | RVIF_GSO_TCP6))
			return -EINVAL;
		m->ol_flags |= RTE_MBUF_F_RX_LRO;
		m->tso_segsz = desc->gso_size;
	}
	if (desc->flags & RVIF_CSUM_NEEDED) {
		if (queue->want_csum) {
			m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
			return 0;
		}
		queue->stats.checksums++;
		return complete_checksum(m, desc);
	}
	if (desc->flags & RVIF_CSUM_VALID && queue->want_csum)
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return 0;
}

/* Makes the mbuf a fresh one of the pool again. */
static void strip(struct rte_mbuf *first)
{
	if (first->next)
		rte_pktmbuf_free(first->next);
	first->next = NULL;
	first->nb_segs = 1;
}

/* Returns the mbuf that a descriptor stands for, with `length` bytes. */
static struct rte_mbuf *take_filled(const struct net_rvif_rxq *queue, uint32_t index,
				    uint16_t length)
{
	struct rte_mbuf *m = queue->mbufs[index & queue->slot_mask];

	net_rvif_rx_start(m, queue, length);
	return m;
}

struct rte_mbuf *net_rvif_rx_slow_zero_copy(struct net_rvif_rxq *queue, uint32_t available,
					    uint32_t *used)
{
	uint16_t lengths[RVIF_MAX_CHAIN];
	struct rvif_desc desc;
	const uint32_t at = queue->ring.reaped;
	const uint32_t count = read_chain(queue, available, lengths, &desc, used);
	struct rte_mbuf *first = count ? take_filled(queue, at, lengths[0]) : NULL, *last = first;
	uint64_t *counter = &queue->stats.bad;

	for (uint32_t i = 1; i < count; i++) {
		last->next = take_filled(queue, at + i, lengths[i]);
		last = last->next;
		first->nb_segs++;
		first->pkt_len += lengths[i];
	}
	if (count > 1 && !queue->scatter)
		counter = &queue->stats.too_long;
	else if (count && !read_flags(queue, first, &desc))
		return first;
	++*counter;
	for (uint32_t i = 0; i < *used; i++)
		rte_pktmbuf_free_seg(take_filled(queue, at + i, 0));
	return NULL;
}

struct rte_mbuf *net_rvif_rx_slow(struct net_rvif_rxq *queue, struct rte_mbuf *first,
				  uint32_t available, uint32_t *used)
{
	uint16_t lengths[RVIF_MAX_CHAIN];
	struct rte_mbuf *last = first;
	struct rvif_desc desc;
	uint32_t count = read_chain(queue, available, lengths, &desc, used), total = 0;

	if (!count) {
		queue->stats.bad++;
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		total += lengths[i];
	if (total > queue->room && !queue->scatter) {
		queue->stats.too_long++;
		return NULL;
	}

	net_rvif_rearm(first, queue);
	first->packet_type = 0;
	first->pkt_len = 0;
	first->data_len = 0;
	first->vlan_tci = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = (queue->ring.reaped + i) & queue->ring.mask;

		if (append(queue, first, &last, queue->buffers + (size_t)slot * queue->stride,
			   lengths[i])) {
			queue->stats.no_mbuf++;
			strip(first);
			*used = 0;
			return NULL;
		}
	}
	if (read_flags(queue, first, &desc)) {
		queue->stats.bad++;
		strip(first);
		return NULL;
	}
	return first;
}
