/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills in the Internet checksum that a sender left out, if the receiver wants it. It works on the
 * copy in the receiver's buffers. Start and offset were checked against the frame's length.
 */
#include "internal.h"
#include "words.h"

/* Returns the address of byte `at` of the frame. */
static uint8_t *byte_at(const struct rvs_part *buffers, uint32_t at)
{
	while (at >= buffers->length) {
		at -= buffers->length;
		buffers++;
	}
	return buffers->data + at;
}

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* Sums 16-bit words as they are loaded. A last single byte is the lower half of a word. */
static uint32_t sum_of(const uint8_t *data, uint32_t length)
{
	uint64_t sum = 0;

	for (; length >= 4; length -= 4, data += 4)
		sum += rvs_get_half(data);
	for (uint32_t i = 0; i < length; i++)
		sum += (uint32_t)data[i] << i % 2 * 8;
	return fold(sum);
}

void rvs_checksum(const struct rvs_part *buffers, uint32_t count, uint32_t start, uint32_t offset)
{
	uint32_t skip = start, at = 0, sum = 0;
	uint16_t folded;

	for (uint32_t b = 0; b < count; b++) {
		const uint32_t skipped = rvs_min(skip, buffers[b].length);
		const uint32_t length = buffers[b].length - skipped;
		const uint32_t part = sum_of(buffers[b].data + skipped, length);

		skip -= skipped;
		/* a buffer that begins with the second half of a word */
		sum += at & 1 ? __builtin_bswap16((uint16_t)part) : part;
		at += length;
	}
	folded = __builtin_bswap16((uint16_t)~fold(sum));
	if (!folded)
		folded = 0xffff; /* 0 means "none" to UDP; to all others both are the same */
	*byte_at(buffers, start + offset) = (uint8_t)(folded >> 8);
	*byte_at(buffers, start + offset + 1) = (uint8_t)folded;
}
