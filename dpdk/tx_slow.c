// SPDX-License-Identifier: Apache-2.0
/*
 * Transmitting frames that are not one plain segment: chains of mbufs and offloads. Some offloads
 * the switch did not grant, or rvif does not have. The driver computes such checksums itself, and
 * counts and drops frames that need any other such offload. It must never post a frame in part, or
 * without something that the frame asks for.
 */
#include "copy.h"
#include "net_rvif.h"

#include <errno.h>

#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define MAX_IPV4_HEADER 60

/* What a frame asks for: as fields of its first descriptor, and what the driver does itself. */
struct wish {
	struct rvif_desc desc;
	uint16_t length; /* to add to the checksum field, in the frame's byte order */
	bool ip_sum;
	bool software; /* the driver computes the sum, because the switch did not grant that */
};

/* Returns the bytes from the transport header on, as the IP header says. Unlike the frame's length,
 * that has no padding. */
static uint32_t l4_bytes(const struct rte_mbuf *m)
{
	const char *ip = rte_pktmbuf_mtod_offset(m, const char *, m->l2_len);
	uint16_t field;

	if (m->ol_flags & RTE_MBUF_F_TX_IPV6) {
		memcpy(&field, ip + offsetof(struct rte_ipv6_hdr, payload_len), sizeof(field));
		return rte_be_to_cpu_16(field) + sizeof(struct rte_ipv6_hdr) - m->l3_len;
	}
	memcpy(&field, ip + offsetof(struct rte_ipv4_hdr, total_length), sizeof(field));
	return rte_be_to_cpu_16(field) - m->l3_len;
}

/*
 * Describes a frame with TCP_SEG. A frame with data for one segment, or with none, is not to be
 * cut; an application need not tell these apart. DPDK leaves the length out of the pseudo header's
 * sum, and rvif does not.
 */
static int describe_segments(const struct rte_mbuf *m, struct wish *wish)
{
	struct rvif_desc *desc = &wish->desc;
	const uint32_t header = (uint32_t)desc->csum_start + m->l4_len;
	uint32_t bytes = m->pkt_len - desc->csum_start;

	if (!m->tso_segsz || m->l4_len < sizeof(struct rte_tcp_hdr) || header > m->data_len)
		return -EINVAL;
	if (m->pkt_len - header > m->tso_segsz) {
		desc->flags |= m->ol_flags & RTE_MBUF_F_TX_IPV6 ? RVIF_GSO_TCP6 : RVIF_GSO_TCP4;
		desc->gso_size = m->tso_segsz;
		desc->header_length = (uint16_t)header;
	} else {
		const uint32_t unpadded = l4_bytes(m);

		if (unpadded >= m->l4_len && unpadded < bytes)
			bytes = unpadded;
	}
	wish->length = rte_cpu_to_be_16((uint16_t)bytes);
	return 0;
}

static bool ip_header_ok(const struct rte_mbuf *m)
{
	const uint32_t least = m->ol_flags & RTE_MBUF_F_TX_IPV6 ? sizeof(struct rte_ipv6_hdr) :
								  sizeof(struct rte_ipv4_hdr);

	return m->l3_len >= least && (uint32_t)m->l2_len + m->l3_len <= m->data_len;
}

/* Describes what a frame asks for. TCP_SEG implies the checksums. Returns 0, -ENOTSUP: an offload
 * that the driver never offered, or -EINVAL: fields that contradict each other. */
