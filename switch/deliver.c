/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second pass: copies the frames of a batch to the receivers, one receive queue after the
 * other. It touches a receiver's memory only while it holds that queue's lock.
 */
#include "admit.h"
#include "receiver.h"
#include "segment.h"
#include "take.h"

static const uint8_t in_order[RVS_BATCH] = {
	0,  1,	2,  3,	4,  5,	6,  7,	8,  9,	10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
	22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
	44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};

static inline uint32_t desc_offset(const struct rvs_receiver *r, uint32_t index)
{
	return rvif_load(&r->ring[index & r->port->rx_mask].offset);
}

/* Fills a descriptor. The buffer's offset stays as it was read. */
static inline void fill_desc(const struct rvs_receiver *r, uint32_t index, uint32_t offset,
			     uint32_t length, uint32_t flags)
{
	rvif_desc_set(&r->ring[index & r->port->rx_mask], offset, (uint16_t)length,
		      (uint16_t)flags);
}

static inline void put_offload(struct rvif_desc *desc, uint64_t offload)
{
	rvs_store64((uint64_t *)(void *)desc + 1, offload);
}

/* Gives n buffers back to the driver, empty, because one of them is unusable. */
static void return_buffers(struct rvs_receiver *r, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		fill_desc(r, r->next + i, desc_offset(r, r->next + i), 0, 0);
	r->next += n;
	r->room -= n;
}

/* How a frame's head changes on its way: its length before and after, and the data of its tag. */
struct head {
	uint32_t before;
	uint32_t after;
	uint32_t tag;
};

/*
 * Chooses the frame's head for this receiver, with its VLAN's tag or without. Returns RVS_GOOD, or
 * the reason why the frame may not leave there.
 */
static uint32_t choose_head(const struct rvs_sender *s, uint32_t number, const struct rvs_port *to,
			    struct head *head)
{
	const struct rvs_frame *frame = &s->frames[number];
	const uint32_t had = frame->flags & RVS_TAGGED;
	const uint32_t reason = rvs_admit_exit(s, number, to, &head->tag);

	head->before = RVIF_MIN_FRAME + (had ? RVS_TAG_SIZE : 0);
	head->after = RVIF_MIN_FRAME + (head->tag ? RVS_TAG_SIZE : 0);
	head->tag = frame->vlan | (had ? s->extras[number].priority : 0);
	return reason;
}

static void put_head(const struct rvs_sender *s, uint32_t number, const struct head *head,
		     uint8_t *to)
{
	const struct rvs_frame *frame = &s->frames[number];
	const uint64_t source = frame->head_rest & RVS_MAC_MASK;
	const uint64_t type = frame->flags & RVS_TAGGED ? s->extras[number].type :
							  frame->head_rest >> 48;

	if (head->after == RVIF_MIN_FRAME) {
		rvs_put_head(to, frame->head_dst, source | type << 48);
		return;
	}
	rvs_put_head(to, frame->head_dst, source | (uint64_t)RVS_TYPE_TAG << 48);
	rvs_put_half(to + RVIF_MIN_FRAME,
		     __builtin_bswap16((uint16_t)head->tag) | (uint32_t)type << 16);
}

/* Moves the offsets of an offload, for a head that is longer or shorter now. */
static uint64_t move_offload(uint64_t offload, uint32_t flags, const struct head *head)
{
	const uint32_t by = head->after - head->before;
	uint64_t start = (offload + by) & 0xffff, header = (offload >> 48) + by;

	if (!by || !(flags & RVIF_CSUM_NEEDED))
		return offload;
	if (!(flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6)))
		header = offload >> 48;
	return (offload & 0x0000ffffffff0000ull) | start | header << 48;
}

/* The place in a frame's parts that is read next. */
struct reader {
	const uint8_t *from;
	uint32_t have; /* bytes left in this part */
	const struct rvs_part *part;
};

static struct reader read_from(const struct rvs_sender *s, uint32_t number, uint32_t skip)
{
	const struct rvs_frame *frame = &s->frames[number];
	const uint32_t first = frame->flags & RVS_SPECIAL ? s->extras[number].first_part : 0;

	return (struct reader){
		.from = frame->data + skip,
		.have = rvs_first_length(s, number) - skip,
		.part = &s->parts[first],
	};
}

/*
 * Copies the next bytes to buffers, which have room for them. The first buffer holds some bytes
 * already. Each buffer's length becomes the bytes that it holds.
 */
