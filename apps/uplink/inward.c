/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the interface to the switch: the kernel writes frames directly into the vNIC's buffers.
 * While the switch takes no frames, the kernel's queue fills and drops. While the switch does not
 * serve the vNIC at all, frames are discarded, so that none of them arrives much later.
 */
#include <errno.h>
#include <net/ethernet.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include "internal.h"

#define ADDRESSES 12 /* bytes of both addresses: a tag comes behind them */

/* Where a frame from the interface goes; room for a tag is left before it. */
struct place {
	struct virtio_net_hdr header;
	uint8_t spill; /* a frame that reaches this byte is too long */
	struct iovec parts[RVIF_MAX_CHAIN + 2];
};

/* Prepares the buffers for the longest frame. Returns how many parts they are. */
static int aim(const struct uplink *u, struct place *place)
{
	const uint32_t n = frames_aim(&u->tx, UPLINK_TAG, &place->parts[1]);

	place->parts[n + 1] = (struct iovec){.iov_base = &place->spill, .iov_len = 1};
	return (int)n + 2;
}

/* Puts the tag back into a frame; its first bytes move forward. */
static void put_tag(struct virtio_net_hdr *header, uint8_t *buffer, uint32_t tag)
{
	const uint8_t bytes[UPLINK_TAG] = {(uint8_t)(tag >> 24), (uint8_t)(tag >> 16),
					   (uint8_t)(tag >> 8), (uint8_t)tag};

	memmove(buffer, buffer + UPLINK_TAG, ADDRESSES);
	memcpy(buffer + ADDRESSES, bytes, UPLINK_TAG);
	header->csum_start += header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? UPLINK_TAG : 0;
}

/* Takes a frame of `length` bytes that is in the next buffers, and posts it if the switch can take
 * it. */
static void take(struct uplink *u, struct place *place, uint32_t length, uint32_t tag)
{
	const uint32_t features = rvif_load(&u->granted), skip = tag ? 0 : UPLINK_TAG;
	uint8_t *buffer = frames_buffer(&u->tx);
	struct rvif_desc desc;
	uint32_t head;

	if (features == NOT_SERVED) {
		count(&u->seen->in.dropped_closed, 1);
		return;
	}
	if (tag && length >= RVIF_MIN_FRAME) {
		put_tag(&place->header, buffer, tag);
		length += UPLINK_TAG;
	}
	if (length < RVIF_MIN_FRAME || length > RVIF_MAX_FRAME) {
		count(&u->seen->in.dropped_length, 1);
		return;
	}
	head = length < u->tx.buffer - skip ? length : u->tx.buffer - skip;
	if (offload_to_rvif(&place->header, buffer + skip, head, length, features, &desc)) {
		count(&u->seen->in.dropped_offload, 1);
		return;
	}
	frames_put(&u->tx, &desc, skip, length);
	count(&u->seen->in.frames, 1);
	count(&u->seen->in.bytes, length);
	if (place->header.gso_type)
		count(&u->seen->in.gso, 1);
}

/* Reads up to a batch of frames. Returns false if the interface has no more, or it went down, which
 * the kernel reports once. */
static bool fill(struct uplink *u)
{
	struct place place;

	for (int i = 0; i < UPLINK_BATCH && frames_have_room(&u->tx, UPLINK_TAG); i++) {
		uint32_t tag;
		const int parts = aim(u, &place);
		const int length = packet_receive(u, &place.header, place.parts, parts, &tag);
		if (length >= 0)
			take(u, &place, (uint32_t)length, tag);
		/* the kernel cannot describe a frame of this kind */
		else if (length == -EINVAL)
			count(&u->seen->in.dropped_offload, 1);
		else
			return false;
	}
	return true;
}

/* Kicks the switch. Returns whether the kick has to be tried again. */
static bool kick(struct uplink *u)
{
	int error;

	if (!rvif_ring_kick_wanted(&u->tx.ring, RVIF_F_NOTIFY))
		return false;
	error = u->vnic.transport->kick(&u->vnic, 0);
	if (error == -ENOTCONN)
		__atomic_store_n(&u->lost, true, __ATOMIC_RELAXED);
	return error;
}

static void sleep_for_frames(const struct uplink *u, bool retry)
{
	struct pollfd wait[] = {{.fd = u->socket, .events = POLLIN},
				{.fd = u->wake, .events = POLLIN}};

	poll(wait, 2, retry ? UPLINK_RETRY_MS : -1);
}

/* Sleeps. Returns for how long the thread has waited since the switch last took frames. */
static uint64_t sleep_for_room(const struct uplink *u, uint64_t waited_us, uint32_t *seen)
{
	const uint32_t completed = rvif_load(&u->tx.ring.control->completed);
	const uint64_t before = completed == *seen ? waited_us : 0;
	const uint64_t pause_us = frames_pause_us(before);
	const struct timespec pause = {.tv_nsec = (long)pause_us * 1000};

	*seen = completed;
	nanosleep(&pause, NULL);
	return before + pause_us;
}

void *uplink_inward(void *argument)
{
	struct uplink *u = argument;
	uint32_t published = u->tx.ring.posted, seen = published;
	uint64_t waited_us = 0;
	bool retry = false;

	while (!is_set(&u->stop)) {
		const bool more = fill(u);

		if (u->tx.ring.posted != published || retry) {
			rvif_ring_publish(&u->tx.ring);
			published = u->tx.ring.posted;
			retry = kick(u);
		}
		if (!frames_have_room(&u->tx, UPLINK_TAG))
			waited_us = sleep_for_room(u, waited_us, &seen);
		else if (!more)
			sleep_for_frames(u, retry);
	}
	return NULL;
}
