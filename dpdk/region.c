// SPDX-License-Identifier: Apache-2.0
/*
 * The memory that is shared with the switch: its size, its layout, and setting the port up and
 * down. This side alone lays out the buffers. While a switch may still write to a region, the
 * region must not be used for another layout.
 *
 * If the switch does not let go when the port stops, the port is "stale". With path=, the switch
 * keeps the old file, and the next start makes a new one. Mbufs that the switch had are lost then,
 * because it may still write to them. Over ELISA, the attachment ends, so the host takes the memory
 * away from the switch, and all mbufs come back.
 */
#include "net_rvif.h"

#include <rte_errno.h>
#include <rvif/elisa.h>
#include <string.h>

#define STOP_TIMEOUT_US 500000

/*
 * Returns the bytes from one buffer to the next: an odd number of cache lines. With an even number,
 * the first lines of all buffers would fall into a few sets of the cache. Short frames touch only
 * those lines.
 */
static uint32_t stride(uint32_t size)
{
	uint32_t lines = (size + RTE_CACHE_LINE_SIZE - 1) / RTE_CACHE_LINE_SIZE;

	return (lines | 1) * RTE_CACHE_LINE_SIZE;
}

/* Returns the size of an area: a ring full of the longest frames, and at least two of the longest
 * frames that are to be segmented. */
static uint32_t tx_area(const struct rvif_config *config)
{
	uint32_t size = config->tx_ring * stride(config->max_frame);

	if (config->features & (RVIF_F_TSO4 | RVIF_F_TSO6))
		size = RTE_MAX(size, 2u * (RVIF_MAX_FRAME + 1));
	return size;
}

static uint32_t ring_size(uint32_t descriptors)
{
	return rte_align32pow2(RTE_MAX(descriptors, (uint32_t)RVIF_MIN_RING));
}

static bool has_file(const struct net_rvif_port *port)
{
	return port->options.transport == &rvif_shared_file;
}

static bool is_shared(const struct net_rvif_port *port)
{
	return port->memory.sharing.count;
}

/* Returns the bytes of the receive buffers. If they are mbufs, that is what all pools have room
 * for. */
static uint32_t buffer_size(const struct net_rvif_port *port, const struct rte_eth_dev_data *data)
{
	uint32_t size = port->options.buffer_size;

	for (uint16_t i = 0; port->options.zero_copy && i < data->nb_rx_queues; i++) {
		const struct net_rvif_rxq *queue = data->rx_queues[i];

		size = !i ? queue->room : RTE_MIN(size, (uint32_t)queue->room);
	}
	return size;
}

/* Makes the configuration of the region by what the application configured. Before that, by what
 * the arguments say, and without shared memory. */
static int configure(struct net_rvif_port *port, const struct rte_eth_dev_data *data,
		     struct rvif_config *config)
{
	uint64_t rx_offloads = data->dev_conf.rxmode.offloads;
	uint64_t tx_offloads = data->dev_conf.txmode.offloads;
	uint32_t queues = data->dev_configured ? 1 : port->options.queues;
	uint32_t rx_descriptors = 0, tx_descriptors = 0;
	uint64_t bytes;
	int error;

	for (uint16_t i = 0; i < data->nb_rx_queues; i++) {
		const struct net_rvif_rxq *queue = data->rx_queues[i];

		rx_descriptors = RTE_MAX(rx_descriptors, queue ? queue->descriptors : 0u);
	}
	for (uint16_t i = 0; i < data->nb_tx_queues; i++) {
		const struct net_rvif_txq *queue = data->tx_queues[i];

		tx_descriptors = RTE_MAX(tx_descriptors, queue ? queue->descriptors : 0u);
	}
	*config = (struct rvif_config){
		.tx_queues = (uint16_t)RTE_MAX(data->nb_tx_queues, queues),
		.rx_queues = (uint16_t)RTE_MAX(data->nb_rx_queues, queues),
		.tx_ring = ring_size(tx_descriptors ? tx_descriptors : NET_RVIF_DEFAULT_RING),
		.rx_ring = ring_size(rx_descriptors ? rx_descriptors : NET_RVIF_DEFAULT_RING),
		.buffer_size = buffer_size(port, data),
		.max_frame = (uint32_t)data->mtu + NET_RVIF_OVERHEAD,
	};
	if (port->options.csum &&
	    (rx_offloads & (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM) ||
	     tx_offloads & (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
			    RTE_ETH_TX_OFFLOAD_TCP_TSO)))
		config->features |= RVIF_F_CSUM;
	if (tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO)
		config->features |= RVIF_F_TSO4 | RVIF_F_TSO6;
	memcpy(config->mac, data->mac_addrs, sizeof(config->mac));
	config->any_mac = rte_is_same_ether_addr(data->mac_addrs, &port->any_mac);

