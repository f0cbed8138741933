/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that are all or nothing; <elisa/sub/change.h> has the story. */
#include <elisa/sub/change.h>

#define TOO_MANY (ELISA_CHANGE_WORDS + 1)

static uint64_t *word_at(struct elisa_change *change, int64_t at)
{
	return (uint64_t *)((uintptr_t)change + (uintptr_t)at);
}

static int64_t distance(const struct elisa_change *change, const uint64_t *word)
{
	return (int64_t)((uintptr_t)word - (uintptr_t)change);
}

/* Makes the stores of the list that counts, then takes the list back. It may be repeated any number
 * of times. */
static void make(struct elisa_change *change)
{
	const uint64_t state = change->state;

	for (uint32_t i = 0; i < (state & ELISA_CHANGE_COUNT); i++)
		__atomic_store_n(word_at(change, change->word[i].at), change->word[i].value,
				 __ATOMIC_RELEASE);
	__atomic_store_n(&change->state, state & ~ELISA_CHANGE_COUNT, __ATOMIC_RELEASE);
}

int elisa_change_begin(struct elisa_change *change, const struct elisa_caller *me)
{
	const int error = elisa_lock_take(&change->lock, me);

	if (error && error != -EOWNERDEAD)
		return error;
	if (error) {
		make(change);
		elisa_lock_consistent(&change->lock, me);
	}
	change->noted = 0;
	change->freed = 0;
	return 0;
}

static uint32_t find(const struct elisa_change *change, int64_t at)
{
	uint32_t i;

	for (i = 0; i < change->noted; i++)
		if (change->word[i].at == at)
			break;
	return i;
}

void elisa_change_set(struct elisa_change *change, uint64_t *word, uint64_t value)
{
	const int64_t at = distance(change, word);
	uint32_t i;

	if (change->noted == TOO_MANY)
		return;
	i = find(change, at);
	if (i == ELISA_CHANGE_WORDS) {
		change->noted = TOO_MANY;
		return;
	}
	change->word[i].at = at;
	change->word[i].value = value;
	if (i == change->noted)
		change->noted = i + 1;
}

uint64_t elisa_change_get(const struct elisa_change *change, const uint64_t *word)
{
	const uint32_t i = change->noted == TOO_MANY ? TOO_MANY :
						       find(change, distance(change, word));

	return i < change->noted ? change->word[i].value : __atomic_load_n(word, __ATOMIC_RELAXED);
}

int elisa_change_commit(struct elisa_change *change)
{
	const uint64_t next = change->state + ELISA_CHANGE_COUNT + 1;

	if (change->noted == TOO_MANY) {
		elisa_change_cancel(change);
		return -E2BIG;
	}
	if (change->noted) {
		/* this one store is the change */
		__atomic_store_n(&change->state, next | change->noted, __ATOMIC_RELEASE);
		make(change);
	}
	elisa_lock_release(&change->lock);
	return 0;
}
