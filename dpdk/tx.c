// SPDX-License-Identifier: Apache-2.0
/*
 * The transmit burst. Frames of one segment are copied into the region; all others go to tx_slow.c.
 * A burst stores its own index once, and kicks if the switch asked for kicks. The file is built
 * twice, and BURST names the result.
 */
#include "copy.h"
#include "net_rvif.h"

/* Frees the mbufs. plain: they are of one pool and have no other holders, so they go back to it at
 * once. */
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
	uint32_t sent, lost = 0, posted = ring->posted;
	uint64_t bytes = 0;
	bool plain = true;

	if (net_rvif_tx_is_due(queue, count))
		net_rvif_tx_reclaim(queue);
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
	net_rvif_tx_finish(queue, posted, sent == count, sent);
	if (unlikely(!sent))
		return 0;
	release(frames, sent, plain);
	queue->stats.packets += sent - lost;
	queue->stats.bytes += bytes;
	return (uint16_t)sent;
}
