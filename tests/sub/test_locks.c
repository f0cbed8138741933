/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks whose holders stop at any instruction: nothing waits, and what was half done is known to
 * be.
 */
#include <pthread.h>
#include <string.h>
#include "sub.h"

enum {
	LOCK,
	READ,
	WRITE,
	SEQUENCE,
	SEQUENCE_READ,
	READ_TWO,
	KEEP,
	WITHOUT_REPAIR,
	TRY
};

static struct sub_callers callers;
static struct {
	struct elisa_lock lock;
	struct elisa_rwlock rwlock, second, third;
	struct elisa_seqlock seqlock;
	uint64_t a, b; /* are the same */
	uint64_t died;
} object;

/* What is half done is b; a counts. */
static void work(int error)
{
	if (error)
		object.died++;
	object.b = object.a;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	object.a++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	object.b++;
}

static long lock(const struct elisa_caller *me)
{
	const int error = elisa_lock_take(&object.lock, me);

	if (error && error != -EOWNERDEAD)
		return error;
	work(error);
	if (error)
		elisa_lock_consistent(&object.lock, me);
	elisa_lock_release(&object.lock);
	return 0;
}

static long write_(const struct elisa_caller *me)
{
	const int error = elisa_write_take(&object.rwlock, me);

	if (error && error != -EOWNERDEAD)
		return error;
	work(error);
	if (error)
		elisa_write_consistent(&object.rwlock, me);
	elisa_write_release(&object.rwlock);
	return 0;
}

static long read_(const struct elisa_caller *me)
{
	const int error = elisa_read_take(&object.rwlock, me);
	long same;

	if (error == -EOWNERDEAD)
		return write_(me);
	if (error)
		return error;
	same = object.a == object.b;
	elisa_read_release(&object.rwlock, me);
	return same ? 0 : -EILSEQ;
}

static long sequence(const struct elisa_caller *me)
{
	const int error = elisa_seq_write(&object.seqlock, me);

	if (error && error != -EOWNERDEAD)
		return error;
	work(error);
	if (error)
		elisa_seq_consistent(&object.seqlock, me);
	elisa_seq_write_end(&object.seqlock);
	return 0;
}

static long sequence_read(const struct elisa_caller *me)
{
	uint64_t seen, a, b;

	do {
		const int error = elisa_seq_read(&object.seqlock, me, &seen);

		if (error == -EOWNERDEAD)
			return sequence(me);
		if (error)
			return error;
		a = __atomic_load_n(&object.a, __ATOMIC_RELAXED);
		b = __atomic_load_n(&object.b, __ATOMIC_RELAXED);
	} while (!elisa_seq_same(&object.seqlock, seen));
	return a == b ? 0 : -EILSEQ;
}

static long read_two(const struct elisa_caller *me)
{
	int error = elisa_read_take(&object.rwlock, me);

	if (!error)
		error = elisa_read_take(&object.second, me);
	if (!error)
		error = elisa_read_take(&object.third, me) == -ENOLCK ? 0 : -EILSEQ;
	elisa_read_release(&object.rwlock, me);
	elisa_read_release(&object.second, me);
	elisa_read_release(&object.third, me); /* is not held */
	return error;
}

/* Takes all that it may take, and does not give it back. */
static long keep(const struct elisa_caller *me, long what)
{
	switch (what) {
	case LOCK:
		return elisa_lock_take(&object.lock, me);
	case READ:
		return elisa_read_take(&object.rwlock, me);
	case WRITE:
		return elisa_write_take(&object.rwlock, me);
	default:
		return elisa_seq_write(&object.seqlock, me);
	}
}

static long without_repair(const struct elisa_caller *me)
{
	long error = elisa_lock_take(&object.lock, me);

	if (error == -EOWNERDEAD)
		elisa_lock_release(&object.lock);
	if (elisa_write_take(&object.rwlock, me) == -EOWNERDEAD)
		elisa_write_release(&object.rwlock);
	if (elisa_seq_write(&object.seqlock, me) == -EOWNERDEAD)
		elisa_seq_write_end(&object.seqlock);
	return error;
}

