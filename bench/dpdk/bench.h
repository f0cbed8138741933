/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path is what a packet takes from rte_eth_tx_burst on one port to rte_eth_rx_burst on another,
 * in one process and thread. paths.c sets the paths up, measure.c takes the time, and main.c
 * prints. No code here may favour a path: all get the same pool, the same bursts, and the same
 * number of packets.
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
	/* moves what was sent, if anything stands between the two ports; or NULL */
	void (*hop)(struct path *path);
	uint16_t hop_rx;
	uint16_t hop_tx;
	void *state;
};

struct path_kind {
	const char *name;
	/* Returns 0, or -1 after a message. frame: the largest that will be sent. */
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

/* Plugs a device in, sets it up with one queue pair, and starts it. Returns its port, or -1 after a
 * message. */
int port_open(const char *device, const char *arguments, struct rte_mempool *pool,
	      unsigned int frame);
void port_close(uint16_t port);
int port_wait_link(uint16_t port);

/* Sends one burst with known bytes, and checks what arrives. Returns 0, or -1 after a message. */
int path_verify(struct path *path, struct rte_mempool *pool, unsigned int size);
/* Gives every buffer of the pool the same header, so that the timed loop need not write one. */
void path_prepare(struct rte_mempool *pool);
/* Returns the cycles for each packet, over a run of `packets` packets. Returns a negative number if
 * packets were lost. */
double path_measure(struct path *path, struct rte_mempool *pool, unsigned int size,
		    unsigned int burst, unsigned int packets);

#endif
