/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times of any number of frames, in memory of a fixed size. They are counted in steps of 1/32 of
 * the time, so a percentile is too low by 3 % at most.
 */
#ifndef PKTGEN_LATENCY_H
#define PKTGEN_LATENCY_H

#include <stdint.h>

#define LATENCY_STEPS 1920

struct latency {
	uint64_t frames;
	uint64_t least, most;
	uint64_t count[LATENCY_STEPS];
};

void latency_note(struct latency *l, uint64_t ns);
void latency_add(struct latency *to, const struct latency *from);
/* Returns the time that this fraction of all frames did not exceed; 0: there are no frames. */
uint64_t latency_percentile(const struct latency *l, double part);

#endif
