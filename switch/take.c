/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first pass: read a batch of descriptors and frame heads from a sender's vNIC, each word once, and
 * decide where each frame goes. Nothing that was read is believed before it was checked, and nothing
 * is read again after it was.
 */
#include "internal.h"
#include "copy.h"

/* A descriptor as two words. */
struct words {
	uint64_t first;
	uint64_t offload;
};

static inline struct words read_desc(const struct rvif_desc *desc)
{
	const uint64_t *word = (const uint64_t *)(const void *)desc;

	return (struct words){rvs_load64(word), rvs_load64(word + 1)};
}

static inline uint32_t offset_of(struct words words)
{
	return (uint32_t)words.first;
}

static inline uint32_t length_of(struct words words)
{
	return (uint32_t)(words.first >> 32) & 0xffff;
}

static inline uint32_t flags_of(struct words words)
{
	return (uint32_t)(words.first >> 48);
}

static void bad(struct rvs_sender *s, uint32_t reason)
{
	s->bad[reason]++;
	s->bad_count++;
}

/* Do the offload fields make sense, and was it granted? */
static int offload_ok(const struct rvs_port *port, uint32_t flags, uint64_t offload, uint32_t total)
{
	const uint32_t start = offload & 0xffff, offset = offload >> 16 & 0xffff;
	const uint32_t gso_size = offload >> 32 & 0xffff, header = (uint32_t)(offload >> 48);
	const uint32_t gso = flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);

	if (!(port->features & RVIF_F_CSUM))
		return 0;
	if ((flags & RVIF_CSUM_NEEDED) && (start < RVIF_MIN_FRAME || start + offset + 2 > total))
		return 0;
	if (!gso)
		return 1;
	if (!(flags & RVIF_CSUM_NEEDED) || !gso_size || header <= start || header > total)
		return 0;
	return (gso == RVIF_GSO_TCP4 && (port->features & RVIF_F_TSO4)) ||
	       (gso == RVIF_GSO_TCP6 && (port->features & RVIF_F_TSO6));
}

/* A frame of several parts, or with offloads: of at most "posted" descriptors from index on. Returns
 * how many it has; *reason is RVS_DROPS if it is good. */
static __attribute__((noinline)) uint32_t
take_special(struct rvs_sender *s, struct rvs_frame *frame, const struct rvif_desc *ring,
	     struct words words, uint32_t index, uint32_t posted, uint32_t *reason)
{
	const struct rvs_port *port = s->port;
	const uint32_t flags = flags_of(words) & ~(uint32_t)RVIF_MORE;
	const uint32_t first_part = s->part_count;
	uint32_t used = 1, total = length_of(words);

	*reason = RVS_DROPS;
	frame->data = port->region + offset_of(words);
	frame->offload = words.offload;
	frame->flags = (uint16_t)flags;
	frame->length = (uint16_t)total;
	if (!rvs_in_data(port, offset_of(words), total) || (flags & ~(uint32_t)RVIF_DESC_FLAGS))
		*reason = RVS_DROP_BAD_DESC;
	while (flags_of(words) & RVIF_MORE) {
		uint32_t length;

		if (used == posted || used == RVIF_MAX_CHAIN) {
			*reason = RVS_DROP_BAD_CHAIN;
			break;
		}
		words = read_desc(&ring[(index + used++) & port->tx_mask]);
		length = length_of(words);
		total += length;
		if (!length)
			*reason = RVS_DROP_BAD_CHAIN;
		else if (!rvs_in_data(port, offset_of(words), length) ||
			 (flags_of(words) & ~(uint32_t)RVIF_MORE))
			*reason = RVS_DROP_BAD_DESC;
		s->parts[s->part_count].data = port->region + offset_of(words);
		s->parts[s->part_count++].length = length;
	}
	frame->first_part = (uint16_t)first_part;
	frame->parts = (uint16_t)(s->part_count - first_part);
	frame->total = total;
	if (*reason == RVS_DROPS) {
		const uint32_t gso = flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);

		if (frame->length < RVIF_MIN_FRAME ||
		    total > (gso ? RVIF_MAX_FRAME : port->max_frame))
			*reason = RVS_DROP_BAD_LENGTH;
		else if (flags && !offload_ok(port, flags, frame->offload, total))
			*reason = RVS_DROP_BAD_OFFLOAD;
	}
	if (*reason != RVS_DROPS)
		s->part_count = first_part;
	return used;
}

