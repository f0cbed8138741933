/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies from and to the caller's exchange buffer. The guest may change the buffer at any time. A
 * function that has copied bytes in must check its own copy, and must not read those bytes from the
 * buffer again.
 */
#ifndef ELISA_SUB_EXCHANGE_H
#define ELISA_SUB_EXCHANGE_H

#include <errno.h>
#include <elisa/copy.h>
#include <elisa/function.h>

/*
 * Copies `length` bytes in, from `offset` of the buffer on. Both may be any number. Returns -EFAULT
 * if not all of them lie in the buffer.
 */
static inline int elisa_copy_in(void *to, uint64_t offset, uint64_t length)
{
	const void *from = elisa_exchange(offset, length);

	if (!from)
		return -EFAULT;
	elisa_copy(to, from, length);
	return 0;
}

/* Copies `length` bytes out, to `offset` of the buffer. Returns -EFAULT if not all of them lie in
 * the buffer: then nothing was written. */
static inline int elisa_copy_out(uint64_t offset, const void *from, uint64_t length)
{
	void *to = elisa_exchange(offset, length);

	if (!to)
		return -EFAULT;
	elisa_copy(to, from, length);
	return 0;
}

/* Reads a number of 8 bytes, of any alignment, by one load. Returns -EFAULT if it does not lie in
 * the buffer. */
static inline int elisa_read_number(uint64_t offset, uint64_t *number)
{
	const volatile struct elisa_word *from =
		(const volatile struct elisa_word *)elisa_exchange(offset, sizeof(*number));

	if (!from)
		return -EFAULT;
	*number = from->value;
	return 0;
}

#endif
