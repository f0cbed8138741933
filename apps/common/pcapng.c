/* SPDX-License-Identifier: Apache-2.0 */
/* Each block is made completely in memory, then written. Its numbers are in this machine's byte
 * order, which the file says. */
#include "pcapng.h"

#include <errno.h>
#include <string.h>

enum block_type {
	SECTION = 0x0a0d0d0a,
	INTERFACE = 1,
	STATISTICS = 5,
	FRAME = 6,
};

enum option {
	END = 0,
	COMMENT = 1,
	SECTION_PROGRAM = 4,
	INTERFACE_NAME = 2,
	INTERFACE_RESOLUTION = 9,
	FRAME_FLAGS = 2,
	STATISTICS_BEGIN = 2,
	STATISTICS_END = 3,
	STATISTICS_RECEIVED = 4,
	STATISTICS_LOST = 5,
	STATISTICS_ACCEPTED = 6,
	STATISTICS_WRITTEN = 8,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define ETHERNET	 1u
#define NANOSECONDS	 9u /* a power of ten */
#define MOST_TEXT	 4096u

struct block {
	uint32_t size;
	uint8_t bytes[4 * MOST_TEXT + 1024];
};

static void put(struct block *block, const void *data, uint32_t size)
{
	memcpy(block->bytes + block->size, data, size);
	block->size += size;
	while (block->size % 4)
		block->bytes[block->size++] = 0;
}

static void put32(struct block *block, uint32_t value)
{
	put(block, &value, sizeof(value));
}

static void put_option(struct block *block, enum option code, const void *data, uint32_t size)
{
	put32(block, (uint32_t)code | size << 16);
	put(block, data, size);
}

static void put_text(struct block *block, enum option code, const char *text)
{
	put_option(block, code, text, (uint32_t)strnlen(text, MOST_TEXT));
}

/* Writes a time as two halves, the upper one first. */
static void put_time(struct block *block, uint64_t ns)
{
	put32(block, (uint32_t)(ns >> 32));
	put32(block, (uint32_t)ns);
}

static void begin(struct block *block, enum block_type type)
{
	block->size = 0;
	put32(block, type);
	put32(block, 0);
}

static int end(struct block *block, FILE *to)
{
	const uint32_t size = block->size + 4;

	put32(block, size);
	memcpy(block->bytes + 4, &size, sizeof(size));
	return fwrite(block->bytes, size, 1, to) == 1 ? 0 : -errno;
}

int pcapng_begin(FILE *to, const char *program, const char *interface, uint32_t snap)
{
	static const uint8_t resolution = NANOSECONDS;
	struct block block;
	int error;

	begin(&block, SECTION);
	put32(&block, BYTE_ORDER_MAGIC);
	put32(&block, 1); /* version 1.0 */
	put32(&block, UINT32_MAX);
	put32(&block, UINT32_MAX); /* the section's length is unknown */
	put_text(&block, SECTION_PROGRAM, program);
	put32(&block, END);
	error = end(&block, to);
	if (error)
		return error;
	begin(&block, INTERFACE);
	put32(&block, ETHERNET);
	put32(&block, snap);
	put_text(&block, INTERFACE_NAME, interface);
	put_option(&block, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	put32(&block, END);
	return end(&block, to);
}

int pcapng_frame(FILE *to, const struct pcapng_frame *frame)
{
	const uint32_t flags = frame->is_outbound ? 2 : 1;
	struct block block;

	if (frame->size > 2 * MOST_TEXT)
		return -EMSGSIZE;
	begin(&block, FRAME);
	put32(&block, 0); /* number of the interface */
	put_time(&block, frame->ns);
	put32(&block, frame->size);
	put32(&block, frame->length);
	put(&block, frame->data, frame->size);
	put_option(&block, FRAME_FLAGS, &flags, sizeof(flags));
	if (frame->comment)
		put_text(&block, COMMENT, frame->comment);
	put32(&block, END);
	return end(&block, to);
}

static void put_ns(struct block *block, enum option code, uint64_t ns)
{
	const uint32_t halves[] = {(uint32_t)(ns >> 32), (uint32_t)ns};

	put_option(block, code, halves, sizeof(halves));
}

static void put_count(struct block *block, enum option code, uint64_t count)
{
	put_option(block, code, &count, sizeof(count));
}

int pcapng_end(FILE *to, const struct pcapng_counts *counts)
{
	struct block block;

	begin(&block, STATISTICS);
	put32(&block, 0); /* number of the interface */
	put_time(&block, counts->end_ns);
	put_ns(&block, STATISTICS_BEGIN, counts->begin_ns);
	put_ns(&block, STATISTICS_END, counts->end_ns);
	put_count(&block, STATISTICS_RECEIVED, counts->received);
	put_count(&block, STATISTICS_LOST, counts->lost);
	put_count(&block, STATISTICS_ACCEPTED, counts->accepted);
	put_count(&block, STATISTICS_WRITTEN, counts->written);
	put32(&block, END);
	return end(&block, to);
}