	bytes = (uint64_t)config->tx_queues * tx_area(config);
	if (!is_shared(port))
		bytes +=
			(uint64_t)config->rx_queues * config->rx_ring * stride(config->buffer_size);
	error = rvif_configure(config, bytes);
	if (!error && is_shared(port))
		error = rvif_configure_sharing(config, &port->memory.sharing);
	if (!error)
		return 0;
	NET_RVIF_LOG(ERR, "%s: %u and %u queues, rings of %u and %u, buffers of %u, MTU %u: %s",
		     port->options.path, config->rx_queues, config->tx_queues, config->rx_ring,
		     config->tx_ring, config->buffer_size, data->mtu, rvif_strreason(-error));
	return -EINVAL;
}

const char *net_rvif_why(const struct net_rvif_port *port, int error)
{
	if (port->options.transport == &rvif_over_elisa)
		return rvif_elisa_error();
	return error == -EBUSY ? "another driver uses it" : rte_strerror(-error);
}

static int open_region(struct net_rvif_port *port, const struct rvif_config *config)
{
	int error = rvif_open_sharing(&port->vnic, port->options.transport, port->options.path,
				      config, &port->options.access,
				      is_shared(port) ? &port->memory.sharing : NULL);

	if (error) {
		NET_RVIF_LOG(ERR, "cannot create '%s' (%" PRIu64 " bytes): %s", port->options.path,
			     config->region_size, net_rvif_why(port, error));
		return error;
	}
	port->stale = port->lost = false;
	if (is_shared(port))
		net_rvif_make_ranges(&port->memory);
	if (is_shared(port) && has_file(port))
		error = net_rvif_memory_serve(port);
	if (error)
		rvif_close(&port->vnic);
	return error;
}

int net_rvif_region_open(struct net_rvif_port *port, const struct rte_eth_dev_data *data)
{
	struct rvif_config config;
	int error = configure(port, data, &config);

	return error ? error : open_region(port, &config);
}

void net_rvif_region_close(struct net_rvif_port *port)
{
	net_rvif_memory_end(port);
	rvif_close(&port->vnic);
}

/* Returns the pool that most transmitted mbufs are likely to come from. */
static struct rte_mempool *main_pool(const struct rte_eth_dev_data *data)
{
	return data->nb_rx_queues ? ((struct net_rvif_rxq *)data->rx_queues[0])->pool : NULL;
}

/* Sets sizes and memory of the queues. */
static void place_queues(struct net_rvif_port *port, const struct rte_eth_dev_data *data)
{
	const struct rvif_config *config = &port->vnic.config;
	uint32_t at = port->vnic.layout.buffers;

	for (uint16_t i = 0; i < data->nb_rx_queues; i++) {
		struct net_rvif_rxq *queue = data->rx_queues[i];

		rvif_rx_ring_init(&queue->ring, &port->vnic, i);
		queue->stride = stride(config->buffer_size);
		queue->buffer_size = config->buffer_size;
		queue->max_frame = config->max_frame;
		queue->limit = RTE_MIN(RTE_MIN(config->max_frame, config->buffer_size),
				       (uint32_t)queue->room);
		queue->features = config->features;
		queue->publish_at = RTE_MIN(queue->descriptors / 8u, (uint32_t)NET_RVIF_PUBLISH);
		queue->published = 0;
		queue->missed_seen = 0;
		queue->memory = &port->memory;
		if (is_shared(port))
			continue;
		queue->buffers = port->vnic.region + at;
		for (uint32_t k = 0; k < config->rx_ring; k++, at += queue->stride)
			*rvif_ring_desc(&queue->ring, k) = (struct rvif_desc){.offset = at};
	}
	for (uint16_t i = 0; i < data->nb_tx_queues; i++) {
		struct net_rvif_txq *queue = data->tx_queues[i];

		rvif_tx_ring_init(&queue->ring, &port->vnic, i);
		queue->port = port;
		queue->area = port->vnic.region + at;
		queue->area_offset = at;
		queue->area_size = tx_area(config);
		queue->head = queue->tail = 0;
		queue->max_frame = config->max_frame;
		queue->reclaim_at = 0;
		queue->kick = false;
		queue->memory = &port->memory;
		queue->pool = main_pool(data);
		queue->others = 0;
		at += queue->area_size;
	}
}

