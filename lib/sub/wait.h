/* SPDX-License-Identifier: Apache-2.0 */
/* What the locks of the kit share. */
#ifndef ELISA_SUB_WAIT_H
#define ELISA_SUB_WAIT_H

#include <elisa/sub/lock.h>

static inline void elisa_wait_a_little(void)
{
	__builtin_ia32_pause();
}

/* Works as elisa_lock_take_within(). *before: the word before this caller took the lock, so that
 * the caller can put it back. */
int elisa_lock_acquire(struct elisa_lock *lock, const struct elisa_caller *me, uint32_t spins,
		       uint64_t *before);

#endif
