/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The harness itself: what ends a call, what the manager hears, what a callback sees and what is
 * put back.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "sub.h"

enum {
	ADD,	 /* a1 to the number, a2 times */
	NOWHERE, /* writes where nothing is */
	DIVIDE,
	UNDEFINED,
	FOREVER,
	DEEP, /* a frame of a1 bytes */
	PEEK, /* the byte of the exchange buffer at offset a1, unchecked */
	RING,
	CALLER,
};

static uint64_t number, not_put_back;
static struct elisa_event last_event;
static int events;

static __attribute__((noinline)) long deep(long size)
{
	volatile char *frame = __builtin_alloca((size_t)size);

	for (long at = 0; at < size; at += 64)
		frame[at] = 1;
	return frame[0];
}

/* Of what it does wrong no sanitizer has to tell. */
static __attribute__((no_sanitize("undefined"))) long function(long op, long a1, long a2, long a3,
							       long a4, long a5)
{
	const struct elisa_self *self = elisa_self();

	(void)a3, (void)a4, (void)a5;
	switch (op) {
	case ADD:
		for (long i = 0; i < a2; i++)
			__atomic_fetch_add(&number, (uint64_t)a1, __ATOMIC_SEQ_CST);
		not_put_back++;
		return (long)number;
	case NOWHERE:
		*(volatile int *)(uintptr_t)a1 = 1;
		return 0;
	case DIVIDE: {
		volatile long zero = 0;

		__asm__ volatile("cqto; idivq %0" : : "r"(zero), "a"(a1) : "rdx", "cc");
		return 0;
	}
	case UNDEFINED:
		__asm__ volatile("ud2");
		return 0;
	case FOREVER:
		for (;;)
			__atomic_fetch_add(&number, 1, __ATOMIC_RELAXED);
	case DEEP:
		return deep(a1);
	case PEEK:
		return ((const volatile uint8_t *)(uintptr_t)self->exchange)[a1];
	case RING:
		elisa_ring((uint32_t)a1);
		return 0;
	case CALLER:
		return (long)(self->place << 16 | self->vcpu << 8 | self->aborts);
	}
	return -1;
}

static void on_event(void *context, const struct elisa_event *event)
{
	assert_ptr_equal(context, &number);
	last_event = *event;
	events++;
}

static int start(void **state)
{
	(void)state;
	number = not_put_back = 0;
	events = 0;
	if (elisa_test_new(function, &sub_test))
		return -1;
	elisa_test_memory(sub_test, &number, sizeof(number));
	elisa_test_manager(sub_test, on_event, &number);
	return elisa_test_attach(sub_test, 3, 5000, &sub_guest[0]);
}

static int end(void **state)
{
	(void)state;
	sub_end();
	return 0;
}

static struct elisa_result call(long op, long a1, long a2)
{
	return elisa_test_call(sub_guest[0], 2, op, a1, a2, 0, 0, 0);
}

static void ends(long op, long a1, long error)
{
	const uint64_t aborts = (uint64_t)call(CALLER, 0, 0).value & 0xff;
	const int before = events;

	assert_int_equal(call(op, a1, 0).error, error);
	assert_int_equal(events, before + 1);
	assert_int_equal(last_event.type, ELISA_EVENT_ABORT);
	assert_int_equal(last_event.attachment, elisa_test_number(sub_guest[0]));
	assert_int_equal(last_event.vcpu, 2);
	assert_int_equal(last_event.aborts, aborts + 1);
	assert_int_equal(last_event.value, error);
	assert_int_equal(call(CALLER, 0, 0).value, 3 << 16 | 2 << 8 | (long)(aborts + 1));
	assert_int_equal(elisa_test_call(sub_guest[0], 0, CALLER, 0, 0, 0, 0, 0).value, 3 << 16);
}

