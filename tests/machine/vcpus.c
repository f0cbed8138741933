// SPDX-License-Identifier: Apache-2.0
/*
 * VMs with more than one vCPU.
 *
 * vCPUs call at the same time, also while their threads move between CPUs. A vCPU is created late,
 * and a VM is older than the module. The failure would be a lost call, or a late vCPU that can call
 * before it is set up. The test compares the object's counter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define CALLS 20000
#define MOVES 10

static struct vm *manager, *guest;
static struct outcome in_thread[VCPUS];
static uint32_t slot, slot_of[VCPUS]; /* of the process that each vCPU runs */
static volatile uint64_t calls[VCPUS];
static pthread_t threads[VCPUS];
static volatile bool moving;

static void *caller(void *number)
{
	long vcpu = (long)number;

	do {
		in_thread[vcpu] = call_loop(guest, vcpu, slot_of[vcpu], DO_COUNT, CALLS, NULL);
		calls[vcpu] += CALLS;
	} while (moving && !in_thread[vcpu].exit && !in_thread[vcpu].error);
	return NULL;
}

static void move(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!pthread_setaffinity_np(thread, sizeof(set), &set));
}

static void run_on(int cpu)
{
	move(pthread_self(), cpu);
	CHECK_EQ(sched_getcpu(), cpu);
}

static void start(int vcpus)
{
	long i;

	for (i = 0; i < vcpus; i++) {
		calls[i] = 0;
		CHECK(!pthread_create(&threads[i], NULL, caller, (void *)i));
	}
}

/* Joins the threads. Checks that each call was made once. */
static void join(int vcpus, uint64_t before)
{
	int i;

	for (i = 0; i < vcpus; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(in_thread[i].exit, 0);
		CHECK_EQ(in_thread[i].error, 0);
		before += calls[i];
	}
	CHECK_EQ(*object_data(manager), before);
}

static void at_the_same_time(int vcpus)
{
	uint64_t before = *object_data(manager);

	start(vcpus);
	join(vcpus, before);
}

/* Two vCPUs exchange their CPUs in the middle of calls. */
static void while_moving(void)
{
	uint64_t before = *object_data(manager);
	int i;

	moving = true;
	start(2);
	for (i = 0; i < MOVES || !calls[0] || !calls[1]; i++) {
		move(threads[0], i % 2);
		move(threads[1], (i + 1) % 2);
		usleep(1000);
	}
	moving = false;
	join(2, before);
}

static void across_cpus(int cpus)
{
	struct outcome out;
	int i;

	for (i = 0; i < 6; i++) {
		run_on(i % cpus);
		wait_in_sub(guest, i % 2, slot, manager);
		run_on((i + 1) % cpus);
		timer(1000, 0);
		CHECK_EQ(run_once(guest, i % 2), -EINTR);
		run_on(i % cpus);
		let_go(manager);
		out = finish(guest, i % 2);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		CHECK_EQ(out.value, 7);
	}
}

static void attach_to(const char *name)
{
	int i;

	export_new(manager, name, ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, name, ELISA_STUB_TRUSTING, 0);
	for (i = 0; i < VCPUS; i++)
		slot_of[i] = slot;
}

/* vCPU 1 runs another process of the guest, with its own attachment. */
static void two_processes(int cpus)
{
	struct kvm_sregs sregs;
	int i;

	CHECK_EQ(attach_root_try(guest, "t.vcpus", 0, ROOT_OTHER), 0);
	slot_of[1] = guest->page->attach.slot;
	CHECK(slot_of[1] != slot);
	map_stub(guest, slot_of[1], guest->page->attach.mode, ELISA_STUB_TRUSTING);
	for (i = 0; i < 2; i++)
		CHECK_EQ(hypercall(guest, i, ELISA_HC_VCPU_SYNC), 0);
	sregs = get_sregs(guest, 1);
	sregs.cr3 = ROOT_OTHER;
	CHECK_EQ(set_sregs(guest, 1, &sregs), 0);
	CHECK_EQ(call(guest, 1, slot, DO_ADD, 1, 2).exit, FAULT(UD));
	at_the_same_time(2);
	if (cpus > 1)
		while_moving();
	sregs.cr3 = ROOT;
	CHECK_EQ(set_sregs(guest, 1, &sregs), 0);
	CHECK_EQ(call(guest, 1, slot_of[1], DO_ADD, 1, 2).exit, FAULT(UD));
	slot_of[1] = slot;
	printf("vcpus: two processes at once, each by its own attachment only\n");
}

int main(void)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);

	/* VMs that run before the module is loaded */
	CHECK_EQ(module_unload(), 0);
	manager = vm_new(1);
	guest = vm_new(2);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_HELLO), -ENODEV);
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_HELLO), -ENODEV);
	CHECK_EQ(module_load(), 0);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	attach_to("t.vcpus");
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(call(guest, 1, slot, DO_ADD, 3, 4).value, 7);
	printf("vcpus: VMs older than the module can use it\n");

	at_the_same_time(2);
	across_cpus(cpus);
	printf("vcpus: calls on 2 vCPUs at once; calls went on after moving among %d CPUs\n", cpus);

	two_processes(cpus);

	/* a vCPU that is created late: VMFUNC is undefined until it is set up */
	vcpu_new(guest, 2);
	CHECK_EQ(call(guest, 2, slot, DO_ADD, 1, 2).exit, FAULT(UD));
	CHECK_EQ(hypercall(guest, 2, ELISA_HC_VCPU_SYNC), 0);
	CHECK_EQ(call(guest, 2, slot, DO_ADD, 1, 2).value, 3);
	at_the_same_time(3);
	printf("vcpus: a late third one joined\n");
	return 0;
}
