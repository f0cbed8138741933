/* SPDX-License-Identifier: Apache-2.0 */
/* The time since some moment. It never goes back. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Returns the time in seconds. */
static inline double monotonic(void)
{
	return 1e-9 * (double)nanoseconds();
}

#endif