static void a_call_ends(void **state)
{
	(void)state;
	assert_int_equal(call(ADD, 2, 3).value, 6);
	assert_int_equal(call(ADD, 2, 3).error, 0);
	ends(NOWHERE, 64, ELISA_CALL_FAULT);
	ends(DIVIDE, 7, ELISA_CALL_FAULT);
	ends(UNDEFINED, 0, ELISA_CALL_FAULT);
	elisa_test_limit(sub_test, 5000);
	ends(FOREVER, 0, ELISA_CALL_TIMEOUT);
	ends(FOREVER, 0, ELISA_CALL_TIMEOUT);
	assert_int_equal(call(ADD, 0, 0).error, 0); /* has its time again */
	elisa_test_limit(sub_test, 0);
	assert_int_equal(elisa_test_call(sub_guest[0], ELISA_TEST_VCPUS, ADD, 0, 0, 0, 0, 0).error,
			 ELISA_CALL_NOT_ATTACHED);
}

static void stacks_are_small(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip();
#endif
	assert_int_equal(call(DEEP, 10000, 0).error, 0);
	ends(DEEP, 12288 + 200, ELISA_CALL_FAULT);
	assert_int_equal(call(DEEP, 10000, 0).error, 0);
}

static void exchange_buffers(void **state)
{
	volatile uint8_t *buffer = elisa_test_exchange(sub_guest[0]);
	struct elisa_test_attachment *without;
	uint8_t was[64];
	int changes = 0;

	(void)state;
	buffer[8191] = 7;
	assert_int_equal(call(PEEK, 8191, 0).value, 7);
	ends(PEEK, 8192, ELISA_CALL_FAULT);
	ends(PEEK, -1, ELISA_CALL_FAULT);
	assert_int_equal(elisa_test_attach(sub_test, 4, 0, &without), 0);
	assert_null(elisa_test_exchange(without));
	assert_int_equal(elisa_test_hostile(without, 1), 0); /* nothing to write to */
	assert_int_equal(elisa_test_call(without, 0, PEEK, 0, 0, 0, 0, 0).error, ELISA_CALL_FAULT);

	assert_int_equal(elisa_test_hostile(sub_guest[0], 1), 0);
	assert_int_equal(elisa_test_hostile(sub_guest[0], 1), 0);
	for (int tries = 0; changes < 20 && tries < 10000; tries++) {
		memcpy(was, (void *)(uintptr_t)buffer, sizeof(was));
		usleep(1000);
		changes += memcmp(was, (void *)(uintptr_t)buffer, sizeof(was)) != 0;
	}
	assert_int_equal(changes, 20);
	assert_int_equal(elisa_test_hostile(sub_guest[0], 0), 0);
	assert_int_equal(elisa_test_hostile(sub_guest[0], 0), 0);
}

static void attachments(void **state)
{
	struct elisa_test_attachment *other, *more;
	struct elisa_test *second;
	const uint64_t first = elisa_test_number(sub_guest[0]);

	(void)state;
	assert_int_equal(elisa_test_new(function, &second), -EBUSY);
	assert_null(second);
	assert_int_equal(last_event.type, ELISA_EVENT_ATTACH);
	assert_int_equal(last_event.value, 3);
	assert_int_equal(elisa_test_attach(sub_test, 3, 0, &other), -EBUSY);
	assert_int_equal(elisa_test_attach(sub_test, ELISA_TEST_PLACES, 0, &other), -EINVAL);
	assert_int_equal(elisa_test_attach(sub_test, 1, 257 * 4096, &other), -EINVAL);
	assert_int_equal(elisa_test_attach(sub_test, ELISA_NO_PLACE, 0, &other), 0);
	assert_int_equal(last_event.value, -1);
	assert_int_equal(elisa_test_number(other), first + 1);
	elisa_test_detach(other);
	assert_int_equal(last_event.type, ELISA_EVENT_DETACH);
	assert_int_equal(last_event.attachment, first + 1);
	for (uint32_t i = 1; i < ELISA_TEST_PLACES; i++)
		assert_int_equal(elisa_test_attach(sub_test, ELISA_NO_PLACE, 0, &more), 0);
	assert_int_equal(elisa_test_attach(sub_test, ELISA_NO_PLACE, 0, &more), -ENOSPC);
	for (uint32_t i = 1; i < ELISA_TEST_PARTS; i++)
		assert_int_equal(elisa_test_memory(sub_test, &number, 8), 0);
	assert_int_equal(elisa_test_memory(sub_test, &number, 8), -ENOSPC);
	elisa_test_free(NULL);
}

