/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clean traffic: a port sends IPv4, IPv6, ARP and neighbour discovery from its own addresses only,
 * and no other protocol. The first bytes of a frame are copied into the sender's workspace. The
 * filter checks this copy, and the copy is delivered. So the guest cannot change the bytes in
 * between. A frame is dropped if its addresses are not within these bytes, or are not clear.
 */
#include "internal.h"
#include "words.h"

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_IPV6 = 0x86dd,
	UDP = 17,
	ICMPV6 = 58,
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	DESTINATION = 60,
	LISTENER_REPORT = 131, /* and 132; 143: MLDv2's */
	LISTENER_REPORT_2 = 143,
	ROUTER_SOLICITATION = 133,
	ROUTER_ADVERTISEMENT = 134,
	NEIGHBOUR_SOLICITATION = 135,
	NEIGHBOUR_ADVERTISEMENT = 136,
	REDIRECT = 137,
	MOST_HEADERS = 8,
};

/* The copied bytes of a frame, which the filter checks. */
struct view {
	const uint8_t *data;
	uint32_t length;
	uint32_t at; /* of the network layer's header */
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* ------------------------------------------------------------------------------ the snapshot */

/* Moves the frame's own list of parts, and puts one more part in front. */
static void insert_part(struct rvs_sender *s, struct rvs_extra *extra, uint8_t *data,
			uint32_t length)
{
	for (uint32_t i = s->part_count; i > extra->first_part; i--)
		s->parts[i] = s->parts[i - 1];
	s->parts[extra->first_part] = (struct rvs_part){data, length};
	s->part_count++;
	extra->parts++;
}

/* Removes bytes from the front of a frame's parts, because the snapshot has them. */
static void skip_part(struct rvs_sender *s, struct rvs_extra *extra, uint32_t length)
{
	struct rvs_part *part = &s->parts[extra->first_part];

	part->data += length;
	part->length -= length;
	if (part->length)
		return;
	extra->first_part++;
	extra->parts--;
}

/* Copies the frame's first bytes, from all their parts. The copy becomes the first part. */
static struct view take_snapshot(struct rvs_sender *s, uint32_t n)
{
	struct rvs_frame *frame = &s->frames[n];
	struct rvs_extra *extra = &s->extras[n];
	uint8_t *const to = s->snapshots[n + s->bad_count];
	const uint32_t length = rvs_min(frame->total, RVS_SNAPSHOT);
	uint32_t have;