static void copy_parts(struct reader *reader, uint32_t left, struct rvs_part *buffer,
		       uint32_t filled)
{
	while (left) {
		uint32_t n;

		if (!reader->have) {
			reader->from = reader->part->data;
			reader->have = reader->part->length;
			reader->part++;
		}
		if (filled == buffer->length) {
			buffer++;
			filled = 0;
		}
		n = rvs_min(rvs_min(left, reader->have), buffer->length - filled);
		elisa_copy(buffer->data + filled, reader->from, n);
		reader->from += n;
		reader->have -= n;
		filled += n;
		left -= n;
	}
	buffer->length = filled;
}

static int takes_whole(const struct rvs_port *port, uint32_t flags)
{
	return !((flags & RVIF_GSO_TCP4 && !(port->features & RVIF_F_TSO4)) ||
		 (flags & RVIF_GSO_TCP6 && !(port->features & RVIF_F_TSO6)));
}

/*
 * Tells whether a frame of this length with these offloads suits the receiver, apart from room.
 * Returns RVS_GOOD or the reason.
 */
static uint32_t check_size(const struct rvs_receiver *r, uint32_t total, uint32_t flags)
{
	const struct rvs_port *port = r->port;
	const uint32_t gso = flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);

	if (total > (gso ? RVIF_MAX_FRAME : port->max_frame) ||
	    total > RVIF_MAX_CHAIN * port->buffer_size)
		return RVS_DROP_TOO_LONG;
	return RVS_GOOD;
}

static int has_room(const struct rvs_receiver *r, uint32_t total)
{
	return total <= (uint64_t)r->room * r->port->buffer_size;
}

/*
 * Reads the next buffers into s->buffers, as many as `total` bytes need. Returns how many, or 0 if
 * one of them is unusable.
 */
static uint32_t open_buffers(struct rvs_sender *s, struct rvs_receiver *r, uint32_t total,
			     uint32_t *offsets)
{
	const struct rvs_port *port = r->port;
	uint32_t n = 0;

	for (uint32_t covered = 0; covered < total; covered += port->buffer_size) {
		offsets[n] = desc_offset(r, r->next + n);
		if (!rvs_in_data(port, offsets[n], port->buffer_size)) {
			return_buffers(r, n + 1);
			return 0;
		}
		s->buffers[n].data = port->region + offsets[n];
		s->buffers[n++].length = port->buffer_size;
	}
	return n;
}

/* Gives n filled buffers to the driver. */
static void close_buffers(const struct rvs_sender *s, struct rvs_receiver *r,
			  const uint32_t *offsets, uint32_t n, uint32_t flags, uint64_t offload)
{
	for (uint32_t i = 0; i < n; i++)
		fill_desc(r, r->next + i, offsets[i], s->buffers[i].length,
			  (i ? 0 : flags) | (i + 1 < n ? (uint32_t)RVIF_MORE : 0));
	if (flags)
		put_offload(&r->ring[r->next & r->port->rx_mask], offload);
	r->next += n;
	r->room -= n;
}

/* Completes a frame in n buffers: fills in its checksum if the receiver wants that. */
static void finish(struct rvs_sender *s, struct rvs_receiver *r, const uint32_t *offsets,
		   uint32_t n, uint32_t flags, uint64_t offload)
{
	if (!(r->port->features & RVIF_F_CSUM)) {
		if (flags & RVIF_CSUM_NEEDED)
			rvs_checksum(s->buffers, n, offload & 0xffff, offload >> 16 & 0xffff);
		flags = 0;
	}
	close_buffers(s, r, offsets, n, flags, offload);
	r->frames++;
	if (rvs_unlikely(r->captured))
		rvs_record_given(s, r->number, 0, RVS_GOOD, n);
}

/* Gives a frame in one piece. Returns RVS_GOOD or the reason. */
static uint32_t give_whole(struct rvs_sender *s, struct rvs_receiver *r, uint32_t number,
			   const struct head *head)
{
	const struct rvs_frame *frame = &s->frames[number];
	const uint32_t total = frame->total + head->after - head->before;
	const uint32_t flags = frame->flags & RVIF_DESC_FLAGS;
	uint32_t offsets[RVIF_MAX_CHAIN], n, reason = check_size(r, total, flags);
	struct reader reader = read_from(s, number, head->before);

	if (reason != RVS_GOOD)
		return reason;
	if (!has_room(r, total))
		return RVS_DROP_FULL;
	n = open_buffers(s, r, total, offsets);
	if (!n)
		return RVS_DROP_BAD_BUFFER;
	copy_parts(&reader, frame->total - head->before, s->buffers, head->after);
	put_head(s, number, head, s->buffers[0].data);
	finish(s, r, offsets, n, flags,
	       flags ? move_offload(s->extras[number].offload, flags, head) : 0);
	r->bytes += total;
	return RVS_GOOD;
}

