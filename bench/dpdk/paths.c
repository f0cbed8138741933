// SPDX-License-Identifier: Apache-2.0
/*
 * The paths of DPDK that net_rvif is compared with: shared memory between two points (memif,
 * copying and zero-copy), and from VM to VM over vhost, with a forwarding loop between. All are in
 * one process. Their options keep their defaults, which are their authors' choice, unless a path
 * needs another value.
 */
#include "bench.h"

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_WAIT_MS 5000

int port_open(const char *device, const char *arguments, struct rte_mempool *pool,
	      unsigned int frame)
{
	struct rte_eth_conf config = {0};
	struct rte_eth_dev_info info;
	uint16_t port, descriptors_rx = 0, descriptors_tx = 0;
	int error;

	error = rte_vdev_init(device, arguments);
	if (!error)
		error = rte_eth_dev_get_port_by_name(device, &port);
	if (error) {
		fprintf(stderr, "%s,%s: %s\n", device, arguments, rte_strerror(-error));
		return -1;
	}
	error = rte_eth_dev_info_get(port, &info);
	if (!error) {
		/* memif reports 1500, and moves whatever its buffers hold */
		config.rxmode.mtu =
			(uint16_t)(RTE_MIN(frame, info.max_rx_pktlen - RTE_ETHER_CRC_LEN) -
				   RTE_ETHER_HDR_LEN);
		error = rte_eth_dev_configure(port, 1, 1, &config);
	}
	if (!error)
		error = rte_eth_dev_adjust_nb_rx_tx_desc(port, &descriptors_rx, &descriptors_tx);
	if (!error)
		error = rte_eth_rx_queue_setup(port, 0, descriptors_rx, SOCKET_ID_ANY, NULL, pool);
	if (!error)
		error = rte_eth_tx_queue_setup(port, 0, descriptors_tx, SOCKET_ID_ANY, NULL);
	if (!error)
		error = rte_eth_dev_start(port);
	if (error) {
		fprintf(stderr, "%s: cannot start: %s\n", device, rte_strerror(-error));
		rte_vdev_uninit(device);
		return -1;
	}
	return port;
}

void port_close(uint16_t port)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	if (rte_eth_dev_get_name_by_port(port, name))
		return;
	rte_eth_dev_stop(port);
	rte_vdev_uninit(name);
}

int port_wait_link(uint16_t port)
{
	struct rte_eth_link link;

	for (unsigned int ms = 0; ms < LINK_WAIT_MS; ms++) {
		if (!rte_eth_link_get_nowait(port, &link) && link.link_status)
			return 0;
		rte_delay_us_sleep(1000);
	}
	fprintf(stderr, "port %u: no link\n", port);
	return -1;
}

static int open_memif(struct path *path, struct rte_mempool *pool, unsigned int frame,
		      const char *more)
{
	char name[64], arguments[256];
	int server, client;

	snprintf(name, sizeof(name), "net_%s_server", path->name);
	snprintf(arguments, sizeof(arguments), "role=server,id=0,socket-abstract=no,socket=%s/%s",
		 bench_folder, path->name);
	server = port_open(name, arguments, pool, frame);
	if (server < 0)
		return -1;
	snprintf(name, sizeof(name), "net_%s_client", path->name);
	snprintf(arguments, sizeof(arguments), "role=client,id=0,socket-abstract=no,socket=%s/%s%s",
		 bench_folder, path->name, more);
	client = port_open(name, arguments, pool, frame);
	if (client < 0 || port_wait_link((uint16_t)client) || port_wait_link((uint16_t)server)) {
		if (client >= 0)
			port_close((uint16_t)client);
		port_close((uint16_t)server);
		return -1;
	}
	path->tx = (uint16_t)client;
	path->rx = (uint16_t)server;
	return 0;
}

static int open_memif_copy(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	return open_memif(path, pool, frame, frame > 2048 ? ",bsize=10240" : "");
}

static int open_memif_zero(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	return open_memif(path, pool, frame, ",zero-copy=yes");
}

static void close_memif(struct path *path)
{
	port_close(path->tx);
	port_close(path->rx);
}

static void vhost_hop(struct path *path)
{
	struct rte_mbuf *burst[MAX_BURST];
	uint16_t in, out;

	in = rte_eth_rx_burst(path->hop_rx, 0, burst, MAX_BURST);
	out = rte_eth_tx_burst(path->hop_tx, 0, burst, in);
	rte_pktmbuf_free_bulk(burst + out, in - out);
}

/* Opens a vhost port, and the virtio port of the "VM" on its other side. */
static int open_vhost_pair(unsigned int index, struct rte_mempool *pool, unsigned int frame,
			   uint16_t *vhost, uint16_t *virtio)
{
	char name[64], arguments[256];
	int back, front;

	snprintf(name, sizeof(name), "net_vhost%u", index);
	snprintf(arguments, sizeof(arguments), "iface=%s/vhost%u,queues=1", bench_folder, index);
	back = port_open(name, arguments, pool, frame);
	if (back < 0)
		return -1;
	snprintf(name, sizeof(name), "net_virtio_user%u", index);
	snprintf(arguments, sizeof(arguments), "path=%s/vhost%u,queues=1", bench_folder, index);
	front = port_open(name, arguments, pool, frame);
	if (front < 0 || port_wait_link((uint16_t)back)) {
		if (front >= 0)
			port_close((uint16_t)front);
		port_close((uint16_t)back);
		return -1;
	}
	*vhost = (uint16_t)back;
	*virtio = (uint16_t)front;
	return 0;
}

static int open_vhost(struct path *path, struct rte_mempool *pool, unsigned int frame)
{
	if (open_vhost_pair(0, pool, frame, &path->hop_rx, &path->tx))
		return -1;
	if (open_vhost_pair(1, pool, frame, &path->hop_tx, &path->rx)) {
		port_close(path->tx);
		port_close(path->hop_rx);
		return -1;
	}
	path->hop = vhost_hop;
	return 0;
}

static void close_vhost(struct path *path)
{
	port_close(path->tx);
	port_close(path->rx);
	port_close(path->hop_rx);
	port_close(path->hop_tx);
}

const struct path_kind memif_kind = {"memif", open_memif_copy, close_memif};
const struct path_kind memif_zero_copy_kind = {"memif_zero_copy", open_memif_zero, close_memif};
const struct path_kind vhost_kind = {"vhost", open_vhost, close_vhost};
