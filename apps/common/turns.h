/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short turns at the processor. Of two threads with the same share of it, the kernel's scheduler
 * first runs the one with the shorter turns (EEVDF, Linux 6.12 and later). A thread that moves
 * frames works for microseconds and then sleeps. With the usual turns of 3 ms, it waits at each
 * wake-up until another program's turn is over. Short turns give it no larger share, and need no
 * privilege.
 */
#ifndef COMMON_TURNS_H
#define COMMON_TURNS_H

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A third of the usual turn. With a tenth of this, busy threads interrupt each other too often. */
#define TURN_NS 1000000

/* struct sched_attr of sched_setattr(2). Its kernel header contradicts the C library's. */
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

/* Sets short turns for this thread, and for the threads that it creates. It has no effect on other
 * kernels, or if the administrator has chosen another policy. */
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
