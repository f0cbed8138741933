/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence locks; <elisa/sub/seqlock.h> has the story. */
#include <elisa/sub/seqlock.h>
#include "wait.h"

int elisa_seq_write(struct elisa_seqlock *lock, const struct elisa_caller *me)
{
	const int error = elisa_lock_take(&lock->writer, me);

	if (error && error != -EOWNERDEAD)
		return error;
	/* odd. After a dead writer it is another odd number, because a reader may have seen the
	 * dead writer's. */
	__atomic_store_n(&lock->sequence, (lock->sequence + 1) | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return error;
}

void elisa_seq_write_end(struct elisa_seqlock *lock)
{
	if (!(__atomic_load_n(&lock->writer.word, __ATOMIC_RELAXED) & 1))
		__atomic_store_n(&lock->sequence, lock->sequence + 1, __ATOMIC_RELEASE);
	elisa_lock_release(&lock->writer);
}

int elisa_seq_read(const struct elisa_seqlock *lock, const struct elisa_caller *me, uint64_t *seen)
{
	for (uint32_t spins = ELISA_LOCK_SPINS;; spins--) {
		uint64_t writer;

		*seen = __atomic_load_n(&lock->sequence, __ATOMIC_ACQUIRE);
		if (!(*seen & 1))
			return 0;
		writer = __atomic_load_n(&lock->writer.word, __ATOMIC_ACQUIRE);
		if (writer == ELISA_LOCK_POISONED)
			return -ENOTRECOVERABLE;
		if (elisa_caller_dead(me->callers, writer))
			return -EOWNERDEAD;
		if (!spins)
			return -EBUSY;
		elisa_wait_a_little();
	}
}
