/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of the switch: any sequence of calls on any contents of the
 * vNICs, while a second thread changes them all the time. The regions lie between
 * inaccessible pages and the switch in memory of its own, so that ASan or the CPU
 * sees every step outside; calls have to end; counters have to add up.
 *   build/fuzz/tests/fuzz/fuzz_switch -max_len=2048 CORPUS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <rvs/rvs.h>
#include "switch_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SENDERS = 2
};

static struct rvif_vnic vnics[PORTS];
static struct rvif_config good[PORTS];

static void *disturb(void *argument)
{
	uint64_t random = 88172645463325252ull;

	for (;;) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		change(&vnics[(uint32_t)random % PORTS], (uint32_t)(random >> 8),
		       (uint32_t)(random >> 16), (uint32_t)(random >> 32));
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
		if (shape(&good[port], port) ||
		    rvif_open(&vnics[port], &rvif_private_memory, "", &good[port]))
			abort();
		fill_data(&vnics[port], (uint8_t)port);
	}
	if (pthread_create(&thread, NULL, disturb, NULL))
		abort();
}

static void attach(struct rvs *rvs, uint32_t port, struct input *input)
{
	struct rvs_policy policy = {.flags = take(input, 1) & 127, .features = RVIF_F_ALL};
	const uint32_t rules = take(input, 1);
	struct rvif_header *header = rvif_header(&vnics[port]);

	policy.max_learned = rules & 15;
	policy.vlan = rules & 16 ? 1 + (rules >> 6) : 0;
	policy.trunk[0] = rules & 32 ? 6 : 0;
	policy.per_second[port % RVS_LIMITS] = rules >> 7 ? 1000 : 0;
	policy.ipv4_count = 1;
	header->config = good[port];
	memset(vnics[port].region + RVIF_HEADER_SIZE, 0,
	       vnics[port].layout.tx_rings - RVIF_HEADER_SIZE);
	rvif_store(&header->driver.rx_mode, 3);
	if (take(input, 1) & 1)
		((uint8_t *)&header->config)[take(input, 1) % sizeof(header->config)] =
			(uint8_t)take(input, 1);
	rvs_port_attach(rvs, port, vnics[port].region, good[port].region_size, &policy);
}

static void step(struct rvs *rvs, struct input *input)
{
	const uint32_t what = take(input, 1), port = take(input, 1) % PORTS;
	struct rvs_entry entries[3];
	struct rvs_result result;
	uint64_t position = 0;
	uint8_t mac[6] = {2, 0, 0, 0, 0, 0};

	switch (what % STEPS) {
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
		while (rvs_table_dump(rvs, &position, entries, 3) >= 0)
			;
		break;
	case 5:
		rvs_table_flush(rvs, (int)port - 1);
		rvs_refill(rvs, port * 1000);
		break;
	case 6:
		rvs_sender_gone(rvs, port % SENDERS);
		break;
	case 7:
	case 8:
		change(&vnics[port], take(input, 2), take(input, 4), take(input, 4));
		break;
	default:
		post(&vnics[port], what, take(input, 1), take(input, 1));
		rvs_forward(rvs, what & 1, port, what % QUEUES,
			    take(input, 1) | (what & 2 ? RVS_HOLD : 0), take(input, 1), &result);
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
					  .vlans = 2,
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
