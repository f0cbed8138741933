// SPDX-License-Identifier: Apache-2.0
/*
 * A function rings a doorbell without end.
 *
 * The host does part of the work in its own threads, for which no VM pays. This part must be small
 * compared with the time of the ringing VM's thread. The test compares the thread's CPU time with
 * the wall time.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <time.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define PLACES	 (1ULL << 30)
#define GSI	 5
#define LIMIT_US 200000

static int64_t now(clockid_t clock)
{
	struct timespec t;

	CHECK(!clock_gettime(clock, &t));
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void)
{
	struct vm *manager = vm_new(1), *ringer = vm_new(1), *sleeper = vm_new(1);
	uint64_t rings, interrupts;
	int64_t wall, own, others;
	struct outcome out;
	uint32_t slot, id;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.storm", ELISA_EXPORT_GENERAL_REGS, LIMIT_US);
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->places = (struct elisa_hc_places){id, 4, PLACES, 1};
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_PLACES), 0);
	slot = attach(ringer, "t.storm", ELISA_STUB_TRUSTING, 0);
	attach(sleeper, "t.storm", ELISA_STUB_TRUSTING, 0);
	memset(sleeper->page, 0, PAGE_SIZE);
	sleeper->page->doorbell.gsi = GSI;
	CHECK_EQ(hypercall(sleeper, 0, ELISA_HC_DOORBELL), 0);

	rings = counter(ELISA_COUNT_RINGS);
	interrupts = counter(ELISA_COUNT_INTERRUPTS);
	wall = now(CLOCK_MONOTONIC);
	own = now(CLOCK_THREAD_CPUTIME_ID);
	out = call(ringer, 0, slot, DO_RINGS, 1, 0);
	own = now(CLOCK_THREAD_CPUTIME_ID) - own;
	wall = now(CLOCK_MONOTONIC) - wall;
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	others = wall - own;
	rings = counter(ELISA_COUNT_RINGS) - rings;
	interrupts = counter(ELISA_COUNT_INTERRUPTS) - interrupts;
	printf("result rings=%llu interrupts=%llu own_us=%lld others_us=%lld others_per_own=%.2f\n",
	       (unsigned long long)rings, (unsigned long long)interrupts, (long long)own / 1000,
	       (long long)others / 1000, (double)others / (double)own);
	CHECK(rings > 1000);
	CHECK(interrupts > 10);
	/* with more processors, this work does not keep the thread from running */
	if (get_nprocs() == 1)
		CHECK(others < own / 2);
	printf("storm: the VM that rings pays for it\n");
	return 0;
}
