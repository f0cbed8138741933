/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the code of an export, which runs in the sub context: who is calling, and doorbells. Needs no library.
 */
#ifndef ELISA_FUNCTION_H
#define ELISA_FUNCTION_H

#include <stdint.h>
#include <elisa/abi.h>

/* The caller, by the host's word. `aborts` and `donated` may change between two calls. */
static inline const struct elisa_self *elisa_self(void)
{
	return (const struct elisa_self *)ELISA_SELF_ADDRESS;
}

/*
 * Rings the doorbell of the VM whose attachment has this place of the export; nothing happens if nobody has
 * it, or if its driver has no doorbell. One VM exit. All that was stored before can be seen by whoever
 * wakes up.
 */
static inline void elisa_ring(uint32_t place)
{
	__asm__ volatile("vmcall" : : "a"(ELISA_RING), "c"((uint64_t)place) : "memory", "cc");
}

#endif
