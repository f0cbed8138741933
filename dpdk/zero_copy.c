// SPDX-License-Identifier: Apache-2.0
/*
 * Both bursts with zero_copy=1: descriptors point at the data of mbufs. The driver's own record
 * says which mbuf a descriptor stands for, and how it is freed. Of what the switch writes, only the
 * index, a length and flags are read, and they are checked against that record.
 */
#include "net_rvif.h"

/* A bit in the record of a transmit queue: the mbuf must be freed by rte_pktmbuf_free_seg(). */
#define OTHER 1ul

/* ------------------------------------------------------------------------------------ receive */

/* Returns the offset of an mbuf's buffer, or 0 if it is not in the region. The switch returns such
 * a buffer at once, and empty. */
static inline uint32_t buffer_of(const struct net_rvif_rxq *queue, const struct rte_mbuf *m)
{
	const void *buffer = queue->mbuf_flags & RTE_MBUF_F_EXTERNAL ?
				     m->buf_addr :
				     (const uint8_t *)m + queue->buffer_at;
	uint32_t offset;

	return net_rvif_in_region(queue->memory, (const uint8_t *)buffer + RTE_PKTMBUF_HEADROOM,
				  queue->buffer_size, &offset) ?
		       offset :
		       0;
}

void net_rvif_refill(struct net_rvif_rxq *queue)
{
	struct rvif_ring *ring = &queue->ring;
	uint32_t room = queue->descriptors - rvif_distance(ring->posted, ring->reaped);

	while (room) {
		struct rte_mbuf **mbufs = &queue->mbufs[ring->posted & queue->slot_mask];
		uint32_t n = queue->slot_mask + 1 - (ring->posted & queue->slot_mask);

		n = RTE_MIN(n, room);
		while (n && rte_mempool_get_bulk(queue->pool, (void **)mbufs, n) < 0) {
			queue->stats.no_mbuf++;
			n /= 2;
		}
		if (!n)
			return;
		room -= n;
		for (uint32_t i = 0; i < n; i++)
			rvif_desc_set(rvif_ring_desc(ring, ring->posted++),
				      buffer_of(queue, mbufs[i]), 0, 0);
	}
}

uint16_t net_rvif_rx_zero_copy(void *opaque, struct rte_mbuf **frames, uint16_t count)
{
	struct net_rvif_rxq *queue = opaque;
	struct rvif_ring *ring = &queue->ring;
	uint32_t ready = rvif_ring_completed(ring), got = 0;
	uint64_t bytes = 0;

	while (ready && got < count) {
		uint32_t used = 1;
		uint64_t word = __atomic_load_n(
			(uint64_t *)(void *)rvif_ring_desc(ring, ring->reaped), __ATOMIC_RELAXED);
		uint16_t length = (uint16_t)(word >> 32), flags = (uint16_t)(word >> 48);
		struct rte_mbuf *m = queue->mbufs[ring->reaped & queue->slot_mask];

		rte_prefetch0(queue->mbufs[(ring->reaped + 2) & queue->slot_mask]);
		if (likely(!flags && length >= RVIF_MIN_FRAME && length <= queue->limit))
			net_rvif_rx_start(m, queue, length);
		else
			m = net_rvif_rx_slow_zero_copy(queue, ready, &used);
		ring->reaped += used;
		ready -= used;
		if (likely(m)) {
			bytes += m->pkt_len;
			frames[got++] = m;
		}
	}
	if (!got ||
	    queue->descriptors - rvif_distance(ring->posted, ring->reaped) >= queue->publish_at) {
		net_rvif_refill(queue);
		net_rvif_rx_publish(queue);
	}
	queue->stats.packets += got;
	queue->stats.bytes += bytes;
	return (uint16_t)got;
}

void net_rvif_rx_release(struct net_rvif_rxq *queue)
{
	struct rvif_ring *ring = &queue->ring;

	for (; ring->reaped != ring->posted; ring->reaped++)
		rte_mempool_put(queue->pool, queue->mbufs[ring->reaped & queue->slot_mask]);
}

/* ----------------------------------------------------------------------------------- transmit */

/* Frees mbufs of completed descriptors. They go to the pool at once if none of them has other
 * holders. */
static inline void release(struct net_rvif_txq *queue, uint32_t from, uint32_t count)
{
	const uint32_t slot = from & queue->slot_mask, slots = queue->slot_mask + 1;
	const uint32_t first = RTE_MIN(count, slots - slot);

	/* a port without receive queues has no pool, and then all mbufs are others */
	if (unlikely(!count))
		return;
	if (likely(!queue->others)) {
		rte_mempool_put_bulk(queue->pool, &queue->mbufs[slot], first);
		if (count > first)
			rte_mempool_put_bulk(queue->pool, queue->mbufs, count - first);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		const uintptr_t held = (uintptr_t)queue->mbufs[(from + i) & queue->slot_mask];

		if (held && !(held & OTHER)) {
			rte_mempool_put(queue->pool, (void *)held);
			continue;
		}
		queue->others--;
		if (held)
			rte_pktmbuf_free_seg((struct rte_mbuf *)(held & ~OTHER));
	}
}

void net_rvif_tx_hold(struct net_rvif_txq *queue, uint32_t index, struct rte_mbuf *m)
{
	queue->mbufs[index & queue->slot_mask] = m ? (void *)((uintptr_t)m | OTHER) : NULL;
	queue->others++;
}

static inline bool is_own(const struct net_rvif_txq *queue, const struct rte_mbuf *m)
{
	return m->pool == queue->pool && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}

uint16_t net_rvif_tx_zero_copy(void *opaque, struct rte_mbuf **frames, uint16_t count)
{
	struct net_rvif_txq *queue = opaque;
	struct rvif_ring *ring = &queue->ring;
	uint32_t sent, lost = 0, posted = ring->posted;
	uint64_t bytes = 0;

	if (net_rvif_tx_is_due(queue, count)) {
		uint32_t from = ring->reaped, done = net_rvif_tx_reclaim(queue);

		if (done)
			release(queue, from, done);
	}
	for (sent = 0; sent < count; sent++) {
		struct rte_mbuf *m = frames[sent];
		const uint32_t length = m->data_len;
		uint32_t offset;

		if (unlikely(m->nb_segs != 1 || m->ol_flags & NET_RVIF_TX_REQUESTS ||
			     length < RVIF_MIN_FRAME || length > queue->max_frame ||
			     !net_rvif_in_region(queue->memory, rte_pktmbuf_mtod(m, void *), length,
						 &offset))) {
			const uint32_t total = m->pkt_len;
			const int result = net_rvif_tx_slow_zero_copy(queue, m);

			if (!result)
				break;
			if (result < 0)
				lost++;
			else
				bytes += total;
			continue;
		}
		if (unlikely(rvif_distance(ring->posted, ring->reaped) >= queue->descriptors))
			break;
		if (likely(is_own(queue, m)))
			queue->mbufs[ring->posted & queue->slot_mask] = m;
		else
			net_rvif_tx_hold(queue, ring->posted, m);
		net_rvif_tx_point(queue, offset, length, 0, 0);
		bytes += length;
	}
	net_rvif_tx_finish(queue, posted, sent == count, sent);
	queue->stats.packets += sent - lost;
	queue->stats.bytes += bytes;
	return (uint16_t)sent;
}

void net_rvif_tx_release(struct net_rvif_txq *queue)
{
	struct rvif_ring *ring = &queue->ring;

	release(queue, ring->reaped, rvif_distance(ring->posted, ring->reaped));
	ring->reaped = ring->posted;
}
