/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops that are measured. Source and size change a little each time, as they do in use, so
 * that neither the compiler nor the CPU can predict them.
 */
#include <elisa/copy.h>
#include "measured.h"

/* The kit's memcpy() under this name (meson.build). */
void *kit_memcpy(void *restrict to, const void *restrict from, size_t size);

void bench_memcpy(void *to, const void *from, size_t size, uint32_t copies)
{
	for (uint32_t i = 0; i < copies; i++)
		kit_memcpy(to, (const uint8_t *)from + (i & 7), size - (i & 1));
}

void bench_switch(void *to, const void *from, size_t size, uint32_t copies)
{
	for (uint32_t i = 0; i < copies; i++) {
		elisa_copy(to, (const uint8_t *)from + (i & 7), size - (i & 1));
		__asm__ volatile("" : : "r"(to) : "memory");
	}
}