static int describe(const struct rte_mbuf *m, struct wish *wish)
{
	const bool cut = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG;
	const uint64_t kind = cut ? RTE_MBUF_F_TX_TCP_CKSUM : m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	struct rvif_desc *desc = &wish->desc;

	memset(wish, 0, sizeof(*wish));
	if (!(m->ol_flags & NET_RVIF_TX_REQUESTS))
		return 0;
	if (m->ol_flags & (NET_RVIF_TX_REQUESTS & ~NET_RVIF_TX_OFFERED) ||
	    m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK)
		return -ENOTSUP;
	if (!ip_header_ok(m))
		return -EINVAL;
	wish->ip_sum = m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM ||
		       (cut && !(m->ol_flags & RTE_MBUF_F_TX_IPV6));
	if (wish->ip_sum && (m->ol_flags & RTE_MBUF_F_TX_IPV6 || m->l3_len > MAX_IPV4_HEADER))
		return -EINVAL;
	if (!kind)
		return 0;
	if (kind == RTE_MBUF_F_TX_TCP_CKSUM)
		desc->csum_offset = offsetof(struct rte_tcp_hdr, cksum);
	else if (kind == RTE_MBUF_F_TX_UDP_CKSUM)
		desc->csum_offset = offsetof(struct rte_udp_hdr, dgram_cksum);
	else
		return -ENOTSUP;
	desc->flags = RVIF_CSUM_NEEDED;
	desc->csum_start = (uint16_t)(m->l2_len + m->l3_len);
	if ((uint32_t)desc->csum_start + desc->csum_offset + sizeof(uint16_t) > m->data_len)
		return -EINVAL;
	return cut ? describe_segments(m, wish) : 0;
}

static int check(const struct net_rvif_txq *queue, const struct rte_mbuf *m, struct wish *wish)
{
	const int error = describe(m, wish);
	const bool cut = wish->desc.flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);

	if (error)
		return error;
	return m->pkt_len < RVIF_MIN_FRAME ||
			       m->pkt_len > (cut ? (uint32_t)RVIF_MAX_FRAME : queue->max_frame) ?
		       -EINVAL :
		       0;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* Returns the checksum of the frame from csum_start on. The field holds the pseudo header's sum, as
 * in DPDK. */
static uint16_t checksum(const struct rte_mbuf *m, const struct wish *wish)
{
	uint16_t sum = 0;

	rte_raw_cksum_mbuf(m, wish->desc.csum_start, m->pkt_len - wish->desc.csum_start, &sum);
	sum = (uint16_t)~fold((uint32_t)sum + wish->length);
	return sum ? sum : 0xffff;
}

/* Returns what the checksum field must hold for the other side: the sum of the whole pseudo
 * header. */
static uint16_t pseudo_sum(const struct rte_mbuf *m, const struct wish *wish)
{
	uint16_t field;

	memcpy(&field,
	       rte_pktmbuf_mtod_offset(m, void *, wish->desc.csum_start + wish->desc.csum_offset),
	       sizeof(field));
	return fold((uint32_t)field + wish->length);
}

/* Returns the IPv4 header's checksum, since rvif has no such offload. For a frame that is to be
 * cut, it is the checksum of the uncut frame. */
static uint16_t ip_checksum(const struct rte_mbuf *m)
{
	uint16_t header[MAX_IPV4_HEADER / 2];

	memcpy(header, rte_pktmbuf_mtod_offset(m, void *, m->l2_len), m->l3_len);
	header[offsetof(struct rte_ipv4_hdr, hdr_checksum) / 2] = 0;
	return (uint16_t)~rte_raw_cksum(header, m->l3_len);
}

