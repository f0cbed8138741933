/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions of the function for each operation, its own and the kit's. The call itself comes on
 * top (docs/gate.md). Keys have 16 bytes. Lines:
 *   result bench=kv_count op=... size=... insns=...
 */
#include <stdio.h>
#include <string.h>
#include "../switch/count.h"
#include "guest.h"

static const char key[] = "0123456789abcdef";

/* What is counted around the function is subtracted: a call of an empty function, except its
 * RET. */
static __attribute__((noipa)) long nothing(long what, long a1, long a2, long a3, long a4, long a5)
{
	(void)what, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	return 0;
}

static __attribute__((noipa)) uint64_t steps_of(bench_function *function, const long argument[6],
						long *result)
{
	const uint64_t before = count_steps();

	count_begin();
	*result = function(argument[0], argument[1], argument[2], argument[3], argument[4],
			   argument[5]);
	count_end();
	return count_steps() - before;
}

static void count(const char *name, enum kv_op op, size_t size, uint64_t number)
{
	const long argument[6] = {KV_CALL(op, 0, sizeof(key) - 1), BENCH_KEY, BENCH_VALUE,
				  (long)size, (long)number};
	long result, unused;
	uint64_t steps;

	memcpy(bench_exchange + BENCH_KEY, key, sizeof(key) - 1);
	steps = steps_of(bench_call, argument, &result);
	steps -= steps_of(nothing, argument, &unused);
	printf("result bench=kv_count op=%s size=%zu insns=%llu%s\n", name, size,
	       (unsigned long long)steps, result < 0 && result != -ENOENT ? " (failed)" : "");
}

int main(int argc, char **argv)
{
	static const size_t size[] = {8, 64, 1024, 4096, 102400};

	if (argc != 2) {
		fprintf(stderr, "usage: %s FUNCTION.so\n", argv[0]);
		return 2;
	}
	bench_store(argv[1], 4, 1, 64 << 20);
	bench_become(0);
	count("get_miss", KV_GET, 64, 0);
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		count("set_new", KV_SET, size[i], 0);
		count("set", KV_SET, size[i], 0);
		count("get", KV_GET, size[i] + sizeof(struct kv_item), 0);
		count("delete", KV_DELETE, size[i], 0);
	}
	memcpy(bench_exchange + BENCH_VALUE, "10", 2);
	count("set", KV_SET, 2, 0);
	count("incr", KV_INCREMENT, 64, 1);
	count("touch", KV_TOUCH, 0, 0);
	return 0;
}