/* Gives the next segment of a frame that is cut. */
static uint32_t give_segment(struct rvs_sender *s, struct rvs_receiver *r, struct rvs_segments *cut,
			     struct reader *reader)
{
	const uint32_t payload = rvs_segments_next(cut), total = cut->length + payload;
	uint32_t offsets[RVIF_MAX_CHAIN], n, reason = check_size(r, total, 0);

	if (reason != RVS_GOOD)
		return reason;
	if (!has_room(r, total))
		return RVS_DROP_FULL;
	n = open_buffers(s, r, total, offsets);
	if (!n)
		return RVS_DROP_BAD_BUFFER;
	elisa_copy(s->buffers[0].data, cut->head, cut->length); /* any buffer has room for it */
	copy_parts(reader, payload, s->buffers, cut->length);
	finish(s, r, offsets, n, RVIF_CSUM_NEEDED, cut->tcp | (uint64_t)RVS_TCP_CHECKSUM << 16);
	r->bytes += total;
	return RVS_GOOD;
}

/* Counts n frames or segments of a frame as dropped. They have one record: the frame as sent. */
static void not_given(struct rvs_sender *s, struct rvs_receiver *r, uint32_t number,
		      uint32_t reason, uint32_t n)
{
	if (rvs_unlikely(r->captured))
		rvs_record_given(s, r->number, number, reason, 0);
	r->missed += reason == RVS_DROP_FULL ? n : 0;
	rvs_drop(s, reason, n);
}

/*
 * Copies a frame's headers as this receiver gets them, and reads them. Returns RVS_GOOD, or the
 * reason why the frame cannot be cut.
 */
static uint32_t open_segments(const struct rvs_sender *s, uint32_t number, const struct head *head,
			      struct rvs_segments *cut, struct reader *reader)
{
	const struct rvs_frame *frame = &s->frames[number];
	const uint64_t offload = s->extras[number].offload;
	const uint32_t length = (uint32_t)(offload >> 48);
	struct rvs_part copy = {.data = cut->head, .length = RVS_MAX_HEAD};

	cut->length = length + head->after - head->before;
	if (cut->length > RVS_MAX_HEAD || length < head->before)
		return RVS_DROP_NO_GSO;
	*reader = read_from(s, number, head->before);
	copy_parts(reader, length - head->before, &copy, head->after);
	put_head(s, number, head, cut->head);
	return rvs_segments_open(cut, frame->flags, move_offload(offload, frame->flags, head),
				 frame->total - length);
}

/*
 * Gives a frame to a receiver without segmentation. Each segment counts as a frame. All segments
 * but the first count as copies, before any is given. Segments without room are dropped from the
 * end, as a network would drop them.
 */
static __attribute__((noinline)) void give_segments(struct rvs_sender *s, struct rvs_receiver *r,
						    uint32_t number, const struct head *head)
{
	struct rvs_segments cut;
	struct reader reader;
	uint32_t reason = open_segments(s, number, head, &cut, &reader), n;

	if (reason != RVS_GOOD) {
		not_given(s, r, number, reason, 1);
		return;
	}
	rvs_count(&s->txq->copies, cut.count - 1);
	for (n = 0; n < cut.count && reason == RVS_GOOD; n++)
		reason = give_segment(s, r, &cut, &reader);
	if (reason != RVS_GOOD)
		not_given(s, r, number, reason, cut.count - n + 1);
}

/* Gives a frame with several parts, for several buffers, with offloads or a tag. */
static __attribute__((noinline)) void give_special(struct rvs_sender *s, struct rvs_receiver *r,
						   uint32_t number)
{
	struct head head;
	uint32_t reason = choose_head(s, number, r->port, &head);

	if (reason == RVS_GOOD && !takes_whole(r->port, s->frames[number].flags)) {
		give_segments(s, r, number, &head);
		return;
	}
	if (reason == RVS_GOOD)
		reason = give_whole(s, r, number, &head);
	if (reason != RVS_GOOD)
		not_given(s, r, number, reason, 1);
}

