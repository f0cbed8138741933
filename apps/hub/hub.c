/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest program with a switch of its own: two vNICs in this process's memory, and a frame
 * from one to the other. Between two programs a vNIC would be a file that both map
 * (rvif_shared_file).
 *
 *   cc hub.c $(pkg-config --cflags --libs librvs librvif)
 */
#include <rvif/driver.h>
#include <rvs/rvs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING   8
#define BUFFER 2048

struct station {
	struct rvif_vnic vnic;
	struct rvif_ring tx, rx;
};

/* The driver's side: buffer i belongs to the transmit ring, RING + i to the receive ring. */
static uint32_t buffer(const struct station *s, uint32_t i)
{
	return s->vnic.layout.buffers + i * BUFFER;
}

static int open_station(struct station *s, uint8_t number)
{
	struct rvif_config config = {.tx_queues = 1,
				     .rx_queues = 1,
				     .tx_ring = RING,
				     .rx_ring = RING,
				     .buffer_size = BUFFER,
				     .max_frame = 1514,
				     .mac = {2, 0, 0, 0, 0, number}};
	int error = rvif_configure(&config, 2 * RING * BUFFER);

	if (!error)
		error = rvif_open(&s->vnic, &rvif_private_memory, "", &config);
	if (error)
		return error;
	rvif_start(&s->vnic);
	rvif_tx_ring_init(&s->tx, &s->vnic, 0);
	rvif_rx_ring_init(&s->rx, &s->vnic, 0);
	for (uint32_t i = 0; i < RING; i++)
		rvif_desc_set(rvif_ring_desc(&s->rx, s->rx.posted++), buffer(s, RING + i), 0, 0);
	rvif_ring_publish(&s->rx);
	return 0;
}

static void send_text(struct station *s, uint8_t to, const char *text)
{
	const uint8_t head[] = {2,    0,   0, 0, 0, to, 2, 0, 0, 0, 0, s->vnic.config.mac[5],
				0x88, 0xb5};
	const uint32_t at = buffer(s, s->tx.posted & s->tx.mask);
	const size_t length = strlen(text) + 1;

	memcpy(s->vnic.region + at, head, sizeof(head));
	memcpy(s->vnic.region + at + sizeof(head), text, length);
	rvif_desc_set(rvif_ring_desc(&s->tx, s->tx.posted++), at, (uint16_t)(sizeof(head) + length),
		      0);
	rvif_ring_publish(&s->tx);
}

static void print_received(struct station *s)
{
	uint32_t ready = rvif_ring_completed(&s->rx);

	for (; ready; ready--) {
		const struct rvif_desc *desc = rvif_ring_desc(&s->rx, s->rx.reaped++);

		printf("%u bytes: %s\n", desc->length,
		       (const char *)s->vnic.region + desc->offset + RVIF_MIN_FRAME);
	}
}

int main(void)
{
	const struct rvs_config config = {
		.ports = 2, .senders = 1, .queues = 1, .buckets = 8, .max_age = 300};
	const struct rvs_policy policy = {.flags = RVS_CHECK_SOURCE};
	struct rvs *rvs = aligned_alloc(RVS_ALIGNMENT, rvs_size(&config));
	struct station station[2];
	struct rvs_result result;

	if (!rvs || rvs_init(rvs, rvs_size(&config), &config))
		return 1;
	for (uint32_t port = 0; port < 2; port++)
		if (open_station(&station[port], (uint8_t)(port + 1)) ||
		    rvs_port_attach(rvs, port, station[port].vnic.region,
				    station[port].vnic.config.region_size, &policy))
			return 1;
	send_text(&station[0], 2, "hello");
	if (rvs_forward(rvs, 0, 0, 0, 32, 0, &result))
		return 1;
	printf("%u taken, %u delivered\n", result.frames, result.delivered);
	print_received(&station[1]);
	for (uint32_t port = 0; port < 2; port++) {
		rvs_port_detach(rvs, port);
		rvif_close(&station[port].vnic);
	}
	free(rvs);
	return 0;
}
