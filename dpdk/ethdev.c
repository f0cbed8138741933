// SPDX-License-Identifier: Apache-2.0
/*
 * The port as DPDK sees it: probe, configure, start, stop, close, remove, in any order that an
 * application may call. A port that is closed or removed while it runs is stopped first, and leaves
 * nothing behind.
 */
#include "net_rvif.h"

#include <bus_vdev_driver.h>
#include <ethdev_vdev.h>
#include <string.h>

RTE_LOG_REGISTER_DEFAULT(net_rvif_logtype, NOTICE);

#define CSUM_RX (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define CSUM_TX                                                         \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | \
	 RTE_ETH_TX_OFFLOAD_UDP_CKSUM)

static uint32_t max_frame(const struct net_rvif_port *port)
{
	return RTE_MIN((uint32_t)RVIF_MAX_FRAME, RVIF_MAX_CHAIN * port->options.buffer_size);
}

static int dev_infos_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const struct net_rvif_port *port = net_rvif_port(dev);

	info->max_mac_addrs = 1;
	info->max_rx_pktlen = max_frame(port);
	info->max_mtu = (uint16_t)(max_frame(port) - NET_RVIF_OVERHEAD);
	info->min_mtu = RTE_ETHER_MIN_MTU;
	info->min_rx_bufsize = RVIF_MIN_FRAME;
	info->max_rx_queues = (uint16_t)port->options.queues;
	info->max_tx_queues = (uint16_t)port->options.queues;
	info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_SCATTER;
	info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (port->options.csum) {
		info->rx_offload_capa |= CSUM_RX;
		info->tx_offload_capa |= CSUM_TX;
	}
	if (port->options.tso) {
		info->rx_offload_capa |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
		info->tx_offload_capa |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
		info->max_lro_pkt_size = RVIF_MAX_FRAME;
	}
	info->rx_desc_lim = (struct rte_eth_desc_lim){
		.nb_max = NET_RVIF_MAX_RING,
		.nb_min = RVIF_MIN_RING,
		.nb_align = 1,
	};
	info->tx_desc_lim = info->rx_desc_lim;
	info->tx_desc_lim.nb_seg_max = UINT8_MAX;
	info->tx_desc_lim.nb_mtu_seg_max = UINT8_MAX;
	info->default_rxconf.rx_drop_en = 1; /* the switch never waits for a receiver */
	info->default_rxportconf.ring_size = NET_RVIF_DEFAULT_RING;
	info->default_txportconf.ring_size = NET_RVIF_DEFAULT_RING;
	info->default_rxportconf.burst_size = 32;
	info->default_txportconf.burst_size = 32;
	info->default_rxportconf.nb_queues = 1;
	info->default_txportconf.nb_queues = 1;
	return 0;
}

/* Checks what ethdev does not check by the capabilities. Returns NULL, or what the application
 * wants and cannot have. */
static const char *impossible(const struct rte_eth_conf *config)
{
	const uint64_t both = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;
	/* ethdev puts the length of plain frames there if the application does not set it */
	const uint32_t unsaid = config->rxmode.mtu + NET_RVIF_OVERHEAD;

	/* a feature of rvif counts in both directions */
	if (config->txmode.offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO &&
	    (config->rxmode.offloads & both) != both)
		return "TCP_TSO without TCP_LRO and SCATTER: what may be sent unsegmented may "
		       "also arrive so";
	if (config->rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO &&
	    config->rxmode.max_lro_pkt_size < RVIF_MAX_FRAME &&
	    config->rxmode.max_lro_pkt_size != unsaid)
		return "rxmode.max_lro_pkt_size: frames have the length that their sender chose";
	if (config->rxmode.mq_mode & ~RTE_ETH_MQ_RX_RSS_FLAG)
		return "rxmode.mq_mode: VMDq and DCB are not supported";
	if (config->txmode.mq_mode != RTE_ETH_MQ_TX_NONE)
		return "txmode.mq_mode: VMDq and DCB are not supported";
	if (config->dcb_capability_en)
		return "dcb_capability_en: DCB is not supported";
	if (config->lpbk_mode)
		return "lpbk_mode: there is no loopback";
	if (config->link_speeds & RTE_ETH_LINK_SPEED_FIXED)
		return "link_speeds: the switch names the speed";
	if (config->intr_conf.rxq)
		return "intr_conf.rxq: there are no receive interrupts";
	if (config->txmode.hw_vlan_reject_tagged || config->txmode.hw_vlan_reject_untagged ||
	    config->txmode.hw_vlan_insert_pvid)
		return "txmode.hw_vlan_*: VLANs are not offloaded";
	return NULL;
}

