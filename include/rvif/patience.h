/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a sender's queue waits for receivers that have no room. The frames that are in the ring
 * when a wait begins must be on their way within the time. Otherwise the queue gives up: it drops
 * frames that find no room, and does not wait again for ten times as long.
 *
 * So a receiver that takes too little delays a sender's other frames for at most a tenth of the
 * time. It delays no frame for more than twice the time at once.
 */
#ifndef RVIF_PATIENCE_H
#define RVIF_PATIENCE_H

#include <stdint.h>

#define RVIF_WITHOUT_PATIENCE 10 /* times as long as it has waited */

/* The owner sets all fields to 0 at first. Times are microseconds of any clock. */
struct rvif_patience {
	uint64_t again; /* when the queue may wait again */
	uint64_t since; /* when the wait began */
	uint32_t mark;	/* the wait is over when this descriptor is on its way */
	uint32_t waits;
};

/* Tells whether frames that find no room may stay in the queue. */
static inline int rvif_has_patience(const struct rvif_patience *patience, uint64_t now)
{
	return now >= patience->again;
}

/* Notes that frames were left in the queue: the descriptors from @next up to @posted wait. If that
 * lasts for @most microseconds, the queue may not wait again for a time. */
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
