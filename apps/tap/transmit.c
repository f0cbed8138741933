/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the interface to the switch: the kernel writes frames right into the
 * vNIC's buffers. A frame is posted as a whole or not at all. Whatever
 * state the switch is in, this neither spins nor hangs.
 */
#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <time.h>
#include "tap.h"

#define FIRST_PAUSE_US 20

/* Where a frame from the interface goes. */
struct place {
	struct virtio_net_hdr header;
	uint8_t spill; /* a frame that comes to here is too long */
	struct iovec parts[RVIF_MAX_CHAIN + 2];
};

static uint8_t *buffer(const struct queue *queue, uint32_t index)
{
	return queue->daemon->vnic.region + tx_offset(queue, index);
}

/* For a frame of any length. */
static bool has_room(struct queue *queue)
{
	const uint32_t longest = (RVIF_MAX_FRAME + buffer_size(queue) - 1) / buffer_size(queue);

	if (rvif_ring_room(&queue->tx) < longest)
		queue->tx.reaped += rvif_ring_completed(&queue->tx);
	return rvif_ring_room(&queue->tx) >= longest;
}

/* The buffers of the next descriptors: RVIF_MAX_FRAME bytes. Returns how many parts that is. */
static int aim(const struct queue *queue, struct place *place)
{
	const uint32_t most = buffer_size(queue);
	uint32_t left = RVIF_MAX_FRAME, i;

	place->parts[0] =
		(struct iovec){.iov_base = &place->header, .iov_len = sizeof(place->header)};
	for (i = 0; left; i++) {
		const uint32_t length = left < most ? left : most;

		place->parts[i + 1] = (struct iovec){
			.iov_base = buffer(queue, queue->tx.posted + i),
			.iov_len = length,
		};
		left -= length;
	}
	place->parts[i + 1] = (struct iovec){.iov_base = &place->spill, .iov_len = 1};
	return (int)i + 2;
}

/* Fills in the descriptors of a frame that is in their buffers. */
static void put(struct queue *queue, const struct rvif_desc *first, uint32_t length)
{
	struct rvif_desc *desc = rvif_ring_desc(&queue->tx, queue->tx.posted);
	const uint32_t most = buffer_size(queue);
	uint32_t left = length, flags = first->flags;

	desc->csum_start = first->csum_start;
	desc->csum_offset = first->csum_offset;
	desc->gso_size = first->gso_size;
	desc->header_length = first->header_length;
	while (left) {
		const uint32_t part = left < most ? left : most;

		left -= part;
		rvif_desc_set(rvif_ring_desc(&queue->tx, queue->tx.posted),
			      (uint32_t)tx_offset(queue, queue->tx.posted), (uint16_t)part,
			      (uint16_t)(flags | (left ? RVIF_MORE : 0)));
		queue->tx.posted++;
		flags = 0;
	}
}

/* A frame of so many bytes is in the next buffers; post it if the switch can take it. */
static void take(struct queue *queue, const struct place *place, uint32_t length)
{
	const struct daemon *d = queue->daemon;
	const uint32_t features = rvif_load(&d->granted);
	const uint32_t head = length < buffer_size(queue) ? length : buffer_size(queue);
	struct rvif_desc desc;

	if (length < RVIF_MIN_FRAME || length > RVIF_MAX_FRAME ||
	    (!place->header.gso_type && length > d->vnic.config.max_frame)) {
		count(&queue->sent.dropped_length, 1);
		return;
	}
	if (offload_to_rvif(&place->header, buffer(queue, queue->tx.posted), head, length, features,
			    &desc)) {
		count(&queue->sent.dropped_offload, 1);
		return;
	}
	put(queue, &desc, length);
	count(&queue->sent.frames, 1);
	count(&queue->sent.bytes, length);
	if (place->header.gso_type)
		count(&queue->sent.gso, 1);
}

/* Up to a batch of frames; *empty: the interface has no more. */
static void fill(struct queue *queue, bool *empty)
{
	struct place place;
	ssize_t length;
	int parts;

	*empty = false;
	for (int i = 0; i < BATCH && has_room(queue); i++) {
		parts = aim(queue, &place);
		length = readv(queue->fd, place.parts, parts);
		if (length < (ssize_t)sizeof(place.header)) {
			*empty = true;
			if (length < 0 && errno == EBADFD)
				tell(queue->daemon, &queue->daemon->gone);
			return;
		}
		take(queue, &place, (uint32_t)length - (uint32_t)sizeof(place.header));
	}
}

/* 0, or why what is posted is still there: the kick has to be tried again, if -EBUSY, soon. */
static int kick(struct queue *queue)
{
	struct daemon *d = queue->daemon;
	int error;

	if (!rvif_ring_kick_wanted(&queue->tx, rvif_load(&d->granted)))
		return 0;
	count(&queue->sent.kicks, 1);
	error = d->vnic.transport->kick(&d->vnic, queue->number);
	if (!error || error == -EBUSY)
		return error;
	count(&queue->sent.kick_errors, 1);
	if (error == -ENOTCONN)
		tell(d, &d->lost);
	return error;
}

/* Until the interface has frames, or, if pause_us is not 0, so long. */
static void sleep_for_frames(struct queue *queue, uint64_t pause_us)
{
	const struct timespec pause = {.tv_nsec = (long)pause_us * 1000};
	struct pollfd wait = {.fd = queue->fd, .events = POLLIN};

	count(&queue->sent.sleeps, 1);
	if (ppoll(&wait, 1, pause_us ? &pause : NULL, NULL) > 0 &&
	    wait.revents & (POLLERR | POLLNVAL))
		tell(queue->daemon, &queue->daemon->gone);
}

static void sleep_for_room(struct queue *queue, uint64_t pause_us)
{
	const struct timespec pause = {.tv_nsec = (long)pause_us * 1000};

	count(&queue->sent.full, 1);
	nanosleep(&pause, NULL);
}

/* No switch wakes a sender: the thread looks again, each time after a quarter of what it has waited
 * so far. */
static uint64_t next_pause_us(uint64_t waited_us)
{
	const uint64_t quarter = waited_us / 4, most = RETRY_MS * 1000;

	if (quarter < FIRST_PAUSE_US)
		return FIRST_PAUSE_US;
	return quarter < most ? quarter : most;
}

/* What the switch has taken, and what was posted: as long as that changes nothing is stuck. */
static uint64_t progress(const struct queue *queue)
{
	return (uint64_t)rvif_load(&queue->tx.control->completed) << 32 | queue->tx.posted;
}

void *transmit(void *argument)
{
	struct queue *queue = argument;
	uint32_t published = queue->tx.posted;
	uint64_t seen = progress(queue), waited_us = 0, pause_us;
	int error = 0;
	bool empty;

	while (!is_set(&queue->daemon->stop) && !is_set(&queue->daemon->gone)) {
		fill(queue, &empty);
		if (queue->tx.posted != published || error) {
			rvif_ring_publish(&queue->tx);
			published = queue->tx.posted;
			error = kick(queue);
		}
		if (progress(queue) != seen)
			waited_us = 0;
		seen = progress(queue);
		pause_us = next_pause_us(waited_us);
		if (error && error != -EBUSY)
			pause_us = RETRY_MS * 1000;
		waited_us += pause_us;
		if (!has_room(queue))
			sleep_for_room(queue, pause_us);
		else if (empty)
			sleep_for_frames(queue, error ? pause_us : 0);
	}
	return NULL;
}
