// SPDX-License-Identifier: Apache-2.0
/* Runs the fuzz target with the same random inputs each time, for builds without libFuzzer. */
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(void)
{
	static uint8_t data[2048];
	uint64_t x = 88172645463325252;

	for (int run = 0; run < 500; run++) {
		for (size_t i = 0; i < sizeof(data); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			data[i] = x >> 32;
		}
		LLVMFuzzerTestOneInput(data, 1 + x % sizeof(data));
	}
	return 0;
}
