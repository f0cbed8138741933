// SPDX-License-Identifier: Apache-2.0
/*
 * The transmit burst: frames of one segment are copied into the region, all others go to tx_slow.c;
 * one store of our index for each burst, and a kick if the switch asked for kicks. Built twice,
 * with BURST naming the result.
 */
#include "copy.h"
#include "net_rvif.h"

/*
 * Takes back the room of what the switch completed. Its line is not read for every burst, because
 * it is in another CPU's cache, or has just been written here; but often enough that what is in use
 * stays in the first-level cache. Until the switch is there it is, for it may want to be kicked.
 */
static void reclaim(struct net_rvif_txq *queue)
{
	struct rvif_ring *ring = &queue->ring;
	uint32_t done = rvif_ring_completed(ring);

	queue->kick = rvif_load(&ring->control->kick_wanted) != 0;
	queue->reclaim_at = rvif_attached(&queue->port->vnic) == 1 ? queue->threshold : 0;
	ring->reaped += done;
	if (ring->reaped == ring->posted)
		queue->head = queue->tail = 0;
	else if (done)
		queue->tail = queue->ends[(ring->reaped - 1) & queue->slot_mask];
}

/* Back to the pool: at once if no other holder has any of them and they are of one pool. */
static inline void release(struct rte_mbuf **frames, uint32_t count, bool plain)
{
	if (likely(plain))
		rte_mempool_put_bulk(frames[0]->pool, (void **)frames, count);
	else
		rte_pktmbuf_free_bulk(frames, count);
}

uint16_t BURST(net_rvif_tx)(void *opaque, struct rte_mbuf **frames, uint16_t count)
{
	struct net_rvif_txq *queue = opaque;
	struct rvif_ring *ring = &queue->ring;
	uint32_t sent, out, lost = 0, posted = ring->posted;
	uint64_t bytes = 0;
	bool plain = true;

	out = rvif_distance(ring->posted, ring->reaped);
	if (out >= queue->reclaim_at || queue->head >= NET_RVIF_RECLAIM_BYTES ||
	    out + count > queue->descriptors)
		reclaim(queue);
	for (sent = 0; sent < count; sent++) {
		struct rte_mbuf *m = frames[sent];
		uint32_t length = m->data_len, at;

		if (unlikely(m->nb_segs != 1 || m->ol_flags & NET_RVIF_TX_REQUESTS ||
			     length < RVIF_MIN_FRAME || length > queue->max_frame)) {
			int result = net_rvif_tx_slow(queue, m);

			if (!result)
				break;
			plain = false;
			if (result < 0)
				lost++;
			else
				bytes += m->pkt_len;
			continue;
		}
		if (unlikely(!net_rvif_tx_room(queue, length, &at)))
			break;
		net_rvif_copy(queue->area + at, rte_pktmbuf_mtod(m, const uint8_t *), length);
		net_rvif_tx_post(queue, at, length, 0, 0);
		bytes += length;
		plain = plain && m->pool == frames[0]->pool && RTE_MBUF_DIRECT(m) &&
			rte_mbuf_refcnt_read(m) == 1;
	}
	if (unlikely(sent < count)) {
		queue->stats.full++;
		/* what an earlier kick could not move may be all that is in the way */
		if (!sent && queue->kick)
			net_rvif_kick(queue);
	}
	if (unlikely(!sent))
		return 0;
	if (likely(ring->posted != posted)) {
		rvif_ring_publish(ring);
		if (queue->kick)
			net_rvif_kick(queue);
	}
	release(frames, sent, plain);
	queue->stats.packets += sent - lost;
	queue->stats.bytes += bytes;
	return (uint16_t)sent;
}
