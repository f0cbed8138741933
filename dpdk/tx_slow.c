// SPDX-License-Identifier: Apache-2.0
/*
 * Transmitting what is not one plain segment: chains of mbufs and offloads. What the switch did not
 * grant is done here (checksums) or counted and dropped (segmentation). It must never post a frame in
 * part.
 */
#include "copy.h"
#include "net_rvif.h"

#include <errno.h>

#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

/* The offloads that a frame asks for, in the words of its first descriptor. 0, or -EINVAL. */
static int describe(const struct rte_mbuf *m, struct rvif_desc *desc)
{
	uint64_t kind = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	bool cut = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG;

	memset(desc, 0, sizeof(*desc));
	if (!kind && !cut)
		return 0;
	if (cut)
		kind = RTE_MBUF_F_TX_TCP_CKSUM;
	if (kind == RTE_MBUF_F_TX_TCP_CKSUM)
		desc->csum_offset = offsetof(struct rte_tcp_hdr, cksum);
	else if (kind == RTE_MBUF_F_TX_UDP_CKSUM)
		desc->csum_offset = offsetof(struct rte_udp_hdr, dgram_cksum);
	else
		return -EINVAL;
	desc->flags = RVIF_CSUM_NEEDED;
	desc->csum_start = (uint16_t)(m->l2_len + m->l3_len);
	if (cut) {
		desc->flags |= m->ol_flags & RTE_MBUF_F_TX_IPV6 ? RVIF_GSO_TCP6 : RVIF_GSO_TCP4;
		desc->gso_size = m->tso_segsz;
		desc->header_length = (uint16_t)(desc->csum_start + m->l4_len);
		if (!desc->gso_size || m->l4_len < sizeof(struct rte_tcp_hdr) ||
		    desc->header_length > m->data_len || desc->header_length >= m->pkt_len)
			return -EINVAL;
	}
	if ((uint32_t)desc->csum_start + desc->csum_offset + sizeof(uint16_t) > m->data_len)
		return -EINVAL;
	return 0;
}

/* The sum over the frame from csum_start on; the field holds the pseudo header's, as DPDK wants it. */
static uint16_t checksum(const struct rte_mbuf *m, const struct rvif_desc *desc)
{
	uint16_t sum = 0;

	rte_raw_cksum_mbuf(m, desc->csum_start, m->pkt_len - desc->csum_start, &sum);
	sum = (uint16_t)~sum;
	return sum ? sum : 0xffff;
}

/* DPDK leaves the length out of the pseudo header's sum if a frame is to be cut; rvif does not. */
static uint16_t pseudo_with_length(const struct rte_mbuf *m, const struct rvif_desc *desc)
{
	uint32_t sum;
	uint16_t field;

	memcpy(&field, rte_pktmbuf_mtod_offset(m, void *, desc->csum_start + desc->csum_offset),
	       sizeof(field));
	sum = (uint32_t)field + rte_cpu_to_be_16((uint16_t)(m->pkt_len - desc->csum_start));
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void gather(uint8_t *to, const struct rte_mbuf *m)
{
	for (; m; to += m->data_len, m = m->next)
		net_rvif_copy(to, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
}

/* Do the segments hold what the frame says? Other than a driver's loop, an application may be wrong. */
static bool consistent(const struct rte_mbuf *m)
{
	uint64_t total = 0;

	for (const struct rte_mbuf *segment = m; segment; segment = segment->next)
		total += segment->data_len;
	return total == m->pkt_len && m->data_len;
}

int net_rvif_tx_slow(struct net_rvif_txq *queue, struct rte_mbuf *m)
{
	uint32_t features = rvif_load(&rvif_header(&queue->port->vnic)->sw.features);
	struct rvif_desc desc;
	uint64_t words = 0;
	uint32_t at;
	uint16_t sum = 0;
	bool cut, software;

	if (!consistent(m) || describe(m, &desc)) {
		queue->stats.bad++;
		return -1;
	}
	cut = desc.flags & (RVIF_GSO_TCP4 | RVIF_GSO_TCP6);
	if (m->pkt_len < RVIF_MIN_FRAME ||
	    m->pkt_len > (cut ? (uint32_t)RVIF_MAX_FRAME : queue->max_frame)) {
		queue->stats.bad++;
		return -1;
	}
	if ((desc.flags & RVIF_GSO_TCP4 && !(features & RVIF_F_TSO4)) ||
	    (desc.flags & RVIF_GSO_TCP6 && !(features & RVIF_F_TSO6))) {
		queue->stats.unsupported++;
		return -1;
	}
	if (!net_rvif_tx_room(queue, m->pkt_len, &at))
		return 0;

	software = desc.flags && !(features & RVIF_F_CSUM);
	if (software) {
		sum = checksum(m, &desc);
		queue->stats.checksums++;
	} else if (cut) {
		sum = pseudo_with_length(m, &desc);
	}
	gather(queue->area + at, m);
	if (software || cut)
		memcpy(queue->area + at + desc.csum_start + desc.csum_offset, &sum, sizeof(sum));
	if (software)
		desc.flags = 0;
	else
		memcpy(&words, &desc.csum_start, sizeof(words));
	net_rvif_tx_post(queue, at, m->pkt_len, desc.flags, words);
	return 1;
}

uint16_t net_rvif_tx_prepare(void *opaque, struct rte_mbuf **frames, uint16_t count)
{
	const struct net_rvif_txq *queue = opaque;
	struct rvif_desc desc;

	for (uint16_t i = 0; i < count; i++) {
		struct rte_mbuf *m = frames[i];
		bool cut = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG;

		if (m->pkt_len < RVIF_MIN_FRAME ||
		    m->pkt_len > (cut ? (uint32_t)RVIF_MAX_FRAME : queue->max_frame)) {
			rte_errno = EINVAL;
			return i;
		}
		if (describe(m, &desc)) {
			rte_errno = ENOTSUP;
			return i;
		}
		if (desc.flags && rte_net_intel_cksum_prepare(m)) {
			rte_errno = EINVAL;
			return i;
		}
	}
	return count;
}

/* What is posted stays so if the switch cannot take it now; the next kick tries again. */
void net_rvif_kick(struct net_rvif_txq *queue)
{
	struct net_rvif_port *port = queue->port;

	queue->stats.kicks++;
	if (port->vnic.transport->kick(&port->vnic, queue->index) == -ENOTCONN)
		port->lost = true;
}
