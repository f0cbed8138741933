/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of several words that happens as a whole or not at all, wherever the caller stops. It is
 * a lock with a list of stores:
 *
 *     error = elisa_change_begin(&table->change, &me);
 *     if (error)
 *             return error;
 *     elisa_change_set(&table->change, &slot->item, item);
 *     elisa_change_set(&table->change, &table->items, table->items + 1);
 *     return elisa_change_commit(&table->change);
 *
 * What can happen in which order. elisa_change_set() only notes the store. elisa_change_commit()
 * makes the list count, by one store to `state`; then it makes the stores, takes the list back, and
 * releases the lock. A caller that dies before that one store has changed nothing. A caller that
 * dies after it leaves a list that counts, and a lock with a dead name in it. The next caller gets
 * the lock, makes the stores of the list, and continues. It may repeat stores that were made,
 * because the list holds values, not differences. No other caller writes these words meanwhile,
 * since writing them needs the lock. If the next caller dies as well, the list and the dead name
 * remain for the one after it.
 *
 * So a caller that has begun sees all words either as before a change or as after it. A caller that
 * has not begun may read single words at any time. Each word is old or new, and the words change in
 * the order in which they were set. To read several words as of one moment, the caller calls
 * elisa_change_read() before and elisa_change_same() afterwards.
 *
 * The caller that has begun may write memory that no committed word leads to. So write a new item
 * first, then set the word that leads to it.
 */
#ifndef ELISA_SUB_CHANGE_H
#define ELISA_SUB_CHANGE_H

#include <elisa/sub/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_CHANGE_WORDS 32u
#define ELISA_CHANGE_COUNT 0xffull /* of state: stores that count; the bits above count changes */

struct elisa_change_word {
	int64_t at; /* distance from the change */
	uint64_t value;
};

/* All fields 0: nothing changes. */
struct elisa_change {
	struct elisa_lock lock;
	uint64_t state;
	uint32_t noted; /* stores in `word`; only the holder of the lock uses it */
	uint32_t freed; /* for pool.h: this change gives memory back */
	struct elisa_change_word word[ELISA_CHANGE_WORDS];
};

/*
 * Takes the lock, after it has completed what a dead caller had committed. Any caller may call it;
 * thread-safe. Errors, each without the lock: -EBUSY (another caller changes, and lives), -EDEADLK
 * (this call has begun already).
 */
int elisa_change_begin(struct elisa_change *change, const struct elisa_caller *me);

/* Notes that the word becomes `value` with the commit. If a word is set several times, the last
 * value counts. Only between begin and commit. */
void elisa_change_set(struct elisa_change *change, uint64_t *word, uint64_t value);

/* Returns what the word will be after the commit: the noted value, or else the present one. Only
 * between begin and commit. */
uint64_t elisa_change_get(const struct elisa_change *change, const uint64_t *word);

/*
 * Makes all noted stores, and releases the lock. Errors: -E2BIG (more than ELISA_CHANGE_WORDS words
 * were noted: nothing was changed, and the lock is released).
 */
int elisa_change_commit(struct elisa_change *change);

/* Discards all noted stores, and releases the lock. Only between begin and commit. */
static inline void elisa_change_cancel(struct elisa_change *change)
{
	elisa_lock_release(&change->lock);
}

/*
 * Begins to read without the lock. Any caller may call it. *seen: out, for elisa_change_same().
 * Returns -EBUSY while a change is being made. If that lasts, the caller of the change has died:
 * elisa_change_begin() and elisa_change_cancel() complete its change.
 */
static inline int elisa_change_read(const struct elisa_change *change, uint64_t *seen)
{
	*seen = __atomic_load_n(&change->state, __ATOMIC_ACQUIRE);
	return *seen & ELISA_CHANGE_COUNT ? -EBUSY : 0;
}

/* Tells whether nothing has changed since elisa_change_read(), so that what was read is from one
 * moment. */
static inline int elisa_change_same(const struct elisa_change *change, uint64_t seen)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&change->state, __ATOMIC_RELAXED) == seen;
}

#ifdef __cplusplus
}
#endif

#endif
