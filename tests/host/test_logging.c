// SPDX-License-Identifier: Apache-2.0
/*
 * Dirty logging begins in a memory slot.
 *
 * If the VM shares a page of this slot, the host must end all that the VM shares. A slot without a
 * shared page must end nothing. KVM calls eh_slot_logged() after it has changed a slot.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "requests.h"

#define RAM 0 /* the memory slot of most pages */

static u32 id;

static int start(void **state)
{
	requests_start(state);
	id = host_publish("shop");
	return 0;
}

static void logged(int machine, int slot)
{
	struct kvm_memory_slot *changed = &machines[machine].kvm.slots[slot];

	changed->flags |= KVM_MEM_LOG_DIRTY_PAGES;
	eh_slot_logged(&machines[machine].kvm, changed);
	host_settle();
}

static bool is_attached(void)
{
	return host_vm(GUEST)->slots[0]->export;
}

/* Events of this type in the manager's queue, all of which are taken. */
static u32 told(u32 type, s64 value)
{
	u32 found = 0;

	memset(&page, 0, sizeof(page));
	assert_int_equal(host_call(MANAGER, ELISA_HC_EVENTS, &page), 0);
	for (u32 i = 0; i < page.events.count; i++)
		found += page.events.event[i].type == type && page.events.event[i].value == value;
	return found;
}

static void a_managers_exports_end(void **state)
{
	(void)state;
	host_publish("shop2");
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	logged(MANAGER, RAM);
	assert_false(is_attached());
	assert_int_equal(told(ELISA_EVENT_DIRTY_LOG, GPA(0)), 2);
	assert_int_equal(atomic64_read(&machines[MANAGER].mm.pinned_vm), 0);
	/* and none can be filled, until logging stops */
	id = create("shop");
	request_map(&page, id, 0, 3, RX);
	expect(MANAGER, ELISA_HC_EXPORT_MAP, -EBUSY, ELISA_WHY_DIRTY_LOG, page.map.gpa[0]);
	machines[MANAGER].kvm.slots[RAM].flags = 0;
	map(id, 0, 3);
}

static void a_guests_attachments_end(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	logged(GUEST, RAM);
	assert_false(is_attached());
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 2), -EBUSY);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_DIRTY_LOG);
	assert_int_equal(told(ELISA_EVENT_DIRTY_LOG, GPA(0)), 0);
}

static void a_guest_that_gave_no_page_goes_on(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	logged(GUEST, RAM);
	assert_true(is_attached());
}

/* As the memory of a display, which a VMM logs all the time. */
static void another_slot_is_of_no_concern(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	logged(MANAGER, 2);
	logged(GUEST, 2);
	assert_true(is_attached());
}

static void a_grant_accepts_the_loss(void **state)
{
	(void)state;
	host_grant(MANAGER, ELISA_GRANT_EXPORT | ELISA_GRANT_DIRTY_LOG, "other", 1);
	host_grant(GUEST, ELISA_GRANT_ATTACH | ELISA_GRANT_DIRTY_LOG, "other", 1);
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	logged(MANAGER, RAM);
	logged(GUEST, RAM);
	assert_true(is_attached());
	map(id, 0x100000, 1);
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 2), 0);
}

static void a_vm_that_has_not_spoken(void **state)
{
	struct kvm stranger = {.mm = &machines[GUEST].mm};

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	eh_slot_logged(&stranger, &machines[GUEST].kvm.slots[RAM]);
	assert_true(is_attached());
}

/* Slots without end: none is forgotten. */
static void more_slots_than_room(void **state)
{
	struct kvm_memory_slot *slot = &machines[MANAGER].kvm.slots[7];
	const u32 count = 3 * EH_SHARED_RANGES;
	u64 gpa;

	(void)state;
	for (u32 i = 0; i < count; i++) {
		*slot = (struct kvm_memory_slot){0x100000 + 2 * i, 1,
						 (unsigned long)machines[MANAGER].mm.memory +
							 (2 * RAM_PAGES + i) * PAGE_SIZE,
						 0, 9};
		gpa = slot->base_gfn * PAGE_SIZE;
		assert_int_equal(eh_share(host_vm(MANAGER), &machines[MANAGER].vcpu, &gpa, 1,
					  &(struct eh_refusal){0}),
				 0);
	}
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	slot->userspace_addr += PAGE_SIZE;
	slot->npages = 100;
	eh_slot_logged(&machines[MANAGER].kvm, slot);
	assert_true(is_attached());
	slot->userspace_addr -= PAGE_SIZE;
	eh_slot_logged(&machines[MANAGER].kvm, slot);
	assert_false(is_attached());
}

/* KVM_MR_MOVE with logging at once, or the same memory in a second slot. */
static void memory_at_another_address(void **state)
{
	struct kvm_memory_slot moved = machines[MANAGER].kvm.slots[RAM];

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	moved.base_gfn += 0x1000000;
	eh_slot_logged(&machines[MANAGER].kvm, &moved);
	assert_false(is_attached());
}

/* The VMM adds the slot after the first look: a page of it would be shared, and not noted. */
static void memory_that_comes_meanwhile(void **state)
{
	const u64 gpas[] = {GPA(0), GPA(0) + (1ULL << 40)};
	struct eh_refusal refusal;

	(void)state;
	assert_int_equal(eh_share(host_vm(MANAGER), &machines[MANAGER].vcpu, gpas, 2, &refusal),
			 -EFAULT);
	assert_int_equal(refusal.why, ELISA_WHY_NOT_RAM);
	assert_int_equal(refusal.value, gpas[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(memory_at_another_address, start, requests_end),
		cmocka_unit_test_setup_teardown(memory_that_comes_meanwhile, start, requests_end),
		cmocka_unit_test_setup_teardown(a_managers_exports_end, start, requests_end),
		cmocka_unit_test_setup_teardown(a_guests_attachments_end, start, requests_end),
		cmocka_unit_test_setup_teardown(a_guest_that_gave_no_page_goes_on, start,
						requests_end),
		cmocka_unit_test_setup_teardown(another_slot_is_of_no_concern, start, requests_end),
		cmocka_unit_test_setup_teardown(a_grant_accepts_the_loss, start, requests_end),
		cmocka_unit_test_setup_teardown(a_vm_that_has_not_spoken, start, requests_end),
		cmocka_unit_test_setup_teardown(more_slots_than_room, start, requests_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