	if (!(frame->flags & RVS_SPECIAL)) {
		frame->flags |= RVS_SPECIAL;
		*extra = (struct rvs_extra){.length = frame->total,
					    .first_part = (uint16_t)s->part_count};
	}
	have = rvs_min(extra->length, length);
	elisa_copy(to, frame->data, have);
	if (extra->length > have)
		insert_part(s, extra, frame->data + have, extra->length - have);
	while (have < length) {
		const struct rvs_part *part = &s->parts[extra->first_part];
		const uint32_t more = rvs_min(part->length, length - have);

		elisa_copy(to + have, part->data, more);
		skip_part(s, extra, more);
		have += more;
	}
	frame->data = to;
	extra->length = (uint16_t)length;
	elisa_copy_put(to, frame->head_dst | frame->head_rest << 48);
	elisa_copy_put(to + 6, frame->head_rest);
	return (struct view){.data = to, .length = length, .at = RVIF_MIN_FRAME};
}

/* --------------------------------------------------------------------------------- addresses */

static int has_ipv4(const struct rvs_rules *rules, const uint8_t *address)
{
	uint32_t word = rvs_get_half(address);

	for (uint32_t i = 0; i < rules->ipv4_count; i++)
		if (rules->ipv4[i] == word)
			return 1;
	return 0;
}

static int is_no_ipv4(const uint8_t *address)
{
	return !rvs_get_half(address);
}

/* Tells whether this is the link-local address of the port's MAC address (RFC 4291, A). */
static int is_link_local(const struct rvs_port *port, const uint8_t *address)
{
	uint8_t mac[6];

	rvs_mac_bytes(mac, port->mac);
	mac[0] ^= 2;
	for (uint32_t i = 0; i < 3; i++)
		if (address[8 + i] != mac[i] || address[13 + i] != mac[3 + i])
			return 0;
	return port->mac && elisa_copy_get(address) == 0x80feull && address[11] == 0xff &&
	       address[12] == 0xfe;
}

static int has_ipv6(const struct rvs_port *port, const uint8_t *address)
{
	const struct rvs_rules *rules = rvs_rules_of(port);

	for (uint32_t i = 0; i < rules->ipv6_count; i++)
		if (rules->ipv6[i][0] == elisa_copy_get(address) &&
		    rules->ipv6[i][1] == elisa_copy_get(address + 8))
			return 1;
	return is_link_local(port, address);
}

static int is_no_ipv6(const uint8_t *address)
{
	return !(elisa_copy_get(address) | elisa_copy_get(address + 8));
}

/* --------------------------------------------------------------------------------- protocols */

/* Checks ARP (RFC 826): an own address or none (a probe, RFC 5227), and the sending station. */
static int arp_ok(const struct rvs_port *port, const struct view *view, const uint8_t *source)
{
	const uint8_t *arp = view->data + view->at;

	if (view->length < view->at + 28 || get16(arp) != 1 || get16(arp + 2) != TYPE_IPV4 ||
	    arp[4] != 6 || arp[5] != 4)
		return 0;
	for (uint32_t i = 0; i < 6; i++)
		if (arp[8 + i] != source[i])
			return 0;
	return is_no_ipv4(arp + 14) || has_ipv4(rvs_rules_of(port), arp + 14);
}

/* Checks IPv4. A port without an address yet may send a DHCP client's question (RFC 2131): UDP from
 * port 68 to 67, in one piece. */
static int ipv4_ok(const struct rvs_port *port, const struct view *view)
{
	const uint8_t *ip = view->data + view->at;
	uint32_t header;

	if (view->length < view->at + 20 || ip[0] >> 4 != 4)
		return 0;
	if (has_ipv4(rvs_rules_of(port), ip + 12))
		return 1;
	header = (ip[0] & 0xfu) * 4;
	return is_no_ipv4(ip + 12) && ip[9] == UDP && header >= 20 &&
	       view->length >= view->at + header + 4 && !(get16(ip + 6) & 0x3fff) &&
	       get16(ip + header) == 68 && get16(ip + header + 2) == 67;
}

/* Checks options (RFC 4861, 4.6): their link-layer addresses must be the sending station's. */
static int options_ok(const struct view *view, uint32_t at, uint32_t end, const uint8_t *source)
{
	while (at < end) {
		const uint8_t *option = view->data + at;

		if (at + 8 > view->length || !option[1] || at + option[1] * 8u > end)
			return 0;
		if (option[0] == 1 || option[0] == 2)
			for (uint32_t i = 0; i < 6; i++)
				if (option[2 + i] != source[i])
					return 0;
		at += option[1] * 8u;
	}
	return 1;
}

/* Checks ICMPv6. A guest is no router, and may announce its own addresses only. */
static int icmpv6_ok(const struct rvs_port *port, const struct view *view, uint32_t at,
		     const uint8_t *source, int no_address)
{
	const uint8_t *ip = view->data + view->at, *icmp = view->data + at;
	const uint32_t end = view->at + 40 + get16(ip + 4);

	if (view->length < at + 8 || end < at + 8)
		return 0;
	switch (icmp[0]) {
	case ROUTER_ADVERTISEMENT:
	case REDIRECT:
		return 0;
	case ROUTER_SOLICITATION:
		return options_ok(view, at + 8, end, source);
	case NEIGHBOUR_ADVERTISEMENT:
		if (view->length < at + 24 || no_address || !has_ipv6(port, icmp + 8))
			return 0;
		return options_ok(view, at + 24, end, source);
	case NEIGHBOUR_SOLICITATION:
		return view->length >= at + 24 && options_ok(view, at + 24, end, source);
	case LISTENER_REPORT:
	case LISTENER_REPORT + 1:
	case LISTENER_REPORT_2:
		return 1;
	}
	return !no_address;
}

/*
 * Finds the upper layer's header and its protocol (*next). Extension headers may not hide it (RFC
 * 7113), so all of them have to be within view. Returns 0 if they are not. A later piece of a
 * packet has no such header, and *next is -1.
 */
static uint32_t upper_layer(const struct view *view, int *next)
{
	uint32_t at = view->at + 40;

	*next = view->data[view->at + 6];
	for (int headers = 0; headers < MOST_HEADERS; headers++) {
		const uint8_t *header = view->data + at;

		if (*next != HOP_BY_HOP && *next != ROUTING && *next != DESTINATION &&
		    *next != FRAGMENT)
			return at;
		if (view->length < at + 8)
			return 0;
		if (*next == FRAGMENT && get16(header + 2) & 0xfff8) {
			*next = -1;
			return at;
		}
		at += *next == FRAGMENT ? 8 : header[1] * 8u + 8;
		*next = header[0];
	}
	return 0;
}

static int ipv6_ok(const struct rvs_port *port, const struct view *view, const uint8_t *source)
{
	const uint8_t *ip = view->data + view->at;
	int next, no_address;
	uint32_t at;

	if (view->length < view->at + 40 || ip[0] >> 4 != 6)
		return 0;
	no_address = is_no_ipv6(ip + 8);
	if (!no_address && !has_ipv6(port, ip + 8))
		return 0;
	at = upper_layer(view, &next);
	if (!at)
		return 0;
	if (next == ICMPV6)
		return icmpv6_ok(port, view, at, source, no_address);
	return !no_address;
}

/* -------------------------------------------------------------------------------------- calls */

uint32_t rvs_filter(struct rvs_sender *s, uint32_t n)
{
	struct view view = take_snapshot(s, n);
	const uint8_t *source = view.data + 6;
	uint32_t type = get16(view.data + 12);
	int good = 0;

	/* only a port with VLANs reads the tag; else it would hide the protocol behind it */
	if (type == 0x8100 && s->port->has_vlans && view.length >= 18) {
		type = get16(view.data + 16);
		view.at = 18;
	}
	switch (type) {
	case TYPE_ARP:
		good = arp_ok(s->port, &view, source);
		break;
	case TYPE_IPV4:
		good = ipv4_ok(s->port, &view);
		break;
	case TYPE_IPV6:
		good = ipv6_ok(s->port, &view, source);
		break;
	}
	return good ? RVS_GOOD : RVS_DROP_BAD_IP;
}

void rvs_filter_set(struct rvs_port *port, const struct rvs_policy *policy)
{
	struct rvs_rules *rules = rvs_rules_of(port);

	port->each |= !!(policy->flags & RVS_CHECK_IP);
	rules->ipv4_count = rvs_min(policy->ipv4_count, RVS_MAX_IPS);
	rules->ipv6_count = rvs_min(policy->ipv6_count, RVS_MAX_IPS);
	for (uint32_t i = 0; i < rules->ipv4_count; i++)
		rules->ipv4[i] = rvs_get_half(policy->ipv4[i]);
	for (uint32_t i = 0; i < rules->ipv6_count; i++) {
		rules->ipv6[i][0] = elisa_copy_get(policy->ipv6[i]);
		rules->ipv6[i][1] = elisa_copy_get(policy->ipv6[i] + 8);
	}
}
