// SPDX-License-Identifier: Apache-2.0
/*
 * A VM makes hypercalls without end.
 *
 * The host must make the VM wait, in its own thread, and must not delay another VMM's VM. The test
 * measures the time of both.
 */
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include "harness.h"

#define CALLS 2500
#define FEW   100

static int64_t reset(struct vm *vm, int count)
{
	double start = now_us();

	while (count--) {
		memset(vm->page, 0, PAGE_SIZE);
		CHECK_EQ(hypercall(vm, 0, ELISA_HC_RESET), 0);
	}
	return now_us() - start;
}

static void ask_for_ever(void)
{
	struct vm *vm = vm_new(1);

	for (;;)
		reset(vm, 1);
}

int main(void)
{
	uint64_t throttled = counter(ELISA_COUNT_THROTTLED);
	double took, of_another;
	struct vm *vm;
	pid_t child;

	child = SYS(fork());
	if (!child) {
		SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
		ask_for_ever();
	}
	vm = vm_new(1);
	CHECK(grant_to(child, ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	CHECK(grant(ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	while (counter(ELISA_COUNT_THROTTLED) < throttled + 10)
		usleep(10000);
	of_another = reset(vm, FEW);
	SYS(kill(child, SIGKILL));
	SYS(waitpid(child, NULL, 0));
	throttled = counter(ELISA_COUNT_THROTTLED);
	took = reset(vm, CALLS);
	throttled = counter(ELISA_COUNT_THROTTLED) - throttled;
	printf("result calls=%d took_us=%.0f throttled=%llu of_another_us=%.0f\n", CALLS, took,
	       (unsigned long long)throttled, of_another);
	/* the budget of one second at once, then 1,000 calls a second */
	CHECK(took > 1000 * (CALLS - 1000 - FEW));
	CHECK(throttled > (CALLS - 1000) / 4);
	CHECK(of_another < FEW * 1000 / 2);
	printf("rate: the VM that makes too many calls waits for them\n");
	return 0;
}
