/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function's own object as guests run it, without VMs. The host's data about the caller lies
 * where it does in a sub context, and each process is a guest with one vCPU.
 */
#ifndef BENCH_KV_GUEST_H
#define BENCH_KV_GUEST_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "manager.h"

enum {
	BENCH_KEY = 0, /* offsets in the exchange buffer */
	BENCH_VALUE = 256,
	BENCH_EXCHANGE = 1 << 20,
	BENCH_SPACES_MAX = 2
};

typedef long bench_function(long what, long key, long value, long length, long number, long meta);

/* Of the guest that this process is. */
extern bench_function *bench_call;
extern uint8_t *bench_exchange;

/*
 * Makes a store for so many guests, with so many spaces of `memory` bytes that all may use, in
 * memory that children share. Loads the function from the file. On failure, ends the process with a
 * message.
 */
struct kv_store *bench_store(const char *function_file, uint32_t guests, uint32_t spaces,
			     uint64_t memory);

/* Makes this process the guest of that place. */
void bench_become(uint32_t place);

/* Returns the time of one of the clocks of clock_gettime(2). */
double bench_seconds(clockid_t clock);

#endif
