/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping calls, and calls that find what these left; see sub.h. */
#include "sub.h"

struct elisa_test *sub_test;
struct elisa_test_attachment *sub_guest[2];

/*
 * One in so many of the callers that repair is stopped at each instruction, too: that takes its
 * time.
 */
#if defined(__SANITIZE_ADDRESS__)
#define STOP_REPAIRER 499
#else
#define STOP_REPAIRER 211
#endif

static struct sub_call next_call;
static void (*invariant)(void);

static void tell(void *context, const struct elisa_event *event)
{
	elisa_callers_event(context, event);
}

void sub_start(struct sub_callers *callers, elisa_test_function *function, void *object,
	       size_t size)
{
	assert_int_equal(elisa_callers_init(&callers->table, callers->record, PLACES, VCPUS), 0);
	assert_int_equal(elisa_test_new(function, &sub_test), 0);
	assert_int_equal(elisa_test_memory(sub_test, callers, sizeof(*callers)), 0);
	assert_int_equal(elisa_test_memory(sub_test, object, size), 0);
	elisa_test_manager(sub_test, tell, &callers->table);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(elisa_test_attach(sub_test, i, 4096, &sub_guest[i]), 0);
}

void sub_end(void)
{
	elisa_test_free(sub_test);
	sub_test = NULL;
}

long sub_call(int guest, long op, long a1, long a2)
{
	const struct elisa_result result =
		elisa_test_call(sub_guest[guest], 0, op, a1, a2, 0, 0, 0);

	assert_int_equal(result.error, ELISA_CALL_OK);
	return result.value;
}

static void next_must_work(int guest)
{
	const long value = sub_call(guest, next_call.op, next_call.a1, next_call.a2);

	assert_int_not_equal(value, -EBUSY);
	assert_int_not_equal(value, -EOWNERDEAD);
	invariant();
}

/* The one that repairs has died, too; its own next call is the first to know, or the manager. */
static void repairer_stopped(void *context, uint32_t n, int told)
{
	(void)context;
	(void)n;
	next_must_work(told ? 0 : 1);
	next_must_work(told ? 1 : 0);
}

static void stopped(void *context, uint32_t n, int told)
{
	const long argument[6] = {next_call.op, next_call.a1, next_call.a2};

	(void)context;
	if (!told) {
		next_must_work(0);
		next_must_work(1);
	} else if (n % STOP_REPAIRER) {
		next_must_work(1);
		next_must_work(0);
	} else {
		assert_true(elisa_test_abandon(sub_guest[1], 0, argument, repairer_stopped, NULL,
					       NULL) > 0);
		invariant();
	}
}

long sub_abandon(struct sub_call call, struct sub_call next, void (*holds)(void))
{
	const long argument[6] = {call.op, call.a1, call.a2};
	struct elisa_result result;
	long n;

	next_call = next;
	invariant = holds;
	n = elisa_test_abandon(sub_guest[0], 0, argument, stopped, NULL, &result);
	assert_int_equal(result.error, 0);
	assert_true(result.value >= 0);
	holds();
	return n;
}
