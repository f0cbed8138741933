/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the headers of a TCP frame's segments, one after the other, from a private copy of the
 * frame's headers. deliver.c copies the payload.
 */
#ifndef RVS_SEGMENT_H
#define RVS_SEGMENT_H

#include "internal.h"

#define RVS_MAX_HEAD	 192u /* bytes of a frame's headers, if it is cut */
#define RVS_TCP_CHECKSUM 16u  /* where it is in TCP's header */
#define RVS_MAX_SEGMENTS 128u /* of a frame: no sender makes the switch work without end for one */

struct rvs_segments {
	uint8_t head[RVS_MAX_HEAD]; /* of the next segment */
	uint32_t length;	    /* of the headers */
	uint32_t ip;		    /* where its header begins */
	uint32_t tcp;
	uint32_t is_v6;
	uint32_t size;	/* payload bytes of a segment */
	uint32_t left;	/* payload bytes */
	uint32_t count; /* segments */
	uint32_t sequence;
	uint32_t identification;
	uint32_t flags;	 /* TCP's */
	uint32_t pseudo; /* the pseudo header's sum, without the length */
	uint32_t is_first;
};

/*
 * Reads the headers in `head`, and prepares the segments of the payload behind them. `flags` and
 * `offload` are the descriptor's. Returns RVS_GOOD, or RVS_DROP_NO_GSO if the headers do not allow
 * segments.
 */
uint32_t rvs_segments_open(struct rvs_segments *cut, uint32_t flags, uint64_t offload,
			   uint32_t payload);

/*
 * Makes the head of the next segment, and returns how many bytes of payload the segment has. The
 * checksum is missing, as with RVIF_CSUM_NEEDED.
 */
uint32_t rvs_segments_next(struct rvs_segments *cut);

#endif
