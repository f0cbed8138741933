/* SPDX-License-Identifier: Apache-2.0 */
/* elisa-kv's function, called as a guest calls it, but without the switch of contexts
 * (docs/gate.md). */
#include <sched.h>
#include <string.h>
#include "guest.h"
#include "speed.h"

static int get(const char *key)
{
	memcpy(bench_exchange + BENCH_KEY, key, KEY_BYTES);
	return bench_call(KV_CALL(KV_GET, 0, KEY_BYTES), BENCH_KEY, BENCH_VALUE,
			  VALUE_BYTES + (long)sizeof(struct kv_item), 0, 0) >= 0;
}

static int set(const char *key, const char *value)
{
	long result;

	memcpy(bench_exchange + BENCH_KEY, key, KEY_BYTES);
	memcpy(bench_exchange + BENCH_VALUE, value, VALUE_BYTES);
	for (;;) {
		result = bench_call(KV_CALL(KV_SET, 0, KEY_BYTES), BENCH_KEY, BENCH_VALUE,
				    VALUE_BYTES, 0, 0);
		if (result != -EBUSY)
			return result > 0;
		/* the holder of the lock may be waiting for this CPU */
		sched_yield();
	}
}

const struct speed_store *speed_elisa(const char *function_file)
{
	static const struct speed_store store = {"elisa", 0, bench_become, get, set};

	bench_store(function_file, CLIENTS_MAX + 1, 1, 16 << 20);
	return &store;
}
