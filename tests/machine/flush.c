// SPDX-License-Identifier: Apache-2.0
/*
 * The cost of unmapping a page of an export for other processors.
 *
 * The host must interrupt only the processors that run a vCPU which may hold the page, once each,
 * whatever the number of attachments. A processor that has run such a vCPU before must not be
 * interrupted. The test counts function call interrupts.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <x86intrin.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define ATTACHMENTS 16
#define ROUNDS	    50
#define OFFSET	    (1ULL << 21)

static struct vm *manager, *guest;
static uint32_t id, slot;

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

/* Returns the number of function call interrupts of all processors. */
static uint64_t interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long long a = 0, b = 0;
	char line[1000];
	int found = 0;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, "CAL:"))
			found = sscanf(strstr(line, "CAL:"), "CAL: %llu %llu", &a, &b);
	fclose(file);
	CHECK(found > 0 || get_nprocs() == 1);
	return a + (found > 1 ? b : 0);
}

static void map(void)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->map.id = id;
	manager->page->map.offset = OFFSET;
	manager->page->map.prot = ELISA_PROT_READ;
	manager->page->map.count = 1;
	manager->page->map.gpa[0] = OBJECT + 0x10000;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_MAP), 0);
}

/* Returns the instructions of the hypercall. */
static uint64_t unmap(void)
{
	uint64_t start;

	memset(manager->page, 0, PAGE_SIZE);
	manager->page->unmap.id = id;
	manager->page->unmap.offset = OFFSET;
	manager->page->unmap.count = 1;
	start = __rdtsc();
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
	return __rdtsc() - start;
}

/* Returns the interrupts of ROUNDS rounds; *insns = the instructions of the cheapest one. */
static uint64_t rounds(uint64_t *insns)
{
	uint64_t before, cost, sum = 0;
	int i;

	*insns = ~0ULL;
	for (i = 0; i < ROUNDS; i++) {
		map();
		before = interrupts();
		cost = unmap();
		sum += interrupts() - before;
		if (cost < *insns)
			*insns = cost;
	}
	return sum;
}

static void *stay(void *out)
{
	run_on(1);
	*(struct outcome *)out =
		call(guest, 0, slot, DO_STAY, ELISA_OBJECT_BASE + PAGE_SIZE + 8, 0);
	return NULL;
}

/* Counts while the guest's vCPU is in a call on the other processor. */
static uint64_t while_it_runs(void)
{
	volatile uint64_t *steps = &object_data(manager)[1];
	struct outcome out;
	pthread_t thread;
	uint64_t n, insns;

	CHECK(!pthread_create(&thread, NULL, stay, &out));
	until_at_least(steps, 1000);
	n = rounds(&insns);
	CHECK_EQ(destroy(manager, id), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_REVOKED);
	return n;
}

int main(void)
{
	uint64_t idle, running = 0, one, all;
	int cpus = get_nprocs(), i;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.flush", ELISA_EXPORT_GENERAL_REGS, 60000000);
	slot = attach(guest, "t.flush", ELISA_STUB_TRUSTING, 0);
	rounds(&one);
	for (i = 1; i < ATTACHMENTS; i++)
		CHECK_EQ(attach_root_try(guest, "t.flush", 0, ROOT + i * 0x10000), 0);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	for (i = cpus; i--;) {
		run_on(i);
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	}
	idle = rounds(&all);
	printf("result unmap_insns_1=%llu unmap_insns_%d=%llu\n", (unsigned long long)one,
	       ATTACHMENTS, (unsigned long long)all);
	if (cpus > 1)
		running = while_it_runs();
	printf("result interrupts_of_%d_unmaps idle=%llu running=%llu\n", ROUNDS,
	       (unsigned long long)idle, (unsigned long long)running);
	/* the kernel causes some interrupts of its own */
	CHECK(idle < ROUNDS / 2);
	CHECK(running < 2 * ROUNDS);
	printf("flush: one interrupt to a processor that has to forget, none to others\n");
	return 0;
}
