/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves an owner that polls, and sleeps if no frames come. Drivers kick while it sleeps. As with a
 * sleeping receiver, both sides store first and load afterwards. So for a frame that is posted just
 * then, either the owner sees the frame, or the driver sees that it has to kick.
 */
#include "internal.h"

/* Asks the port's driver to kick or not. Returns 0 if it cannot: its word must not change then. */
static int want(struct rvs *rvs, uint32_t number, int wanted)
{
	const struct rvs_port *port = rvs_port_at(rvs, number);

	if (!(port->features & RVIF_F_NOTIFY))
		return 0;
	if (!(port->flags & RVS_KICK))
		for (uint32_t q = 0; q < port->tx_queues; q++)
			rvif_store(&rvs_txq_at(rvs, number * rvs->config.queues + q)
					    ->control->kick_wanted,
				   !!wanted);
	return 1;
}

static int has_frames(struct rvs *rvs, uint32_t number)
{
	const struct rvs_port *port = rvs_port_at(rvs, number);

	for (uint32_t q = 0; q < port->tx_queues; q++) {
		struct rvs_txq *txq = rvs_txq_at(rvs, number * rvs->config.queues + q);

		if (rvs_posted(txq->control, rvs_taken_now(txq)->next, port->tx_mask))
			return 1;
	}
	return 0;
}

int rvs_want_kicks(struct rvs *rvs, int wanted)
{
	int busy = 0;

	for (uint32_t p = 0; p < rvs->config.ports; p++)
		if (rvs_port_at(rvs, p)->attached)
			busy += !want(rvs, p, wanted);
	if (busy || !wanted)
		return busy;
	rvif_full_barrier();
	for (uint32_t p = 0; p < rvs->config.ports; p++)
		if (rvs_port_at(rvs, p)->attached)
			busy += has_frames(rvs, p);
	return busy;
}
