/* SPDX-License-Identifier: Apache-2.0 */
/* The vNIC: creates it with its rings, waits until a switch attaches it, and removes it at the
 * end. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "output.h"
#include "pktgen.h"
#include "vnic_options.h"

#define STOP_US 1000000

int vnic_open(struct pktgen *p)
{
	const char *path = p->options.path;
	struct rvif_config config = {
		.tx_queues = (uint16_t)p->options.queues,
		.rx_queues = (uint16_t)p->options.queues,
		.tx_ring = RING,
		.rx_ring = RING,
		.buffer_size = BUFFER,
		.max_frame = MAX_SIZE,
		.features = p->options.poll ? 0 : RVIF_F_NOTIFY,
	};
	int error;

	memcpy(config.mac, p->mac, 6);
	config.any_mac = !p->options.has_mac;
	error = rvif_configure(&config, 2ull * p->options.queues * RING * BUFFER);
	if (error) {
		output_print(STDERR_FILENO, "rvs-pktgen: %s\n", rvif_strreason(-error));
		return -1;
	}
	error = vnic_open_for(p->vnic, path, &config, &p->options.access);
	if (error) {
		output_print(STDERR_FILENO, "rvs-pktgen: %s: %s\n", path, vnic_error(path, error));
		return -1;
	}
	rvif_start(p->vnic);
	for (uint32_t queue = 0; queue < p->options.queues; queue++) {
		struct pktgen *of = &p->all[queue];

		rvif_tx_ring_init(&of->tx, of->vnic, queue);
		rvif_rx_ring_init(&of->rx, of->vnic, queue);
		post_rx(of);
		rvif_ring_publish(&of->rx);
	}
	return 0;
}

/* Takes the switch's address: it may be another one than was proposed. */
static void take_mac(struct pktgen *p)
{
	uint8_t mac[6];

	memcpy(mac, rvif_header(p->vnic)->sw.mac, sizeof(mac));
	if (rvif_mac_is_station(mac))
		memcpy(p->mac, mac, sizeof(mac));
}

int vnic_wait_for_switch(struct pktgen *p)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	const double start = monotonic();

	while (!stop) {
		int attached = rvif_attached(p->vnic);

		if (attached == 1) {
			take_mac(p);
			return 0;
		}
		if (attached < 0) {
			output_print(STDERR_FILENO, "rvs-pktgen: %s: the switch refused it: %s\n",
				     p->options.path, rvif_strreason(-attached));
			return -1;
		}
		if (p->options.wait > 0 && monotonic() - start > p->options.wait) {
			output_print(STDERR_FILENO,
				     "rvs-pktgen: %s: no switch attached it in %g seconds\n",
				     p->options.path, p->options.wait);
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	return 0;
}

void vnic_close(struct pktgen *p)
{
	if (rvif_attached(p->vnic) == 1)
		rvif_stop(p->vnic, STOP_US);
	rvif_close(p->vnic);
}
