/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capture ring holds copies of frames. Any number of senders write them, and observers read
 * them. A sender never waits for another sender or for an observer. It leaves out a place whose
 * record is being written, and overwrites records that were not read in time. The ring is the last
 * part of the switch's memory, in pages of its own that observers may read. The switch trusts the
 * ring only to say which places are free.
 *
 * A record's word holds the record's number. While the record is being written, it also holds the
 * sender's number + 1. A reader compares the word before and after it reads the record. The copy is
 * valid if both are equal and name no writer.
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
	uint16_t size;	 /* bytes of the frame in this record */
	uint8_t given;	 /* the port received the frame; 0: it sent the frame */
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
	uint64_t frames[RVS_MAX_PORTS] rvs_aligned(64); /* frames to be recorded, by port */
	struct rvs_record record[] rvs_aligned(64);
};

static inline struct rvs_capture *rvs_capture_of(struct rvs *rvs)
{
	return (struct rvs_capture *)((uint8_t *)rvs + rvs->capture_at);
}

/* Returns the place of the record with this number, in a ring of this many records. */
static inline uint32_t rvs_record_place(uint64_t number, uint64_t records)
{
	return (uint32_t)(number & (records - 1));
}

/* Copies bytes that others may change meanwhile, by the CPU's own instruction. Any length. */
static inline void rvs_record_copy(uint8_t *to, const uint8_t *from, size_t length)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

#endif
