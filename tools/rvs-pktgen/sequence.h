/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of frames that came, of several runs of senders at once: which are missing, came
 * twice, or came after a later one.
 */
#ifndef PKTGEN_SEQUENCE_H
#define PKTGEN_SEQUENCE_H

#include <stdint.h>

#define SEQUENCE_RUNS	16   /* in each set */
#define SEQUENCE_SETS	256  /* a run is in one of them */
#define SEQUENCE_WINDOW 1024 /* window in which a frame that comes twice is noticed */

struct sequence_run {
	uint64_t run; /* 0: unused */
	uint64_t first, highest;
	uint64_t used; /* when its last frame came, by the count of all frames */
	uint64_t came[SEQUENCE_WINDOW / 64];
};

struct sequence {
	struct sequence_run runs[SEQUENCE_SETS][SEQUENCE_RUNS];
	uint64_t frames;
	uint64_t lost, duplicated, reordered;
};

void sequence_note(struct sequence *s, uint64_t run, uint64_t number);

#endif
