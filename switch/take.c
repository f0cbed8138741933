/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first pass: read a batch of descriptors and frame heads from a sender's vNIC, each word once, and
 * decide where each frame goes. Nothing that was read is believed before it was checked, and nothing
 * is read again after it was.
 */
#include "table.h"
#include "copy.h"

/* The first word of a descriptor. */
static inline uint32_t offset_of(uint64_t word)
{
	return (uint32_t)word;
}

static inline uint32_t length_of(uint64_t word)
{
	return (uint32_t)(word >> 32) & 0xffff;
}

static inline uint32_t flags_of(uint64_t word)
{
	return (uint32_t)(word >> 48);
}

static __attribute__((noinline)) void bad(struct rvs_sender *s, uint32_t reason)
{
	s->bad[s->bad_count++] = (uint8_t)reason;
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

/* A frame of several parts, or with offloads: of at most "posted" descriptors from index on; the word is
 * the first one's. Returns how many it has; *reason is RVS_GOOD if it is. */
static __attribute__((noinline)) uint32_t take_special(struct rvs_sender *s, uint32_t n,
						       const struct rvif_desc *ring, uint64_t word,
						       uint32_t index, uint32_t posted,
						       uint32_t *reason)
{
	const struct rvs_port *port = s->port;
	const uint32_t flags = flags_of(word) & ~(uint32_t)RVIF_MORE;
	const uint32_t gso = flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);
	const uint32_t first_part = s->part_count;
	struct rvs_frame *frame = &s->frames[n];
	struct rvs_extra *extra = &s->extras[n];
	uint32_t used = 1, total = length_of(word);

	*reason = RVS_GOOD;
	extra->offload =
		rvs_load64((const uint64_t *)(const void *)&ring[index & port->tx_mask] + 1);
	extra->length = (uint16_t)total;
	if (!rvs_in_data(port, offset_of(word), total) || (flags & ~(uint32_t)RVIF_DESC_FLAGS))
		*reason = RVS_DROP_BAD_DESC;
	frame->data = port->region + offset_of(word);
	while (flags_of(word) & RVIF_MORE) {
		uint32_t length;

		if (used == posted || used == RVIF_MAX_CHAIN) {
			*reason = RVS_DROP_BAD_CHAIN;
			break;
		}
		word = rvs_desc_word(ring, index + used++, port->tx_mask);
		length = length_of(word);
		total += length;
		if (!length)
			*reason = RVS_DROP_BAD_CHAIN;
		else if (!rvs_in_data(port, offset_of(word), length) ||
			 (flags_of(word) & ~(uint32_t)RVIF_MORE))
			*reason = RVS_DROP_BAD_DESC;
		s->parts[s->part_count].data = port->region + offset_of(word);
		s->parts[s->part_count++].length = length;
	}
	if (*reason == RVS_GOOD) {
		if (extra->length < RVIF_MIN_FRAME ||
		    total > (gso ? RVIF_MAX_FRAME : port->max_frame))
			*reason = RVS_DROP_BAD_LENGTH;
		else if (flags && !offload_ok(port, flags, extra->offload, total))
			*reason = RVS_DROP_BAD_OFFLOAD;
	}
	if (*reason != RVS_GOOD)
		s->part_count = first_part;
	extra->first_part = (uint16_t)first_part;
	extra->parts = (uint16_t)(s->part_count - first_part);
	frame->flags = (uint16_t)(flags | RVS_SPECIAL);
	frame->total = total;
	return used;
}

static void begin_group(struct rvs_sender *s, uint32_t port, uint32_t queue)
{
	struct rvs_group *group = &s->groups[s->group_count++];

	group->port = (uint16_t)port;
	group->queue = (uint16_t)queue;
}

/* The group of frames for this receive queue. A map finds it, or where it belongs; that is filled
 * in only when there is more than one. */
static __attribute__((noinline)) uint32_t find_group(struct rvs_sender *s, uint32_t port,
						     uint32_t queue)
{
	for (uint32_t known = s->group_count == 1 ? 0 : s->group_count;; known++) {
		const int own = known == s->group_count;
		const uint32_t p = own ? port : s->groups[known].port;
		const uint32_t q = own ? queue : s->groups[known].queue;
		uint32_t slot = (p + q * 37) % RVS_MAP;

		for (;; slot = (slot + 1) % RVS_MAP) {
			uint32_t g = s->map[slot];

			if (g >= known || s->groups[g].slot != slot)
				break;
			if (s->groups[g].port == p && s->groups[g].queue == q)
				return g;
		}
		s->map[slot] = (uint16_t)known;
		s->groups[known].slot = (uint16_t)slot;
		if (own) {
			begin_group(s, port, queue);
			return known;
		}
	}
}

/* An address that is not the port's own: may it send from there? Else counts why not. */
static __attribute__((noinline)) int may_send(struct rvs_sender *s, uint64_t source)
{
	if ((source & RVS_GROUP_BIT) || !source) {
		bad(s, RVS_DROP_BAD_SOURCE);
		return 0;
	}
	if (!rvs_source(s->rvs, s->port_number, source, s->now)) {
		bad(s, RVS_DROP_SPOOFED);
		return 0;
	}
	return 1;
}

