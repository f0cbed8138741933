/* SPDX-License-Identifier: Apache-2.0 */
/* Wakes receivers that sleep on "completed" of their queue; see rvif_shared_file. */
#include "fwd.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

void wake(const struct fwd *fwd, uint32_t number, uint32_t queue)
{
	const struct port *port = &fwd->port[number];
	const struct rvif_header *header =
		(const struct rvif_header *)(const void *)port->map.region;
	struct rvif_config config = header->config; /* a driver that changes it harms only itself */
	struct rvif_layout layout;

	if (!port->attached || rvif_layout(&config, &layout) || queue >= config.rx_queues ||
	    layout.buffers > port->map.size)
		return;
	syscall(SYS_futex, &rvif_rx_queue(port->map.region, &layout, queue)->completed, FUTEX_WAKE,
		INT_MAX, NULL, NULL, 0);
}

void wake_port(const struct fwd *fwd, uint32_t number)
{
	for (uint32_t queue = 0; fwd->port[number].attached && queue < QUEUES; queue++)
		wake(fwd, number, queue);
}

void wake_all(const struct fwd *fwd)
{
	for (uint32_t i = 0; i < fwd->port_count; i++)
		wake_port(fwd, i);
}
