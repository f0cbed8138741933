// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU is kept from running in the middle of a call, by its VMM or by the host's scheduler.
 *
 * The failure would be a call that stays suspended without an end. The host must end the call near
 * the export's suspend_us, and the manager must learn of it before the vCPU runs again. A manager
 * can also end a guest's calls by evicting its attachment. The test measures the time until the
 * event.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../gate/gate_page.h"
#include "harness.h"

#define SUSPEND_US 20000
#define TICK_US	   4000

static struct vm *manager, *guest, *other;
static uint32_t slot, other_slot;

static void check_no_secret(void)
{
	struct kvm_fpu fpu;
	unsigned int i;

	SYS(ioctl(guest->vcpu[0], KVM_GET_FPU, &fpu));
	for (i = 0; i < sizeof(fpu) / 8; i++)
		CHECK(((uint64_t *)&fpu)[i] != SECRET);
}

/* Returns the microseconds until the manager has the event of one ended call. Fails after @most. */
static double until_event(double most)
{
	double start = now_us();

	while (!events(manager, ELISA_EVENT_ABORT, ELISA_CALL_TIMEOUT))
		CHECK(now_us() - start < most);
	return now_us() - start;
}

static void by_its_vmm(void)
{
	struct outcome out;
	double spent;

	wait_in_sub(guest, 0, slot, manager);
	spent = until_event(SUSPEND_US + 3 * TICK_US);
	printf("frozen: ended %.1f ms after its VMM stopped it, %.1f allowed\n", spent / 1e3,
	       SUSPEND_US / 1e3);
	CHECK(spent > SUSPEND_US - 3 * TICK_US);
	/* another guest's calls work all the time */
	CHECK_EQ(call(other, 0, other_slot, DO_ADD, 1, 2).value, 3);
	out = finish(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	CHECK_EQ(out.value, 0);
	CHECK_EQ(out.regs.rsp, USER_STACK);
	check_no_secret();
	/* the manager gets one event, and no other when the vCPU learns of the end */
	CHECK_EQ(events(manager, ELISA_EVENT_ABORT, 0), 0);
	CHECK_EQ(events(manager, ELISA_EVENT_ABORT, 0), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

/*
 * The VMM runs the vCPU for a moment, again and again, each time before suspend_us is over. The
 * host ends the call after at most 1.5 times suspend_us in all. The test allows 3 times.
 */
static void in_pieces(void)
{
	struct outcome out;
	double spent = 0;
	int r = -EINTR;

	wait_in_sub(guest, 0, slot, manager);
	for (; r == -EINTR; spent += SUSPEND_US * 3 / 4) {
		CHECK(spent < 10 * SUSPEND_US);
		usleep(SUSPEND_US * 3 / 4 - TICK_US);
		timer(1000, 1000);
		r = run_once(guest, 0);
		timer(0, 0);
	}
	CHECK_EQ(events(manager, ELISA_EVENT_ABORT, ELISA_CALL_TIMEOUT), 1);
	printf("frozen: ended after %.1f ms in pieces\n", spent / 1e3);
	CHECK(spent <= 3 * SUSPEND_US);
	out = outcome_of(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

/* After the manager has the event, the function executes no further instruction. */
static void not_one_instruction_more(void)
{
	volatile uint64_t *count = object_data(manager) + 4;
	struct outcome out;
	uint64_t before;

	*count = 0;
	start_call(guest, 0, slot, DO_STAY, ELISA_OBJECT_BASE + PAGE_SIZE + 32, 0);
	timer(1000, 1000);
	do {
		CHECK_EQ(run_once(guest, 0), -EINTR);
	} while (!*count);
	timer(0, 0);
	until_event(SUSPEND_US + 3 * TICK_US);
	before = *count;
	out = finish(guest, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	CHECK_EQ(*count, before);
}

static void *run(void *out)
{
	*(struct outcome *)out = finish(guest, 0);
	return NULL;
}

/*
 * A thread of higher priority takes the CPU away from the vCPU and keeps it. On a preemptible
 * kernel, the vCPU's thread may not have reached the exit hook then.
 */
static void by_the_scheduler(void)
{
	struct sched_param urgent = {.sched_priority = 50}, normal = {0};
	volatile uint64_t *data = object_data(manager);
	struct outcome out;
	pthread_t runner;
	cpu_set_t set;
	double spent;

	data[1] = data[2] = 0;
	start_call(guest, 0, slot, DO_WAIT, 0, 0);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
	CHECK(!pthread_create(&runner, NULL, run, &out));
	SYS(sched_setscheduler(0, SCHED_FIFO, &urgent));
	for (spent = now_us(); !data[1]; usleep(1000))
		CHECK(now_us() - spent < 10e6);
	if (trusted) {
		/*
		 * The event may have to wait for the vCPU's thread. In trusted mode, sub's stub
		 * leaves no sign of the call.
		 */
		for (spent = now_us(); now_us() - spent < 3 * SUSPEND_US;)
			;
	} else {
		spent = until_event(2 * SUSPEND_US + 3 * TICK_US);
		printf("frozen: ended %.1f ms after its thread lost the CPU\n", spent / 1e3);
	}
	SYS(sched_setscheduler(0, SCHED_OTHER, &normal));
	pthread_join(runner, NULL);
	if (trusted)
		CHECK_EQ(events(manager, ELISA_EVENT_ABORT, ELISA_CALL_TIMEOUT), 1);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_TIMEOUT);
	CHECK_EQ(out.value, 0);
	check_no_secret();
	CHECK_EQ(events(manager, ELISA_EVENT_ABORT, 0), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

static int evict(uint32_t id, uint64_t attachment)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->evict.id = id;
	manager->page->evict.attachment = attachment;
	return hypercall(manager, 0, ELISA_HC_EVICT);
}

static void by_eviction(uint32_t id)
{
	struct outcome out;

	wait_in_sub(guest, 0, slot, manager);
	CHECK_EQ(evict(id, 3), -ENOENT);
	CHECK_EQ(manager->page->why, ELISA_WHY_NO_ATTACHMENT);
	CHECK_EQ(manager->page->value, 3);
	CHECK_EQ(evict(id + 1, 1), -ENOENT);
	CHECK_EQ(manager->page->why, ELISA_WHY_NO_EXPORT);
	CHECK_EQ(evict(id, 1), 0);
	CHECK_EQ(evict(id, 1), -ENOENT);
	out = finish(guest, 0);
	CHECK_EQ(out.error, ELISA_CALL_REVOKED);
	check_no_secret();
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
	CHECK_EQ(call(other, 0, other_slot, DO_ADD, 1, 2).value, 3);
	/*
	 * The guest keeps its slot until it detaches. It may attach again if the grant allows it.
	 */
	CHECK_EQ(detach(guest, 0, slot), 0);
	slot = attach(guest, "t.frozen", ELISA_STUB_TRUSTING, 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

static void test(void)
{
	uint32_t id;

	manager = vm_new(1);
	guest = vm_new(1);
	other = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	suspend_us = SUSPEND_US;
	id = export_new(manager, "t.frozen", 0, 60000000);
	slot = attach(guest, "t.frozen", ELISA_STUB_TRUSTING, 0);
	other_slot = attach(other, "t.frozen", ELISA_STUB_TRUSTING, 0);
	by_its_vmm();
	in_pieces();
	not_one_instruction_more();
	by_the_scheduler();
	by_eviction(id);
	/* the host refuses an export that asks for more than the host allows */
	memset(manager->page, 0, PAGE_SIZE);
	strcpy(manager->page->export_.name, "t.long");
	manager->page->export_.suspend_us = 60000001;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_CREATE), -EDQUOT);
	CHECK_EQ(manager->page->value, 60000000);
}

int main(void)
{
	return in_both_modes(test);
}
