/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of the switch: any sequence of calls on any contents of the vNICs, while a second
 * thread changes them all the time. The regions lie between inaccessible pages and the switch in memory
 * of its own, so that ASan or the CPU sees every step outside; calls have to end; counters have to add up.
 *   build/fuzz/tests/fuzz/fuzz_switch -max_len=2048 CORPUS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <rvif/driver.h>
#include <rvs.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PORTS = 4,
	QUEUES = 3,
	SENDERS = 2
};

static struct rvif_vnic vnics[PORTS];
static struct rvif_config good[PORTS];

struct input {
	const uint8_t *data;
	size_t left;
};

static uint32_t take(struct input *input, size_t bytes)
{
	uint32_t value = 0;

	while (bytes-- && input->left) {
		value = value << 8 | *input->data++;
		input->left--;
	}
	return value;
}

/* Values that are nearly right; or anything. */
static uint32_t value_for(const struct rvif_vnic *vnic, uint32_t choice, uint32_t random)
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
static uint32_t place_for(const struct rvif_vnic *vnic, uint32_t choice, uint32_t random)
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

static void change(uint32_t port, uint32_t choice, uint32_t where, uint32_t what)
{
	struct rvif_vnic *vnic = &vnics[port % PORTS];
	uint8_t *at = vnic->region + place_for(vnic, choice, where);

	__atomic_store_n((uint32_t *)(void *)at, value_for(vnic, choice >> 3, what),
			 __ATOMIC_RELAXED);
}

static void *disturb(void *argument)
{
	uint64_t random = 88172645463325252ull;

	for (;;) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		change((uint32_t)random, (uint32_t)(random >> 8), (uint32_t)(random >> 16),
		       (uint32_t)(random >> 32));
		/* some good frames have to survive, or only first checks are tested */
		for (uint32_t pause = random >> 52 & 4095; pause > 1024; pause -= 8)
			__builtin_ia32_pause();
	}
	return argument;
}

static void set_up(void)
{
	pthread_t thread;

	for (uint32_t port = 0; port < PORTS; port++) {
		struct rvif_config *config = &good[port];

		config->tx_queues = config->rx_queues = (uint16_t)(1 + port % QUEUES);
		config->tx_ring = config->rx_ring = port ? 16 : 256;
		config->buffer_size = port == 2 ? 512 : 2048;
		config->max_frame = port == 1 ? 1514 : 9216;
		config->features = port == 3 ? 0 : RVIF_F_ALL;
		config->mac[0] = 2;
		config->mac[5] = (uint8_t)port;
		if (rvif_configure(config, 40 * 2048) ||
		    rvif_open(&vnics[port], &rvif_private_memory, "", config))
			abort();
		for (uint32_t at = vnics[port].layout.buffers; at + 16 < config->region_size;
		     at += 64)
			memcpy(vnics[port].region + at,
			       (uint8_t[]){2, 0, 0, 0, 0, at / 64 % PORTS, 2, 0, 0, 0, 0,
					   (uint8_t)port, 8, 0, 0x45},
			       15);
	}
	if (pthread_create(&thread, NULL, disturb, NULL))
		abort();
}

static void attach(struct rvs *rvs, uint32_t port, struct input *input)
{
	struct rvs_policy policy = {.flags = take(input, 1) & 7,
				    .features = RVIF_F_ALL,
				    .max_learned = take(input, 1) & 15};
	struct rvif_header *header = rvif_header(&vnics[port]);

	header->config = good[port];
	memset(vnics[port].region + RVIF_HEADER_SIZE, 0,
	       vnics[port].layout.tx_rings - RVIF_HEADER_SIZE);
	rvif_store(&header->driver.rx_mode, 3);
	if (take(input, 1) & 1)
		((uint8_t *)&header->config)[take(input, 1) % sizeof(header->config)] =
			(uint8_t)take(input, 1);
	rvs_port_attach(rvs, port, vnics[port].region, good[port].region_size, &policy);
}

