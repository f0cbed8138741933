/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computes a number that is the same for all frames of a flow, to choose a receive queue. It reads
 * the frame's first part only, within its bounds. A sender that changes the part meanwhile only
 * gets another queue.
 */
#include "internal.h"
#include "words.h"

#define TYPE_IPV4 0x0008 /* as loaded from network order */
#define TYPE_IPV6 0xdd86
#define TYPE_VLAN 0x0081
#define TYPE_QINQ 0xa888

#define IP_TCP	  6
#define IP_UDP	  17
#define IP_SCTP	  132

static int has_ports(uint8_t protocol)
{
	return protocol == IP_TCP || protocol == IP_UDP || protocol == IP_SCTP;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static uint64_t hash_ipv4(uint64_t hash, const uint8_t *ip, uint32_t length)
{
	uint32_t header = (ip[0] & 0xfu) * 4;
	uint8_t protocol = ip[9];

	hash = mix(hash, elisa_copy_get(ip + 12)); /* both addresses */
	/* only the first piece of a packet has ports, so no piece's ports are hashed */
	if ((ip[6] & 0x3f) || ip[7] || !has_ports(protocol) || header < 20 || header + 4 > length)
		return mix(hash, protocol);
	return mix(hash, (uint64_t)rvs_get_half(ip + header) << 8 | protocol);
}

static uint64_t hash_ipv6(uint64_t hash, const uint8_t *ip, uint32_t length)
{
	uint8_t protocol = ip[6];

	hash = mix(hash, elisa_copy_get(ip + 8));
	hash = mix(hash, elisa_copy_get(ip + 16));
	hash = mix(hash, elisa_copy_get(ip + 24));
	hash = mix(hash, elisa_copy_get(ip + 32));
	if (!has_ports(protocol) || length < 44)
		return mix(hash, protocol);
	return mix(hash, (uint64_t)rvs_get_half(ip + 40) << 8 | protocol);
}

uint32_t rvs_flow_hash(const struct rvs_frame *frame, uint32_t length)
{
	uint64_t hash = mix(mix(0, frame->head_dst), frame->head_rest & RVS_MAC_MASK);
	uint32_t type = (uint32_t)(frame->head_rest >> 48);
	uint32_t at = 14;

	for (int tags = 0; (type == TYPE_VLAN || type == TYPE_QINQ) && tags < 2; tags++) {
		if (at + 4 > length)
			break;
		hash = mix(hash, rvs_get_half(frame->data + at) & 0xff0f); /* VLAN id */
		type = rvs_get_half(frame->data + at) >> 16;
		at += 4;
	}
	if (type == TYPE_IPV4 && at + 20u <= length)
		hash = hash_ipv4(hash, frame->data + at, length - at);
	else if (type == TYPE_IPV6 && at + 40u <= length)
		hash = hash_ipv6(hash, frame->data + at, length - at);
	return (uint32_t)(mix(hash, type) >> 32);
}