void rvs_add_wake(struct rvs_result *result, uint32_t port, uint32_t queue)
{
	for (uint32_t i = 0; i < result->wakes; i++)
		if (result->wake[i].port == port && result->wake[i].queue == queue)
			return;
	if (result->wakes == RVS_MAX_WAKES) {
		result->more_wakes = 1;
		return;
	}
	result->wake[result->wakes].port = (uint16_t)port;
	result->wake[result->wakes].queue = (uint16_t)queue;
	result->wakes++;
}

/*
 * Gives these frames to the queue, whose lock is held, and unlocks the queue. The fast case is one
 * part into one buffer. All values that it needs are in variables.
 */
static inline __attribute__((always_inline)) void give_all(struct rvs_sender *s,
							   struct rvs_receiver *r, uint32_t number,
							   uint32_t queue, const uint8_t *order,
							   uint32_t count)
{
	const struct rvs_port *const port = r->port;
	struct rvif_desc *const ring = r->ring;
	uint8_t *const region = port->region;
	const uint32_t mask = port->rx_mask, buffers = port->layout.buffers;
	const uint32_t last = port->last_buffer;
	const uint32_t captured = rvif_load(&port->captured);
	/* if the VLANs differ, or if the port is captured, no frame is plain */
	const uint32_t longest = s->port->sends_to == port->hears && !captured ? port->plain_frame :
										 0;
	uint32_t next = r->next, end = next + r->room, given = 0;
	uint64_t bytes = 0;

	r->bytes = r->frames = r->missed = 0; /* of special frames */
	r->captured = captured;
	r->number = number;
	for (uint32_t i = 0; i < count; i++) {
		const struct rvs_frame *frame = &s->frames[order[i]];
		uint32_t offset;

		if (rvs_likely(!frame->flags && frame->total <= longest && next != end)) {
			offset = rvif_load(&ring[next & mask].offset);
			if (rvs_likely(offset >= buffers && offset <= last)) {
				uint8_t *to = region + offset;
				uint32_t soon = rvif_load(&ring[(next + RVS_AHEAD) & mask].offset);

				if (soon <= last)
					__builtin_prefetch(region + soon, 1);
				elisa_copy(to, frame->data, frame->total);
				rvs_put_head(to, frame->head_dst, frame->head_rest);
				rvif_desc_set(&ring[next & mask], offset, (uint16_t)frame->total,
					      0);
				next++;
				given++;
				bytes += frame->total;
				continue;
			}
		}
		r->next = next;
		r->room = end - next;
		give_special(s, r, order[i]);
		next = r->next;
	}
	r->next = next;
	r->frames += given;
	r->bytes += bytes;
	if (rvs_unlikely(r->missed)) {
		rvs_count(&r->rxq->missed, r->missed);
		rvs_store64(&r->control->missed, r->rxq->missed);
	}
	rvs_receiver_finish(s, r, number, queue);
	rvs_unlock(&r->rxq->lock);
}

/* Locks a group's receiver, and finds how much room there is. Returns RVS_GOOD or the reason. */
static inline uint32_t open_group(struct rvs_sender *s, const struct rvs_group *group,
				  struct rvs_receiver *r)
{
	struct rvs *rvs = s->rvs;
	uint32_t outcome;

	r->port = rvs_port_at(rvs, group->port);
	r->rxq = rvs_rxq_at(rvs, group->port * rvs->config.queues + group->queue);
	outcome = rvs_receiver_lock(s, r->rxq);
	if (rvs_unlikely(outcome != RVS_GOOD))
		return outcome;
	rvs_receiver_open(r);
	if (rvs_unlikely(rvs_receiver_is_crowded(r)))
		rvs_share(s, r);
	return RVS_GOOD;
}

static inline void give_group(struct rvs_sender *s, const struct rvs_group *group,
			      const uint8_t *order, uint32_t count)
{
	struct rvs_receiver r;
	uint32_t outcome = open_group(s, group, &r);

	if (rvs_unlikely(outcome != RVS_GOOD))
		rvs_drop(s, outcome, count);
	else
		give_all(s, &r, group->port, group->queue, order, count);
}

static uint32_t buffers_of(const struct rvs_receiver *r, uint32_t total, uint32_t flags)
{
	if (check_size(r, total, flags) != RVS_GOOD)
		return 0;
	return (total + r->port->buffer_size - 1) / r->port->buffer_size;
}