/* IEEE 802.1Q, 8.6.3: a bridge does not forward these; 802.3, 31B and 57B: pause frames (MAC
 * control) and slow protocols are for the other end of a cable. The type is at the end of
 * rest. */
static __attribute__((noinline)) int may_flood(const struct rvs_sender *s, uint64_t dst,
					       uint64_t rest)
{
	const uint32_t type = (uint32_t)(rest >> 48), last = dst >> 40 & 0xf;

	if (type == RVS_TYPE_MAC_CONTROL || type == RVS_TYPE_SLOW)
		return 0;
	if ((dst & RVS_LINK_LOCAL_MASK) != RVS_LINK_LOCAL)
		return 1;
	return s->port->flags & RVS_FORWARD_LINK_LOCAL && last != 1 && last != 2;
}

/* The group of a frame for this port, or none: its own. */
static inline uint32_t group_for(struct rvs_sender *s, uint32_t n, uint32_t port)
{
	uint32_t queue = 0, queues;

	if (rvs_unlikely(port == s->port_number)) {
		bad(s, RVS_DROP_SAME_PORT);
		return RVS_NO_GROUP;
	}
	queues = rvif_load(&rvs_port_at(s->rvs, port)->rx_queues);
	s->many_queues = queues > 1;
	if (s->many_queues)
		queue = rvs_pick_queue(rvs_flow_hash(&s->frames[n], rvs_first_length(s, n)),
				       queues);
	if (s->group_count)
		return find_group(s, port, queue);
	begin_group(s, port, queue);
	return 0;
}

/*
 * A loop that takes 64 bytes a packet through, so all that it needs again is in variables: what is
 * stored through pointers could otherwise be anything to the compiler.
 */
uint32_t rvs_take(struct rvs_sender *s, uint32_t next, uint32_t posted, uint32_t limit,
		  uint32_t *frames, uint64_t *bytes)
{
	struct rvs *const rvs = s->rvs;
	const struct rvs_port *const port = s->port;
	const struct rvif_desc *const ring = s->txq->ring;
	uint8_t *const region = port->region;
	const uint64_t size = port->size, own = port->mac;
	const uint32_t mask = port->tx_mask, buffers = port->layout.buffers;
	const uint32_t longest = port->max_frame - RVIF_MIN_FRAME;
	uint64_t last_dst = 0, last_source = own ? own : UINT64_MAX, sum = 0;
	uint32_t last_port = RVS_FLOOD, last_group = RVS_NO_GROUP;
	uint32_t used = 0, n = 0, taken = 0, stop;
	struct rvs_place place;

	s->group_count = s->flood_count = s->part_count = 0;
	if (limit > RVS_BATCH)
		limit = RVS_BATCH;
	stop = posted < RVS_PARTS - RVIF_MAX_CHAIN + 1 ? posted : RVS_PARTS - RVIF_MAX_CHAIN + 1;
	while (taken < limit && used < stop) {
		const uint64_t word = rvs_desc_word(ring, next + used, mask);
		struct rvs_frame *frame = &s->frames[n];
		uint32_t length = length_of(word), reason;
		uint8_t *data = region + offset_of(word);
		uint64_t dst, rest, source;

		taken++;
		if (rvs_unlikely(flags_of(word))) {
			used += take_special(s, n, ring, word, next + used, posted - used, &reason);
			if (reason != RVS_GOOD) {
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
			if (rvs_unlikely(offset_of(word) < buffers ||
					 (uint64_t)offset_of(word) + length > size)) {
				bad(s, RVS_DROP_BAD_DESC);
				continue;
			}
			frame->data = data;
			frame->total = length;
			frame->flags = 0;
		}
		sum += length;

		dst = rvs_get_once(data) & RVS_MAC_MASK;
		rest = rvs_get_once(data + 6);
		source = rest & RVS_MAC_MASK;
		if (rvs_unlikely(source != last_source)) {
			if ((source != own || !own) && !may_send(s, source))
				continue;
			last_source = source;
		}
		frame->head_dst = dst;
		frame->head_rest = rest;
		if (dst != last_dst || last_group == RVS_NO_GROUP) {
			last_dst = dst;
			last_group = RVS_NO_GROUP;
			last_port = dst & RVS_GROUP_BIT ? RVS_FLOOD :
							  rvs_lookup(rvs, dst, s->now, &place);
			if (rvs_unlikely(last_port == RVS_FLOOD)) {
				if (!may_flood(s, dst, rest)) {
					bad(s, RVS_DROP_LINK_LOCAL);
					continue;
				}
				s->flood[s->flood_count++] = (uint8_t)n;
				frame->group = RVS_NO_GROUP;
				n++;
				continue;
			}
			last_group = group_for(s, n, last_port);
			if (rvs_unlikely(last_group == RVS_NO_GROUP))
				continue;
		} else if (s->many_queues) {
			last_group = group_for(s, n, last_port);
		}
		frame->group = (uint16_t)last_group;
		n++;
	}
	s->frame_count = n;
	*frames = taken;
	*bytes = sum;
	return used;
}
