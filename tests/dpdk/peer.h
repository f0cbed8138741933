/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of the driver in its tests: the switch over shared files, called step by step, so
 * that a test decides when it runs. It never waits.
 */
#ifndef TESTS_DPDK_PEER_H
#define TESTS_DPDK_PEER_H

#include <rvif/switch.h>
#include <rvs/rvs.h>
#include <stdbool.h>

#define PEER_PORTS 8

struct peer_port {
	const char *path;
	struct rvs_policy policy;
	struct rvif_mapping map;
	bool attached;
	bool held;	/* not to be attached for now */
	uint32_t epoch; /* attached or refused */
	uint32_t tx_queues;
	struct rvs_stats past; /* of earlier attachments */
};

struct peer {
	struct rvs *rvs;
	unsigned int count;
	struct peer_port ports[PEER_PORTS];
};

/* 0, or -1 after a message. */
int peer_open(struct peer *peer, const char *const *paths, unsigned int count);
void peer_close(struct peer *peer);

/* Attaches and detaches as the drivers want. */
void peer_control(struct peer *peer);
/* Forwards what is there; returns how many frames. */
unsigned int peer_forward(struct peer *peer);
/* The switch goes away from a port for good, or until peer_release. */
void peer_hold(struct peer *peer, unsigned int port);
void peer_release(struct peer *peer, unsigned int port);
/* The switch dies: its mappings and locks end, and it has written nothing. */
void peer_kill(struct peer *peer);
/* Over all attachments of a port. */
void peer_stats(struct peer *peer, unsigned int port, struct rvs_stats *stats);

#endif
