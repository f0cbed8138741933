/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's exchange buffer by copies. The guest may change it at any time. What these functions
 * have copied in is a copy of its own: check that, and never look at the buffer again for it.
 */
#ifndef ELISA_SUB_EXCHANGE_H
#define ELISA_SUB_EXCHANGE_H

#include <errno.h>
#include <elisa/copy.h>
#include <elisa/function.h>

/*
 * length bytes from offset of the buffer on; both may be any number. -EFAULT: not all of them lie
 * in it.
 */
static inline int elisa_copy_in(void *to, uint64_t offset, uint64_t length)
{
	const void *from = elisa_exchange(offset, length);

	if (!from)
		return -EFAULT;
	elisa_copy(to, from, length);
	return 0;
}

/* length bytes to offset of the buffer. -EFAULT as above: then nothing was written. */
static inline int elisa_copy_out(uint64_t offset, const void *from, uint64_t length)
{
	void *to = elisa_exchange(offset, length);

	if (!to)
		return -EFAULT;
	elisa_copy(to, from, length);
	return 0;
}

/* One number of 8 bytes, by one read. Any alignment. -EFAULT as above. */
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
