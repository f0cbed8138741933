/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an input of fuzz_switch means for a vNIC's memory: nearly right values in likely places. The
 * machine test of a hostile port replays such inputs.
 */
#ifndef ELISA_FUZZ_SWITCH_INPUT_H
#define ELISA_FUZZ_SWITCH_INPUT_H

#include <string.h>
#include <rvif/driver.h>

enum {
	PORTS = 4,
	QUEUES = 3,
	STEPS = 12 /* kinds of them */
};

struct input {
	const uint8_t *data;
	size_t left;
};

static inline uint32_t take(struct input *input, size_t bytes)
{
	uint32_t value = 0;

	while (bytes-- && input->left) {
		value = value << 8 | *input->data++;
		input->left--;
	}
	return value;
}

/* Values that are nearly right; or anything. */
static inline uint32_t value_for(const struct rvif_vnic *vnic, uint32_t choice, uint32_t random)
{
	switch (choice & 15) {
	case 0:
		return 0;
	case 1:
		return UINT32_MAX;
	case 2:
		return (uint32_t)vnic->config.region_size - random % 3000;
	case 3:
		return vnic->layout.buffers - (random & 1);
	case 4:
		return random & 0xffff;
	case 5:
		return random % 20;
	case 6:
		return 64 | (random % 4 ? 0u : (uint32_t)RVIF_MORE << 16);
	case 7:
		return 600 | (random & 31) << 16;
	case 8:
		return 0x00000002; /* the start of an address */
	case 9:
		return random;
	case 10:
		return 1; /* a receiver that wants to be woken */
	default:
		return vnic->layout.buffers +
		       random % (uint32_t)(vnic->config.region_size - vnic->layout.buffers);
	}
}

/* Mostly descriptors, sometimes indexes, the header, or frames. */
static inline uint32_t place_for(const struct rvif_vnic *vnic, uint32_t choice, uint32_t random)
{
	const uint32_t data = (uint32_t)(vnic->config.region_size - vnic->layout.buffers);

	switch (choice & 7) {
	case 0:
		return random % 512 & ~3u;
	case 1:
		return RVIF_HEADER_SIZE +
		       (random % (vnic->layout.tx_rings - RVIF_HEADER_SIZE) & ~127u);
	case 2:
		return vnic->layout.buffers + (random % (data - 4) & ~3u);
	default:
		return vnic->layout.tx_rings +
		       (random % (vnic->layout.buffers - vnic->layout.tx_rings) & ~3u);
	}
}

static inline void change(struct rvif_vnic *vnic, uint32_t choice, uint32_t where, uint32_t what)
{
	uint8_t *at = vnic->region + place_for(vnic, choice, where);

	__atomic_store_n((uint32_t *)(void *)at, value_for(vnic, choice >> 3, what),
			 __ATOMIC_RELAXED);
}

/* A good configuration; each port has another one. Returns 0 or -enum rvif_reason. */
static inline int shape(struct rvif_config *config, uint32_t port)
{
	memset(config, 0, sizeof(*config));
	config->tx_queues = config->rx_queues = (uint16_t)(1 + port % QUEUES);
	config->tx_ring = config->rx_ring = port ? 16 : 256;
	config->buffer_size = port == 2 ? 512 : 2048;
	config->max_frame = port == 1 ? 1514 : 9216;
	config->features = port == 3 ? 0 : RVIF_F_ALL;
	config->mac[0] = 2;
	config->mac[5] = (uint8_t)port;
	return rvif_configure(config, 40 * 2048);
}

/* The data area is full of heads of frames to all ports, from this one; of TCP, so that some can be
 * cut. */
static inline void fill_data(struct rvif_vnic *vnic, uint8_t from)
{
	for (uint32_t at = vnic->layout.buffers; at + 64 < vnic->config.region_size; at += 64) {
		uint8_t *frame = vnic->region + at;

		memcpy(frame,
		       (uint8_t[]){2, 0, 0, 0, 0, at / 64 % PORTS, 2, 0, 0, 0, 0, from, 8, 0, 0x45},
		       15);
		frame[23] = 6;
		frame[46] = 0x50;
	}
}

/* Good descriptors in a queue's rings, but for what "kind" makes of them. */
static inline void fill_rings(struct rvif_vnic *vnic, uint32_t queue, uint32_t kind)
{
	const uint32_t tx_ring = vnic->config.tx_ring, rx_ring = vnic->config.rx_ring;
	struct rvif_desc *tx = rvif_tx_ring(vnic->region, &vnic->layout, tx_ring, queue);
	struct rvif_desc *rx = rvif_rx_ring(vnic->region, &vnic->layout, rx_ring, queue);

	for (uint32_t i = 0; i < tx_ring; i++) {
		const uint16_t flags[] = {0,
					  0,
					  RVIF_CSUM_NEEDED,
					  i % 3 == 2 ? 0 : RVIF_MORE,
					  RVIF_CSUM_NEEDED | RVIF_GSO_TCP4,
					  RVIF_CSUM_VALID,
					  RVIF_CSUM_NEEDED | RVIF_GSO_TCP6,
					  i % 70 ? RVIF_MORE : 0};

		tx[i] = (struct rvif_desc){
			.offset = vnic->layout.buffers + 64 * ((i + kind) & 255),
			.length = (uint16_t)(kind & 8 ? 64 : 64 + kind * 5 * (i & 7)),
			.flags = flags[kind & 7],
			.csum_start = 14 + (kind & 31),
			.csum_offset = kind & 128 ? kind >> 4 : 16,
			.gso_size = 100,
			.header_length = 54,
		};
	}
	for (uint32_t i = 0; i < rx_ring; i++)
		rx[i].offset = vnic->layout.buffers + 64 * i;
}

/* Posts n descriptors in both directions, good ones or as they are. */
static inline void post(struct rvif_vnic *vnic, uint32_t queue, uint32_t n, uint32_t kind)
{
	struct rvif_queue *tx, *rx;

	queue %= vnic->config.tx_queues;
	tx = rvif_tx_queue(vnic->region, &vnic->layout, queue);
	rx = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	if (kind)
		fill_rings(vnic, queue, kind);
	rvif_store(&rx->need_notify, kind & 3);
	rvif_publish(&tx->posted, rvif_load(&tx->completed) + n % (vnic->config.tx_ring + 1));
	rvif_publish(&rx->posted, rvif_load(&rx->completed) + vnic->config.rx_ring);
}

#endif