static int dev_configure(struct rte_eth_dev *dev)
{
	const char *what = impossible(&dev->data->dev_conf);

	if (!what)
		return 0;
	NET_RVIF_LOG(ERR, "port %u: %s", dev->data->port_id, what);
	return -EINVAL;
}

static void set_burst_functions(struct rte_eth_dev *dev)
{
	bool wide = rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0 &&
		    rte_vect_get_max_simd_bitwidth() >= RTE_VECT_SIMD_256;

	dev->rx_pkt_burst = wide ? net_rvif_rx_avx2 : net_rvif_rx_sse2;
	dev->tx_pkt_burst = wide ? net_rvif_tx_avx2 : net_rvif_tx_sse2;
	if (net_rvif_port(dev)->options.zero_copy) {
		dev->rx_pkt_burst = net_rvif_rx_zero_copy;
		dev->tx_pkt_burst = net_rvif_tx_zero_copy;
	}
	dev->tx_pkt_prepare = net_rvif_tx_prepare;
}

static int burst_mode(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_burst_mode *mode)
{
	RTE_SET_USED(queue);
	snprintf(mode->info, sizeof(mode->info), "%s",
		 dev->rx_pkt_burst == net_rvif_rx_zero_copy ? "zero-copy" :
		 dev->rx_pkt_burst == net_rvif_rx_avx2	    ? "AVX2" :
							      "SSE2");
	return 0;
}

static int missing_queue(const struct rte_eth_dev *dev, const char *direction, uint16_t queue)
{
	NET_RVIF_LOG(ERR, "port %u: %s queue %u is not set up", dev->data->port_id, direction,
		     queue);
	return -EINVAL;
}

static int check_queues(const struct rte_eth_dev *dev)
{
	const struct rte_eth_dev_data *data = dev->data;

	for (uint16_t i = 0; i < data->nb_rx_queues; i++)
		if (!data->rx_queues[i])
			return missing_queue(dev, "receive", i);
	for (uint16_t i = 0; i < data->nb_tx_queues; i++)
		if (!data->tx_queues[i])
			return missing_queue(dev, "transmit", i);
	return 0;
}

static int dev_start(struct rte_eth_dev *dev)
{
	struct net_rvif_port *port = net_rvif_port(dev);
	int error = check_queues(dev);

	if (error)
		return error;
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
		error = net_rvif_check_frame(dev->data, dev->data->rx_queues[i],
					     dev->data->mtu + NET_RVIF_OVERHEAD);
		if (error)
			return error;
	}
	error = net_rvif_up(port, dev->data);
	if (error)
		return error;
	if (dev->data->dev_conf.intr_conf.lsc || port->vnic.transport->reconnect) {
		error = net_rvif_link_watch(dev);
		if (error) {
			NET_RVIF_LOG(ERR, "port %u: no timer for the link: %s", dev->data->port_id,
				     strerror(-error));
			net_rvif_down(port, dev->data);
			return error;
		}
	}
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		dev->data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
		dev->data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
	return 0;
}

static int dev_stop(struct rte_eth_dev *dev)
{
	struct net_rvif_port *port = net_rvif_port(dev);

	net_rvif_link_unwatch(dev);
	if (port->up)
		for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
			net_rvif_count_missed(dev->data->rx_queues[i]);
	net_rvif_down(port, dev->data);
	net_rvif_link_update(dev, 0);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		dev->data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STOPPED;
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
		dev->data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STOPPED;
	return 0;
}

/* Closes the port. ethdev has released the queues before, and frees the private data and the
 * addresses afterwards. */
static int dev_close(struct rte_eth_dev *dev)
{
	struct net_rvif_port *port = net_rvif_port(dev);

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return 0;
	net_rvif_link_unwatch(dev);
	net_rvif_down(port, dev->data);
	net_rvif_region_close(port);
	net_rvif_free_options(&port->options);
	return 0;
}

static int mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	if (dev->data->dev_started) {
		NET_RVIF_LOG(ERR, "port %u: the MTU can change only while the port is stopped",
			     dev->data->port_id);
		return -EBUSY;
	}
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
		const struct net_rvif_rxq *queue = dev->data->rx_queues[i];
		int error = queue ? net_rvif_check_frame(dev->data, queue,
							 (uint32_t)mtu + NET_RVIF_OVERHEAD) :
				    0;

		if (error)
			return error;
	}
	return 0;
}

static int mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *address)
{
	RTE_SET_USED(address);
	if (!dev->data->dev_started)
		return 0;
	NET_RVIF_LOG(ERR, "port %u: the address can change only while the port is stopped",
		     dev->data->port_id);
	return -EBUSY;
}

/* ethdev changes `promiscuous` and `all_multicast` only after this returns, so callers pass the new
 * mode. */
