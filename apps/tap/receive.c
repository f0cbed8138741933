/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the switch to the interface: the kernel reads frames right out of
 * the vNIC's buffers. Of what the switch writes only lengths and flags are
 * used, once copied and checked; where a buffer lies we know.
 */
#include <errno.h>
#include <sys/uio.h>
#include <time.h>
#include "tap.h"

enum {
	SLEEP_US = 10000000,  /* the switch that fills the ring wakes us */
	LOOK_EVERY_US = 1000, /* unless the switch cannot */
};

/* A frame, in private memory but for its data. */
struct frame {
	struct virtio_net_hdr header;
	struct iovec parts[RVIF_MAX_CHAIN + 1];
	uint32_t count; /* of buffers */
	uint32_t length;
};

static void post(struct queue *queue)
{
	rvif_desc_set(rvif_ring_desc(&queue->rx, queue->rx.posted),
		      (uint32_t)rx_offset(queue, queue->rx.posted), 0, 0);
	queue->rx.posted++;
}

void receive_post_all(struct queue *queue)
{
	while (rvif_ring_room(&queue->rx))
		post(queue);
	rvif_ring_publish(&queue->rx);
}

/* The shared one may change at any time. */
static struct rvif_desc read_desc(const struct rvif_desc *shared)
{
	union {
		uint64_t words[2];
		struct rvif_desc desc;
	} copy;

	copy.words[0] = __atomic_load_n((const uint64_t *)(const void *)shared, __ATOMIC_RELAXED);
	copy.words[1] =
		__atomic_load_n((const uint64_t *)(const void *)shared + 1, __ATOMIC_RELAXED);
	return copy.desc;
}

/* The next frame, of at most so many descriptors. 0, or -EINVAL: frame->count are to be skipped. */
static int read_frame(const struct queue *queue, uint32_t available, struct frame *frame)
{
	const struct rvif_config *config = &queue->daemon->vnic.config;
	struct rvif_desc desc = {.flags = RVIF_MORE}, first = {0};
	bool bad = false;

	frame->count = frame->length = 0;
	while (desc.flags & RVIF_MORE && frame->count < available &&
	       frame->count < RVIF_MAX_CHAIN) {
		const uint32_t index = queue->rx.reaped + frame->count;

		desc = read_desc(rvif_ring_desc(&queue->rx, index));
		if (!frame->count)
			first = desc;
		bad |= !desc.length || desc.length > buffer_size(queue);
		frame->parts[++frame->count] = (struct iovec){
			.iov_base = queue->daemon->vnic.region + rx_offset(queue, index),
			.iov_len = desc.length,
		};
		frame->length += desc.length;
	}
	if (bad || desc.flags & RVIF_MORE || frame->length < RVIF_MIN_FRAME ||
	    offload_to_kernel(&first, frame->length, config->features, &frame->header))
		return -EINVAL;
	if (frame->length > (frame->header.gso_type ? RVIF_MAX_FRAME : config->max_frame))
		return -EINVAL;
	frame->parts[0] =
		(struct iovec){.iov_base = &frame->header, .iov_len = sizeof(frame->header)};
	return 0;
}

/* For tests: the same frames in each run. */
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

/* Returns whether there were any. */
static bool take_frames(struct queue *queue)
{
	const uint32_t ready = rvif_ring_completed(&queue->rx);
	uint32_t left = ready;
	struct frame frame;

	for (int i = 0; left && i < BATCH; i++) {
		if (read_frame(queue, left, &frame))
			count(&queue->received.dropped_bad, 1);
		else
			deliver(queue, &frame);
		queue->rx.reaped += frame.count;
		left -= frame.count;
		while (frame.count--)
			post(queue);
	}
	if (ready)
		rvif_ring_publish(&queue->rx);
	return ready;
}

/* Also if the switch's index is none that can be: then until it changes. */
static void sleep_for_frames(struct queue *queue)
{
	struct daemon *d = queue->daemon;
	const bool is_woken = rvif_load(&d->granted) & RVIF_F_NOTIFY;
	const struct timespec retry = {.tv_nsec = RETRY_MS * 1000000l};
	uint32_t seen;
	int error;

	if (rvif_ring_may_sleep(&queue->rx, &seen) || !rvif_ring_completed(&queue->rx)) {
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
	rvif_ring_awake(&queue->rx);
}

void *receive(void *argument)
{
	struct queue *queue = argument;

	while (!is_set(&queue->daemon->stop) && !is_set(&queue->daemon->gone))
		if (!take_frames(queue))
			sleep_for_frames(queue);
	return NULL;
}