void net_rvif_set_rx_mode(struct net_rvif_port *port, uint8_t promiscuous, uint8_t all_multicast)
{
	uint32_t mode = 0;

	if (promiscuous)
		mode |= RVIF_RX_PROMISCUOUS | RVIF_RX_ALLMULTI;
	if (all_multicast)
		mode |= RVIF_RX_ALLMULTI;
	if (port->vnic.region)
		rvif_store(&rvif_header(&port->vnic)->driver.rx_mode, mode);
}

/* Prepares the region: the present one if it is large enough, or else a new one. Shared memory
 * always needs a new file. */
static int prepare_region(struct net_rvif_port *port, const struct rvif_config *config)
{
	int error;

	if (!port->vnic.region || port->stale || port->lost || is_shared(port) ||
	    config->region_size > port->vnic.size) {
		net_rvif_region_close(port);
		return open_region(port, config);
	}
	error = rvif_reconfigure(&port->vnic, config);
	if (!error)
		return 0;
	NET_RVIF_LOG(ERR, "%s: %s", port->options.path, rvif_strreason(-error));
	return -EINVAL;
}

static void post_buffers(struct net_rvif_port *port, struct net_rvif_rxq *queue)
{
	if (is_shared(port)) {
		net_rvif_refill(queue);
		net_rvif_rx_publish(queue);
		return;
	}
	queue->ring.posted = queue->descriptors;
	net_rvif_rx_publish(queue);
}

int net_rvif_up(struct net_rvif_port *port, const struct rte_eth_dev_data *data)
{
	struct rvif_config config;
	int error = 0;

	if (port->options.zero_copy) {
		net_rvif_memory_end(port);
		error = net_rvif_find_memory(&port->memory, has_file(port), data);
	}
	if (!error)
		error = configure(port, data, &config);
	if (!error)
		error = prepare_region(port, &config);
	if (error)
		return error;
	net_rvif_set_rx_mode(port, data->promiscuous, data->all_multicast);
	place_queues(port, data);
	rvif_start(&port->vnic);
	for (uint16_t i = 0; i < data->nb_rx_queues; i++)
		post_buffers(port, data->rx_queues[i]);
	port->up = true;
	return 0;
}

/* Gives back mbufs that the switch had. */
static void release_all(const struct rte_eth_dev_data *data)
{
	for (uint16_t i = 0; i < data->nb_rx_queues; i++)
		net_rvif_rx_release(data->rx_queues[i]);
	for (uint16_t i = 0; i < data->nb_tx_queues; i++)
		net_rvif_tx_release(data->tx_queues[i]);
}

/* Says what follows if the switch does not let go. It keeps a file, but over ELISA the host takes
 * the memory away. */
static const char *what_follows(const struct net_rvif_port *port)
{
	if (!has_file(port))
		return "the attachment ends, and the next start makes a new one";
	return is_shared(port) ? "the next start makes a new file, and mbufs that it has are lost" :
				 "the next start makes a new file";
}

void net_rvif_down(struct net_rvif_port *port, const struct rte_eth_dev_data *data)
{
	if (!port->up)
		return;
	port->up = false;
	port->stale = rvif_stop(&port->vnic, STOP_TIMEOUT_US);
	if (port->stale)
		NET_RVIF_LOG(WARNING, "%s: the switch did not let go within %u ms; %s",
			     port->options.path, STOP_TIMEOUT_US / 1000, what_follows(port));
	if (port->stale && !has_file(port)) {
		net_rvif_region_close(port);
		port->stale = false;
	}
	if (!port->stale && port->options.zero_copy)
		release_all(data);
}
