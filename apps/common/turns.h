/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short turns at the processor. Of two threads with the same share of it the kernel's scheduler
 * lets the one with the shorter turns in first (EEVDF, Linux 6.12 and later). A thread that moves
 * frames works for microseconds and then sleeps: with the usual turns of 3 ms it waits at each
 * wake-up until another program's turn is over. It gets no larger share by this, and needs no
 * privilege.
 */
#ifndef COMMON_TURNS_H
#define COMMON_TURNS_H

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A third of the usual. With a tenth of that, busy threads interrupt each other too often. */
#define TURN_NS 1000000

/* struct sched_attr of sched_setattr(2), whose header contradicts the C library's. */
struct turns {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};

/* For this thread, and those that it makes. Without effect on other kernels, and beside a policy
 * that the administrator has chosen. */
static inline void take_short_turns(void)
{
	struct turns turns = {0};

	if (syscall(SYS_sched_getattr, 0, &turns, sizeof(turns), 0) < 0 ||
	    turns.policy != SCHED_OTHER)
		return;
	turns.runtime = TURN_NS;
	syscall(SYS_sched_setattr, 0, &turns, 0);
}

#endif