static long function(long op, long a1, long a2, long a3, long a4, long a5)
{
	struct elisa_caller me;
	const int error = elisa_enter(&callers.table, &me);

	(void)a2, (void)a3, (void)a4, (void)a5;
	if (error)
		return error;
	switch (op) {
	case LOCK:
		return lock(&me);
	case READ:
		return read_(&me);
	case WRITE:
		return write_(&me);
	case SEQUENCE:
		return sequence(&me);
	case SEQUENCE_READ:
		return sequence_read(&me);
	case READ_TWO:
		return read_two(&me);
	case KEEP:
		return keep(&me, a1);
	case WITHOUT_REPAIR:
		return without_repair(&me);
	case TRY:
		return elisa_lock_take_within(&object.lock, &me, 0);
	}
	return -ENOSYS;
}

static int start(void **state)
{
	(void)state;
	memset(&object, 0, sizeof(object));
	sub_start(&callers, function, &object, sizeof(object));
	return 0;
}

static int end(void **state)
{
	(void)state;
	sub_end();
	return 0;
}

static void same(void)
{
	assert_int_equal(object.a, object.b);
}

static void abandoned(long op)
{
	const long n = sub_abandon((struct sub_call){op, 0, 0}, (struct sub_call){op, 0, 0}, same);

	assert_true(n > 40);
}

static void lock_abandoned(void **state)
{
	(void)state;
	abandoned(LOCK);
}

static void write_abandoned(void **state)
{
	(void)state;
	abandoned(WRITE);
	sub_abandon((struct sub_call){WRITE, 0, 0}, (struct sub_call){READ, 0, 0}, same);
}

static void read_abandoned(void **state)
{
	(void)state;
	sub_abandon((struct sub_call){READ, 0, 0}, (struct sub_call){WRITE, 0, 0}, same);
	sub_abandon((struct sub_call){READ_TWO, 0, 0}, (struct sub_call){READ_TWO, 0, 0}, same);
}

static void sequence_abandoned(void **state)
{
	(void)state;
	abandoned(SEQUENCE);
	sub_abandon((struct sub_call){SEQUENCE, 0, 0}, (struct sub_call){SEQUENCE_READ, 0, 0},
		    same);
}

static void abort_of(int guest)
{
	struct elisa_event event = {.type = ELISA_EVENT_ABORT,
				    .attachment = elisa_test_number(sub_guest[guest]),
				    .aborts = 1};

	elisa_callers_event(&callers.table, &event);
}

/* A holder that lives is waited for a little. A call that comes back with a lock has it. */
static void the_living_are_left_alone(void **state)
{
	static const long other[] = {LOCK, WRITE, WRITE, SEQUENCE};
	static const long what[] = {LOCK, READ, WRITE, SEQUENCE};

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(sub_call(0, KEEP, what[i], 0), 0);
		assert_int_equal(sub_call(1, other[i], 0, 0), -EBUSY);
		if (what[i] != READ)
			assert_int_equal(sub_call(0, other[i], 0, 0), -EDEADLK);
		end(NULL);
		start(NULL);
	}
	assert_int_equal(sub_call(0, KEEP, LOCK, 0), 0);
	assert_int_equal(sub_call(1, TRY, 0, 0), -EBUSY);
	abort_of(0);
	assert_int_equal(sub_call(1, TRY, 0, 0), -EOWNERDEAD);
}

/* Readers beside each other, and a writer's readers. */
static void readers_share(void **state)
{
	(void)state;
	assert_int_equal(sub_call(0, KEEP, READ, 0), 0);
	assert_int_equal(sub_call(1, READ, 0, 0), 0);
	assert_int_equal(sub_call(1, WRITE, 0, 0), -EBUSY);
	assert_int_equal(sub_call(1, READ, 0, 0),
			 0); /* the writer gave up, and is not in the way */
	abort_of(0);
	assert_int_equal(sub_call(1, WRITE, 0, 0), 0);
	assert_int_equal(object.died, 0);
}

