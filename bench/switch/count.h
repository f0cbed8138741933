/* SPDX-License-Identifier: Apache-2.0 */
/* Counts a thread's instructions one by one, by the CPU's trap flag. Each round of a REP counts. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdint.h>

/* Counts what this thread runs until count_end(). */
void count_begin(void);
void count_end(void);
/* Returns how many instructions were counted so far. */
uint64_t count_steps(void);

#endif
