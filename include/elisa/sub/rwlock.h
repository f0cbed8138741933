/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock for many readers or one writer. There is no count of readers, because one reader that
 * stopped would make it wrong for ever. Instead a reader notes the lock, with its name, in its own
 * record of the table of callers. A writer takes the writers' lock, and then looks through the
 * records. A noted name that is not the caller's present name belongs to a dead reader, and does
 * not count.
 *
 * The order decides between a reader and a writer that come at the same time. The reader writes its
 * record before it looks at the writers' lock. The writer takes the lock before it looks at the
 * records. So at least one of them sees the other, and the reader gives way.
 *
 * Readers write no line of memory that others write. A writer pays for that: it looks at a cache
 * line for each caller of the table.
 */
#ifndef ELISA_SUB_RWLOCK_H
#define ELISA_SUB_RWLOCK_H

#include <elisa/sub/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All fields 0: free. */
struct elisa_rwlock {
	struct elisa_lock writer;
};

/*
 * Takes the lock for reading. A caller may have ELISA_CALLER_READS locks at a time for reading. Any
 * caller may call it; thread-safe, as everything in this file. Errors, each without the lock:
 * -EBUSY (a writer has it), -EOWNERDEAD (the last writer died: take it for writing and repair),
 * -EDEADLK (this call has it for writing), -ENOTRECOVERABLE (poisoned), -ENOLCK (too many at a
 * time).
 */
int elisa_read_take(struct elisa_rwlock *lock, const struct elisa_caller *me);

/* Releases the lock after reading. Only its reader may call it. */
void elisa_read_release(struct elisa_rwlock *lock, const struct elisa_caller *me);

/*
 * Takes the lock for writing. Errors: those of elisa_lock_take(). -EBUSY also while a reader has
 * the lock. With -EOWNERDEAD the lock is taken, as with elisa_lock_take().
 */
int elisa_write_take(struct elisa_rwlock *lock, const struct elisa_caller *me);

/* Says that what the lock protects is whole again. The writer calls it after -EOWNERDEAD. */
static inline void elisa_write_consistent(struct elisa_rwlock *lock, const struct elisa_caller *me)
{
	elisa_lock_consistent(&lock->writer, me);
}

/* Releases the lock after writing. Only its writer may call it. */
static inline void elisa_write_release(struct elisa_rwlock *lock)
{
	elisa_lock_release(&lock->writer);
}

#ifdef __cplusplus
}
#endif

#endif
