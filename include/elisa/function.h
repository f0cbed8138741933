/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the code of an export, which runs in the sub context: which attachment calls, what the caller
 * shares, and doorbells. Needs no library.
 *
 * Arguments come from a guest, and the function may write the whole object. So the function must
 * never use an argument as an address, nor as an index without a bound. Data larger than six
 * integers goes through the exchange buffer, by offsets.
 */
#ifndef ELISA_FUNCTION_H
#define ELISA_FUNCTION_H

#include <stdint.h>
#include <elisa/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef ELISA_NATIVE
/*
 * In a process of its own, for tests (libelisa-sub-test, or the test itself): of the calling
 * thread.
 */
const struct elisa_self *elisa_self(void);
void elisa_ring(uint32_t place);
#else
/* The caller, by the host's word. `aborts` and `donated` may change between two calls. */
static inline const struct elisa_self *elisa_self(void)
{
	return (const struct elisa_self *)ELISA_SELF_ADDRESS;
}

/*
 * Rings the doorbell of the VM that has this place of the export, for one VM exit. Nothing happens
 * if no VM has the place, or if the VM's driver has no doorbell. A thread that wakes up sees all
 * that was stored before.
 */
static inline void elisa_ring(uint32_t place)
{
	__asm__ volatile("vmcall" : : "a"(ELISA_RING), "c"((uint64_t)place) : "memory", "cc");
}
#endif

/*
 * Bytes of the caller's own exchange buffer, from offset on; NULL unless all of length lies in it.
 * Offset and length may come from a guest, but length must be the true one: bound a count before
 * multiplying it. The guest may write there at any time: read a value once into a local variable,
 * then check it.
 */
static inline void *elisa_exchange(uint64_t offset, uint64_t length)
{
	const struct elisa_self *self = elisa_self();

	if (offset > self->exchange_size || length > self->exchange_size - offset)
		return (void *)0;
	return (void *)(self->exchange + offset);
}

#ifdef __cplusplus
}
#endif

#endif
