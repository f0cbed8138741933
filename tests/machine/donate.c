// SPDX-License-Identifier: Apache-2.0
/*
 * A guest donates memory, which all attached guests see at its place in the object.
 *
 * The pages must be gone from other attachments when the donor detaches or its VM ends. A function
 * that reads them at that time must go on without a fault, and read zeros. The host tells a
 * function which attachment calls; the guest cannot change that.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define PLACES	 (1ULL << 30)
#define SIZE	 8 /* pages of a place */
#define GIVEN	 (OBJECT + 0x200000)
#define PLACE(n) (ELISA_OBJECT_BASE + PLACES + (n)*SIZE * PAGE_SIZE)
#define SELF(f)	 (ELISA_SELF_ADDRESS + offsetof(struct elisa_self, f))

static struct vm *manager, *donor, *other;
static uint32_t id;

static uint32_t places(void)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->places = (struct elisa_hc_places){id, 2, PLACES, SIZE};
	return hypercall(manager, 0, ELISA_HC_EXPORT_PLACES);
}

static int donate(struct vm *vm, uint32_t slot, uint64_t gpa, uint32_t count)
{
	uint32_t i;

	memset(vm->page, 0, PAGE_SIZE);
	vm->page->donate.slot = slot;
	vm->page->donate.count = count;
	for (i = 0; i < count; i++)
		vm->page->donate.gpa[i] = gpa + i * PAGE_SIZE;
	return hypercall(vm, 0, ELISA_HC_DONATE);
}

static long reads(struct vm *vm, uint32_t slot, uint64_t address)
{
	struct outcome out = call(vm, 0, slot, DO_READ, (long)address, 0);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	return out.value;
}

static void faults(struct vm *vm, uint32_t slot, long what, uint64_t address)
{
	struct outcome out = call(vm, 0, slot, what, (long)address, 1);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
}

static void who_calls(uint32_t slot, uint32_t other_slot)
{
	CHECK_EQ((uint32_t)reads(donor, slot, SELF(place)), 0);
	CHECK_EQ((uint32_t)reads(other, other_slot, SELF(place)), 1);
	CHECK_EQ(reads(donor, slot, SELF(attachment)) + 1,
		 reads(other, other_slot, SELF(attachment)));
	CHECK_EQ(reads(donor, slot, SELF(donated)), 4 * PAGE_SIZE);
	CHECK_EQ(reads(other, other_slot, SELF(donated)), 0);
	CHECK_EQ(reads(other, other_slot, SELF(aborts)), 0);
	faults(other, other_slot, DO_WRITE, SELF(place));
	CHECK_EQ((uint32_t)reads(other, other_slot, SELF(place)), 1);
	CHECK_EQ(reads(other, other_slot, SELF(aborts)), 1);
	CHECK_EQ(reads(donor, slot, SELF(aborts)), 0);
	CHECK_EQ((uint32_t)reads(other, other_slot, SELF(vcpu)), 0);
}

static void both_see_it(uint32_t slot, uint32_t other_slot)
{
	struct outcome out;
	int i;

	for (i = 0; i < 4; i++) {
		*vm_u64(donor, GIVEN + i * PAGE_SIZE) = 0x1000 + i;
		CHECK_EQ(reads(donor, slot, PLACE(0) + i * PAGE_SIZE), 0x1000 + i);
		CHECK_EQ(reads(other, other_slot, PLACE(0) + i * PAGE_SIZE), 0x1000 + i);
	}
	out = call(other, 0, other_slot, DO_WRITE, PLACE(0) + 3 * PAGE_SIZE + 8, 0x7777);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	CHECK_EQ(*vm_u64(donor, GIVEN + 3 * PAGE_SIZE + 8), 0x7777);
	faults(other, other_slot, DO_READ, PLACE(0) + 4 * PAGE_SIZE);
	faults(other, other_slot, DO_READ, PLACE(1));
	faults(other, other_slot, DO_JUMP, PLACE(0));
}

struct watch {
	uint32_t slot;
	struct outcome out;
};

static void *watcher(void *argument)
{
	struct watch *watch = argument;

	watch->out = call(other, 0, watch->slot, DO_WATCH, PLACE(0), 0);
	return NULL;
}

static void detach_it(uint32_t slot)
{
	CHECK_EQ(detach(donor, 0, slot), 0);
}

static void end_it(uint32_t slot)
{
	(void)slot;
	vm_free(donor);
	donor = NULL;
}

/*
 * The donated pages go away while the other guest's function reads them. The function goes on
 * reading.
 */
static void gone_under_a_reader(uint32_t slot, uint32_t other_slot, void (*end)(uint32_t slot))
{
	volatile uint64_t *data = object_data(manager), *count = &data[1];
	struct watch watch = {.slot = other_slot};
	uint64_t before = pages_held();
	pthread_t thread;

	*count = data[2] = 0;
	CHECK(!pthread_create(&thread, NULL, watcher, &watch));
	until_at_least(count, 1000);
	end(slot);
	CHECK_EQ(pages_held(), before - 4);
	until_at_least(count, *count + 1000);
	let_go(manager);
	pthread_join(thread, NULL);
	CHECK_EQ(watch.out.exit, 0);
	CHECK_EQ(watch.out.error, ELISA_CALL_OK);
	if (donor)
		*vm_u64(donor, GIVEN) = 0x9999;
	CHECK_EQ(reads(other, other_slot, PLACE(0)), 0);
	CHECK_EQ(reads(other, other_slot, PLACE(0) + 3 * PAGE_SIZE + 8), 0);
	faults(other, other_slot, DO_READ, PLACE(0) + 4 * PAGE_SIZE);
}

static void test(void)
{
	static void (*const ends[])(uint32_t slot) = {detach_it, end_it};
	uint32_t slot, other_slot;
	int i;

	manager = vm_new(1);
	other = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.donate", ELISA_EXPORT_GENERAL_REGS, 60000000);
	CHECK_EQ(places(), 0);
	for (i = 0; i < 2; i++) {
		if (!donor)
			donor = vm_new(1);
		slot = attach(donor, "t.donate", ELISA_STUB_TRUSTING, 0);
		other_slot = attach(other, "t.donate", ELISA_STUB_TRUSTING, 0);
		CHECK_EQ(donate(donor, slot, GIVEN, 3), 0);
		CHECK_EQ(donate(donor, slot, GIVEN + 3 * PAGE_SIZE, 1), 0);
		CHECK_EQ(donate(donor, slot, GIVEN, SIZE), -ENOSPC);
		who_calls(slot, other_slot);
		both_see_it(slot, other_slot);
		gone_under_a_reader(slot, other_slot, ends[i]);
		CHECK_EQ(detach(other, 0, other_slot), 0);
	}
	printf("donate: seen by both, gone with a detach and the donor's VM, no call faulted\n");
}

int main(void)
{
	return in_both_modes(test);
}
