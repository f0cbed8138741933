// SPDX-License-Identifier: Apache-2.0
/*
 * A manager maps and unmaps pages of an export that has attachments.
 *
 * All vCPUs must be able to read a mapped page at once. No vCPU may read an unmapped page, not even
 * by a function that is reading it. The failure would be a stale translation in a TLB. The function
 * counts its reads, and the test looks whether the count goes on.
 */
#include <pthread.h>
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define OFFSET	(1ULL << 21) /* in a page table of its own */
#define ADDRESS (ELISA_OBJECT_BASE + OFFSET)
#define FIRST	(OBJECT + 0x10000)
#define SECOND	(OBJECT + 0x11000)
#define ROUNDS	3

static struct vm *manager, *guest;
static uint32_t id, slot;

static void map(uint64_t gpa)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->map.id = id;
	manager->page->map.offset = OFFSET;
	manager->page->map.prot = ELISA_PROT_READ;
	manager->page->map.count = 1;
	manager->page->map.gpa[0] = gpa;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_MAP), 0);
}

static void unmap(void)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->unmap.id = id;
	manager->page->unmap.offset = OFFSET;
	manager->page->unmap.count = 1;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
}

static void all_read(long value, enum elisa_call_error error)
{
	struct outcome out;
	int vcpu;

	for (vcpu = 0; vcpu < 2; vcpu++) {
		out = call(guest, vcpu, slot, DO_READ, ADDRESS, 0);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, error);
		CHECK_EQ(out.value, value);
	}
}

static void *reader(void *out)
{
	*(struct outcome *)out = call(guest, 1, slot, DO_WATCH, ADDRESS, 0);
	return NULL;
}

/* vCPU 1 has the page in its TLB and reads it during the request that unmaps it. */
static void unmap_under_a_reader(void)
{
	volatile uint64_t *reads = &object_data(manager)[1];
	struct outcome out;
	pthread_t thread;
	uint64_t last;
	int i;

	*reads = 0;
	CHECK(!pthread_create(&thread, NULL, reader, &out));
	until_at_least(reads, 1000);
	unmap();
	last = *reads;
	/* the function may count one more read that it made before */
	for (i = 0; i < 1000; i++)
		CHECK(*reads <= last + 1);
	pthread_join(thread, NULL);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	CHECK(*reads <= last + 1);
}

int main(void)
{
	int i;

	manager = vm_new(1);
	guest = vm_new(2);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.remap", ELISA_EXPORT_GENERAL_REGS, 60000000);
	slot = attach(guest, "t.remap", ELISA_STUB_TRUSTING, 0);
	*vm_u64(manager, FIRST) = 0x11;
	*vm_u64(manager, SECOND) = 0x22;
	all_read(0, ELISA_CALL_FAULT);
	for (i = 0; i < ROUNDS; i++) {
		map(FIRST);
		all_read(0x11, ELISA_CALL_OK);
		unmap();
		all_read(0, ELISA_CALL_FAULT);
		map(SECOND);
		all_read(0x22, ELISA_CALL_OK);
		unmap_under_a_reader();
		all_read(0, ELISA_CALL_FAULT);
	}
	printf("remap: pages came and went %d times, seen by both vCPUs\n", 2 * ROUNDS);
	return 0;
}
