/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions by the time-stamp counter of the emulated machine, which counts them. On real
 * hardware the numbers are cycles. The result is the least of many batches, because interrupts only
 * add. A batch of 100 strict calls takes 30,000 instructions. Where vCPUs compete, the kernels of
 * the 7.x series give the CPU to another one every 70,000 (0.7 ms), so longer batches would all
 * count another vCPU's instructions, too.
 */
#ifndef ELISA_BENCH_MEASURE_H
#define ELISA_BENCH_MEASURE_H

#include <stdint.h>
#include <stdlib.h>
#include <x86intrin.h>
#include <elisa/elisa.h>

#define MEASURE_BATCH	100
#define MEASURE_BATCHES 1000

#define MEASURE_LEAST(statement)                                   \
	({                                                         \
		unsigned long long least_ = ~0ULL, start_, spent_; \
		for (int i_ = 0; i_ < MEASURE_BATCHES; i_++) {     \
			start_ = __rdtsc();                        \
			for (int j_ = 0; j_ < MEASURE_BATCH; j_++) \
				statement;                         \
			spent_ = __rdtsc() - start_;               \
			if (spent_ < least_)                       \
				least_ = spent_;                   \
		}                                                  \
		(double)least_ / MEASURE_BATCH;                    \
	})

/* The exported function itself, in this process, in the place of a stub: call, xor, ret. */
extern void measure_local_stub(void);
#define MEASURE_LOCAL_STUB(function)                                                   \
	__asm__(".pushsection .text\n"                                                 \
		"measure_local_stub:\n\tcall " #function "\n\txor %edx, %edx\n\tret\n" \
		".popsection")

/* One copy, so that the loop around a call is the same for everything that is compared. */
static __attribute__((noinline)) double measure_calls(const struct elisa_attachment *attachment,
						      long what)
{
	return MEASURE_LEAST(({
		if (elisa_call_general(attachment, what, 0, 0, 0, 0, 0).error)
			exit(1);
	}));
}

/*
 * Returns the instructions from the caller's call to its return, without the function's own. The
 * loop and the function cancel out against the local stub. That stub's call, xor and ret, and the
 * caller's own call, are four.
 */
static inline double measure_round_trip(const struct elisa_attachment *attachment, long what)
{
	struct elisa_attachment local = {.call = (uint64_t)(uintptr_t)measure_local_stub};

	return measure_calls(attachment, what) - measure_calls(&local, what) + 4;
}

#endif
