/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sequence lock: readers copy, and look afterwards whether a writer was there meanwhile. They
 * write nothing, so that any number of them costs the writer nothing. The sequence is odd while
 * there is a writer. A writer that died leaves it odd, so readers never take for whole what it
 * left.
 *
 *     do {
 *             error = elisa_seq_read(&lock, &me, &seen);
 *             if (error)
 *                     return error;
 *             elisa_copy(&mine, &theirs, sizeof(mine));
 *     } while (!elisa_seq_same(&lock, seen));
 *
 * What is copied may be torn until elisa_seq_same() has said that it is not: no pointer, index or
 * length of it may be used before.
 */
#ifndef ELISA_SUB_SEQLOCK_H
#define ELISA_SUB_SEQLOCK_H

#include <elisa/sub/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All 0: free. */
struct elisa_seqlock {
	struct elisa_lock writer;
	uint64_t sequence;
};

/*
 * For writing. Errors: those of elisa_lock_take(), also -EOWNERDEAD as there. Thread-safe, as all.
 */
int elisa_seq_write(struct elisa_seqlock *lock, const struct elisa_caller *me);

/* Its writer, after -EOWNERDEAD: all is written anew. */
static inline void elisa_seq_consistent(struct elisa_seqlock *lock, const struct elisa_caller *me)
{
	elisa_lock_consistent(&lock->writer, me);
}

/* Its writer. After -EOWNERDEAD without elisa_seq_consistent() it is poisoned, and stays odd. */
void elisa_seq_write_end(struct elisa_seqlock *lock);

/*
 * Any caller. *seen: out. Errors: -EBUSY (a writer is there), -EOWNERDEAD (one died: take it for
 * writing and repair), -ENOTRECOVERABLE (poisoned).
 */
int elisa_seq_read(const struct elisa_seqlock *lock, const struct elisa_caller *me, uint64_t *seen);

/* Was there no writer since elisa_seq_read()? */
static inline int elisa_seq_same(const struct elisa_seqlock *lock, uint64_t seen)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&lock->sequence, __ATOMIC_RELAXED) == seen;
}

#ifdef __cplusplus
}
#endif

#endif
