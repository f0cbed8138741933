// SPDX-License-Identifier: Apache-2.0
/*
 * The host's timer checks whether a vCPU is kept from running a call. The timer must follow a vCPU
 * that moves to another CPU.
 *
 * It must interrupt no CPU that its VM does not use. The test moves the vCPU's thread and counts
 * timer interrupts on both CPUs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define SUSPEND_US 4000 /* period of the timer; longer than a thread takes to another CPU */
#define LOOKS	   100

static const uint8_t jump_to_itself[] = {0xeb, 0xfe};
static struct vm *manager, *guest;
static pid_t runner;

static void go_to(pid_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	SYS(sched_setaffinity(thread, sizeof(set), &set));
}

/* Returns the number of timer interrupts of a CPU. */
static long timers(int cpu)
{
	return number_in("/proc/interrupts", cpu ? " LOC: %*d %ld" : " LOC: %ld");
}

/* Runs the vCPU until another thread asks for an exit. */
static void *run(void *unused)
{
	go_to(0, 0);
	__atomic_store_n(&runner, gettid(), __ATOMIC_RELEASE);
	while (!guest->run[0]->immediate_exit)
		run_once(guest, 0);
	return unused;
}

/*
 * Moves the vCPU's thread to a CPU that has nothing else to do, so that the timer finds the vCPU in
 * guest mode each time. A timer that does not find it there ends, and starts again where the vCPU
 * is.
 */
static void move_while_it_runs(void)
{
	while (!__atomic_load_n(&runner, __ATOMIC_ACQUIRE))
		usleep(1000);
	usleep(20000);
	go_to(runner, 1);
}

int main(void)
{
	const struct kvm_regs none = {.rflags = 0x202};
	pthread_t thread;
	long before[2];

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	suspend_us = SUSPEND_US;
	export_new(manager, "t.watch", ELISA_EXPORT_GENERAL_REGS, 0);
	attach(guest, "t.watch", ELISA_STUB_TRUSTING, 0);
	memcpy(guest->memory + USER_DATA, jump_to_itself, sizeof(jump_to_itself));
	start_at(guest, 0, 3, USER_DATA, &none);
	go_to(0, 0);
	CHECK(!pthread_create(&thread, NULL, run, NULL));
	move_while_it_runs();
	before[0] = timers(0);
	before[1] = timers(1);
	usleep(LOOKS * SUSPEND_US);
	before[0] = timers(0) - before[0];
	before[1] = timers(1) - before[1];
	timer(500000, 0); /* installs the signal's handler */
	guest->run[0]->immediate_exit = 1;
	SYS(pthread_kill(thread, SIGALRM));
	pthread_join(thread, NULL);
	printf("watch: %ld timer interrupts on the CPU that the vCPU has left, %ld on its own\n",
	       before[0], before[1]);
	/* the rest of the system causes some interrupts on both CPUs */
	CHECK(before[1] >= LOOKS * 3 / 4);
	CHECK(before[0] < LOOKS / 2);
	return 0;
}
