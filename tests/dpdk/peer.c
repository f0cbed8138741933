// SPDX-License-Identifier: Apache-2.0
/*
 * The switch over shared files, step by step; see peer.h. It must follow a driver through stops,
 * starts and new files without being told.
 */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST 32

int peer_open(struct peer *peer, const char *const *paths, unsigned int count)
{
	const struct rvs_config config = {
		.ports = PEER_PORTS,
		.senders = 1,
		.queues = 8,
		.buckets = 256,
		.max_age = 300,
		.one_thread = 1,
		.seed = 7,
	};
	uint64_t size = rvs_size(&config);

	memset(peer, 0, sizeof(*peer));
	peer->rvs = aligned_alloc(RVS_ALIGNMENT, (size + RVS_ALIGNMENT - 1) & -RVS_ALIGNMENT);
	if (!peer->rvs || rvs_init(peer->rvs, size, &config)) {
		fprintf(stderr, "peer: no switch\n");
		return -1;
	}
	peer->count = count;
	for (unsigned int i = 0; i < count; i++) {
		peer->ports[i].path = paths[i];
		peer->ports[i].policy = (struct rvs_policy){
			.features = RVIF_F_CSUM | RVIF_F_TSO4 | RVIF_F_TSO6,
			.max_learned = 64,
			.mbps = 40000,
		};
	}
	return 0;
}

static void add(uint64_t *to, const uint64_t *from)
{
	for (size_t i = 0; i < sizeof(struct rvs_stats) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

static void detach(struct peer *peer, unsigned int index)
{
	struct peer_port *port = &peer->ports[index];
	struct rvs_stats stats;

	if (!port->attached)
		return;
	if (!rvs_port_stats(peer->rvs, index, &stats))
		add((uint64_t *)&port->past, (const uint64_t *)&stats);
	rvs_port_detach(peer->rvs, index);
	port->attached = false;
}

static void unmap(struct peer *peer, unsigned int index)
{
	detach(peer, index);
	rvif_unmap(&peer->ports[index].map);
}

/* The driver gives its memory in another thread. */
static void map(struct peer_port *port)
{
	const struct timespec nap = {.tv_nsec = 100000};
	const char *why;

	port->epoch = 0;
	while (rvif_map(&port->map, port->path, &why) == -EAGAIN)
		nanosleep(&nap, NULL);
}

void peer_control(struct peer *peer)
{
	for (unsigned int i = 0; i < peer->count; i++) {
		struct peer_port *port = &peer->ports[i];
		struct rvif_header *header;
		struct rvs_port_info info;
		uint32_t epoch;
		bool up;

		if (port->map.region && rvif_map_is_old(&port->map, port->path))
			unmap(peer, i);
		if (!port->map.region)
			map(port);
		header = (struct rvif_header *)(void *)port->map.region;
		if (!header)
			continue;
		up = rvif_load_acquire(&header->driver.state) == RVIF_DRIVER_UP;
		epoch = rvif_load(&header->driver.epoch);
		if (port->attached && (!up || epoch != port->epoch || port->held))
			detach(peer, i);
		if (port->attached || !up || port->held || epoch == port->epoch)
			continue;
		port->epoch = epoch;
		port->attached = !rvs_port_attach(peer->rvs, i, port->map.region, port->map.size,
						  &port->policy);
		if (port->attached && !rvs_port_info(peer->rvs, i, &info))
			port->tx_queues = info.tx_queues;
	}
}

unsigned int peer_forward(struct peer *peer)
{
	unsigned int frames = 0;
	struct rvs_result result;

	for (unsigned int i = 0; i < peer->count; i++)
		for (uint32_t q = 0; peer->ports[i].attached && q < peer->ports[i].tx_queues; q++)
			if (rvs_forward(peer->rvs, 0, i, q, BURST, 0, &result) >= 0)
				frames += result.frames;
	return frames;
}

void peer_hold(struct peer *peer, unsigned int port)
{
	peer->ports[port].held = true;
	peer_control(peer);
}

void peer_release(struct peer *peer, unsigned int port)
{
	peer->ports[port].held = false;
	peer->ports[port].epoch = 0;
	peer_control(peer);
}

void peer_kill(struct peer *peer)
{
	for (unsigned int i = 0; i < peer->count; i++) {
		peer->ports[i].attached = false;
		rvif_unmap(&peer->ports[i].map);
	}
}

void peer_stats(struct peer *peer, unsigned int port, struct rvs_stats *stats)
{
	struct rvs_stats now;

	*stats = peer->ports[port].past;
	if (peer->ports[port].attached && !rvs_port_stats(peer->rvs, port, &now))
		add((uint64_t *)stats, (const uint64_t *)&now);
}

void peer_close(struct peer *peer)
{
	for (unsigned int i = 0; i < peer->count; i++)
		unmap(peer, i);
	free(peer->rvs);
	peer->rvs = NULL;
}