/* Counts the buffers for all segments. All segments but the last are as long as the first. */
static uint32_t buffers_of_segments(const struct rvs_receiver *r, const struct rvs_segments *cut)
{
	const uint32_t before = (cut->count - 1) * cut->size;
	const uint32_t first = buffers_of(r, cut->length + rvs_min(cut->size, cut->left), 0);

	return first ? (cut->count - 1) * first +
			       buffers_of(r, cut->length + cut->left - before, 0) :
		       0;
}

/* Counts the buffers that frame n needs. Returns 0 if the frame has to be dropped in any case. */
static uint32_t buffers_for(const struct rvs_sender *s, uint32_t n, const struct rvs_receiver *r)
{
	const struct rvs_frame *frame = &s->frames[n];
	struct rvs_segments cut;
	struct reader reader;
	struct head head;

	if (choose_head(s, n, r->port, &head) != RVS_GOOD)
		return 0;
	if (takes_whole(r->port, frame->flags))
		return buffers_of(r, frame->total + head.after - head.before, frame->flags);
	if (open_segments(s, n, &head, &cut, &reader) != RVS_GOOD)
		return 0;
	return buffers_of_segments(r, &cut);
}

/*
 * Back-pressure: frames stay with the sender if the batch's only receiver has no room for them. A
 * frame that is too large even for an empty ring does not wait. It is dropped, or its last segments
 * are.
 */
static __attribute__((noinline)) void hold_rest(struct rvs_sender *s, const struct rvs_receiver *r)
{
	uint32_t room = r->room;

	for (uint32_t n = 0; n < s->frame_count; n++) {
		const uint32_t need = buffers_for(s, n, r);

		if (need > room && need <= r->port->rx_mask + 1) {
			rvs_take_less(s, n);
			return;
		}
		room -= rvs_min(need, room);
	}
}

static int is_any_cut(const struct rvs_sender *s, const struct rvs_port *port)
{
	if (!(s->port->features & ~port->features & (RVIF_F_TSO4 | RVIF_F_TSO6)))
		return 0;
	for (uint32_t n = 0; n < s->frame_count; n++)
		if (!takes_whole(port, s->frames[n].flags))
			return 1;
	return 0;
}

/* Guesses on the safe side: each frame wastes a part of a buffer, and may get a tag. */
static inline int has_room_for_all(const struct rvs_sender *s, const struct rvs_receiver *r)
{
	return r->room >= s->frame_count && !is_any_cut(s, r->port) &&
	       (uint64_t)(r->room - s->frame_count) * r->port->buffer_size >=
		       s->batch.bytes + s->frame_count * RVS_TAG_SIZE;
}

/* Gives all frames of a batch to their one receiver. */
static inline void give_batch(struct rvs_sender *s)
{
	const struct rvs_group *group = &s->groups[0];
	struct rvs_receiver r;
	const uint32_t outcome = open_group(s, group, &r);

	if (rvs_unlikely(outcome != RVS_GOOD)) {
		rvs_take_commit(s);
		rvs_drop(s, outcome, s->frame_count);
		return;
	}
	if (rvs_unlikely(s->hold && !has_room_for_all(s, &r)))
		hold_rest(s, &r);
	if (s->batch.descs)
		rvs_take_commit(s);
	if (s->frame_count)
		give_all(s, &r, group->port, group->queue, in_order, s->frame_count);
	else
		rvs_unlock(&r.rxq->lock);
}

/* -------------------------------------------------------------------------------- flooding */

/*
 * Lists the flooded frames for this queue in s->wanted, by flow and by the driver's mode. For all
 * receivers of a frame but the first, the frame counts as a copy, before any is given.
 */
static uint32_t choose_wanted(struct rvs_sender *s, const struct rvs_port *to, uint32_t queue,
			      uint32_t queues, uint32_t mode)
{
	uint32_t n = 0, copies = 0, tag;

	for (uint32_t i = 0; i < s->flood_count; i++) {
		const uint32_t f = s->flood[i];
		const struct rvs_frame *frame = &s->frames[f];

		if (rvs_pick_queue(s->hashes[f], queues) != queue ||
		    rvs_admit_exit(s, f, to, &tag) != RVS_GOOD)
			continue;
		if (frame->head_dst & RVS_GROUP_BIT) {
			if (!(mode & RVIF_RX_ALLMULTI) && frame->head_dst != RVS_MAC_MASK)
				continue;
		} else if (!(mode & RVIF_RX_PROMISCUOUS)) {
			continue;
		}
		copies += s->flooded >> f & 1;
		s->flooded |= 1ull << f;
		s->wanted[n++] = (uint8_t)f;
	}
	if (copies)
		rvs_count(&s->txq->copies, copies);
	return n;
}

