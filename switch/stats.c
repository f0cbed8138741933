/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the switch's counters. Senders go on meanwhile, so numbers of one queue may differ by a
 * batch. They add up exactly when no sender is inside. Reading must never take a lock.
 */
#include "internal.h"

/*
 * Reads a queue's record. The record is overwritten at the second commit from now at the earliest.
 * If "current" has moved, it is read again. After some attempts the last reading is taken.
 */
static void read_taken(struct rvs_txq *txq, struct rvs_taken *taken)
{
	for (int attempt = 0; attempt < 4; attempt++) {
		uint32_t current = rvif_load_acquire(&txq->current);

		taken->frames = rvs_load64(&txq->taken[current & 1].frames);
		taken->bytes = rvs_load64(&txq->taken[current & 1].bytes);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (rvif_load(&txq->current) == current)
			return;
	}
}

static void read_given(struct rvs_rxq *rxq, struct rvs_given *given)
{
	for (int attempt = 0; attempt < 4; attempt++) {
		uint32_t current = rvif_load_acquire(&rxq->current);

		given->frames = rvs_load64(&rxq->given[current & 1].frames);
		given->bytes = rvs_load64(&rxq->given[current & 1].bytes);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (rvif_load(&rxq->current) == current)
			return;
	}
}

static void add_queue(struct rvs *rvs, uint32_t number, struct rvs_stats *stats)
{
	struct rvs_txq *txq = rvs_txq_at(rvs, number);
	struct rvs_rxq *rxq = rvs_rxq_at(rvs, number);
	struct rvs_taken taken;
	struct rvs_given given;

	read_taken(txq, &taken);
	read_given(rxq, &given);
	stats->frames += taken.frames;
	stats->bytes += taken.bytes;
	stats->copies += rvs_load64(&txq->copies);
	stats->delivered += rvs_load64(&txq->delivered);
	for (uint32_t reason = 0; reason < RVS_DROPS; reason++)
		stats->drops[reason] += rvs_load64(&txq->drops[reason]);
	stats->rx_frames += given.frames;
	stats->rx_bytes += given.bytes;
	stats->rx_missed += rvs_load64(&rxq->missed);
}

static void clear(struct rvs_stats *stats)
{
	uint64_t *word = (uint64_t *)stats;

	for (size_t i = 0; i < sizeof(*stats) / sizeof(*word); i++)
		*(volatile uint64_t *)&word[i] = 0;
}

int rvs_port_stats(struct rvs *rvs, uint32_t port, struct rvs_stats *stats)
{
	if (port >= rvs->config.ports)
		return -RVS_BAD_PORT;
	clear(stats);
	for (uint32_t q = 0; q < rvs->config.queues; q++)
		add_queue(rvs, port * rvs->config.queues + q, stats);
	return 0;
}

int rvs_queue_stats(struct rvs *rvs, uint32_t port, uint32_t queue, struct rvs_stats *stats)
{
	if (port >= rvs->config.ports)
		return -RVS_BAD_PORT;
	if (queue >= rvs->config.queues)
		return -RVS_BAD_QUEUE;
	clear(stats);
	add_queue(rvs, port * rvs->config.queues + queue, stats);
	return 0;
}

int rvs_port_info(struct rvs *rvs, uint32_t number, struct rvs_port_info *info)
{
	const struct rvs_port *port;

	if (number >= rvs->config.ports)
		return -RVS_BAD_PORT;
	port = rvs_port_at(rvs, number);
	info->attached = port->attached;
	info->generation = port->generation;
	info->features = port->features;
	info->tx_queues = port->tx_queues;
	info->rx_queues = port->rx_queues;
	info->learned = rvif_load(&port->learned);
	rvs_mac_bytes(info->mac, port->mac);
	return 0;
}
