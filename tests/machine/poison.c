// SPDX-License-Identifier: Apache-2.0
/*
 * An export with ELISA_EXPORT_POISON lets no call in after an aborted one.
 *
 * Its manager must look at the object and publish it again before. Other exports must go on, and so
 * must calls that are already running. The failure would be a call that works on an object which an
 * aborted call left half changed. The test compares the errors of calls in each phase.
 */
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

static struct vm *manager, *guest, *third;
static uint32_t id, slot;

static void publish_again(void)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->publish.id = id;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_PUBLISH), 0);
}

/*
 * A call goes on while another VM's call is aborted. Then the caller's vCPU gets no further call
 * in.
 */
static void a_call_goes_on(uint32_t other)
{
	struct outcome out;

	wait_in_sub(guest, 0, slot, manager);
	CHECK_EQ(call(third, 0, other, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	out = call(guest, 0, slot, DO_ADD, 1, 2);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_POISONED);
	CHECK_EQ(events(manager, ELISA_EVENT_ABORT, 0), 1);
	publish_again();
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(call(third, 0, other, DO_ADD, 1, 2).value, 3);
}

static void test(void)
{
	uint32_t plain, other, round;
	struct outcome out;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	manager = vm_new(1);
	guest = vm_new(1);
	third = vm_new(1);
	id = export_new(manager, "t.poison", ELISA_EXPORT_GENERAL_REGS | ELISA_EXPORT_POISON,
			60000000);
	export_at(manager, "t.plain", ELISA_EXPORT_GENERAL_REGS, 0, OBJECT + 0x10000);
	slot = attach(guest, "t.poison", ELISA_STUB_TRUSTING, 0);
	plain = attach(guest, "t.plain", ELISA_STUB_TRUSTING, 0);
	other = attach(third, "t.poison", ELISA_STUB_TRUSTING, 0);
	for (round = 0; round < 2; round++) {
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
		CHECK_EQ(call(third, 0, other, DO_ADD, 1, 2).value, 3);
		CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
		out = call(guest, 0, slot, DO_COUNT, 0, 0);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, ELISA_CALL_POISONED);
		out = call(third, 0, other, DO_COUNT, 0, 0);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, ELISA_CALL_POISONED);
		CHECK_EQ(*object_data(manager), 0);
		CHECK_EQ(call(guest, 0, plain, DO_ADD, 1, 2).value, 3);
		publish_again();
	}
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, 1);
	CHECK_EQ(call(third, 0, other, DO_COUNT, 0, 0).value, 2);
	events(manager, 0, 0);
	a_call_goes_on(other);
	printf("poison: shut after an abort, open again when published again; calls go on\n");
	vm_free(guest);
	vm_free(third);
	vm_free(manager);
}

int main(void)
{
	return in_both_modes(test);
}
