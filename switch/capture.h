/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capture ring: copies of frames, which any number of senders put there and observers read. A
 * sender never waits for another one, nor for an observer: a place whose record is being written is
 * left out, and what was not read in time is written over. It is the last part of the switch's
 * memory, in pages of its own that observers may read: no word of it is believed by the switch,
 * but that it says which places are free.
 *
 * A record's word holds its number and, while it is being written, the sender's number + 1. All
 * else of the record is valid if the word is the same, without a writer, before and after reading.
 */
#ifndef RVS_CAPTURE_H
#define RVS_CAPTURE_H

#include "internal.h"

#define RVS_CAPTURE_MAGIC 0x3174706163737672ull /* "rvscapt1" */
#define RVS_WRITER_BITS	  13
#define RVS_WRITER_MASK	  ((1ull << RVS_WRITER_BITS) - 1)
#define RVS_PAGE	  4096u

_Static_assert(RVS_MAX_SENDERS < RVS_WRITER_MASK, "a word has room for any sender");

struct rvs_record {
	uint64_t word;
	uint16_t port;
	uint16_t length; /* of the frame */
	uint16_t size;	 /* bytes of it that are here */
	uint8_t given;	 /* to the port, not sent by it */
	uint8_t verdict;
	uint8_t bytes[RVS_SNAP];
};

_Static_assert(sizeof(struct rvs_record) == 2048 &&
		       offsetof(struct rvs_record, port) + sizeof(struct rvs_copy) ==
			       sizeof(struct rvs_record),
	       "a record from its port on is what an observer gets of it");

struct rvs_capture {
	uint64_t magic;
	uint64_t records;
	uint64_t last rvs_aligned(64); /* number of the last record that was begun */
	uint64_t frames[RVS_MAX_PORTS] rvs_aligned(64); /* that were to be recorded, by port */
	struct rvs_record record[] rvs_aligned(64);
};

static inline struct rvs_capture *rvs_capture_of(struct rvs *rvs)
{
	return (struct rvs_capture *)((uint8_t *)rvs + rvs->capture_at);
}

/* The place of the record with this number, in a ring of so many. */
static inline uint32_t rvs_record_place(uint64_t number, uint64_t records)
{
	return (uint32_t)(number & (records - 1));
}

/* By the CPU's own instruction: others may change what is read. Any length. */
static inline void rvs_record_copy(uint8_t *to, const uint8_t *from, size_t length)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

#endif
