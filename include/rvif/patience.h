/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a sender's queue waits for receivers that have no room. What is in the ring when a wait
 * begins has to be on its way within the time, or the queue gives up: what finds no room is dropped
 * then, and the queue does not wait for ten times as long. So a receiver that takes nothing, or too
 * little, keeps a sender's other frames back for a tenth of the time at most, and none of them for
 * more than twice the time at once.
 */
#ifndef RVIF_PATIENCE_H
#define RVIF_PATIENCE_H

#include <stdint.h>

#define RVIF_WITHOUT_PATIENCE 10 /* times as long as it has waited */

/* All 0 at first. Times are microseconds of any clock. */
struct rvif_patience {
	uint64_t again; /* when it may wait again */
	uint64_t since; /* of a wait */
	uint32_t mark;	/* the wait is over when this descriptor is on its way */
	uint32_t waits;
};

/* May the queue be left with frames that find no room? */
static inline int rvif_has_patience(const struct rvif_patience *patience, uint64_t now)
{
	return now >= patience->again;
}

/* It was: descriptors from next on, up to posted, wait. Another time it may not if that has lasted
 * for "most" microseconds. */
static inline void rvif_wait_on(struct rvif_patience *patience, uint32_t next, uint32_t posted,
				uint64_t now, uint64_t most)
{
	if (!patience->waits || (int32_t)(next - patience->mark) >= 0) {
		patience->waits = 1;
		patience->since = now;
		patience->mark = posted;
	} else if (now - patience->since >= most) {
		patience->waits = 0;
		patience->again = now + RVIF_WITHOUT_PATIENCE * most;
	}
}

#endif
