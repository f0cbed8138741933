/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying of frames by unaligned vectors, with a tail that overlaps, so that no length needs a loop
 * over bytes. It reads and writes exactly the bytes that it was given. The vectors have 32 bytes
 * where the file is built for AVX2, and are pairs of 16 elsewhere.
 */
#ifndef NET_RVIF_COPY_H
#define NET_RVIF_COPY_H

#include <stdint.h>
#include <string.h>

typedef uint64_t net_rvif_v32 __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint64_t net_rvif_v16 __attribute__((vector_size(16), aligned(1), may_alias));

static inline void net_rvif_copy32(uint8_t *to, const uint8_t *from)
{
	*(net_rvif_v32 *)to = *(const net_rvif_v32 *)from;
}

static inline void net_rvif_copy16(uint8_t *to, const uint8_t *from)
{
	*(net_rvif_v16 *)to = *(const net_rvif_v16 *)from;
}

static inline void net_rvif_copy(uint8_t *to, const uint8_t *from, uint32_t length)
{
	if (length < 16) {
		memcpy(to, from, length);
		return;
	}
	if (length < 32) {
		net_rvif_copy16(to, from);
		net_rvif_copy16(to + length - 16, from + length - 16);
		return;
	}

	const uint8_t *from_tail = from + length - 32;
	uint8_t *to_tail = to + length - 32;

	for (; length > 128; length -= 128, to += 128, from += 128) {
		net_rvif_copy32(to, from);
		net_rvif_copy32(to + 32, from + 32);
		net_rvif_copy32(to + 64, from + 64);
		net_rvif_copy32(to + 96, from + 96);
	}
	for (; length > 32; length -= 32, to += 32, from += 32)
		net_rvif_copy32(to, from);
	net_rvif_copy32(to_tail, from_tail);
}

#endif
