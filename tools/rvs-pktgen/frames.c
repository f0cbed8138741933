/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between the rings and their buffers: buffer i of a ring always belongs to descriptor i. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "output.h"
#include "pktgen.h"

#define ETHER_TYPE 0x88b5 /* reserved for local experiments */

static uint32_t tx_buffer(const struct pktgen *p)
{
	return p->vnic->layout.buffers +
	       (2 * p->queue * RING + (p->tx.posted & p->tx.mask)) * BUFFER;
}

static uint32_t rx_buffer(const struct pktgen *p, uint32_t index)
{
	return p->vnic->layout.buffers +
	       ((2 * p->queue + 1) * RING + (index & p->rx.mask)) * BUFFER;
}

static struct test_frame *frame_at(const struct pktgen *p, uint32_t buffer)
{
	return (struct test_frame *)(void *)(p->vnic->region + buffer);
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

/* Posts a descriptor: its buffer has `length` bytes of a frame. */
static void post_tx(struct pktgen *p, uint32_t length, uint16_t flags)
{
	rvif_desc_set(rvif_ring_desc(&p->tx, p->tx.posted), tx_buffer(p), (uint16_t)length, flags);
	p->tx.posted++;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Computes the IPv4 header's checksum (RFC 1071). */
static uint32_t ip_checksum(const uint8_t header[20])
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Writes IPv4 and UDP headers, without a UDP checksum. Frames belong to the flows in turn. */
static void put_udp(const struct pktgen *p, struct udp_frame *frame, uint32_t size,
		    uint64_t sequence)
{
	const uint32_t ip_length = size - offsetof(struct udp_frame, ip);

	put16(frame->type, 0x0800);
	memset(frame->ip, 0, sizeof(frame->ip) + sizeof(frame->udp));
	frame->ip[0] = 0x45;
	put16(frame->ip + 2, ip_length);
	frame->ip[8] = 64;
	frame->ip[9] = 17;
	memcpy(frame->ip + 12, p->options.udp.from, 4);
	memcpy(frame->ip + 16, p->options.udp.to, 4);
	put16(frame->ip + 10, ip_checksum(frame->ip));
	put16(frame->udp, 1024 + (uint32_t)(sequence % p->options.flows));
	put16(frame->udp + 2, 9); /* the port "discard" */
	put16(frame->udp + 4, ip_length - 20);
}

const struct test_mark *mark_of(const struct test_frame *frame, uint32_t length)
{
	const struct udp_frame *udp = (const struct udp_frame *)(const void *)frame;

	if (frame->mark.magic == TEST_MAGIC)
		return &frame->mark;
	return length >= sizeof(*udp) && udp->mark.magic == TEST_MAGIC ? &udp->mark : NULL;
}

void put_frame(struct pktgen *p, uint64_t sequence)
{
	struct test_frame *frame = frame_at(p, tx_buffer(p));
	uint32_t left = next_size(p, sequence);
	const uint32_t flows = p->options.flows;
	const struct test_mark mark = {.magic = TEST_MAGIC,
				       .sequence = (sequence - 1) / flows + 1,
				       .run = p->run + (sequence - 1) % flows,
				       .sent_ns = p->options.latency ? nanoseconds() : 0};

	memcpy(frame->to, p->options.to, 6);
	memcpy(frame->from, p->mac, 6);
	if (p->options.udp.is_on) {
		put_udp(p, (struct udp_frame *)(void *)frame, left, sequence);
		((struct udp_frame *)(void *)frame)->mark = mark;
	} else {
		frame->type[0] = ETHER_TYPE >> 8;
		frame->type[1] = ETHER_TYPE & 0xff;
		frame->flags = 0;
		frame->mark = mark;
	}
	count(&p->bytes, left);
	while (left) {
		uint32_t n = left < BUFFER ? left : BUFFER;

		left -= n;
		post_tx(p, n, left ? RVIF_MORE : 0);
	}
	count(&p->sent, 1);
}

void put_answer(struct pktgen *p, const struct test_frame *frame, uint32_t length)
{
	struct test_frame *reply = frame_at(p, tx_buffer(p));

	memcpy(reply, frame, length);
	memcpy(reply->to, frame->from, 6);
	memcpy(reply->from, p->mac, 6);
	post_tx(p, length, 0);
	count(&p->sent, 1);
	count(&p->bytes, length);
}

void publish_tx(struct pktgen *p)
{
	int error;

	rvif_ring_publish(&p->tx);
	if (!rvif_ring_kick_wanted(&p->tx, rvif_header(p->vnic)->sw.features))
		return;
	error = p->vnic->transport->kick(p->vnic, p->queue);
	/* -ETIME: the VM was paused during a call, or the call ran for too long; the next one may
	 * succeed */
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
		p->vnic->transport->wait(p->vnic, p->queue, seen, 20000);
	rvif_ring_awake(&p->rx);
}
