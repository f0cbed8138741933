// SPDX-License-Identifier: Apache-2.0
/*
 * Random and structured hypercalls of two VMs against the host module's own sources, in an ordinary
 * process. argv[1] says how many (default 20000). The fuzz target checks locks, references and
 * memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	static uint8_t data[4096];
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
	const volatile u64 *calls = &eh_counts.of[ELISA_COUNT_HYPERCALLS];
	uint64_t x = 0x9e3779b97f4a7c15;

	while (*calls < wanted) {
		for (size_t i = 0; i < sizeof(data); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			data[i] = x >> 32;
		}
		LLVMFuzzerTestOneInput(data, 1 + x % sizeof(data));
	}
	printf("attack native_hypercalls tries=%llu unexpected=0\n", (unsigned long long)*calls);
	return 0;
}
