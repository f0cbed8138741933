/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock that survives its holder. The word has one of these values:
 * - 0: the lock is free;
 * - the name of the holder (caller.h);
 * - the same with bit 0 set: the holder took the lock from a dead one, and has not yet called
 *   elisa_lock_consistent();
 * - ELISA_LOCK_POISONED.
 * Each change of the word is one atomic operation, so the holder may stop at any instruction.
 *
 * As with a robust mutex, the caller that takes a dead one's lock gets -EOWNERDEAD and the lock:
 *
 *     error = elisa_lock_take(&lock, &me);
 *     if (error == -EOWNERDEAD) {
 *             repair();                          // if it dies here the next one gets -EOWNERDEAD
 *             elisa_lock_consistent(&lock, &me); // without: poisoned when released
 *     } else if (error) {
 *             return error;
 *     }
 *     ...
 *     elisa_lock_release(&lock);
 *
 * Where a change can be written down before it is made there is nothing to repair: see change.h.
 *
 * A live holder keeps the lock while its vCPU does not run, until the host ends its call
 * (elisa_set_suspend_limit()). For that reason waiting is bounded. There is no queue of waiters,
 * because a waiter could stop as well.
 */
#ifndef ELISA_SUB_LOCK_H
#define ELISA_SUB_LOCK_H

#include <elisa/sub/caller.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_LOCK_POISONED (~0ull)
#define ELISA_LOCK_SPINS    1024u /* pauses of elisa_lock_take(): tens of microseconds */

/* All fields 0: free. */
struct elisa_lock {
	uint64_t word;
};

/*
 * Takes the lock, after up to `spins` pauses. Any caller may call it; thread-safe, as everything in
 * this file. Errors: -EOWNERDEAD (taken, and what it protects may be half changed), -EBUSY (not
 * taken: the holder lives), -EDEADLK (this call has it), -ENOTRECOVERABLE (poisoned).
 */
int elisa_lock_take_within(struct elisa_lock *lock, const struct elisa_caller *me, uint32_t spins);

static inline int elisa_lock_take(struct elisa_lock *lock, const struct elisa_caller *me)
{
	return elisa_lock_take_within(lock, me, ELISA_LOCK_SPINS);
}

/* Says that what the lock protects is whole again. The holder calls it after -EOWNERDEAD. */
static inline void elisa_lock_consistent(struct elisa_lock *lock, const struct elisa_caller *me)
{
	__atomic_store_n(&lock->word, me->name, __ATOMIC_RELEASE);
}

/* Releases the lock. Only its holder may call it. Without elisa_lock_consistent() after
 * -EOWNERDEAD, it poisons the lock. */
static inline void elisa_lock_release(struct elisa_lock *lock)
{
	const uint64_t word = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);

	__atomic_store_n(&lock->word, word & 1 ? ELISA_LOCK_POISONED : 0, __ATOMIC_RELEASE);
}

/* Frees a poisoned lock. The manager calls it after it has made anew what the lock protects. */
static inline void elisa_lock_heal(struct elisa_lock *lock)
{
	uint64_t poisoned = ELISA_LOCK_POISONED;

	__atomic_compare_exchange_n(&lock->word, &poisoned, 0, 0, __ATOMIC_SEQ_CST,
				    __ATOMIC_RELAXED);
}

#ifdef __cplusplus
}
#endif

#endif