/* Guesses whether any frame is for this port, so that ports of other VLANs are left alone. */
static int concerns(const struct rvs_sender *s, const struct rvs_port *to)
{
	uint32_t tag;

	if (s->port->sends_to == to->hears)
		return 1;
	for (uint32_t i = 0; i < s->flood_count; i++)
		if (rvs_admit_exit(s, s->flood[i], to, &tag) == RVS_GOOD)
			return 1;
	return 0;
}

static void flood_queue(struct rvs_sender *s, uint32_t number, uint32_t queue)
{
	struct rvs *rvs = s->rvs;
	const uint32_t everything = RVIF_RX_ALLMULTI | RVIF_RX_PROMISCUOUS;
	struct rvs_receiver r = {
		.port = rvs_port_at(rvs, number),
		.rxq = rvs_rxq_at(rvs, number * rvs->config.queues + queue),
	};
	uint32_t outcome = rvs_receiver_lock(s, r.rxq), queues, wanted;

	if (outcome == RVS_DROP_DETACHED)
		return;
	queues = rvif_load(&r.port->rx_queues);
	if (outcome != RVS_GOOD) {
		rvs_drop(s, outcome, choose_wanted(s, r.port, queue, queues, everything));
		return;
	}
	rvs_receiver_open(&r);
	if (rvs_unlikely(rvs_receiver_is_crowded(&r)))
		rvs_share(s, &r);
	wanted = choose_wanted(
		s, r.port, queue, queues,
		rvif_load(&((struct rvif_header *)(void *)r.port->region)->driver.rx_mode));
	give_all(s, &r, number, queue, s->wanted, wanted);
}

static void flood(struct rvs_sender *s)
{
	struct rvs *rvs = s->rvs;
	uint32_t unheard = 0;

	s->flooded = 0;
	for (uint32_t i = 0; i < s->flood_count; i++) {
		const uint32_t f = s->flood[i];

		s->hashes[f] = rvs_flow_hash(&s->frames[f], rvs_first_length(s, f));
	}
	for (uint32_t word = 0; word * 64 < rvs->config.ports; word++) {
		uint64_t live = rvs_load64(&rvs->live[word]);

		while (live) {
			uint32_t number = word * 64 + (uint32_t)__builtin_ctzll(live);
			uint32_t queues = rvif_load(&rvs_port_at(rvs, number)->rx_queues);

			live &= live - 1;
			if (number == s->port_number || !concerns(s, rvs_port_at(rvs, number)))
				continue;
			for (uint32_t queue = 0; queue < queues; queue++)
				flood_queue(s, number, queue);
		}
	}
	for (uint32_t i = 0; i < s->flood_count; i++)
		unheard += !(s->flooded >> s->flood[i] & 1);
	if (unheard)
		rvs_drop(s, RVS_DROP_NO_RECEIVER, unheard);
}

/* Gives the frames of several groups. It sorts them by group and keeps their order. */
static __attribute__((noinline)) void give_groups(struct rvs_sender *s)
{
	uint32_t start = 0;

	for (uint32_t g = 0; g < s->group_count; g++)
		s->groups[g].count = 0;
	for (uint32_t i = 0; i < s->frame_count; i++)
		if (s->frames[i].group != RVS_NO_GROUP)
			s->groups[s->frames[i].group].count++;
	for (uint32_t g = 0; g < s->group_count; g++) {
		s->groups[g].start = (uint16_t)start;
		start += s->groups[g].count;
	}
	for (uint32_t i = 0; i < s->frame_count; i++)
		if (s->frames[i].group != RVS_NO_GROUP)
			s->order[s->groups[s->frames[i].group].start++] = (uint8_t)i;
	for (uint32_t g = 0; g < s->group_count; g++) {
		const struct rvs_group *group = &s->groups[g];

		give_group(s, group, s->order + group->start - group->count, group->count);
	}
}

/* Delivers a batch. Flooded frames go first: if their receiver is learned meanwhile, they are the
 * earlier frames of its flow. */
void rvs_deliver(struct rvs_sender *s)
{
	if (rvs_likely(s->group_count == 1 && !s->flood_count)) {
		give_batch(s);
		return;
	}
	rvs_take_commit(s);
	if (s->flood_count)
		flood(s);
	give_groups(s);
}
