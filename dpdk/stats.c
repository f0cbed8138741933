// SPDX-License-Identifier: Apache-2.0
/*
 * Counters. Each is written by the thread of its queue and read here without a lock, as in other
 * drivers. Of the switch's counters, the driver adds the difference since it looked last. So
 * neither a restarted switch nor a false number makes a counter fall.
 */
#include "net_rvif.h"

#include <stdio.h>
#include <string.h>

struct field {
	char name[32];
	size_t offset;
};

#define RX_FIELD(label, member)                              \
	{                                                    \
		label, offsetof(struct net_rvif_rxq, member) \
	}
#define TX_FIELD(label, member)                              \
	{                                                    \
		label, offsetof(struct net_rvif_txq, member) \
	}

static const struct field rx_fields[] = {
	RX_FIELD("packets", stats.packets),
	RX_FIELD("bytes", stats.bytes),
	RX_FIELD("missed", missed),
	RX_FIELD("no_mbuf", stats.no_mbuf),
	RX_FIELD("bad_descriptors", stats.bad),
	RX_FIELD("too_long", stats.too_long),
	RX_FIELD("checksums_computed", stats.checksums),
};

static const struct field tx_fields[] = {
	TX_FIELD("packets", stats.packets), TX_FIELD("bytes", stats.bytes),
	TX_FIELD("bad_packets", stats.bad), TX_FIELD("offload_not_granted", stats.unsupported),
	TX_FIELD("ring_full", stats.full),  TX_FIELD("kicks", stats.kicks),
	TX_FIELD("copied", stats.copied),   TX_FIELD("checksums_computed", stats.checksums),
};

void net_rvif_count_missed(struct net_rvif_rxq *queue)
{
	uint64_t now;

	if (!queue->ring.control)
		return;
	now = __atomic_load_n(&queue->ring.control->missed, __ATOMIC_RELAXED);
	/* a switch that attached anew counts from 0 */
	queue->missed += now >= queue->missed_seen ? now - queue->missed_seen : now;
	queue->missed_seen = now;
}

static void refresh(struct rte_eth_dev *dev)
{
	if (!net_rvif_port(dev)->up)
		return;
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		net_rvif_count_missed(dev->data->rx_queues[i]);
}

int net_rvif_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	refresh(dev);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
		const struct net_rvif_rxq *queue = dev->data->rx_queues[i];

		if (!queue)
			continue;
		stats->ipackets += queue->stats.packets;
		stats->ibytes += queue->stats.bytes;
		stats->imissed += queue->missed;
		stats->rx_nombuf += queue->stats.no_mbuf;
		stats->ierrors += queue->stats.bad + queue->stats.too_long;
		if (i < RTE_ETHDEV_QUEUE_STAT_CNTRS) {
			stats->q_ipackets[i] = queue->stats.packets;
			stats->q_ibytes[i] = queue->stats.bytes;
			stats->q_errors[i] = queue->stats.bad + queue->stats.too_long;
		}
	}
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
		const struct net_rvif_txq *queue = dev->data->tx_queues[i];

		if (!queue)
			continue;
		stats->opackets += queue->stats.packets;
		stats->obytes += queue->stats.bytes;
		stats->oerrors += queue->stats.bad + queue->stats.unsupported;
		if (i < RTE_ETHDEV_QUEUE_STAT_CNTRS) {
			stats->q_opackets[i] = queue->stats.packets;
			stats->q_obytes[i] = queue->stats.bytes;
		}
	}
	return 0;
}

int net_rvif_stats_reset(struct rte_eth_dev *dev)
{
	refresh(dev);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
		struct net_rvif_rxq *queue = dev->data->rx_queues[i];

		if (queue) {
			memset(&queue->stats, 0, sizeof(queue->stats));
			queue->missed = 0;
		}
	}
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
		struct net_rvif_txq *queue = dev->data->tx_queues[i];

		if (queue)
			memset(&queue->stats, 0, sizeof(queue->stats));
	}
	return 0;
}

static unsigned int xstats_count(const struct rte_eth_dev *dev)
{
	return dev->data->nb_rx_queues * RTE_DIM(rx_fields) +
	       dev->data->nb_tx_queues * RTE_DIM(tx_fields);
}

static uint64_t read_field(const void *queue, const struct field *field)
{
	return queue ? *(const uint64_t *)(const void *)((const char *)queue + field->offset) : 0;
}

int net_rvif_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	unsigned int count = xstats_count(dev), at = 0;

	if (n < count)
		return (int)count;
	refresh(dev);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		for (size_t k = 0; k < RTE_DIM(rx_fields); k++, at++)
			xstats[at] = (struct rte_eth_xstat){at, read_field(dev->data->rx_queues[i],
									   &rx_fields[k])};
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
		for (size_t k = 0; k < RTE_DIM(tx_fields); k++, at++)
			xstats[at] = (struct rte_eth_xstat){at, read_field(dev->data->tx_queues[i],
									   &tx_fields[k])};
	return (int)count;
}

int net_rvif_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names,
			      unsigned int n)
{
	unsigned int count = xstats_count(dev), at = 0;

	if (!names || n < count)
		return (int)count;
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		for (size_t k = 0; k < RTE_DIM(rx_fields); k++, at++)
			snprintf(names[at].name, sizeof(names[at].name), "rx_q%u_%.31s", i,
				 rx_fields[k].name);
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
		for (size_t k = 0; k < RTE_DIM(tx_fields); k++, at++)
			snprintf(names[at].name, sizeof(names[at].name), "tx_q%u_%.31s", i,
				 tx_fields[k].name);
	return (int)count;
}
