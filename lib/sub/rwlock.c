/* SPDX-License-Identifier: Apache-2.0 */
/* Readers that note their names instead of being counted; <elisa/sub/rwlock.h> has the story. */
#include <stddef.h>
#include <elisa/sub/rwlock.h>
#include "wait.h"

static uint64_t distance(const struct elisa_rwlock *lock, const struct elisa_caller *me)
{
	return (uintptr_t)lock - (uintptr_t)me->callers;
}

static struct elisa_caller_read *find(const struct elisa_caller *me, uint64_t lock)
{
	struct elisa_caller_record *record =
		elisa_caller_record(me->callers, me->name >> ELISA_NAME_NUMBER);

	for (uint32_t i = 0; i < ELISA_CALLER_READS; i++) {
		struct elisa_caller_read *read = &record->read[i];
		const uint64_t noted = read->name == me->name ? read->lock : 0;

		if (noted == lock)
			return read;
	}
	return NULL;
}

/* Notes the lock for this reader. Until the last of the three writes, the record names no lock of
 * this caller's life. */
static void note(struct elisa_caller_read *read, const struct elisa_caller *me, uint64_t lock)
{
	__atomic_store_n(&read->lock, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&read->name, me->name, __ATOMIC_RELEASE);
	__atomic_store_n(&read->lock, lock, __ATOMIC_SEQ_CST);
}

static int writer_of(const struct elisa_rwlock *lock, const struct elisa_caller *me)
{
	const uint64_t word = __atomic_load_n(&lock->writer.word, __ATOMIC_SEQ_CST);

	if (!word)
		return 0;
	if (word == ELISA_LOCK_POISONED)
		return -ENOTRECOVERABLE;
	if ((word & ~1ull) == me->name)
		return -EDEADLK;
	return elisa_caller_dead(me->callers, word) ? -EOWNERDEAD : -EBUSY;
}

int elisa_read_take(struct elisa_rwlock *lock, const struct elisa_caller *me)
{
	struct elisa_caller_read *read = find(me, 0);
	uint32_t spins = ELISA_LOCK_SPINS;
	int error;

	if (!read)
		return -ENOLCK;
	for (;; spins--) {
		note(read, me, distance(lock, me));
		error = writer_of(lock, me);
		if (!error)
			return 0;
		__atomic_store_n(&read->lock, 0, __ATOMIC_RELEASE);
		if (error != -EBUSY || !spins)
			return error;
		elisa_wait_a_little();
	}
}

void elisa_read_release(struct elisa_rwlock *lock, const struct elisa_caller *me)
{
	struct elisa_caller_read *read = find(me, distance(lock, me));

	if (read)
		__atomic_store_n(&read->lock, 0, __ATOMIC_RELEASE);
}

static int reads(const struct elisa_caller_record *record, uint64_t lock)
{
	const uint64_t name = __atomic_load_n(&record->name, __ATOMIC_SEQ_CST);

	for (uint32_t i = 0; i < ELISA_CALLER_READS; i++) {
		const struct elisa_caller_read *read = &record->read[i];

		if (__atomic_load_n(&read->lock, __ATOMIC_SEQ_CST) == lock &&
		    __atomic_load_n(&read->name, __ATOMIC_SEQ_CST) == name)
			return 1;
	}
	return 0;
}

/* Waits until the readers that came before are gone: ELISA_LOCK_SPINS pauses for all of them
 * together. */
static int await_readers(const struct elisa_rwlock *lock, const struct elisa_caller *me)
{
	struct elisa_callers *callers = me->callers;
	const uint64_t count = ELISA_CALLER_RECORDS((uint64_t)callers->places, callers->vcpus);
	uint32_t spins = ELISA_LOCK_SPINS;

	for (uint64_t number = 1; number <= count; number++)
		while (reads(elisa_caller_record(callers, number), distance(lock, me))) {
			if (!spins--)
				return -EBUSY;
			elisa_wait_a_little();
		}
	return 0;
}

int elisa_write_take(struct elisa_rwlock *lock, const struct elisa_caller *me)
{
	uint64_t before;
	const int error = elisa_lock_acquire(&lock->writer, me, ELISA_LOCK_SPINS, &before);

	if (error && error != -EOWNERDEAD)
		return error;
	if (!await_readers(lock, me))
		return error;
	/* put the word back as it was: a dead writer's name stays, so the next writer knows that it
	 * has to repair */
	__atomic_store_n(&lock->writer.word, before, __ATOMIC_RELEASE);
	return -EBUSY;
}
