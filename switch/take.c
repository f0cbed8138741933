/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first pass over a batch of any frames. It takes each frame, admits it, and looks up its
 * receiver. A value is checked before it is used, and is not read again after the check.
 */
#include "admit.h"
#include "table.h"
#include "take.h"

/* The parts of a descriptor's first word. */
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

/* Returns a bad frame's place. Bad frames begin at the end: with good ones, they fill one batch. */
static uint32_t place_of_bad(uint32_t number)
{
	return RVS_BATCH - 1 - number;
}

/* Keeps frame n as a bad frame, and frees its place. */
static __attribute__((noinline)) void bad(struct rvs_sender *s, uint32_t n, uint32_t reason)
{
	const uint32_t place = place_of_bad(s->bad_count);

	s->frames[place] = s->frames[n];
	s->extras[place] = s->extras[n];
	s->bad[s->bad_count++] = (uint8_t)reason;
}

/* Tells whether the offload was granted, and whether its fields make sense. */
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

/*
 * Takes a frame of several parts, or with offloads, from at most `posted` descriptors. The word is
 * the first descriptor's. Returns how many descriptors the frame has. *reason tells whether it is
 * good.
 */
static uint32_t take_special(struct rvs_sender *s, uint32_t n, const struct rvif_desc *ring,
			     uint64_t word, uint32_t index, uint32_t posted, uint32_t *reason)
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
	frame->total = (uint16_t)total;
	return used;
}

/* Takes a frame that is not plain. A bad one is kept as such, without bytes that may be read. */
static __attribute__((noinline)) uint32_t take_other(struct rvs_sender *s, uint32_t n,
						     const struct rvif_desc *ring, uint64_t word,
						     uint32_t index, uint32_t posted,
						     uint32_t *reason)
{
	uint32_t used = 1;

	if (flags_of(word))
		used = take_special(s, n, ring, word, index, posted, reason);
	else
		*reason = length_of(word) < RVIF_MIN_FRAME || length_of(word) > s->port->max_frame ?
				  RVS_DROP_BAD_LENGTH :
				  RVS_DROP_BAD_DESC;
	if (*reason != RVS_GOOD)
		s->frames[n].total = 0;
	return used;
}

static void begin_group(struct rvs_sender *s, uint32_t port, uint32_t queue)
{
	struct rvs_group *group = &s->groups[s->group_count++];

	group->port = (uint16_t)port;
	group->queue = (uint16_t)queue;
}

/*
 * Finds or makes the group of frames for this receive queue. A map finds the group or its place.
 * The map is filled only when there is more than one group.
 */
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

/* Finds the group for this port. Returns RVS_GOOD or the reason, for the sender's own port. */
static inline uint32_t group_for(struct rvs_sender *s, uint32_t n, uint32_t port, uint32_t *group)
{
	uint32_t queue = 0, queues;

	if (rvs_unlikely(port == s->port_number))
		return RVS_DROP_SAME_PORT;
	queues = rvif_load(&rvs_port_at(s->rvs, port)->rx_queues);
	s->many_queues = queues > 1;
	if (s->many_queues)
		queue = rvs_pick_queue(rvs_flow_hash(&s->frames[n], rvs_first_length(s, n)),
				       queues);
	if (s->group_count) {
		*group = find_group(s, port, queue);
	} else {
		begin_group(s, port, queue);
		*group = 0;
	}
	return RVS_GOOD;
}

/* The answers for the batch's last frames: the next frame is likely to get the same answers. */
struct recent {
	uint64_t head; /* bytes 6 to 13, as far as admission looks at them */
	uint64_t mask;
	uint64_t dst;
	uint32_t vlan;
	uint32_t table; /* of vlan */
	uint32_t port;
	uint32_t group; /* RVS_NO_GROUP: the destination was not found */
};

/* Floods a frame whose receiver is unknown, if admission allows it. */
static uint32_t flood(struct rvs_sender *s, uint32_t n)
{
	const uint32_t reason = rvs_admit_flood(s, n);

	if (reason == RVS_GOOD)
		s->flood[s->flood_count++] = (uint8_t)n;
	return reason;
}

/* Looks up the group of frame n, or floods it. Returns RVS_GOOD or the reason. */
static inline uint32_t look_up(struct rvs_sender *s, uint32_t n, uint64_t dst,
			       struct recent *recent)
{
	struct rvs_place place;

	if (dst == recent->dst && recent->group != RVS_NO_GROUP)
		return s->many_queues ? group_for(s, n, recent->port, &recent->group) : RVS_GOOD;
	recent->dst = dst;
	recent->group = RVS_NO_GROUP;
	recent->port = dst & RVS_GROUP_BIT ? RVS_FLOOD :
					     rvs_lookup(s->rvs, recent->table, dst, s->now, &place);
	if (rvs_likely(recent->port != RVS_FLOOD))
		return group_for(s, n, recent->port, &recent->group);
	return flood(s, n);
}

/* Admits frame n, which is not like the last one. Returns RVS_GOOD or the reason. */
static inline uint32_t admit(struct rvs_sender *s, uint32_t n, struct recent *recent)
{
	const struct rvs_frame *frame = &s->frames[n];
	const uint32_t reason = rvs_admit(s, n);

	if (reason != RVS_GOOD)
		return reason;
	if (frame->vlan != recent->vlan) {
		recent->vlan = frame->vlan;
		recent->table = rvs_table_of(s->rvs, frame->vlan);
		recent->group = RVS_NO_GROUP;
	}
	if (!s->port->each && !(frame->flags & RVS_TAGGED))
		recent->head = frame->head_rest & recent->mask;
	return RVS_GOOD;
}

