/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the interface to the switch: the kernel writes frames directly into the vNIC's buffers. A
 * frame is posted as a whole or not at all. Whatever the switch does, this thread neither spins nor
 * hangs.
 */
#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <time.h>
#include "tap.h"

/* Where a frame from the interface goes. */
struct place {
	struct virtio_net_hdr header;
	uint8_t spill; /* a frame that reaches this byte is too long */
	struct iovec parts[RVIF_MAX_CHAIN + 2];
};

/* Prepares the buffers for the longest frame. Returns how many parts they are. */
static int aim(const struct queue *queue, struct place *place)
{
	const uint32_t n = frames_aim(&queue->tx, 0, &place->parts[1]);

	place->parts[0] =
		(struct iovec){.iov_base = &place->header, .iov_len = sizeof(place->header)};
	place->parts[n + 1] = (struct iovec){.iov_base = &place->spill, .iov_len = 1};
	return (int)n + 2;
}

/* Takes a frame of `length` bytes that is in the next buffers, and posts it if the switch can take
 * it. */
static void take(struct queue *queue, const struct place *place, uint32_t length)
{
	const struct daemon *d = queue->daemon;
	const uint32_t features = rvif_load(&d->granted);
	const uint32_t head = length < queue->tx.buffer ? length : queue->tx.buffer;
	struct rvif_desc desc;

	if (length < RVIF_MIN_FRAME || length > RVIF_MAX_FRAME ||
	    (!place->header.gso_type && length > d->vnic.config.max_frame)) {
		count(&queue->sent.dropped_length, 1);
		return;
	}
	if (offload_to_rvif(&place->header, frames_buffer(&queue->tx), head, length, features,
			    &desc)) {
		count(&queue->sent.dropped_offload, 1);
		return;
	}
	frames_put(&queue->tx, &desc, 0, length);
	count(&queue->sent.frames, 1);
	count(&queue->sent.bytes, length);
	if (place->header.gso_type)
		count(&queue->sent.gso, 1);
}

/* Reads up to a batch of frames. *empty: the interface has no more. */
static void fill(struct queue *queue, bool *empty)
{
	struct place place;
	ssize_t length;
	int parts;

	*empty = false;
	for (int i = 0; i < BATCH && frames_have_room(&queue->tx, 0); i++) {
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

/* Kicks the switch. Returns 0, or why posted frames are still there: the kick has to be tried
 * again, and with -EBUSY soon. */
static int kick(struct queue *queue)
{
	struct daemon *d = queue->daemon;
	int error;

	if (!rvif_ring_kick_wanted(&queue->tx.ring, rvif_load(&d->granted)))
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

/* Sleeps until the interface has frames, or for pause_us if that is not 0. */
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

/* Returns what the switch has taken and what was posted. As long as that changes, the queue is not
 * stuck. */
static uint64_t progress(const struct queue *queue)
{
	return (uint64_t)rvif_load(&queue->tx.ring.control->completed) << 32 |
	       queue->tx.ring.posted;
}

void *transmit(void *argument)
{
	struct queue *queue = argument;
	uint32_t published = queue->tx.ring.posted;
	uint64_t seen = progress(queue), waited_us = 0, pause_us;
	int error = 0;
	bool empty;

	while (!is_set(&queue->daemon->stop) && !is_set(&queue->daemon->gone)) {
		fill(queue, &empty);
		if (queue->tx.ring.posted != published || error) {
			rvif_ring_publish(&queue->tx.ring);
			published = queue->tx.ring.posted;
			error = kick(queue);
		}
		if (progress(queue) != seen)
			waited_us = 0;
		seen = progress(queue);
		pause_us = frames_pause_us(waited_us);
		if (error && error != -EBUSY)
			pause_us = FRAMES_RETRY_US;
		waited_us += pause_us;
		if (!frames_have_room(&queue->tx, 0))
			sleep_for_room(queue, pause_us);
		else if (empty)
			sleep_for_frames(queue, error ? pause_us : 0);
	}
	return NULL;
}