/* The writer died waiting; the next one meets a reader, and leaves the lock as it found it. */
static void a_writer_meets_a_reader_and_a_dead_writer(void **state)
{
	(void)state;
	assert_int_equal(sub_call(0, KEEP, WRITE, 0), 0);
	assert_int_equal(sub_call(1, READ, 0, 0), -EBUSY);
	abort_of(0);
	callers.record[VCPUS].read[0] = (struct elisa_caller_read){
		(uintptr_t)&object.rwlock - (uintptr_t)&callers.table, callers.record[VCPUS].name};
	assert_int_equal(sub_call(1, WRITE, 0, 0), -EBUSY);
	callers.record[VCPUS].read[0].lock = 0;
	assert_int_equal(sub_call(1, WRITE, 0, 0), 0);
	assert_int_equal(object.died, 1);
}

static void poisoned(void **state)
{
	(void)state;
	assert_int_equal(sub_call(0, KEEP, LOCK, 0), 0);
	assert_int_equal(sub_call(0, KEEP, WRITE, 0), 0);
	assert_int_equal(sub_call(0, KEEP, SEQUENCE, 0), 0);
	abort_of(0);
	assert_int_equal(sub_call(1, WITHOUT_REPAIR, 0, 0), -EOWNERDEAD);
	for (long op = LOCK; op <= SEQUENCE_READ; op++) {
		assert_int_equal(sub_call(0, op, 0, 0), -ENOTRECOVERABLE);
		assert_int_equal(sub_call(1, op, 0, 0), -ENOTRECOVERABLE);
	}
	elisa_lock_heal(&object.lock);
	elisa_lock_heal(&object.rwlock.writer);
	elisa_lock_heal(&object.seqlock.writer);
	for (long op = LOCK; op <= SEQUENCE_READ; op++)
		assert_int_equal(sub_call(1, op == SEQUENCE_READ ? SEQUENCE : op, 0, 0), 0);
	assert_int_equal(sub_call(1, SEQUENCE_READ, 0, 0), 0);
	elisa_lock_heal(&object.lock); /* of a lock that is not poisoned: nothing */
	assert_int_equal(sub_call(1, LOCK, 0, 0), 0);
}

/* ------------------------------------------------------------------------------ threads */

#define ROUNDS 5000

static uint64_t done[2];
static long one;

static void *counting(void *argument)
{
	const int guest = *(const int *)argument;

	for (int i = 0; i < ROUNDS; i++) {
		const struct elisa_result result =
			elisa_test_call(sub_guest[guest], 0, one, 0, 0, 0, 0, 0);

		if (result.error || (result.value && result.value != -EBUSY))
			return argument;
		done[guest] += !result.value;
	}
	return NULL;
}

static void both(void *(*what)(void *argument))
{
	static int number[2] = {0, 1};
	pthread_t threads[2];
	void *failed;

	done[0] = done[1] = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, what, &number[i]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

static void two_guests_at_once(void **state)
{
	static const long ops[] = {LOCK, WRITE, SEQUENCE};
	uint64_t total = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		one = ops[i];
		both(counting);
		total += done[0] + done[1];
		assert_int_equal(object.a, total);
		assert_int_equal(object.b, total);
	}
	assert_int_equal(object.died, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lock_abandoned, start, end),
		cmocka_unit_test_setup_teardown(write_abandoned, start, end),
		cmocka_unit_test_setup_teardown(read_abandoned, start, end),
		cmocka_unit_test_setup_teardown(sequence_abandoned, start, end),
		cmocka_unit_test_setup_teardown(the_living_are_left_alone, start, end),
		cmocka_unit_test_setup_teardown(readers_share, start, end),
		cmocka_unit_test_setup_teardown(a_writer_meets_a_reader_and_a_dead_writer, start,
						end),
		cmocka_unit_test_setup_teardown(poisoned, start, end),
		cmocka_unit_test_setup_teardown(two_guests_at_once, start, end),
	};

	return cmocka_run_group_tests_name("locks", tests, NULL, NULL);
}