/* Admits and looks up frame n, which was taken. Returns RVS_GOOD or the reason. */
static inline uint32_t decide(struct rvs_sender *s, uint32_t n, struct recent *recent)
{
	struct rvs_frame *frame = &s->frames[n];
	const uint64_t dst = rvs_read_dst(frame->data), rest = rvs_read_rest(frame->data);
	uint32_t reason;

	frame->head_dst = dst;
	frame->head_rest = rest;
	frame->vlan = (uint16_t)recent->vlan;
	/* a head with a group's address as its source was never admitted, so it is never recent */
	if (rvs_unlikely((rest & recent->mask) != recent->head || rest & RVS_GROUP_BIT)) {
		reason = admit(s, n, recent);
		if (reason != RVS_GOOD)
			return reason;
	}
	reason = look_up(s, n, dst, recent);
	frame->group = (uint16_t)recent->group;
	return reason;
}

static inline void note(const struct rvs_sender *s, struct rvs_amount *to, uint32_t frames,
			uint32_t descs, uint64_t bytes)
{
	to->bytes = bytes;
	to->frames = (uint16_t)frames;
	to->descs = (uint16_t)descs;
	if (rvs_unlikely(s->port->limits)) {
		to->charged = (uint16_t)s->used[RVS_LIMIT_FRAMES];
		to->charged_bytes = (uint32_t)s->used[RVS_LIMIT_BYTES];
	}
}

/*
 * Takes a batch, see take.h. For small frames this loop has to be fast. So values that it needs
 * again are in variables, where a store through a pointer cannot change them.
 */
void rvs_take(struct rvs_sender *s, uint32_t next, uint32_t posted, uint32_t limit)
{
	const struct rvif_desc *const ring = s->txq->ring;
	const struct rvs_bounds bounds = rvs_bounds_of(s->port);
	uint8_t *const region = s->port->region;
	const uint32_t mask = s->port->tx_mask, limits = s->port->limits;
	struct recent recent = {
		.head = s->port->own_source, .mask = s->port->head_mask, .group = RVS_NO_GROUP};
	uint32_t used = 0, n = 0, taken = 0, stop;
	uint64_t sum = 0;

	s->group_count = s->flood_count = s->part_count = 0;
	limit = rvs_min(limit, s->port->flags & RVS_CHECK_IP ? RVS_SNAPSHOTS : RVS_BATCH);
	if (rvs_unlikely(limits))
		rvs_meter_open(s);
	stop = posted < RVS_PARTS - RVIF_MAX_CHAIN + 1 ? posted : RVS_PARTS - RVIF_MAX_CHAIN + 1;
	for (; taken < limit && used < stop; taken++) {
		const uint64_t word = rvs_desc_word(ring, next + used, mask);
		struct rvs_frame *frame = &s->frames[n];
		uint32_t reason = RVS_GOOD;

		note(s, &s->before[n], taken, used, sum);
		if (rvs_likely(rvs_is_plain(&bounds, word))) {
			used++;
			frame->data = region + offset_of(word);
			frame->total = (uint16_t)length_of(word);
			frame->flags = 0;
		} else {
			used += take_other(s, n, ring, word, next + used, posted - used, &reason);
		}
		if (rvs_likely(reason == RVS_GOOD)) {
			sum += frame->total;
			reason = decide(s, n, &recent);
		}
		if (rvs_likely(reason == RVS_GOOD))
			n++;
		else
			bad(s, n, reason);
	}
	s->frame_count = n;
	note(s, &s->batch, taken, used, sum);
}

void rvs_take_less(struct rvs_sender *s, uint32_t n)
{
	s->batch = s->before[n];
	s->frame_count = n;
	s->bad_count = s->batch.frames - n;
	s->used[RVS_LIMIT_FRAMES] = s->batch.charged;
	s->used[RVS_LIMIT_BYTES] = s->batch.charged_bytes;
}

/*
 * Records all frames of a batch, good and bad, in the order in which they came. Held frames have
 * left the batch. So a frame is recorded once, even if it was read several times.
 */
static __attribute__((noinline)) void record_all(struct rvs_sender *s)
{
	uint32_t good = 0, bad = 0;

	while (good + bad < s->batch.frames) {
		const uint32_t place = place_of_bad(bad);

		if (good < s->frame_count && s->before[good].frames == good + bad) {
			rvs_record_taken(s, good++, RVS_GOOD);
			continue;
		}
		if (s->frames[place].total)
			rvs_record_taken(s, place, s->bad[bad]);
		bad++;
	}
}

/* Makes the batch count as taken. It pays before that, and counts dropped frames afterwards. */
void rvs_take_commit(struct rvs_sender *s)
{
	if (rvs_unlikely(s->port->limits))
		rvs_meter_close(s);
	rvs_commit_taken(s->txq, s->batch.frames, s->batch.bytes, s->batch.descs);
	for (uint32_t i = 0; i < s->bad_count; i++)
		rvs_drop(s, s->bad[i], 1);
	s->bad_count = 0;
	if (rvs_unlikely(rvif_load(&s->port->captured)))
		record_all(s);
}
