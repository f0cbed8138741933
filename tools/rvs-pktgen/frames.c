/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between the rings and their buffers: buffer i of a ring is descriptor i's for ever. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "output.h"
#include "pktgen.h"

#define ETHER_TYPE 0x88b5 /* for local experiments */

static uint32_t tx_buffer(const struct pktgen *p)
{
	return p->vnic.layout.buffers + (p->tx.posted & p->tx.mask) * BUFFER;
}

static uint32_t rx_buffer(const struct pktgen *p, uint32_t index)
{
	return p->vnic.layout.buffers + (RING + (index & p->rx.mask)) * BUFFER;
}

static struct test_frame *frame_at(const struct pktgen *p, uint32_t buffer)
{
	return (struct test_frame *)(void *)(p->vnic.region + buffer);
}

uint32_t buffers_of_frame(const struct pktgen *p)
{
	const uint32_t size = p->options.size;

	return size > BUFFER ? (size + BUFFER - 1) / BUFFER : 1;
}

static uint32_t next_size(const struct pktgen *p, uint64_t sequence)
{
	static const uint16_t imix[12] = {64, 576, 64, 64, 576, 64, 1514, 64, 576, 64, 64, 576};

	return p->options.size == IMIX ? imix[sequence % 12] : p->options.size;
}

uint32_t tx_room(struct pktgen *p, uint32_t frames)
{
	uint32_t room;

	p->tx.reaped += rvif_ring_completed(&p->tx);
	room = rvif_ring_room(&p->tx) / buffers_of_frame(p);
	return room < frames ? room : frames;
}

/* The next descriptor says that its buffer has so many bytes of a frame. */
static void post_tx(struct pktgen *p, uint32_t length, uint16_t flags)
{
	rvif_desc_set(rvif_ring_desc(&p->tx, p->tx.posted), tx_buffer(p), (uint16_t)length, flags);
	p->tx.posted++;
}

void put_frame(struct pktgen *p, uint64_t sequence)
{
	struct test_frame *frame = frame_at(p, tx_buffer(p));
	uint32_t left = next_size(p, sequence);

	memcpy(frame->to, p->options.to, 6);
	memcpy(frame->from, p->mac, 6);
	frame->type[0] = ETHER_TYPE >> 8;
	frame->type[1] = ETHER_TYPE & 0xff;
	frame->flags = 0;
	frame->magic = TEST_MAGIC;
	frame->sequence = sequence;
	frame->run = p->run;
	p->bytes += left;
	while (left) {
		uint32_t n = left < BUFFER ? left : BUFFER;

		left -= n;
		post_tx(p, n, left ? RVIF_MORE : 0);
	}
	p->sent++;
}

void put_answer(struct pktgen *p, const struct test_frame *frame, uint32_t length)
{
	struct test_frame *reply = frame_at(p, tx_buffer(p));

	memcpy(reply, frame, length);
	memcpy(reply->to, frame->from, 6);
	memcpy(reply->from, p->mac, 6);
	post_tx(p, length, 0);
	p->sent++;
	p->bytes += length;
}

void publish_tx(struct pktgen *p)
{
	int error;

	rvif_ring_publish(&p->tx);
	if (!rvif_ring_kick_wanted(&p->tx, rvif_header(&p->vnic)->sw.features))
		return;
	error = p->vnic.transport->kick(&p->vnic, 0);
	/* -ETIME: the VM was paused in the midst of a call, or ran it for
	 * too long: the next one may do */
	if (error && error != -EAGAIN && error != -ETIME) {
		output_print(STDERR_FILENO, "rvs-pktgen: %s: the switch is gone: %s\n",
			     p->options.path, strerrordesc_np(-error));
		stop = 1;
	}
}

void post_rx(struct pktgen *p)
{
	while (rvif_ring_room(&p->rx)) {
		rvif_desc_set(rvif_ring_desc(&p->rx, p->rx.posted), rx_buffer(p, p->rx.posted), 0,
			      0);
		p->rx.posted++;
	}
}

uint32_t take_frames(struct pktgen *p,
		     void (*with)(struct pktgen *p, const struct test_frame *frame,
				  uint32_t length))
{
	const uint32_t ready = rvif_ring_completed(&p->rx);
	const struct test_frame *frame = NULL;
	uint32_t length = 0, frames = 0;

	for (uint32_t i = 0; i < ready; i++) {
		struct rvif_desc *desc = rvif_ring_desc(&p->rx, p->rx.reaped);

		if (!frame)
			frame = frame_at(p, rx_buffer(p, p->rx.reaped));
		length += desc->length;
		p->rx.reaped++;
		if (desc->flags & RVIF_MORE)
			continue;
		if (length >= sizeof(*frame)) {
			with(p, frame, length);
			frames++;
		}
		frame = NULL;
		length = 0;
	}
	post_rx(p);
	if (ready)
		rvif_ring_publish(&p->rx);
	return frames;
}

void sleep_a_little(struct pktgen *p)
{
	uint32_t seen;

	if (p->options.poll)
		return;
	if (rvif_ring_may_sleep(&p->rx, &seen))
		p->vnic.transport->wait(&p->vnic, 0, seen, 20000);
	rvif_ring_awake(&p->rx);
}
