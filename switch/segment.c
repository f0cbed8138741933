/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting TCP over IPv4 and IPv6; see segment.h. */
#include "segment.h"

enum {
	TYPE_AT = 12,
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	MOST_TAGS = 2,
	IPV4_HEADER = 20,
	IPV4_FRAGMENT = 0x3fff, /* "more fragments", and where this one belongs */
	IPV6_HEADER = 40,
	PROTOCOL_TCP = 6,
	TCP_HEADER = 20,
	/* flags of TCP */
	FIN = 0x01,
	PSH = 0x08,
	CWR = 0x80,
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Finds where the IP header begins, behind the frame's tags. 0: frames of this type are not cut. */
static uint32_t find_ip(const struct rvs_segments *cut, uint32_t type)
{
	uint32_t at = TYPE_AT;

	for (uint32_t tags = 0; tags <= MOST_TAGS; tags++, at += RVS_TAG_SIZE) {
		const uint32_t is = get16(cut->head + at);

		if (is == type)
			return at + 2;
		if (is != 0x8100 && is != 0x88a8)
			return 0;
	}
	return 0;
}

/* Tells whether an IPv4 header, of a packet in one piece, ends where TCP's header begins. */
static int is_ipv4(const struct rvs_segments *cut)
{
	const uint8_t *ip = cut->head + cut->ip;
	const uint32_t length = (ip[0] & 15) * 4u;

	return ip[0] >> 4 == 4 && length >= IPV4_HEADER && cut->ip + length == cut->tcp &&
	       !(get16(ip + 6) & IPV4_FRAGMENT) && ip[9] == PROTOCOL_TCP;
}

/* Tells whether there is an IPv6 header. Each segment gets its extension headers as they are. */
static int is_ipv6(const struct rvs_segments *cut)
{
	return cut->head[cut->ip] >> 4 == 6 && cut->ip + IPV6_HEADER <= cut->tcp;
}

uint32_t rvs_segments_open(struct rvs_segments *cut, uint32_t flags, uint64_t offload,
			   uint32_t payload)
{
	const uint8_t *tcp;

	cut->is_v6 = !(flags & RVIF_GSO_TCP4);
	cut->tcp = offload & 0xffff;
	cut->size = offload >> 32 & 0xffff;
	if ((offload >> 16 & 0xffff) != RVS_TCP_CHECKSUM || cut->tcp + TCP_HEADER > cut->length)
		return RVS_DROP_NO_GSO;
	cut->ip = find_ip(cut, cut->is_v6 ? TYPE_IPV6 : TYPE_IPV4);
	if (!cut->ip || !(cut->is_v6 ? is_ipv6(cut) : is_ipv4(cut)))
		return RVS_DROP_NO_GSO;
	tcp = cut->head + cut->tcp;
	if ((tcp[12] >> 4) * 4u != cut->length - cut->tcp)
		return RVS_DROP_NO_GSO;
	cut->left = payload;
	cut->count = payload ? (payload + cut->size - 1) / cut->size : 1;
	if (cut->count > RVS_MAX_SEGMENTS)
		return RVS_DROP_NO_GSO;
	cut->sequence = get32(tcp + 4);
	cut->flags = tcp[13];
	cut->identification = get16(cut->head + cut->ip + 4);
	/* one's complement: to subtract a number is to add its complement */
	cut->pseudo = fold(get16(tcp + RVS_TCP_CHECKSUM) +
			   (0xffff - ((cut->length - cut->tcp + payload) & 0xffff)));
	cut->is_first = 1;
	return RVS_GOOD;
}

static void put_ipv4(struct rvs_segments *cut, uint32_t length)
{
	uint8_t *ip = cut->head + cut->ip;
	uint32_t sum = 0;

	put16(ip + 2, length);
	put16(ip + 4, cut->identification);
	put16(ip + 10, 0);
	for (uint32_t at = 0; at < cut->tcp - cut->ip; at += 2)
		sum += get16(ip + at);
	put16(ip + 10, 0xffff - fold(sum));
}

static void put_tcp(struct rvs_segments *cut, uint32_t length)
{
	uint8_t *tcp = cut->head + cut->tcp;
	uint32_t flags = cut->flags;

	if (!cut->is_first)
		flags &= ~(uint32_t)CWR;
	if (cut->left)
		flags &= ~(uint32_t)(FIN | PSH);
	put32(tcp + 4, cut->sequence);
	tcp[13] = (uint8_t)flags;
	put16(tcp + RVS_TCP_CHECKSUM, fold(cut->pseudo + length));
}

uint32_t rvs_segments_next(struct rvs_segments *cut)
{
	const uint32_t payload = rvs_min(cut->size, cut->left), end = cut->length + payload;

	cut->left -= payload;
	if (cut->is_v6)
		put16(cut->head + cut->ip + 4, end - cut->ip - IPV6_HEADER);
	else
		put_ipv4(cut, end - cut->ip);
	put_tcp(cut, end - cut->tcp);
	cut->sequence += payload;
	cut->identification++;
	cut->is_first = 0;
	return payload;
}