static void rings(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		call(RING, 5, 0);
	call(RING, ELISA_TEST_PLACES, 0);
	assert_int_equal(elisa_test_rings(sub_test, 5), 3);
	assert_int_equal(elisa_test_rings(sub_test, 4), 0);
	assert_int_equal(elisa_test_rings(sub_test, ELISA_TEST_PLACES), 0);
}

static uint32_t looks[2];
static uint64_t last_seen;

static void look(void *context, uint32_t n, int told)
{
	assert_ptr_equal(context, &looks);
	assert_true(n > 0);
	looks[told]++;
	/* the abort has been counted; the manager has its event or not */
	assert_int_equal(call(CALLER, 0, 0).value & 0xff, 1);
	assert_int_equal(events, 1 + told); /* the first is of the attachment */
	events = 1;
	assert_true(number == last_seen || number == last_seen + 10);
	last_seen = number;
	call(ADD, 1000, 1);
	memset(elisa_test_exchange(sub_guest[0]), 9, 5000);
}

static void abandoned(void **state)
{
	struct elisa_result result;
	uint64_t before;
	long n;

	(void)state;
	looks[0] = looks[1] = 0;
	last_seen = 0;
	n = elisa_test_abandon(sub_guest[0], 2, (const long[6]){ADD, 10, 5}, look, &looks, &result);
	assert_true(n > 25);
	assert_int_equal(looks[0], looks[1]);
	assert_true(looks[0] > 20 && looks[0] <= n);
	assert_int_equal(result.error, 0);
	assert_int_equal(result.value, 50);
	assert_int_equal(last_seen, 50);
	assert_int_equal(number, 50);
	assert_int_equal(not_put_back, 1 + looks[0] + looks[1]);
	assert_int_equal(((uint8_t *)elisa_test_exchange(sub_guest[0]))[0], 0);
	assert_int_equal(call(CALLER, 0, 0).value & 0xff, 0);
	/* a call that ends early by itself */
	before = number;
	last_seen = before;
	elisa_test_abandon(sub_guest[0], 2, (const long[6]){NOWHERE, 64}, look, &looks, &result);
	assert_int_equal(result.error, ELISA_CALL_FAULT);
	assert_int_equal(number, before);
}

static volatile uint64_t counter, disturbed;

static void count_to_ten(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10; i++)
		counter++;
}

static void note_where(void *unused)
{
	(void)unused;
	assert_in_range(counter, disturbed, 10); /* each time a little later */
	disturbed = counter;
}

static void single_steps(void **state)
{
	uint32_t n = 0;
	int reached;

	(void)state;
	disturbed = 0;
	do {
		counter = 0;
		reached = elisa_step_once(count_to_ten, ++n, note_where, NULL);
		assert_int_equal(counter, 10);
	} while (reached);
	assert_int_equal(disturbed, 10);
	assert_true(n > 20);
}

static void *adder(void *vcpu)
{
	for (int i = 0; i < 1000; i++)
		if (elisa_test_call(sub_guest[0], *(uint32_t *)vcpu, ADD, 1, 10, 0, 0, 0).error)
			return vcpu;
	return elisa_test_call(sub_guest[0], *(uint32_t *)vcpu, NOWHERE, 64, 0, 0, 0, 0).error ==
			       ELISA_CALL_FAULT ?
		       NULL :
		       vcpu;
}

static void vcpus_are_threads(void **state)
{
	static uint32_t vcpu[4] = {0, 1, 2, 3};
	pthread_t thread[4];
	void *failed;

	(void)state;
	elisa_test_manager(sub_test, NULL, NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, adder, &vcpu[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(number, 40000);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(
			elisa_test_call(sub_guest[0], i, CALLER, 0, 0, 0, 0, 0).value & 0xff, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_ends, start, end),
		cmocka_unit_test_setup_teardown(stacks_are_small, start, end),
		cmocka_unit_test_setup_teardown(exchange_buffers, start, end),
		cmocka_unit_test_setup_teardown(attachments, start, end),
		cmocka_unit_test_setup_teardown(rings, start, end),
		cmocka_unit_test_setup_teardown(abandoned, start, end),
		cmocka_unit_test(single_steps),
		cmocka_unit_test_setup_teardown(vcpus_are_threads, start, end),
	};

	return cmocka_run_group_tests_name("harness", tests, NULL, NULL);
}
