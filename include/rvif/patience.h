/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a sender's queue waits for receivers that have no room. The frames in the ring when a
 * wait begins must be on their way within the time. Otherwise the queue gives up: it drops frames
 * that find no room, and does not wait again for ten times as long. So a receiver that takes too
 * little delays a sender's other frames for at most a tenth of the time. It delays no frame for
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

/* The queue was left with frames: the descriptors from next up to posted wait. If that lasts for
 * "most" microseconds, the queue may not wait again for a time. */
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
