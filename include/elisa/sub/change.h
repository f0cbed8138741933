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
#define ELISA_CHANGE_COUNT 0xffull /* of state: stores that count; above it: changes so far */

struct elisa_change_word {
	int64_t at; /* distance from the change */
	uint64_t value;
};

/* All 0: nothing changes. */
struct elisa_change {
	struct elisa_lock lock;
	uint64_t state;
	uint32_t noted; /* by the holder of the lock */
	uint32_t freed; /* by pool.h: this change gives memory back */
	struct elisa_change_word word[ELISA_CHANGE_WORDS];
};

/*
 * Takes the lock; what a dead caller had committed is done first. Any caller; thread-safe.
 * Errors, none of which takes it: -EBUSY (another caller changes, and lives), -EDEADLK (this call
 * has begun already).
 */
int elisa_change_begin(struct elisa_change *change, const struct elisa_caller *me);

/* Begun: word becomes value with the commit. The last of several for one word counts. */
void elisa_change_set(struct elisa_change *change, uint64_t *word, uint64_t value);

/* Begun: what the word will be after the commit, as far as it is noted. */
uint64_t elisa_change_get(const struct elisa_change *change, const uint64_t *word);

/*
 * Begun: all or nothing, and the lock is released. Errors: -E2BIG (more than ELISA_CHANGE_WORDS
 * words: nothing was changed).
 */
int elisa_change_commit(struct elisa_change *change);

/* Begun: nothing was changed, and the lock is released. */
static inline void elisa_change_cancel(struct elisa_change *change)
{
	elisa_lock_release(&change->lock);
}

/*
 * Any caller, without the lock. *seen: out. -EBUSY: a change is being made. If it stays so its
 * caller has died: elisa_change_begin() and elisa_change_cancel() end it.
 */
static inline int elisa_change_read(const struct elisa_change *change, uint64_t *seen)
{
	*seen = __atomic_load_n(&change->state, __ATOMIC_ACQUIRE);
	return *seen & ELISA_CHANGE_COUNT ? -EBUSY : 0;
}

/* Was nothing changed since elisa_change_read()? */
static inline int elisa_change_same(const struct elisa_change *change, uint64_t seen)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&change->state, __ATOMIC_RELAXED) == seen;
}

#ifdef __cplusplus
}
#endif

#endif
