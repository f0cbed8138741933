/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of several words: as a whole or not at all, wherever the caller stops. */
#include <pthread.h>
#include <string.h>
#include "sub.h"

enum {
	MOVE,  /* from word a1 to word a2 */
	READ,  /* the sum, without the lock */
	FILL,  /* a1 different words */
	TWICE, /* the same word several times, looked at in between */
	CANCEL,
	NESTED,
	WORDS = 40,
	SUM = 1000,
};

static struct sub_callers callers;
static struct {
	uint64_t before[4];
	struct elisa_change change;
	uint64_t word[WORDS];
	uint64_t moves;
} object;

static long move(const struct elisa_caller *me, uint64_t *from, uint64_t *to)
{
	const long error = elisa_change_begin(&object.change, me);

	if (error)
		return error;
	elisa_change_set(&object.change, from, *from - 1);
	elisa_change_set(&object.change, to, elisa_change_get(&object.change, to) + 1);
	elisa_change_set(&object.change, &object.moves, object.moves + 1);
	return elisa_change_commit(&object.change);
}

static long read_sum(const struct elisa_caller *me)
{
	uint64_t seen, sum;

	do {
		if (elisa_change_read(&object.change, &seen)) {
			const long error = elisa_change_begin(&object.change, me);

			if (error)
				return error;
			elisa_change_cancel(&object.change);
			elisa_change_read(&object.change, &seen);
		}
		sum = 0;
		for (int i = 0; i < 4; i++)
			sum += __atomic_load_n(&object.word[i], __ATOMIC_RELAXED);
	} while (!elisa_change_same(&object.change, seen));
	return sum == SUM ? 0 : -EILSEQ;
}

static long fill(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		elisa_change_set(&object.change, &object.word[i], i + 100);
	return elisa_change_commit(&object.change);
}

static long twice(void)
{
	uint64_t *word = &object.word[0];
	long wrong = 0;

	for (uint64_t i = 0; i < 3 * ELISA_CHANGE_WORDS; i++) {
		elisa_change_set(&object.change, word, i);
		wrong |= elisa_change_get(&object.change, word) != i;
		wrong |= elisa_change_get(&object.change, word + 1) != word[1];
	}
	elisa_change_set(&object.change, &object.before[1], 7); /* below the change */
	return elisa_change_commit(&object.change) ? -1 : -wrong;
}

static long function(long op, long a1, long a2, long a3, long a4, long a5)
{
	struct elisa_caller me;
	long error = elisa_enter(&callers.table, &me);

	(void)a3, (void)a4, (void)a5;
	if (error)
		return error;
	if (op == MOVE)
		return move(&me, &object.word[a1], &object.word[a2]);
	if (op == READ)
		return read_sum(&me);
	error = elisa_change_begin(&object.change, &me);
	if (error)
		return error;
	switch (op) {
	case FILL:
		return fill((uint64_t)a1);
	case TWICE:
		return twice();
	case NESTED:
		error = elisa_change_begin(&object.change, &me);
		break;
	}
	elisa_change_set(&object.change, &object.word[0], 0);
	elisa_change_cancel(&object.change);
	return error;
}

static int start(void **state)
{
	(void)state;
	memset(&object, 0, sizeof(object));
	object.word[0] = SUM;
	sub_start(&callers, function, &object, sizeof(object));
	return 0;
}

static int end(void **state)
{
	(void)state;
	sub_end();
	return 0;
}

/* Nothing is under way: the words are as before a change or after it. */
static void whole(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < 4; i++)
		sum += object.word[i];
	assert_int_equal(sum, SUM);
	assert_int_equal(object.change.state & ELISA_CHANGE_COUNT, 0);
	assert_int_equal(object.change.state / (ELISA_CHANGE_COUNT + 1), object.moves);
}

static void move_abandoned(void **state)
{
	(void)state;
	assert_true(sub_abandon((struct sub_call){MOVE, 0, 1}, (struct sub_call){MOVE, 0, 2},
				whole) > 60);
	assert_true(sub_abandon((struct sub_call){MOVE, 0, 1}, (struct sub_call){READ, 0, 0},
				whole) > 60);
	assert_int_equal(object.word[1], 2);
}

static void a_reader_beside(void *unused, uint32_t n)
{
	(void)unused;
	(void)n;
	/* it sees a change in the making as -EBUSY: its caller lives */
	assert_true(sub_call(1, READ, 0, 0) != -EILSEQ);
}

static void move_now(void *unused)
{
	(void)unused;
	sub_call(0, MOVE, 0, 3);
}

static void read_now(void *unused)
{
	(void)unused;
	assert_int_equal(sub_call(1, READ, 0, 0), 0);
}

/* A reader at each instruction of a writer, a writer at each one of a reader. */
static void readers_see_whole_changes(void **state)
{
	uint32_t n;

	(void)state;
	assert_true(elisa_step_each(move_now, NULL, 0, a_reader_beside, NULL) > 60);
	for (n = 1; elisa_step_once(read_now, n, move_now, NULL); n++)
		whole();
	assert_true(n > 40);
}

static void too_many_words(void **state)
{
	(void)state;
	assert_int_equal(sub_call(0, FILL, ELISA_CHANGE_WORDS + 1, 0), -E2BIG);
	whole();
	assert_int_equal(sub_call(0, FILL, WORDS, 0), -E2BIG);
	whole();
	assert_int_equal(sub_call(0, FILL, ELISA_CHANGE_WORDS, 0), 0);
	for (uint32_t i = 0; i < WORDS; i++)
		assert_int_equal(object.word[i], i < ELISA_CHANGE_WORDS ? i + 100 : 0);
}

static void words_set_twice(void **state)
{
	(void)state;
	assert_int_equal(sub_call(0, TWICE, 0, 0), 0);
	assert_int_equal(object.word[0], 3 * ELISA_CHANGE_WORDS - 1);
	assert_int_equal(object.before[1], 7);
	assert_int_equal(object.word[1], 0);
}

static void cancelled(void **state)
{
	(void)state;
	assert_int_equal(sub_call(0, CANCEL, 0, 0), 0);
	assert_int_equal(sub_call(0, NESTED, 0, 0), -EDEADLK);
	assert_int_equal(object.word[0], SUM);
	assert_int_equal(object.change.lock.word, 0);
	assert_int_equal(sub_call(1, FILL, 0, 0), 0); /* of nothing */
}

static void *mover(void *argument)
{
	const int guest = *(const int *)argument;

	for (int i = 0; i < 5000; i++) {
		const struct elisa_result moved =
			elisa_test_call(sub_guest[guest], 0, MOVE, i % 4, (i + 1) % 4, 0, 0, 0);
		const struct elisa_result read =
			elisa_test_call(sub_guest[guest], 1, READ, 0, 0, 0, 0, 0);

		if (moved.error || read.error || read.value == -EILSEQ ||
		    (moved.value && moved.value != -EBUSY))
			return argument;
	}
	return NULL;
}

static void two_guests_at_once(void **state)
{
	static int number[2] = {0, 1};
	pthread_t threads[2];
	void *failed;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mover, &number[i]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	whole();
	assert_true(object.moves > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(move_abandoned, start, end),
		cmocka_unit_test_setup_teardown(readers_see_whole_changes, start, end),
		cmocka_unit_test_setup_teardown(too_many_words, start, end),
		cmocka_unit_test_setup_teardown(words_set_twice, start, end),
		cmocka_unit_test_setup_teardown(cancelled, start, end),
		cmocka_unit_test_setup_teardown(two_guests_at_once, start, end),
	};

	return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
