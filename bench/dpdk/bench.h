/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path is what a packet takes from rte_eth_tx_burst on one port to
 * rte_eth_rx_burst on another, in one process and thread. paths.c sets the
 * paths up, measure.c takes the time; main.c prints. Nothing here may favour
 * a path: all get the same pool, the same bursts, the same number of packets.
 */
#ifndef ELISA_BENCH_DPDK_H
#define ELISA_BENCH_DPDK_H

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define MAX_BURST 32u

struct path {
	const char *name;
	uint16_t tx;
	uint16_t rx;
	/* What stands between the two ports, if anything: moves what was sent on. */
	void (*hop)(struct path *path);
	uint16_t hop_rx;
	uint16_t hop_tx;
	void *state;
};

struct path_kind {
	const char *name;
	/* 0, or -1 after a message. frame: the largest that will be sent. */
	int (*open)(struct path *path, struct rte_mempool *pool, unsigned int frame);
	void (*close)(struct path *path);
};

extern const struct path_kind memif_kind;
extern const struct path_kind memif_zero_copy_kind;
extern const struct path_kind vhost_kind;
extern const struct path_kind rvif_kind;
extern const struct path_kind rvif_zero_copy_kind;
extern const struct path_kind rvif_one_mapping_kind;

/* The folder for sockets and shared files. */
extern const char *bench_folder;

/* Plug a device in, set it up with one queue pair and start it. Returns its
 * port, or -1 after a message. */
int port_open(const char *device, const char *arguments, struct rte_mempool *pool,
	      unsigned int frame);
void port_close(uint16_t port);
int port_wait_link(uint16_t port);

/* Send one burst whose bytes are known and look at what arrives: 0, or -1 after a message. */
int path_verify(struct path *path, struct rte_mempool *pool, unsigned int size);
/* Gives every buffer of the pool the same header, so that the timed loop need not write one. */
void path_prepare(struct rte_mempool *pool);
/* Cycles a packet over a run of so many packets, or a negative number if packets got lost. */
double path_measure(struct path *path, struct rte_mempool *pool, unsigned int size,
		    unsigned int burst, unsigned int packets);

#endif
