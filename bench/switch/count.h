/* SPDX-License-Identifier: Apache-2.0 */
/* Counting a thread's instructions one by one, by the CPU's trap flag: a REP counts each round. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

#include <stdint.h>

/* What this thread runs from here to count_end() is counted. */
void count_begin(void);
void count_end(void);
/* How many so far. */
uint64_t count_steps(void);

#endif
