/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sequence lock. Readers copy, and check afterwards that no writer was there meanwhile. They
 * write nothing, so any number of them costs the writer nothing. The sequence is odd while there is
 * a writer. A writer that dies leaves it odd, so readers never take half-written data for whole.
 *
 *     do {
 *             error = elisa_seq_read(&lock, &me, &seen);
 *             if (error)
 *                     return error;
 *             elisa_copy(&mine, &theirs, sizeof(mine));
 *     } while (!elisa_seq_same(&lock, seen));
 *
 * The copy may be torn until elisa_seq_same() has returned 1. Before that, use no pointer, index or
 * length of it.
 */
#ifndef ELISA_SUB_SEQLOCK_H
#define ELISA_SUB_SEQLOCK_H

#include <elisa/sub/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All fields 0: free. */
struct elisa_seqlock {
	struct elisa_lock writer;
	uint64_t sequence;
};

/*
 * Takes the lock for writing. Errors: those of elisa_lock_take(), with the same meaning of
 * -EOWNERDEAD. Thread-safe, as everything in this file.
 */
int elisa_seq_write(struct elisa_seqlock *lock, const struct elisa_caller *me);

/* Says that all data is written anew. The writer calls it after -EOWNERDEAD. */
static inline void elisa_seq_consistent(struct elisa_seqlock *lock, const struct elisa_caller *me)
{
	elisa_lock_consistent(&lock->writer, me);
}

/* Releases the lock after writing. Only its writer may call it. Without elisa_seq_consistent()
 * after -EOWNERDEAD, the lock is poisoned and the sequence stays odd. */
void elisa_seq_write_end(struct elisa_seqlock *lock);

/*
 * Begins to read. Any caller may call it. *seen: out, for elisa_seq_same(). Errors: -EBUSY (a
 * writer is there), -EOWNERDEAD (the writer died: take the lock for writing and repair),
 * -ENOTRECOVERABLE (poisoned).
 */
int elisa_seq_read(const struct elisa_seqlock *lock, const struct elisa_caller *me, uint64_t *seen);

/* Tells whether there was no writer since elisa_seq_read(). */
static inline int elisa_seq_same(const struct elisa_seqlock *lock, uint64_t seen)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&lock->sequence, __ATOMIC_RELAXED) == seen;
}

#ifdef __cplusplus
}
#endif

#endif