static int set_mode(struct rte_eth_dev *dev, uint8_t promiscuous, uint8_t all_multicast)
{
	struct net_rvif_port *port = net_rvif_port(dev);

	net_rvif_set_rx_mode(port, promiscuous, all_multicast);
	return 0;
}

static int promiscuous_enable(struct rte_eth_dev *dev)
{
	return set_mode(dev, 1, dev->data->all_multicast);
}

static int promiscuous_disable(struct rte_eth_dev *dev)
{
	return set_mode(dev, 0, dev->data->all_multicast);
}

static int allmulticast_enable(struct rte_eth_dev *dev)
{
	return set_mode(dev, dev->data->promiscuous, 1);
}

static int allmulticast_disable(struct rte_eth_dev *dev)
{
	return set_mode(dev, dev->data->promiscuous, 0);
}

static const struct eth_dev_ops ops = {
	.dev_infos_get = dev_infos_get,
	.dev_configure = dev_configure,
	.dev_start = dev_start,
	.dev_stop = dev_stop,
	.dev_close = dev_close,
	.mtu_set = mtu_set,
	.mac_addr_set = mac_addr_set,
	.promiscuous_enable = promiscuous_enable,
	.promiscuous_disable = promiscuous_disable,
	.allmulticast_enable = allmulticast_enable,
	.allmulticast_disable = allmulticast_disable,
	.link_update = net_rvif_link_update,
	.rx_queue_setup = net_rvif_rx_queue_setup,
	.tx_queue_setup = net_rvif_tx_queue_setup,
	.rx_queue_release = net_rvif_rx_queue_release,
	.tx_queue_release = net_rvif_tx_queue_release,
	.rxq_info_get = net_rvif_rxq_info,
	.txq_info_get = net_rvif_txq_info,
	.rx_burst_mode_get = burst_mode,
	.tx_burst_mode_get = burst_mode,
	.stats_get = net_rvif_stats_get,
	.stats_reset = net_rvif_stats_reset,
	.xstats_get = net_rvif_xstats_get,
	.xstats_get_names = net_rvif_xstats_get_names,
	.xstats_reset = net_rvif_stats_reset,
};

static int probe(struct rte_vdev_device *device)
{
	const char *name = rte_vdev_device_name(device);
	struct net_rvif_options options;
	struct rte_ether_addr *address;
	struct net_rvif_port *port;
	struct rte_eth_dev *dev;
	int error;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		NET_RVIF_LOG(ERR, "%s: secondary processes are not supported", name);
		return -ENOTSUP;
	}
	error = net_rvif_parse(rte_vdev_device_args(device), &options);
	if (error)
		goto err_options;
	error = -ENOMEM;
	dev = rte_eth_vdev_allocate(device, sizeof(*port));
	if (!dev)
		goto err_options;
	address = rte_zmalloc("net_rvif_mac", sizeof(*address), 0);
	dev->data->mac_addrs = address;
	if (!address)
		goto err_port;
	if (rte_is_zero_ether_addr(&options.mac))
		rte_eth_random_addr(address->addr_bytes);
	else
		rte_ether_addr_copy(&options.mac, address);
	port = dev->data->dev_private;
	port->options = options;
	if (rte_is_zero_ether_addr(&options.mac))
		rte_ether_addr_copy(address, &port->any_mac);
	dev->data->mtu = RTE_ETHER_MTU;
	dev->data->dev_link.link_duplex = RTE_ETH_LINK_FULL_DUPLEX;
	dev->data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_NOLIVE_MAC_ADDR;
	dev->dev_ops = &ops;
	set_burst_functions(dev);
	error = net_rvif_region_open(port, dev->data);
	if (error)
		goto err_port;
	rte_eth_dev_probing_finish(dev);
	return 0;

err_port:
	rte_eth_dev_release_port(dev);
err_options:
	net_rvif_free_options(&options);
	return error;
}

static int remove_device(struct rte_vdev_device *device)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(device));
	int error;

	if (!dev)
		return 0;
	if (dev->data->dev_started) {
		error = rte_eth_dev_stop(dev->data->port_id);
		if (error)
			return error;
	}
	return rte_eth_dev_close(dev->data->port_id);
}

static struct rte_vdev_driver driver = {
	.probe = probe,
	.remove = remove_device,
};

RTE_PMD_REGISTER_VDEV(net_rvif, driver);
RTE_PMD_REGISTER_PARAM_STRING(net_rvif,
			      "path=<file> mac=<xx:xx:xx:xx:xx:xx> queues=<1-128> "
			      "buffer=<512-65535> csum=<0|1> tso=<0|1> mode=<octal> group=<group> "
			      "zero_copy=<0|1>");
