/* SPDX-License-Identifier: Apache-2.0 */
/* The ring: producers and consumers that stop; what was put comes out, in order, none is torn. */
#include <pthread.h>
#include <string.h>
#include "sub.h"

enum {
	PUT, /* a1 */
	TAKE,
	COUNT = 4,
	WORDS = 3,
};

struct entry {
	uint64_t word[WORDS];
};

static struct sub_callers callers;
static struct {
	struct elisa_lock producers; /* there are several */
	struct elisa_queue queue;
	struct entry entry[COUNT];
} object;

static long put(const struct elisa_caller *me, uint64_t value)
{
	const struct entry entry = {{value, value, value}};
	long error = elisa_lock_take(&object.producers, me);

	if (error == -EOWNERDEAD) /* nothing to repair */
		elisa_lock_consistent(&object.producers, me);
	else if (error)
		return error;
	error = elisa_queue_put(&object.queue, &entry);
	elisa_lock_release(&object.producers);
	return error;
}

static long function(long op, long a1, long a2, long a3, long a4, long a5)
{
	struct entry entry;
	struct elisa_caller me;
	long error = elisa_enter(&callers.table, &me);

	(void)a2, (void)a3, (void)a4, (void)a5;
	if (error || op == PUT)
		return error ? error : put(&me, (uint64_t)a1);
	error = elisa_queue_take(&object.queue, &entry);
	if (error)
		return error;
	if (entry.word[0] != entry.word[1] || entry.word[0] != entry.word[2])
		return -EILSEQ;
	return (long)entry.word[0];
}

static int start(void **state)
{
	(void)state;
	memset(&object, 0, sizeof(object));
	sub_start(&callers, function, &object, sizeof(object));
	assert_int_equal(
		elisa_queue_init(&object.queue, object.entry, COUNT, sizeof(object.entry[0])), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sub_end();
	return 0;
}

static void one_after_the_other(void **state)
{
	(void)state;
	assert_int_equal(elisa_queue_init(&object.queue, object.entry, 3, 8), -EINVAL);
	assert_int_equal(elisa_queue_init(&object.queue, object.entry, 0, 8), -EINVAL);
	assert_int_equal(elisa_queue_init(&object.queue, object.entry, 4, 0), -EINVAL);
	/* the counts come around */
	object.queue.put = object.queue.taken = UINT32_MAX - 5;
	for (long i = 1; i < 50; i++) {
		assert_int_equal(sub_call(1, TAKE, 0, 0), -EAGAIN);
		for (long j = 0; j < COUNT; j++)
			assert_int_equal(sub_call(0, PUT, i + j, 0), 0);
		assert_int_equal(sub_call(0, PUT, 1, 0), -EAGAIN);
		for (long j = 0; j < COUNT; j++)
			assert_int_equal(sub_call(1, TAKE, 0, 0), i + j);
	}
}

/* The entry is there once, or not; the next ones come behind it. */
static void producer_stopped(void *context, uint32_t n, int told)
{
	long first, second;

	(void)context;
	(void)n;
	assert_int_equal(sub_call(told, PUT, 8, 0), 0);
	first = sub_call(1, TAKE, 0, 0);
	second = sub_call(1, TAKE, 0, 0);
	assert_true((first == 7 && second == 8) || (first == 8 && second == -EAGAIN));
}

static void consumer_stopped(void *context, uint32_t n, int told)
{
	long first;

	(void)context;
	(void)n;
	(void)told;
	first = sub_call(0, TAKE, 0, 0);
	assert_true(first == 7 || first == 8);
	if (first == 7)
		assert_int_equal(sub_call(0, TAKE, 0, 0), 8);
	assert_int_equal(sub_call(0, TAKE, 0, 0), -EAGAIN);
}

static void abandoned(void **state)
{
	(void)state;
	assert_true(elisa_test_abandon(sub_guest[0], 0, (const long[6]){PUT, 7}, producer_stopped,
				       NULL, NULL) > 50);
	assert_int_equal(sub_call(0, PUT, 8, 0), 0);
	assert_true(elisa_test_abandon(sub_guest[1], 0, (const long[6]){TAKE}, consumer_stopped,
				       NULL, NULL) > 50);
}

static void *producer(void *unused)
{
	for (long i = 1; i <= 5000;)
		i += !elisa_test_call(sub_guest[0], 0, PUT, i, 0, 0, 0, 0).value;
	return unused;
}

static void at_once(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, producer, NULL), 0);
	for (long i = 1; i <= 5000;) {
		const long value = sub_call(1, TAKE, 0, 0);

		if (value == -EAGAIN)
			continue;
		assert_int_equal(value, i);
		i++;
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_after_the_other, start, end),
		cmocka_unit_test_setup_teardown(abandoned, start, end),
		cmocka_unit_test_setup_teardown(at_once, start, end),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
