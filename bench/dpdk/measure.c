// SPDX-License-Identifier: Apache-2.0
/*
 * The timed loop: allocate, transmit, hop, receive, free. It must do nothing else. path_verify()
 * checks contents outside of the loop.
 */
#include "bench.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

/* Polls without a packet after which missing packets count as lost. */
#define PATIENCE 100000

static const struct rte_ether_hdr header = {
	.dst_addr.addr_bytes = {0x02, 0, 0, 0, 0, 2},
	.src_addr.addr_bytes = {0x02, 0, 0, 0, 0, 1},
	.ether_type = RTE_BE16(0x88b5),
};

static void write_header(struct rte_mempool *pool, void *arg, void *object, unsigned int index)
{
	struct rte_mbuf *m = object;

	(void)pool;
	(void)arg;
	(void)index;
	memcpy((char *)m->buf_addr + RTE_PKTMBUF_HEADROOM, &header, sizeof(header));
}

static unsigned int transfer(struct path *path, struct rte_mbuf **sent, unsigned int count,
			     struct rte_mbuf **received)
{
	unsigned int out = 0, in = 0, idle = 0;

	while (in < count && idle < PATIENCE) {
		if (out < count)
			out += rte_eth_tx_burst(path->tx, 0, sent + out, count - out);
		if (path->hop)
			path->hop(path);

		unsigned int got = rte_eth_rx_burst(path->rx, 0, received + in, count - in);

		in += got;
		idle = got ? 0 : idle + 1;
	}
	if (out < count)
		rte_pktmbuf_free_bulk(sent + out, count - out);
	return in;
}

int path_verify(struct path *path, struct rte_mempool *pool, unsigned int size)
{
	struct rte_mbuf *sent[MAX_BURST], *received[MAX_BURST];
	static uint8_t expected[MAX_BURST][RTE_ETHER_MAX_JUMBO_FRAME_LEN];
	static uint8_t copy[RTE_ETHER_MAX_JUMBO_FRAME_LEN];
	unsigned int wrong = 0, in;

	if (rte_pktmbuf_alloc_bulk(pool, sent, MAX_BURST))
		return fprintf(stderr, "%s: no buffers\n", path->name), -1;
	for (unsigned int i = 0; i < MAX_BURST; i++) {
		memcpy(expected[i], &header, sizeof(header));
		for (unsigned int k = sizeof(header); k < size; k++)
			expected[i][k] = (uint8_t)(k * 7 + i * 31 + (k >> 8));
		memcpy(rte_pktmbuf_append(sent[i], (uint16_t)size), expected[i], size);
	}
	in = transfer(path, sent, MAX_BURST, received);
	for (unsigned int i = 0; i < in; i++) {
		const void *data = rte_pktmbuf_read(received[i], 0, size, copy);

		if (received[i]->pkt_len != size || !data || memcmp(data, expected[i], size))
			wrong++;
	}
	rte_pktmbuf_free_bulk(received, in);
	if (in == MAX_BURST && !wrong)
		return 0;
	fprintf(stderr, "%s: %u of %u frames of %u bytes arrived, %u of them changed\n", path->name,
		in, MAX_BURST, size, wrong);
	return -1;
}

void path_prepare(struct rte_mempool *pool)
{
	rte_mempool_obj_iter(pool, write_header, NULL);
}

double path_measure(struct path *path, struct rte_mempool *pool, unsigned int size,
		    unsigned int burst, unsigned int packets)
{
	struct rte_mbuf *sent[MAX_BURST], *received[MAX_BURST];
	unsigned int done = 0, warm = packets / 4;
	uint64_t start = 0;

	while (done < warm + packets) {
		unsigned int in;

		if (done >= warm && !start) {
			warm = done;
			start = rte_rdtsc_precise();
		}
		if (rte_pktmbuf_alloc_bulk(pool, sent, burst))
			return -1;
		for (unsigned int i = 0; i < burst; i++) {
			sent[i]->data_len = (uint16_t)size;
			sent[i]->pkt_len = size;
		}
		in = transfer(path, sent, burst, received);
		rte_pktmbuf_free_bulk(received, in);
		if (in != burst)
			return -1;
		done += burst;
	}
	return (double)(rte_rdtsc_precise() - start) / (done - warm);
}