/* Frames from the ring into s->frames. Returns descriptors read. */
static uint32_t read_frames(struct rvs_sender *s, const struct rvif_desc *ring, uint32_t next,
			    uint32_t posted, uint32_t limit, uint32_t *frames, uint64_t *bytes)
{
	const struct rvs_port *port = s->port;
	const uint32_t longest = port->max_frame - RVIF_MIN_FRAME;
	uint32_t used = 0, n = 0, taken = 0;
	uint64_t sum = 0;

	while (taken < limit && used < posted && used <= RVS_PARTS - RVIF_MAX_CHAIN) {
		struct words words = read_desc(&ring[(next + used) & port->tx_mask]);
		struct rvs_frame *frame = &s->frames[n];
		uint32_t length = length_of(words);
		uint32_t reason;

		taken++;
		if (rvs_unlikely(flags_of(words))) {
			used += take_special(s, frame, ring, words, next + used, posted - used,
					     &reason);
			if (reason != RVS_DROPS) {
				bad(s, reason);
				continue;
			}
			length = frame->total;
		} else {
			used++;
			if (rvs_unlikely(length - RVIF_MIN_FRAME > longest)) {
				bad(s, RVS_DROP_BAD_LENGTH);
				continue;
			}
			if (rvs_unlikely(!rvs_in_data(port, offset_of(words), length))) {
				bad(s, RVS_DROP_BAD_DESC);
				continue;
			}
			frame->data = port->region + offset_of(words);
			frame->total = length;
			frame->length = (uint16_t)length;
			frame->flags = 0;
			frame->parts = 0;
			frame->offload = 0;
		}
		__builtin_prefetch(frame->data);
		sum += length;
		n++;
	}
	*frames = taken;
	*bytes = sum;
	s->frame_count = n;
	return used;
}

/* The group of frames for this receive queue; the map finds it, or where it belongs. */
static uint32_t group_of(struct rvs_sender *s, uint32_t port, uint32_t queue)
{
	uint32_t slot = (port + queue * 37) % RVS_MAP;
	struct rvs_group *group;

	for (;; slot = (slot + 1) % RVS_MAP) {
		uint32_t g = s->map[slot];

		if (g >= s->group_count || s->groups[g].slot != slot)
			break;
		if (s->groups[g].port == port && s->groups[g].queue == queue)
			return g;
	}
	s->map[slot] = (uint16_t)s->group_count;
	group = &s->groups[s->group_count];
	group->port = (uint16_t)port;
	group->queue = (uint16_t)queue;
	group->slot = (uint16_t)slot;
	group->count = 0;
	return s->group_count++;
}

static inline int may_send(struct rvs_sender *s, uint64_t source)
{
	if (rvs_likely(source == s->port->mac) && source)
		return 1;
	if (rvs_unlikely((source & RVS_GROUP_BIT) || !source)) {
		bad(s, RVS_DROP_BAD_SOURCE);
		return 0;
	}
	if (source == s->last_source)
		return 1;
	if (!rvs_source(s->rvs, s->port_number, source, s->now)) {
		bad(s, RVS_DROP_SPOOFED);
		return 0;
	}
	s->last_source = source;
	return 1;
}

/* The heads of all frames: who sent it, who is to get it. Bad ones are left out. */
static void classify(struct rvs_sender *s)
{
	struct rvs *rvs = s->rvs;
	const uint32_t count = s->frame_count;
	uint32_t kept = 0, last_key = UINT32_MAX, last_group = 0, key, port, queue, queues;
	uint64_t last_dst = 0;
	uint32_t last_port = RVS_FLOOD;

	for (uint32_t i = 0; i < count; i++) {
		struct rvs_frame *frame = &s->frames[kept];
		uint64_t dst, rest;

		if (rvs_unlikely(kept != i))
			*frame = s->frames[i];
		dst = rvs_get_once(frame->data) & RVS_MAC_MASK;
		rest = rvs_get_once(frame->data + 6);
		if (!may_send(s, rest & RVS_MAC_MASK))
			continue;
		frame->head_dst = dst;
		frame->head_rest = rest;
		if (dst != last_dst || !dst) {
			last_dst = dst;
			last_port = dst & RVS_GROUP_BIT ? RVS_FLOOD : rvs_lookup(rvs, dst, s->now);
		}
		port = last_port;
		if (rvs_unlikely(port == RVS_FLOOD)) {
			s->flood[s->flood_count++] = (uint8_t)kept;
			frame->group = RVS_BATCH;
			kept++;
			continue;
		}
		if (rvs_unlikely(port == s->port_number)) {
			bad(s, RVS_DROP_SAME_PORT);
			continue;
		}
		queue = 0;
		queues = rvif_load(&rvs_port_at(rvs, port)->rx_queues);
		if (queues > 1)
			queue = rvs_pick_queue(rvs_flow_hash(frame), queues);
		key = port << 16 | queue;
		if (key != last_key) {
			last_key = key;
			last_group = group_of(s, port, queue);
		}
		frame->group = (uint16_t)last_group;
		s->groups[last_group].count++;
		kept++;
	}
	s->frame_count = kept;
}

uint32_t rvs_take(struct rvs_sender *s, uint32_t queue, uint32_t next, uint32_t posted,
		  uint32_t limit, uint32_t *frames, uint64_t *bytes)
{
	struct rvs_port *port = s->port;
	const struct rvif_desc *ring =
		rvif_tx_ring(port->region, &port->layout, port->tx_mask + 1, queue);
	uint32_t used;

	s->group_count = s->flood_count = s->part_count = 0;
	used = read_frames(s, ring, next, posted, limit < RVS_BATCH ? limit : RVS_BATCH, frames,
			   bytes);
	classify(s);
	return used;
}
