/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time in a function, which has no system calls: a clock in the object that the manager sets, and
 * the CPU's time stamp counter.
 */
#ifndef ELISA_SUB_CLOCK_H
#define ELISA_SUB_CLOCK_H

#include <stdint.h>

/* Lies in the object. It is as precise as the manager's writes are frequent. */
struct elisa_clock {
	uint64_t ns;
};

/* Sets the clock. The manager calls it, with nanoseconds since any moment that it chooses.
 * Thread-safe. */
static inline void elisa_clock_set(struct elisa_clock *clock, uint64_t ns)
{
	__atomic_store_n(&clock->ns, ns, __ATOMIC_RELAXED);
}

/* Returns the manager's nanoseconds. Any caller may call it. */
static inline uint64_t elisa_clock_ns(const struct elisa_clock *clock)
{
	return __atomic_load_n(&clock->ns, __ATOMIC_RELAXED);
}

/*
 * Returns the time stamp counter of the caller's vCPU. The guest sets the counter as it likes, and
 * two VMs have different ones. Use it to measure inside one call, never for a decision that
 * protects other VMs.
 */
static inline uint64_t elisa_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

#endif