static void gather(uint8_t *to, const struct rte_mbuf *m)
{
	for (; m; to += m->data_len, m = m->next)
		net_rvif_copy(to, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
}

/* Tells whether the segments hold what the frame says. An application may be wrong, unlike a
 * driver's own loop. */
static bool consistent(const struct rte_mbuf *m)
{
	uint64_t total = 0;

	for (const struct rte_mbuf *segment = m; segment; segment = segment->next)
		total += segment->data_len;
	return total == m->pkt_len && m->data_len;
}

static int lost(uint64_t *counter)
{
	*counter += 1;
	return -1;
}

/* Checks that the frame is valid and that the switch takes it. Returns 0, or -1 after it has
 * counted the frame as lost. */
static int admit(struct net_rvif_txq *queue, const struct rte_mbuf *m, struct wish *wish)
{
	const uint32_t features = rvif_load(&rvif_header(&queue->port->vnic)->sw.features);
	const struct rvif_desc *desc = &wish->desc;
	const int error = consistent(m) ? check(queue, m, wish) : -EINVAL;

	if (error)
		return lost(error == -ENOTSUP ? &queue->stats.unsupported : &queue->stats.bad);
	if ((desc->flags & RVIF_GSO_TCP4 && !(features & RVIF_F_TSO4)) ||
	    (desc->flags & RVIF_GSO_TCP6 && !(features & RVIF_F_TSO6)))
		return lost(&queue->stats.unsupported);
	wish->software = desc->flags && !(features & RVIF_F_CSUM);
	return 0;
}

/* Posts a frame's first bytes, which were copied, with the sums that the frame asks for. more:
 * further flags of the descriptor. */
static void post_head(struct net_rvif_txq *queue, const struct rte_mbuf *m, const struct wish *wish,
		      uint32_t at, uint32_t length, uint16_t more)
{
	const struct rvif_desc *desc = &wish->desc;
	uint8_t *data = queue->area + at;
	uint64_t words = 0;
	uint16_t sum;

	if (desc->flags) {
		sum = wish->software ? checksum(m, wish) : pseudo_sum(m, wish);
		memcpy(data + desc->csum_start + desc->csum_offset, &sum, sizeof(sum));
	}
	if (wish->ip_sum) {
		sum = ip_checksum(m);
		memcpy(data + m->l2_len + offsetof(struct rte_ipv4_hdr, hdr_checksum), &sum,
		       sizeof(sum));
	}
	queue->stats.checksums += wish->software + wish->ip_sum;
	if (!wish->software)
		memcpy(&words, &desc->csum_start, sizeof(words));
	net_rvif_tx_post(queue, at, length, (uint16_t)((wish->software ? 0 : desc->flags) | more),
			 words);
}

static int post_copy(struct net_rvif_txq *queue, const struct rte_mbuf *m, const struct wish *wish)
{
	uint32_t at;

	if (!net_rvif_tx_room(queue, m->pkt_len, &at))
		return 0;
	gather(queue->area + at, m);
	post_head(queue, m, wish, at, m->pkt_len, 0);
	return 1;
}

int net_rvif_tx_slow(struct net_rvif_txq *queue, struct rte_mbuf *m)
{
	struct wish wish;

	return admit(queue, m, &wish) ? -1 : post_copy(queue, m, &wish);
}

/* ---------------------------------------------------------------------------------- zero-copy */

/* Returns how many bytes at the start must be copied, because the driver writes to them and the
 * mbuf may have other holders. */
static uint32_t head_of(const struct rte_mbuf *m, const struct wish *wish)
{
	const struct rvif_desc *desc = &wish->desc;
	uint32_t bytes = wish->ip_sum ? (uint32_t)m->l2_len + m->l3_len : 0;

	if (desc->flags)
		bytes = RTE_MAX(bytes, (uint32_t)desc->csum_start + desc->csum_offset +
					       (uint32_t)sizeof(uint16_t));
	return bytes;
}

/* Returns how many descriptors a frame takes without a copy; 0: it has to be copied. */
static uint32_t count_parts(const struct net_rvif_txq *queue, const struct rte_mbuf *m,
			    uint32_t head)
{
	uint32_t parts = head != 0, offset;

	if (head ? head < RVIF_MIN_FRAME : m->data_len < RVIF_MIN_FRAME)
		return 0;
	for (const struct rte_mbuf *part = m; part; part = part->next, head = 0) {
		if (part->data_len == head)
			continue;
		if (!net_rvif_in_region(queue->memory, rte_pktmbuf_mtod(part, void *),
					part->data_len, &offset))
			return 0;
		parts++;
	}
	return parts <= RTE_MIN((uint32_t)queue->descriptors, (uint32_t)RVIF_MAX_CHAIN) ? parts : 0;
}

/* Posts a frame without its head, which was posted if there is any. A segment without data gets no
 * descriptor and is freed. */
static void post_parts(struct net_rvif_txq *queue, struct rte_mbuf *m, uint32_t head)
{
	uint32_t left = m->pkt_len - head, offset = 0;
	struct rte_mbuf *next;

	for (; m; m = next, head = 0) {
		const uint32_t length = m->data_len - head;

		next = m->next;
		if (!length) {
			rte_pktmbuf_free_seg(m);
			continue;
		}
		net_rvif_in_region(queue->memory, rte_pktmbuf_mtod_offset(m, void *, head), length,
				   &offset);
		left -= length;
		net_rvif_tx_hold(queue, queue->ring.posted, m);
		net_rvif_tx_point(queue, offset, length, left ? RVIF_MORE : 0, 0);
	}
}

int net_rvif_tx_slow_zero_copy(struct net_rvif_txq *queue, struct rte_mbuf *m)
{
	const uint32_t posted = queue->ring.posted;
	uint32_t head, parts, at;
	struct wish wish;

	if (admit(queue, m, &wish)) {
		rte_pktmbuf_free(m);
		return -1;
	}
	head = head_of(m, &wish);
	parts = count_parts(queue, m, head);
	if (!parts) {
		if (!post_copy(queue, m, &wish))
			return 0;
		net_rvif_tx_hold(queue, posted, NULL);
		queue->stats.copied++;
		rte_pktmbuf_free(m);
		return 1;
	}
	if (rvif_distance(posted, queue->ring.reaped) + parts > queue->descriptors)
		return 0;
	if (head) {
		if (!net_rvif_tx_room(queue, head, &at))
			return 0;
		net_rvif_copy(queue->area + at, rte_pktmbuf_mtod(m, const uint8_t *), head);
		post_head(queue, m, &wish, at, head, m->pkt_len > head ? RVIF_MORE : 0);
		net_rvif_tx_hold(queue, posted, NULL);
	}
	post_parts(queue, m, head);
	return 1;
}

/* Tells whether the IPv6 extension headers allow a checksum. A routing header with segments left
 * names another destination, and a fragment has no checksum of its own. */
static bool ipv6_extensions_ok(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, m->l2_len);
	size_t at = sizeof(struct rte_ipv6_hdr), length;
	int next = ip[offsetof(struct rte_ipv6_hdr, proto)];

	while (at + 8 <= m->l3_len) {
		if (next == IPPROTO_FRAGMENT || (next == IPPROTO_ROUTING && ip[at + 3]))
			return false;
		next = rte_ipv6_get_next_ext(ip + at, next, &length);
		if (next < 0)
			return false;
		at += length;
	}
	return at == m->l3_len;
}

