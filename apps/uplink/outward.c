/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the switch to the interface: the kernel reads frames directly from the vNIC's buffers. If
 * the interface takes no frames, or is not there, only its own frames are lost: the buffers are
 * given back.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include "internal.h"

enum {
	SLEEP_US = 10000000,  /* the switch wakes the thread when it fills the ring */
	LOOK_EVERY_US = 1000, /* if the switch cannot wake it */
	BUSY_MS = 20,	      /* time for the kernel to send what it has queued */
};

static int send_patiently(const struct uplink *u, struct frame *frame)
{
	struct pollfd wait = {.fd = u->socket, .events = POLLOUT};
	int error = packet_send(u, frame->parts, frame->count + 1);

	if (error != -EAGAIN || poll(&wait, 1, BUSY_MS) <= 0)
		return error;
	return packet_send(u, frame->parts, frame->count + 1);
}

static uint64_t *counter_of(struct uplink_counts *out, int error)
{
	switch (error) {
	case -ENETDOWN:
	case -ENXIO: /* the interface is not there */
	case -ENODEV:
		return &out->dropped_down;
	case -EMSGSIZE:
		return &out->dropped_length;
	case -EAGAIN:
	case -ENOBUFS:
		return &out->dropped_busy;
	default:
		return &out->dropped_refused;
	}
}

static void give(struct uplink *u, struct frame *frame)
{
	const int error = send_patiently(u, frame);

	if (error) {
		count(counter_of(&u->seen->out, error), 1);
		return;
	}
	count(&u->seen->out.frames, 1);
	count(&u->seen->out.bytes, frame->length);
	if (frame->header.gso_type)
		count(&u->seen->out.gso, 1);
}

/* Sends frames to the interface. Returns whether there were any. */
static bool give_frames(struct uplink *u)
{
	const uint32_t ready = rvif_ring_completed(&u->rx.ring);
	uint32_t left = ready;
	struct frame frame;

	for (int i = 0; left && i < UPLINK_BATCH; i++) {
		if (frames_read(&u->rx, left, u->vnic.config.features, u->vnic.config.max_frame,
				&frame))
			count(&u->seen->out.dropped_bad, 1);
		else
			give(u, &frame);
		left -= frame.count;
		frames_return(&u->rx, &frame);
	}
	if (ready)
		rvif_ring_publish(&u->rx.ring);
	return ready;
}

/* Sleeps until frames come. If the switch's index is not possible, sleeps until the index
 * changes. */
static void sleep_for_frames(struct uplink *u)
{
	const uint32_t features = rvif_load(&u->granted);
	/* a switch that begins to serve the vNIC wakes it, too */
	const bool is_woken = features == NOT_SERVED || features & RVIF_F_NOTIFY;
	const struct timespec retry = {.tv_nsec = UPLINK_RETRY_MS * 1000000l};
	uint32_t seen;

	if (rvif_ring_may_sleep(&u->rx.ring, &seen) || !rvif_ring_completed(&u->rx.ring)) {
		const int error = u->vnic.transport->wait(&u->vnic, 0, seen,
							  is_woken ? SLEEP_US : LOOK_EVERY_US);

		if (error == -ENOTCONN) {
			__atomic_store_n(&u->lost, true, __ATOMIC_RELAXED);
			nanosleep(&retry, NULL);
		}
	}
	rvif_ring_awake(&u->rx.ring);
}

void *uplink_outward(void *argument)
{
	struct uplink *u = argument;

	while (!is_set(&u->stop))
		if (!give_frames(u))
			sleep_for_frames(u);
	return NULL;
}