/* Good descriptors in a queue's rings, but for what "kind" makes of them. */
static void fill(uint32_t port, uint32_t queue, uint32_t kind)
{
	struct rvif_vnic *vnic = &vnics[port];
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
			.csum_offset = kind >> 4,
			.gso_size = 100,
			.header_length = 60,
		};
	}
	for (uint32_t i = 0; i < rx_ring; i++)
		rx[i].offset = vnic->layout.buffers + 64 * i;
}

/* Posts n descriptors in both directions, good ones or as they are. */
static void post(uint32_t port, uint32_t queue, uint32_t n, uint32_t kind)
{
	struct rvif_vnic *vnic = &vnics[port];
	struct rvif_queue *tx, *rx;

	queue %= vnic->config.tx_queues;
	tx = rvif_tx_queue(vnic->region, &vnic->layout, queue);
	rx = rvif_rx_queue(vnic->region, &vnic->layout, queue);
	if (kind)
		fill(port, queue, kind);
	rvif_store(&rx->need_notify, kind & 3);
	rvif_publish(&tx->posted, rvif_load(&tx->completed) + n % (vnic->config.tx_ring + 1));
	rvif_publish(&rx->posted, rvif_load(&rx->completed) + vnic->config.rx_ring);
}

static void step(struct rvs *rvs, struct input *input)
{
	const uint32_t what = take(input, 1), port = take(input, 1) % PORTS;
	struct rvs_entry entries[3];
	struct rvs_result result;
	uint64_t position = 0;
	uint8_t mac[6] = {2, 0, 0, 0, 0, 0};

	switch (what % 12) {
	case 0:
		attach(rvs, port, input);
		break;
	case 1:
		rvs_port_detach(rvs, port);
		break;
	case 2:
		mac[5] = (uint8_t)take(input, 1);
		rvs_static_add(rvs, port, mac);
		break;
	case 3:
		mac[5] = (uint8_t)take(input, 1);
		rvs_static_remove(rvs, port, mac);
		break;
	case 4:
		rvs_table_age(rvs, take(input, 1));
		while (rvs_table_dump(rvs, &position, entries, 3) > 0)
			;
		break;
	case 5:
		rvs_table_flush(rvs, (int)port - 1);
		break;
	case 6:
		rvs_sender_gone(rvs, port % SENDERS);
		break;
	case 7:
	case 8:
		change(port, take(input, 2), take(input, 4), take(input, 4));
		break;
	default:
		post(port, what, take(input, 1), take(input, 1));
		rvs_forward(rvs, what & 1, port, what % QUEUES, take(input, 1), take(input, 1),
			    &result);
	}
}

static void check_sums(struct rvs *rvs)
{
	struct rvs_stats stats;

	for (uint32_t port = 0; port < PORTS; port++) {
		uint64_t drops = 0;

		if (rvs_port_stats(rvs, port, &stats))
			abort();
		for (int reason = 0; reason < RVS_DROPS; reason++)
			drops += stats.drops[reason];
		if (stats.frames + stats.copies != stats.delivered + drops)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rvs_config config = {.ports = PORTS,
					  .senders = SENDERS,
					  .queues = QUEUES,
					  .buckets = 2,
					  .max_age = 20,
					  .seed = size};
	struct input input = {data, size}, none = {NULL, 0};
	struct rvs *rvs = aligned_alloc(RVS_ALIGNMENT, rvs_size(&config));

	if (!vnics[0].region)
		set_up();
	if (!rvs || rvs_init(rvs, rvs_size(&config), &config))
		abort();
	for (uint32_t port = 0; port < PORTS; port++)
		attach(rvs, port, &none);
	while (input.left)
		step(rvs, &input);
	check_sums(rvs);
	for (uint32_t port = 0; port < PORTS; port++)
		if (rvs_port_detach(rvs, port) == -RVS_BUSY)
			abort(); /* nobody is inside */
	free(rvs);
	return 0;
}
