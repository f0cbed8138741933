// SPDX-License-Identifier: Apache-2.0
/*
 * The receive burst. Frames of one descriptor that fit into an mbuf are copied out of the region;
 * all others go to rx_slow.c. A burst loads the switch's index once, and stores its own index at
 * most once. The file is built twice, and BURST names the result.
 */
#include "copy.h"
#include "net_rvif.h"

/* Takes as many mbufs from the pool as there are, up to count. Returns how many. */
static uint32_t get_mbufs(struct net_rvif_rxq *queue, struct rte_mbuf **mbufs, uint32_t count)
{
	while (count && rte_mempool_get_bulk(queue->pool, (void **)mbufs, count) < 0) {
		queue->stats.no_mbuf++;
		count /= 2;
	}
	return count;
}

uint16_t BURST(net_rvif_rx)(void *opaque, struct rte_mbuf **frames, uint16_t count)
{
	struct net_rvif_rxq *queue = opaque;
	struct rvif_ring *ring = &queue->ring;
	uint32_t ready = rvif_ring_completed(ring), got = 0, mbufs;
	uint64_t bytes = 0;

	if (!ready) {
		net_rvif_rx_publish(queue);
		return 0;
	}
	mbufs = get_mbufs(queue, frames, RTE_MIN(ready, (uint32_t)count));
	while (ready && got < mbufs) {
		uint32_t slot = ring->reaped & ring->mask, used = 1;
		uint64_t word = __atomic_load_n((uint64_t *)&ring->descs[slot], __ATOMIC_RELAXED);
		uint16_t length = (uint16_t)(word >> 32), flags = (uint16_t)(word >> 48);
		struct rte_mbuf *m = frames[got];

		if (likely(!flags && length >= RVIF_MIN_FRAME && length <= queue->limit)) {
			net_rvif_rx_start(m, queue, length);
			net_rvif_copy((uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM,
				      queue->buffers + (size_t)slot * queue->stride, length);
			bytes += length;
			got++;
		} else {
			m = net_rvif_rx_slow(queue, m, ready, &used);
			if (!used)
				break;
			if (m) {
				bytes += m->pkt_len;
				frames[got++] = m;
			}
		}
		ring->reaped += used;
		ready -= used;
		ring->posted += used;
	}
	if (rvif_distance(ring->posted, queue->published) >= queue->publish_at)
		net_rvif_rx_publish(queue);
	if (got < mbufs)
		rte_mempool_put_bulk(queue->pool, (void **)frames + got, mbufs - got);
	queue->stats.packets += got;
	queue->stats.bytes += bytes;
	return (uint16_t)got;
}
