/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls, as the host would run them. The function sees its caller. A call that does not come to its
 * end is counted as aborted, and the manager gets the event.
 */
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <elisa/function.h>
#include "internal.h"

__thread struct call *call_now;

const struct elisa_self *elisa_self(void)
{
	return &call_now->attachment->self[call_now->vcpu];
}

void elisa_ring(uint32_t place)
{
	if (place < ELISA_TEST_PLACES)
		__atomic_fetch_add(&call_now->attachment->test->rings[place], 1, __ATOMIC_SEQ_CST);
}

void call_aborted(struct elisa_test_attachment *attachment, uint32_t vcpu, long error, int told)
{
	struct elisa_test *test = attachment->test;
	struct elisa_self *self = &attachment->self[vcpu];
	const struct elisa_event event = {
		.type = ELISA_EVENT_ABORT,
		.attachment = self->attachment,
		.value = error,
		.aborts = self->aborts + 1,
		.vcpu = vcpu,
	};

	self->aborts++;
	if (told && test->event)
		test->event(test->event_context, &event);
}

/* Starts a timer of the thread's run time. Its signal may come late, when the call has ended. */
static int start_timer(timer_t *timer, uint32_t limit_us)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM};
	const struct itimerspec time = {
		.it_value = {limit_us / 1000000, limit_us % 1000000 * 1000l}};

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, timer))
		return 0;
	timer_settime(*timer, 0, &time, NULL);
	return 1;
}

static long run(struct elisa_test_attachment *attachment, uint32_t vcpu, const long argument[6])
{
	elisa_test_function *function = attachment->test->function;

	/* a callback's calls run on the signal stack, where the callback runs; that stack is
	 * large */
	if (!SANITIZED && !step_under_way())
		return stacks_call(attachment->stacks, vcpu, function, argument);
	return function(argument[0], argument[1], argument[2], argument[3], argument[4],
			argument[5]);
}

struct elisa_result call_run(struct elisa_test_attachment *attachment, uint32_t vcpu,
			     const long argument[6])
{
	struct call call = {.attachment = attachment, .vcpu = vcpu};
	struct call *const outer = call_now;
	struct elisa_result result = {0, 0};
	int signal;

	signal = sigsetjmp(call.out, 1);
	if (!signal) {
		call_now = &call;
		result.value = run(attachment, vcpu, argument);
	} else {
		result.error = signal == SIGVTALRM ? ELISA_CALL_TIMEOUT : ELISA_CALL_FAULT;
	}
	call_now = outer;
	return result;
}

struct elisa_result elisa_test_call(struct elisa_test_attachment *attachment, uint32_t vcpu,
				    long a0, long a1, long a2, long a3, long a4, long a5)
{
	const long argument[6] = {a0, a1, a2, a3, a4, a5};
	const uint32_t limit_us = attachment->test->limit_us;
	struct elisa_result result = {0, ELISA_CALL_NOT_ATTACHED};
	int timed = 0;
	timer_t timer;

	if (vcpu >= ELISA_TEST_VCPUS || signals_for_call())
		return result;
	if (limit_us && !step_under_way())
		timed = start_timer(&timer, limit_us);
	result = call_run(attachment, vcpu, argument);
	if (timed)
		timer_delete(timer);
	if (result.error)
		call_aborted(attachment, vcpu, result.error, 1);
	return result;
}

/* --------------------------------------------------------------------------- abandoned */

struct abandoned {
	struct elisa_test_attachment *attachment;
	uint32_t vcpu;
	const long *argument;
	struct elisa_result result;
	void (*stopped)(void *context, uint32_t n, int told);
	void *context;
	struct elisa_step_memory memory[ELISA_TEST_PARTS + ELISA_TEST_PLACES + 1];
	size_t count;
};

static void run_abandoned(void *context)
{
	struct abandoned *a = context;

	a->result = call_run(a->attachment, a->vcpu, a->argument);
}

/*
 * Shows the test the stopped call. Before the call and behind it there is no caller to stop. The
 * callback's own calls are not part of the call that was stopped.
 */
static void show(void *context, uint32_t n)
{
	const struct abandoned *a = context;
	struct call *const stopped = call_now;
	const int told = !step_round();

	if (!stopped)
		return;
	call_now = NULL;
	call_aborted(a->attachment, a->vcpu, ELISA_CALL_TIMEOUT, told);
	a->stopped(a->context, n, told);
	call_now = stopped;
}

static void remember_memory(struct abandoned *a)
{
	struct elisa_test *test = a->attachment->test;

	for (size_t i = 0; i < test->parts; i++)
		a->memory[a->count++] = test->part[i];
	for (uint32_t i = 0; i < ELISA_TEST_PLACES; i++)
		if (test->attachment[i].used && test->attachment[i].exchange)
			a->memory[a->count++] = (struct elisa_step_memory){
				test->attachment[i].exchange, test->attachment[i].exchange_size};
	a->memory[a->count++] = (struct elisa_step_memory){test, sizeof(*test)};
}

long elisa_test_abandon(struct elisa_test_attachment *attachment, uint32_t vcpu,
			const long argument[6],
			void (*stopped)(void *context, uint32_t n, int told), void *context,
			struct elisa_result *result)
{
	struct abandoned a = {.attachment = attachment,
			      .vcpu = vcpu,
			      .argument = argument,
			      .stopped = stopped,
			      .context = context};
	long steps;

	remember_memory(&a);
	steps = step_rounds(run_abandoned, a.memory, a.count, show, &a, 2);
	if (result)
		*result = a.result;
	return steps;
}
