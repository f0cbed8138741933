// SPDX-License-Identifier: Apache-2.0
/*
 * A guest detaches, also from another vCPU while one is in a call.
 *
 * The failure would be VMFUNC that still works afterwards. The call must end with
 * ELISA_CALL_REVOKED, and later VMFUNCs must cause #UD. The guest must be able to attach again. 16
 * attachments must work side by side, each with its own data.
 */
#include <pthread.h>
#include <errno.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define MANY 16

static struct vm *manager, *guest;
static struct outcome in_thread;
static uint32_t slot;

static void *caller(void *unused)
{
	start_call(guest, 0, slot, DO_WAIT, 0, 0);
	in_thread = finish(guest, 0);
	return unused;
}

static void check_undefined(int vcpu)
{
	struct outcome out = call(guest, vcpu, slot, DO_ADD, 1, 2);

	CHECK_EQ(out.exit, FAULT(UD));
	CHECK_EQ(out.at, stub_vmfunc(slot)); /* at the VMFUNC itself */
}

static void many(void)
{
	uint32_t slots[MANY];
	struct outcome out;
	char name[20];
	int i, round;

	for (i = 0; i < MANY; i++) {
		sprintf(name, "t.many%d", i);
		export_at(manager, name, i % 2 ? ELISA_EXPORT_GENERAL_REGS : 0, 0,
			  OBJECT + 0x10000 * i);
		*vm_u64(manager, OBJECT + 0x10000 * i + PAGE_SIZE) = 1000 * i;
		slots[i] = attach(guest, name, i % 3 ? ELISA_STUB_TRUSTING : ELISA_STUB_XSAVE, 0);
	}
	for (round = 1; round <= 5; round++)
		for (i = 0; i < MANY; i++) {
			out = call(guest, i % 2, slots[i], DO_COUNT, 0, 0);
			CHECK_EQ(out.exit, 0);
			CHECK_EQ(out.error, 0);
			CHECK_EQ(out.value, 1000 * i + round);
		}
	for (i = 0; i < MANY; i += 2)
		CHECK_EQ(detach(guest, 0, slots[i]), 0);
	for (i = 0; i < MANY; i++) {
		out = call(guest, 1, slots[i], DO_COUNT, 0, 0);
		CHECK_EQ(out.exit, i % 2 ? 0 : FAULT(UD));
		if (i % 2)
			CHECK_EQ(out.value, 1000 * i + 6);
	}
}

static void test(void)
{
	struct outcome out;
	pthread_t thread;
	int i;

	manager = vm_new(1);
	guest = vm_new(2);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.detach", ELISA_EXPORT_GENERAL_REGS, 60000000);
	for (i = 0; i < 3; i++) {
		slot = attach(guest, "t.detach", ELISA_STUB_TRUSTING, 0);
		out = call(guest, 1, slot, DO_ADD, 1, 2);
		CHECK_EQ(out.value, 3);
		object_data(manager)[1] = object_data(manager)[2] = 0;
		CHECK(!pthread_create(&thread, NULL, caller, NULL));
		until_at_least(&object_data(manager)[1], 1);
		CHECK_EQ(detach(guest, 1, slot), 0);
		pthread_join(thread, NULL);
		CHECK_EQ(in_thread.exit, 0);
		CHECK_EQ(in_thread.error, ELISA_CALL_REVOKED);
		check_undefined(0);
		check_undefined(1);
		CHECK_EQ(detach(guest, 0, slot), -ENOENT);
		CHECK_EQ(events(manager, ELISA_EVENT_DETACH, 0), 1);
	}
	printf("detach: three times in the middle of a call; then VMFUNC is undefined\n");
	many();
	printf("detach: %d attachments at once, each with its own data\n", MANY);
}

int main(void)
{
	return in_both_modes(test);
}
