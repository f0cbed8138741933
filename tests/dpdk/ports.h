/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver's tests share: DPDK in this process with the plugin, ports beside a switch that
 * the test calls, frames whose every byte can be checked. A helper fails the test itself.
 */
#ifndef TESTS_DPDK_PORTS_H
#define TESTS_DPDK_PORTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "peer.h"

#define PORTS	4
#define MAX_LEN 9018

struct setup {
	uint16_t queues;
	uint16_t rx_descriptors;
	uint16_t tx_descriptors;
	uint16_t mtu;
	uint64_t rx_offloads;
	uint64_t tx_offloads;
	struct rte_mempool *pool;
};

struct world {
	char folder[64];
	char paths[PORTS][96];
	uint16_t ids[PORTS];
	unsigned int count;
	struct peer peer;
};

/* Whose memory frames are in. All but the first: zero_copy=1. */
enum buffers {
	COPIED,
	NATIVE, /* mbufs' own */
	PINNED, /* external, as testpmd's --mp-alloc=xbuf */
};

/* By the program's argument: none, "native" or "pinned". */
extern enum buffers buffers;
void choose_buffers(int argc, char **argv);

/* cmocka's group fixtures: DPDK with the plugin of $NET_RVIF_PLUGIN */
int start_dpdk(void **state);
int stop_dpdk(void **state);

/* A pool of so many mbufs with so much room each. */
struct rte_mempool *make_pool(unsigned int count, uint16_t room);
/* Fails if an mbuf is missing. */
void free_pool(struct rte_mempool *pool);
/* The same when mbufs are known to be lost. */
void lose_pool(struct rte_mempool *pool);

/* count ports "net_rvif0"... with MAC 02:00:00:00:00:01..., and a switch that is not attached
 * yet. */
void world_open(struct world *world, unsigned int count, const char *more);
void world_start(struct world *world, const struct setup *setup);
void world_close(struct world *world);

void port_setup(uint16_t id, const struct setup *setup);
/* The port's link as DPDK tells it. */
bool link_up(uint16_t id);

/* A frame from one port to another, of this size, in at most so many segments. The seed makes its
 * bytes. */
struct rte_mbuf *make_frame(struct rte_mempool *pool, unsigned int from, unsigned int to,
			    uint32_t seed, uint32_t size, unsigned int segments);
/* Fails if any byte is wrong; returns the seed. */
uint32_t check_frame(const struct rte_mbuf *m);

uint64_t xstat(uint16_t id, const char *name);

#endif
