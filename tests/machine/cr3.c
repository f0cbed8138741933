// SPDX-License-Identifier: Apache-2.0
/*
 * A guest or its VMM loads a page-table root that is a guest-physical address of the contexts.
 *
 * The attack would succeed if such a root made code of sub run with page tables of the attacker.
 * The guest's kernel loads the roots, and its VMM sets them between calls and during one. The test
 * plants page tables in the exchange buffer and the object, and checks that the object does not
 * change.
 */
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define GIB  (1ULL << 30)
#define LONG 20000 /* us: on KVM 7.x such a vCPU faults for ever */

static struct vm *manager, *guest;
static uint32_t slot;

static void check_nothing_ran(const struct kvm_sregs *good, uint64_t object, uint64_t cr3)
{
	struct kvm_sregs sregs = *good;
	struct kvm_vcpu_events none = {0};
	struct outcome out;

	if (*object_data(manager) != object)
		printf("root %#llx\n", (unsigned long long)cr3);
	CHECK_EQ(*object_data(manager), object);
	CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
	/* a page fault that the vCPU met in default is still to be delivered */
	CHECK(!ioctl(guest->vcpu[0], KVM_SET_VCPU_EVENTS, &none));
	out = call(guest, 0, slot, DO_ADD, 1, 2);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 3);
}

int main(void)
{
	/*
	 * The addresses of host/tables/ept.h: code and APT pages, list, stack, exchange buffer,
	 * object. Other offsets are likely choices of an attacker.
	 */
	static const uint64_t offsets[] = {
		0,
		0x20000,
		0x40000,
		0x41000,
		0x42000,
		0x43000,
		0x44000,
		0x45000,
		GIB,
		GIB + 0x10000,
		GIB + 0x14000,
		GIB + 0x20000,
		GIB + 0x22000,
		2 * GIB + 0x100000,
		64 * GIB,
		64 * GIB + PAGE_SIZE,
		127 * GIB,
	};
	uint64_t base, object, cr3;
	struct kvm_sregs good, bad;
	struct kvm_regs regs = {0};
	struct outcome out;
	unsigned int i;
	uint64_t *planted;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.cr3", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.cr3", ELISA_STUB_TRUSTING, 1);
	guest->page->hello.abi = ELISA_ABI_VERSION;
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_HELLO), 0);
	base = guest->page->hello.root_limit;
	CHECK(base >= 1ULL << 38);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	/*
	 * Page tables that an attacker plants in the exchange buffer and the object. Each entry
	 * leads to the same page again.
	 */
	planted = vm_u64(guest, OBJECT + 0x100000);
	for (i = 0; i < 512; i++)
		planted[i] = (base + 2 * GIB + 0x100000) | 0x67;
	planted = object_data(manager) + 16;
	for (i = 16; i < 512; i++)
		planted[i - 16] = (base + 64 * GIB + PAGE_SIZE) | 0x67;
	good = get_sregs(guest, 0);
	object = *object_data(manager);
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		cr3 = base + offsets[i];
		/* the VMM sets the root between calls: default has no code there */
		bad = good;
		bad.cr3 = cr3;
		if (!set_sregs(guest, 0, &bad)) {
			start_call(guest, 0, slot, DO_COUNT, 0, 0);
			out = finish_within(guest, 0, LONG);
			CHECK(out.exit);
		}
		check_nothing_ran(&good, object, cr3);
		/* the VMM sets the root during a call, which ends */
		wait_in_sub(guest, 0, slot, manager);
		bad = get_sregs(guest, 0);
		bad.cr3 = cr3;
		set_sregs(guest, 0, &bad);
		let_go(manager);
		out = finish_within(guest, 0, LONG);
		CHECK(out.exit || out.error == ELISA_CALL_VMM);
		check_nothing_ran(&good, object, cr3);
		/* the guest's kernel loads the root */
		regs.rdi = cr3;
		start_at(guest, 0, 0, kernel_code(load_cr3), &regs);
		out = finish_within(guest, 0, LONG);
		CHECK(out.exit);
		check_nothing_ran(&good, object, cr3);
		/* the host refuses the root of a process */
		CHECK(attach_try(guest, "t.cr3", 0));
	}
	printf("cr3: %u roots in the contexts' addresses: nothing ran\n", i);
	return 0;
}
