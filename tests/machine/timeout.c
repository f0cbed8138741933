// SPDX-License-Identifier: Apache-2.0
/*
 * A function that does not return must be ended near the export's limit.
 *
 * The host must not end a loop of short calls that runs longer than the limit, even if each exit
 * falls into a call. It must not end a call whose vCPU does not run for longer than the limit,
 * because it is stopped or gets no processor. The test measures times and compares errors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define LIMIT_US 20000
#define TICK_US	 4000 /* CONFIG_HZ=250: the host checks the time at exits */

static struct vm *caller;
static volatile bool is_over;

static void *run(void *out)
{
	*(struct outcome *)out = finish(caller, 0);
	is_over = true;
	return NULL;
}

/*
 * A thread of higher priority takes the vCPU's processor for most of the time. On a preemptible
 * kernel, the vCPU's thread then waits between its exit and the exit hook.
 */
static void without_a_processor(struct vm *guest, uint32_t slot, long spins)
{
	struct sched_param urgent = {.sched_priority = 50}, normal = {0};
	struct outcome out;
	double from, start;
	pthread_t runner;
	cpu_set_t set;

	caller = guest;
	is_over = false;
	start_call(guest, 0, slot, DO_SPIN, spins, 0);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
	CHECK(!pthread_create(&runner, NULL, run, &out));
	SYS(sched_setscheduler(0, SCHED_FIFO, &urgent));
	start = now_us();
	while (!is_over) {
		CHECK(now_us() - start < 10e6);
		usleep(LIMIT_US / 8);
		for (from = now_us(); now_us() - from < 3 * LIMIT_US / 4;)
			;
	}
	printf("timeout: %.0f ms until a call of %.0f came to its end\n", (now_us() - start) / 1e3,
	       LIMIT_US / 2e3);
	SYS(sched_setscheduler(0, SCHED_OTHER, &normal));
	pthread_join(runner, NULL);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
}

static void test(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	uint64_t timeouts, inside;
	struct outcome out;
	uint32_t slot;
	double spent;
	long spins;
	int i;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	suspend_us = 50 * LIMIT_US;
	export_new(manager, "t.timeout", ELISA_EXPORT_GENERAL_REGS, LIMIT_US);
	slot = attach(guest, "t.timeout", ELISA_STUB_TRUSTING, 0);
	out = call(guest, 0, slot, DO_SPIN, 100, 0);
	CHECK_EQ(out.value, 7);

	timeouts = counter(ELISA_COUNT_TIMEOUTS);
	spent = now_us();
	out = call(guest, 0, slot, DO_SPIN, -1, 0);
	spent = now_us() - spent;
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	CHECK_EQ(out.value, 0);
	CHECK_EQ(counter(ELISA_COUNT_TIMEOUTS), timeouts + 1);
	CHECK_EQ(events(manager, ELISA_EVENT_ABORT, ELISA_CALL_TIMEOUT), 1);
	printf("timeout: ended after %.1f ms of a limit of %.1f\n", spent / 1e3, LIMIT_US / 1e3);
	CHECK(spent >= LIMIT_US - 1000);
	CHECK(spent <= LIMIT_US + 3 * TICK_US);
	out = call(guest, 0, slot, DO_PAUSE, -1, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);

	/* 300 calls of 0.4 ms: each tick falls into a call, as nearly all time is in sub */
	spins = spins_in(guest, slot, LIMIT_US / 50);
	inside = counter(ELISA_COUNT_EXITS_IN_CONTEXT);
	spent = now_us();
	out = call_loop_with(guest, 0, slot, DO_SPIN, spins, 300, NULL);
	spent = now_us() - spent;
	inside = counter(ELISA_COUNT_EXITS_IN_CONTEXT) - inside;
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK(spent > 4 * LIMIT_US);
	CHECK(inside > 4 * LIMIT_US / TICK_US);
	/* a vCPU that its VMM does not run for a while */
	wait_in_sub(guest, 0, slot, manager);
	usleep(5 * LIMIT_US);
	for (i = 0; i < 3; i++) {
		timer(1000, 0);
		CHECK_EQ(run_once(guest, 0), -EINTR);
	}
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
	without_a_processor(guest, slot, 25 * spins);
	/* a call just below the limit is not ended */
	out = call(guest, 0, slot, DO_SPIN, 40 * spins, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
	printf("timeout: %.0f ms of short calls with %llu exits in them went on\n", spent / 1e3,
	       (unsigned long long)inside);
}

int main(void)
{
	return in_both_modes(test);
}
