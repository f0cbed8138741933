/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits the lines about one VM or one vNIC, which could otherwise fill the log: some lines at
 * once, then one each second. Lines that are left out are counted and reported. This code has no
 * clock: callers pass the time.
 */
#ifndef COMMON_LIMIT_H
#define COMMON_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_BURST 20 /* lines at once */

/* All fields 0 at first. */
struct limit {
	double since;	/* seconds: lines are forgiven from then on */
	uint32_t spent; /* lines that are not forgiven yet */
	uint64_t left_out;
};

/* Tells whether another line may be logged now. If not, counts it. */
bool limit_allows(struct limit *limit, double now);
/* Returns how many lines were left out, if it is time to report that; else 0. To be called now and
 * then. */
uint64_t limit_left_out(struct limit *limit, double now);

#endif
