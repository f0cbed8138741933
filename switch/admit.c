/* SPDX-License-Identifier: Apache-2.0 */
/* Admission of frames that are not the common case; see admit.h. */
#include "admit.h"
#include "words.h"

/* Tells whether this is the type of a tag, also of other kinds (88-A8, 91-00). */
static int is_tag(uint32_t type)
{
	return type == RVS_TYPE_TAG || type == 0xa888 || type == 0x0091;
}

static uint32_t type_of(const struct rvs_frame *frame)
{
	return (uint32_t)(frame->head_rest >> 48);
}

/*
 * Reads a frame's tag, once. The tag's priority is kept, even if the tag names no VLAN (VLAN 0: a
 * priority tag).
 */
static uint32_t read_tag(struct rvs_sender *s, uint32_t n, uint32_t *vlan)
{
	struct rvs_frame *frame = &s->frames[n];
	struct rvs_extra *extra = &s->extras[n];
	uint32_t word, tag;

	if (!(frame->flags & RVS_SPECIAL)) {
		extra->length = frame->total;
		extra->parts = extra->first_part = 0;
		extra->offload = 0;
	}
	if (extra->length < RVIF_MIN_FRAME + RVS_TAG_SIZE)
		return RVS_DROP_BAD_LENGTH;
	if ((frame->flags & RVIF_CSUM_NEEDED) &&
	    (extra->offload & 0xffff) < RVIF_MIN_FRAME + RVS_TAG_SIZE)
		return RVS_DROP_BAD_OFFLOAD;
	word = rvs_get_half_once(frame->data + RVIF_MIN_FRAME);
	tag = __builtin_bswap16((uint16_t)word);
	extra->priority = tag & 0xf000;
	extra->type = (uint16_t)(word >> 16);
	frame->flags |= RVS_SPECIAL | RVS_TAGGED;
	*vlan = tag & 0xfff;
	return RVS_GOOD;
}

/* Finds the VLAN of a frame, if its port takes frames of that VLAN (IEEE 802.1Q, 6.9). */
static uint32_t find_vlan(struct rvs_sender *s, uint32_t n)
{
	const struct rvs_port *port = s->port;
	const uint32_t type = type_of(&s->frames[n]);
	uint32_t vlan = 0, reason;

	if (type == RVS_TYPE_TAG) {
		reason = read_tag(s, n, &vlan);
		if (reason != RVS_GOOD)
			return reason;
		if (vlan && !rvs_in_trunk(port, vlan))
			return RVS_DROP_VLAN;
	} else if (is_tag(type)) {
		return RVS_DROP_VLAN;
	}
	if (!vlan)
		vlan = port->vlan;
	s->frames[n].vlan = (uint16_t)vlan;
	return vlan == RVS_NO_VLAN ? RVS_DROP_VLAN : RVS_GOOD;
}

/* Charges the frame to the port's limits of frames and bytes. Returns RVS_GOOD or RVS_DROP_RATE. */
static uint32_t charge(struct rvs_sender *s, uint32_t n)
{
	if (!rvs_is_within(s, RVS_LIMIT_FRAMES) || !rvs_is_within(s, RVS_LIMIT_BYTES))
		return RVS_DROP_RATE;
	s->used[RVS_LIMIT_FRAMES]++;
	s->used[RVS_LIMIT_BYTES] += s->frames[n].total;
	return RVS_GOOD;
}

/* Admits frame n, see admit.h. Limits come last, so a frame with another fault does not count. */
uint32_t rvs_admit(struct rvs_sender *s, uint32_t n)
{
	struct rvs_frame *frame = &s->frames[n];
	const uint64_t source = frame->head_rest & RVS_MAC_MASK;
	uint32_t reason;

	if ((source & RVS_GROUP_BIT) || !source)
		return RVS_DROP_BAD_SOURCE;
	frame->vlan = 0;
	reason = s->port->flags & RVS_CHECK_IP ? rvs_filter(s, n) : RVS_GOOD;
	if (reason == RVS_GOOD && s->port->has_vlans)
		reason = find_vlan(s, n);
	if (reason != RVS_GOOD)
		return reason;
	if (source != s->port->mac &&
	    !rvs_source(s->rvs, s->port_number, rvs_table_of(s->rvs, frame->vlan), source, s->now))
		return RVS_DROP_SPOOFED;
	return s->port->limits ? charge(s, n) : RVS_GOOD;
}

/*
 * Drops frames that a bridge does not forward (IEEE 802.1Q, 8.6.3). Pause frames (MAC control) and
 * slow protocols are for the other end of a cable (802.3, 31B and 57B).
 */
static uint32_t check_link_local(const struct rvs_sender *s, uint32_t n)
{
	const struct rvs_frame *frame = &s->frames[n];
	const uint32_t type = frame->flags & RVS_TAGGED ? s->extras[n].type : type_of(frame);
	const uint32_t last = frame->head_dst >> 40 & 0xf;

	if (type == RVS_TYPE_MAC_CONTROL || type == RVS_TYPE_SLOW)
		return RVS_DROP_LINK_LOCAL;
	if ((frame->head_dst & RVS_LINK_LOCAL_MASK) != RVS_LINK_LOCAL)
		return RVS_GOOD;
	return s->port->flags & RVS_FORWARD_LINK_LOCAL && last != 1 && last != 2 ?
		       RVS_GOOD :
		       RVS_DROP_LINK_LOCAL;
}

uint32_t rvs_admit_flood(struct rvs_sender *s, uint32_t n)
{
	const uint32_t reason = check_link_local(s, n);

	if (reason != RVS_GOOD || !s->port->limits)
		return reason;
	if (!rvs_is_within(s, RVS_LIMIT_FLOODS))
		return RVS_DROP_STORM;
	s->used[RVS_LIMIT_FLOODS]++;
	return RVS_GOOD;
}

/*
 * Decides whether frame n may leave at this port, see admit.h. A frame with a second tag behind its
 * own may not lose its tag. The receiver would take the second tag for the frame's, so a sender
 * could choose any VLAN of a bridge behind the port.
 */
uint32_t rvs_admit_exit(const struct rvs_sender *s, uint32_t n, const struct rvs_port *to,
			uint32_t *tag)
{
	const struct rvs_frame *frame = &s->frames[n];

	if (s->port->flags & to->flags & RVS_ISOLATED)
		return RVS_DROP_ISOLATED;
	*tag = frame->vlan != to->vlan;
	if (*tag)
		return rvs_in_trunk(to, frame->vlan) ? RVS_GOOD : RVS_DROP_VLAN;
	return frame->flags & RVS_TAGGED && is_tag(s->extras[n].type) ? RVS_DROP_VLAN : RVS_GOOD;
}
