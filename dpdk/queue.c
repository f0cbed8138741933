// SPDX-License-Identifier: Apache-2.0
/*
 * Receive and transmit queues as the application sets them up: sizes, pool, offloads. They get
 * their place in the region when the port starts, so nothing here touches shared memory.
 */
#include "net_rvif.h"

#include <rte_malloc.h>

int net_rvif_check_frame(const struct rte_eth_dev_data *data, const struct net_rvif_rxq *queue,
			 uint32_t frame)
{
	if (queue->scatter || frame <= queue->room)
		return 0;
	NET_RVIF_LOG(
		ERR,
		"port %u: frames of %u bytes (MTU %u) do not fit mbufs of %u; enable scattered "
		"receiving or take larger mbufs",
		data->port_id, frame, frame - NET_RVIF_OVERHEAD, queue->room);
	return -EINVAL;
}

/* Returns the part of an mbuf that is the same for all frames of this queue. */
static uint64_t rearm_word(uint16_t port)
{
	struct rte_mbuf m;
	uint64_t word;

	memset(&m, 0, sizeof(m));
	m.data_off = RTE_PKTMBUF_HEADROOM;
	rte_mbuf_refcnt_set(&m, 1);
	m.nb_segs = 1;
	m.port = port;
	memcpy(&word, (const char *)&m + offsetof(struct rte_mbuf, rearm_data), sizeof(word));
	return word;
}

/* Refuses a deferred start: the switch serves all queues that are in the region. */
static int no_deferred_start(const struct rte_eth_dev *dev, const char *direction, uint16_t queue)
{
	NET_RVIF_LOG(ERR, "port %u: %s queue %u: deferred start is not supported",
		     dev->data->port_id, direction, queue);
	return -EINVAL;
}

int net_rvif_rx_queue_setup(struct rte_eth_dev *dev, uint16_t index, uint16_t descriptors,
			    unsigned int socket, const struct rte_eth_rxconf *config,
			    struct rte_mempool *pool)
{
	const uint64_t csum = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	uint64_t offloads = config->offloads | dev->data->dev_conf.rxmode.offloads;
	uint16_t room = rte_pktmbuf_data_room_size(pool);
	uint32_t slots = rte_align32pow2(descriptors);
	struct net_rvif_rxq *queue;
	int error;

	if (config->rx_deferred_start)
		return no_deferred_start(dev, "receive", index);
	if (room <= RTE_PKTMBUF_HEADROOM) {
		NET_RVIF_LOG(ERR, "port %u: mbufs of pool '%s' have no room behind the headroom",
			     dev->data->port_id, pool->name);
		return -EINVAL;
	}
	queue = rte_zmalloc_socket("net_rvif_rxq", sizeof(*queue) + slots * sizeof(*queue->mbufs),
				   RTE_CACHE_LINE_SIZE, (int)socket);
	if (!queue)
		return -ENOMEM;
	queue->mbufs = (struct rte_mbuf **)(queue + 1);
	queue->slot_mask = slots - 1;
	queue->buffer_at = (uint32_t)sizeof(struct rte_mbuf) + rte_pktmbuf_priv_size(pool);
	queue->pool = pool;
	queue->descriptors = descriptors;
	queue->room = (uint16_t)(room - RTE_PKTMBUF_HEADROOM);
	queue->scatter = offloads & RTE_ETH_RX_OFFLOAD_SCATTER;
	queue->want_csum = offloads & csum;
	queue->rearm = rearm_word(dev->data->port_id);
	if (rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF)
		queue->mbuf_flags = RTE_MBUF_F_EXTERNAL;
	error = net_rvif_check_frame(dev->data, queue, dev->data->mtu + NET_RVIF_OVERHEAD);
	if (error) {
		rte_free(queue);
		return error;
	}
	dev->data->rx_queues[index] = queue;
	return 0;
}

int net_rvif_tx_queue_setup(struct rte_eth_dev *dev, uint16_t index, uint16_t descriptors,
			    unsigned int socket, const struct rte_eth_txconf *config)
{
	uint32_t slots = rte_align32pow2(descriptors);
	struct net_rvif_txq *queue;

	if (config->tx_deferred_start)
		return no_deferred_start(dev, "transmit", index);
	if (config->tx_free_thresh >= descriptors) {
		NET_RVIF_LOG(ERR, "port %u: tx_free_thresh %u is not below the %u descriptors",
			     dev->data->port_id, config->tx_free_thresh, descriptors);
		return -EINVAL;
	}
	queue = rte_zmalloc_socket("net_rvif_txq",
				   sizeof(*queue) +
					   slots * (sizeof(*queue->mbufs) + sizeof(*queue->ends)),
				   RTE_CACHE_LINE_SIZE, (int)socket);
	if (!queue)
		return -ENOMEM;
	queue->mbufs = (void **)(queue + 1);
	queue->ends = (uint32_t *)(queue->mbufs + slots);
	queue->slot_mask = slots - 1;
	queue->index = index;
	queue->descriptors = descriptors;
	queue->threshold = config->tx_free_thresh;
	if (!queue->threshold)
		queue->threshold = (uint16_t)RTE_MIN(descriptors / 2, NET_RVIF_RECLAIM);
	dev->data->tx_queues[index] = queue;
	return 0;
}

void net_rvif_rx_queue_release(struct rte_eth_dev *dev, uint16_t index)
{
	rte_free(dev->data->rx_queues[index]);
	dev->data->rx_queues[index] = NULL;
}

void net_rvif_tx_queue_release(struct rte_eth_dev *dev, uint16_t index)
{
	rte_free(dev->data->tx_queues[index]);
	dev->data->tx_queues[index] = NULL;
}

void net_rvif_rxq_info(struct rte_eth_dev *dev, uint16_t index, struct rte_eth_rxq_info *info)
{
	const struct net_rvif_rxq *queue = dev->data->rx_queues[index];

	info->mp = queue->pool;
	info->scattered_rx = queue->scatter;
	info->nb_desc = queue->descriptors;
	info->rx_buf_size = queue->room;
	info->conf.offloads = dev->data->dev_conf.rxmode.offloads;
}

void net_rvif_txq_info(struct rte_eth_dev *dev, uint16_t index, struct rte_eth_txq_info *info)
{
	const struct net_rvif_txq *queue = dev->data->tx_queues[index];

	info->nb_desc = queue->descriptors;
	info->conf.tx_free_thresh = queue->threshold;
	info->conf.offloads = dev->data->dev_conf.txmode.offloads;
}