/* Puts the pseudo header's sum into the checksum field, without the length if the frame is to be
 * cut. */
static int put_pseudo_sum(struct rte_mbuf *m, const struct rvif_desc *desc)
{
	const bool is_v6 = m->ol_flags & RTE_MBUF_F_TX_IPV6;
	const char *ip = rte_pktmbuf_mtod_offset(m, const char *, m->l2_len);
	const uint32_t bytes = l4_bytes(m);
	struct {
		uint32_t length;
		uint32_t protocol;
	} rest = {.protocol = RTE_BE32(IPPROTO_UDP)};
	uint16_t sum;

	if (bytes > m->pkt_len - desc->csum_start)
		return -EINVAL;
	if (is_v6 && !ipv6_extensions_ok(m))
		return -ENOTSUP;
	if (!(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG))
		rest.length = rte_cpu_to_be_32(bytes);
	if (desc->csum_offset == offsetof(struct rte_tcp_hdr, cksum))
		rest.protocol = RTE_BE32(IPPROTO_TCP);
	sum = rte_raw_cksum(ip + (is_v6 ? offsetof(struct rte_ipv6_hdr, src_addr) :
					  offsetof(struct rte_ipv4_hdr, src_addr)),
			    is_v6 ? 32 : 8);
	sum = fold((uint32_t)sum + rte_raw_cksum(&rest, sizeof(rest)));
	memcpy(rte_pktmbuf_mtod_offset(m, void *, desc->csum_start + desc->csum_offset), &sum,
	       sizeof(sum));
	return 0;
}

uint16_t net_rvif_tx_prepare(void *opaque, struct rte_mbuf **frames, uint16_t count)
{
	const struct net_rvif_txq *queue = opaque;
	struct wish wish;

	for (uint16_t i = 0; i < count; i++) {
		int error = check(queue, frames[i], &wish);

		if (!error && wish.desc.flags)
			error = put_pseudo_sum(frames[i], &wish.desc);
		if (error) {
			rte_errno = -error;
			return i;
		}
	}
	return count;
}

/* Kicks the switch. If it cannot take the frames now, they stay posted, and the next kick tries
 * again. */
void net_rvif_kick(struct net_rvif_txq *queue)
{
	struct net_rvif_port *port = queue->port;

	queue->stats.kicks++;
	if (port->vnic.transport->kick(&port->vnic, queue->index) == -ENOTCONN)
		port->lost = true;
}
