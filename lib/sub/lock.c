/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a lock, also from a dead holder; <elisa/sub/lock.h> has the story. */
#include "wait.h"

int elisa_lock_acquire(struct elisa_lock *lock, const struct elisa_caller *me, uint32_t spins,
		       uint64_t *before)
{
	for (;; spins--) {
		uint64_t word = 0;

		if (__builtin_expect(__atomic_compare_exchange_n(&lock->word, &word, me->name, 0,
								 __ATOMIC_SEQ_CST,
								 __ATOMIC_RELAXED),
				     1)) {
			*before = 0;
			return 0;
		}
		if (word == ELISA_LOCK_POISONED)
			return -ENOTRECOVERABLE;
		if ((word & ~1ull) == me->name)
			return -EDEADLK;
		*before = word;
		if (elisa_caller_dead(me->callers, word) &&
		    __atomic_compare_exchange_n(&lock->word, &word, me->name | 1, 0,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return -EOWNERDEAD;
		if (!spins)
			return -EBUSY;
		elisa_wait_a_little();
	}
}

int elisa_lock_take_within(struct elisa_lock *lock, const struct elisa_caller *me, uint32_t spins)
{
	uint64_t before;

	return elisa_lock_acquire(lock, me, spins, &before);
}
