/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum that a sender left out, for a receiver that wants it filled in. It works on
 * the receiver's copy, in its buffers; start and offset were checked against the frame's length.
 */
#include "internal.h"

/* Byte "at" of the frame. */
static uint8_t *byte_at(const struct rvs_part *buffers, uint32_t at)
{
	while (at >= buffers->length) {
		at -= buffers->length;
		buffers++;
	}
	return buffers->data + at;
}

void rvs_checksum(const struct rvs_part *buffers, uint32_t count, uint32_t start, uint32_t offset)
{
	uint32_t skip = start, at = 0;
	uint64_t sum = 0;
	uint16_t folded;

	for (uint32_t b = 0; b < count; b++) {
		const uint8_t *data = buffers[b].data;

		for (uint32_t i = 0; i < buffers[b].length; i++) {
			if (skip) {
				skip--;
				continue;
			}
			sum += at & 1 ? data[i] : (uint32_t)data[i] << 8;
			at++;
		}
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	folded = (uint16_t)~sum;
	if (!folded)
		folded = 0xffff; /* 0 means "none" to UDP; to all others both are the same */
	*byte_at(buffers, start + offset) = (uint8_t)(folded >> 8);
	*byte_at(buffers, start + offset + 1) = (uint8_t)folded;
}
