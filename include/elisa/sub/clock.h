/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time in a function, which has no system calls: a clock that the manager keeps, and the CPU's
 * counter.
 */
#ifndef ELISA_SUB_CLOCK_H
#define ELISA_SUB_CLOCK_H

#include <stdint.h>

/* In the object. As fine as the manager's writes are frequent. */
struct elisa_clock {
	uint64_t ns;
};

/* Manager: nanoseconds since whatever it likes. Thread-safe. */
static inline void elisa_clock_set(struct elisa_clock *clock, uint64_t ns)
{
	__atomic_store_n(&clock->ns, ns, __ATOMIC_RELAXED);
}

/* Any caller. */
static inline uint64_t elisa_clock_ns(const struct elisa_clock *clock)
{
	return __atomic_load_n(&clock->ns, __ATOMIC_RELAXED);
}

/*
 * The time stamp counter of the caller's vCPU. The guest sets it as it likes, and two VMs have
 * different ones. Use it to measure inside one call, never for a decision that protects others.
 */
static inline uint64_t elisa_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

#endif
