/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits the lines about one VM or one vNIC, which could otherwise fill the log: some lines at
 * once, then one a second. Lines that are left out are counted and reported. It has no clock.
 */
#ifndef COMMON_LIMIT_H
#define COMMON_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_BURST 20 /* lines at once */

/* All 0 at first. */
struct limit {
	double since;	/* seconds: from when on lines are forgiven */
	uint32_t spent; /* lines, that are not forgiven */
	uint64_t left_out;
};

/* May another line be said now? If not, it is counted. */
bool limit_allows(struct limit *limit, double now);
/* Called now and then: how many lines were left out, if it is time to say so; else 0. */
uint64_t limit_left_out(struct limit *limit, double now);

#endif
