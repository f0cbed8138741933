/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's process with a port of its own that wants more: others' vNICs and the switch by their
 * addresses, and through descriptors that lie. vmnet_intruder WHERE. Says what it came to.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <elisa/abi.h>
#include <rvif/elisa.h>

#define RING  64
#define TRIES 2000

static sigjmp_buf back;
static struct rvif_vnic vnic;
static struct rvif_ring tx, rx;

static void on_fault(int number)
{
	siglongjmp(back, number);
}

/* Returns whether the access came through. */
static int touches(uint64_t address, int writes)
{
	volatile uint64_t *word = (volatile uint64_t *)address;

	if (sigsetjmp(back, 1))
		return 0;
	if (writes)
		*word = 0;
	else
		(void)*word;
	return 1;
}

/* The object area, and what lies in the slots: code pages apart, which are the stub's. */
static int by_address(void)
{
	static const uint64_t offsets[] = {0,	       1ull << 30,	 (8ull << 30),
					   9ull << 30, (8ull << 30) + 8, ELISA_OBJECT_SIZE - 8};
	int through = 0;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		for (int writes = 0; writes < 2; writes++)
			through += touches(ELISA_OBJECT_BASE + offsets[i], writes);
	through += touches(ELISA_SELF_ADDRESS, 0);
	through += touches(ELISA_WINDOW_BASE + ELISA_STACK_OFFSET, 1);
	return through;
}

/* Descriptors of every kind of lie; the switch drops the frames or copies garbage of our own. */
static int by_descriptor(void)
{
	uint64_t x = 88172645463325252;

	for (int i = 0; i < TRIES; i++) {
		struct rvif_desc *desc = rvif_ring_desc(&tx, tx.posted);
		struct rvif_desc *buffer = rvif_ring_desc(&rx, rx.posted);

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		desc->offset = x & 1 ? (uint32_t)(x >> 8) : (uint32_t)(vnic.size + (x >> 40));
		desc->length = (uint16_t)(x >> 32);
		desc->flags = (uint16_t)(x >> 16);
		desc->csum_start = (uint16_t)(x >> 3);
		buffer->offset = (uint32_t)(x >> 12);
		tx.posted += i % 7 ? 1 : (uint32_t)x; /* an index that cannot be, now and then */
		rx.posted++;
		rvif_ring_publish(&tx);
		rvif_ring_publish(&rx);
		if (vnic.transport->kick(&vnic, (uint32_t)(x % 3)) == -ENOTCONN)
			return 1;
		if (i % 7 == 0) {
			tx.posted = rvif_load(&tx.control->completed);
			rx.posted = rvif_load(&rx.control->completed);
			rvif_ring_publish(&tx);
			rvif_ring_publish(&rx);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct rvif_config config = {.tx_queues = 1,
				     .rx_queues = 1,
				     .tx_ring = RING,
				     .rx_ring = RING,
				     .buffer_size = 2048,
				     .max_frame = 1514};
	const struct timespec nap = {.tv_nsec = 10000000};
	int through, error;

	if (argc != 2 || rvif_configure(&config, 2 * RING * 2048))
		return 2;
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	error = rvif_open(&vnic, &rvif_over_elisa, argv[1], &config);
	if (error) {
		fprintf(stderr, "vmnet_intruder: %s: %s\n", argv[1], strerrordesc_np(-error));
		return 1;
	}
	rvif_start(&vnic);
	while (rvif_attached(&vnic) != 1)
		nanosleep(&nap, NULL);
	rvif_tx_ring_init(&tx, &vnic, 0);
	rvif_rx_ring_init(&rx, &vnic, 0);
	through = by_address();
	error = by_descriptor();
	printf("intruder: %d accesses came through, the switch is %s\n", through,
	       error ? "gone" : "there");
	rvif_close(&vnic);
	return through || error;
}
