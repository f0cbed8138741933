// SPDX-License-Identifier: Apache-2.0
/*
 * The link's state. It is up while the switch is attached to what this driver started, and says
 * that the link is up.
 *
 * The switch cannot interrupt an application, so a timer looks ten times a second. It runs if the
 * application wants events, or if the transport can lose its switch for good. In that case the
 * timer goes to the successor, while the queues are in use.
 */
#include "net_rvif.h"

#include <rte_alarm.h>
#include <rte_errno.h>
#include <string.h>

#define WATCH_US     100000
#define LINK_WAIT_MS 1000

static void read_link(struct rte_eth_dev *dev, struct rte_eth_link *link)
{
	struct net_rvif_port *port = net_rvif_port(dev);
	struct rvif_header *header;
	struct rte_ether_addr mac;
	uint32_t mbps, epoch;
	int attached;

	*link = (struct rte_eth_link){
		.link_speed = RTE_ETH_SPEED_NUM_NONE,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = RTE_ETH_LINK_DOWN,
	};
	if (!port->up || port->lost)
		return;
	header = rvif_header(&port->vnic);
	attached = rvif_attached(&port->vnic);
	epoch = header->driver.epoch;
	if (attached < 0 && port->refused != epoch) {
		port->refused = epoch;
		NET_RVIF_LOG(ERR, "%s: the switch refused: %s", port->options.path,
			     rvif_strreason(-attached));
	}
	if (attached != 1 || !rvif_load(&header->sw.link))
		return;
	mbps = rvif_load(&header->sw.mbps);
	link->link_speed = mbps ? mbps : RTE_ETH_SPEED_NUM_UNKNOWN;
	link->link_status = RTE_ETH_LINK_UP;
	memcpy(&mac, header->sw.mac, sizeof(mac));
	if (!rte_is_valid_assigned_ether_addr(&mac) ||
	    rte_is_same_ether_addr(&mac, dev->data->mac_addrs))
		return;
	rte_ether_addr_copy(&mac, &dev->data->mac_addrs[0]);
	rte_ether_addr_copy(&mac, &port->any_mac);
}

int net_rvif_link_update(struct rte_eth_dev *dev, int wait)
{
	struct rte_eth_link link;

	read_link(dev, &link);
	for (unsigned int ms = 0; wait && !link.link_status && ms < LINK_WAIT_MS; ms++) {
		rte_delay_us_sleep(1000);
		read_link(dev, &link);
	}
	return rte_eth_linkstatus_set(dev, &link);
}

static void reconnect(struct net_rvif_port *port)
{
	int result = port->up ? rvif_reconnect(&port->vnic) : 0;

	if (result < 0 && !port->lost)
		NET_RVIF_LOG(WARNING, "%s: the switch is gone: %s", port->options.path,
			     net_rvif_why(port, result));
	if (result > 0)
		NET_RVIF_LOG(NOTICE, "%s: there is a switch again", port->options.path);
	port->lost = result < 0;
}

static void watch(void *opaque)
{
	struct rte_eth_dev *dev = opaque;

	reconnect(net_rvif_port(dev));
	if (!net_rvif_link_update(dev, 0))
		rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_LSC, NULL);
	rte_eal_alarm_set(WATCH_US, watch, dev);
}

int net_rvif_link_watch(struct rte_eth_dev *dev)
{
	return rte_eal_alarm_set(WATCH_US, watch, dev);
}

/* Stops the timer. Waits for a look that is under way. */
void net_rvif_link_unwatch(struct rte_eth_dev *dev)
{
	rte_eal_alarm_cancel(watch, dev);
}
