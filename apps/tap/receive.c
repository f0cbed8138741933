/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the switch to the interface: the kernel reads frames directly from the vNIC's buffers. Of
 * what the switch writes, only lengths and flags are used, after they were copied once and checked.
 * The driver knows where its buffers are.
 */
#include <errno.h>
#include <sys/uio.h>
#include <time.h>
#include "tap.h"

enum {
	SLEEP_US = 10000000,  /* the switch wakes the receiver when it fills the ring */
	LOOK_EVERY_US = 1000, /* if the switch cannot wake it */
};

/* Decides whether to drop a frame, for tests. Each run drops the same frames. */
static bool drop_on_purpose(struct queue *queue)
{
	queue->random ^= queue->random << 13;
	queue->random ^= queue->random >> 7;
	queue->random ^= queue->random << 17;
	return queue->random % 1000 < queue->daemon->options.drop;
}

static void deliver(struct queue *queue, const struct frame *frame)
{
	struct received_stats *stats = &queue->received;

	if (queue->daemon->options.drop && drop_on_purpose(queue)) {
		count(&stats->dropped_on_purpose, 1);
		return;
	}
	if (writev(queue->fd, frame->parts, (int)frame->count + 1) >= 0) {
		count(&stats->frames, 1);
		count(&stats->bytes, frame->length);
		if (frame->header.gso_type)
			count(&stats->gso, 1);
		return;
	}
	if (errno == EIO)
		count(&stats->dropped_down, 1);
	else
		count(&stats->dropped_refused, 1);
}

/* Takes frames. Returns whether there were any. */
static bool take_frames(struct queue *queue)
{
	const struct rvif_config *config = &queue->daemon->vnic.config;
	const uint32_t ready = rvif_ring_completed(&queue->rx.ring);
	uint32_t left = ready;
	struct frame frame;

	for (int i = 0; left && i < BATCH; i++) {
		if (frames_read(&queue->rx, left, config->features, config->max_frame, &frame))
			count(&queue->received.dropped_bad, 1);
		else
			deliver(queue, &frame);
		left -= frame.count;
		frames_return(&queue->rx, &frame);
	}
	if (ready)
		rvif_ring_publish(&queue->rx.ring);
	return ready;
}

/* Sleeps until frames come. If the switch's index is not possible, sleeps until the index
 * changes. */
static void sleep_for_frames(struct queue *queue)
{
	struct daemon *d = queue->daemon;
	const bool is_woken = rvif_load(&d->granted) & RVIF_F_NOTIFY;
	const struct timespec retry = {.tv_nsec = RETRY_MS * 1000000l};
	uint32_t seen;
	int error;

	if (rvif_ring_may_sleep(&queue->rx.ring, &seen) || !rvif_ring_completed(&queue->rx.ring)) {
		count(&queue->received.sleeps, 1);
		error = d->vnic.transport->wait(&d->vnic, queue->number, seen,
						is_woken ? SLEEP_US : LOOK_EVERY_US);
		if (!error)
			count(&queue->received.wakeups, 1);
		if (error == -ENOTCONN) {
			tell(d, &d->lost);
			nanosleep(&retry, NULL);
		}
	}
	rvif_ring_awake(&queue->rx.ring);
}

void *receive(void *argument)
{
	struct queue *queue = argument;

	while (!is_set(&queue->daemon->stop) && !is_set(&queue->daemon->gone))
		if (!take_frames(queue))
			sleep_for_frames(queue);
	return NULL;
}
