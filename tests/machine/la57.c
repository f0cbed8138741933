// SPDX-License-Identifier: Apache-2.0
/*
 * Guests that page with five levels (CR4.LA57), beside guests with four.
 *
 * They must be able to attach and call in both modes. The attack would succeed if another process's
 * root, or a root at the contexts' own addresses, led to the object. A vCPU must be closed if its
 * number of levels is not the one that its attachment was made for. The test compares the errors of
 * calls and the object.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define CR4_LA57    (1 << 12)
#define ROOT5	    0xb000 /* PML5 tables above ROOT and ROOT_OTHER */
#define ROOT5_OTHER 0xc000
#define GIB	    (1ULL << 30)
#define LONG	    20000 /* us */

static struct vm *manager, *guest;
static struct kvm_sregs four, five;
static uint32_t slot;

/* Switches to five levels. Returns false if KVM does not give them to this VM. */
static bool page_with_five_levels(struct vm *vm)
{
	struct kvm_sregs sregs = get_sregs(vm, 0);

	*vm_u64(vm, ROOT5) = ROOT | 0x67;
	*vm_u64(vm, ROOT5_OTHER) = ROOT_OTHER | 0x67;
	sregs.cr4 |= CR4_LA57;
	sregs.cr3 = ROOT5;
	return !set_sregs(vm, 0, &sregs);
}

static enum elisa_closed why_closed(void)
{
	struct elisa_host_vcpu vcpus[4];
	int i, n = admin_list(ELISA_HOST_VCPUS, vcpus, sizeof(vcpus[0]), 4);

	for (i = 0; i < n; i++)
		if (vcpus[i].attachments && vcpus[i].state == ELISA_VCPU_CLOSED)
			return vcpus[i].closed;
	return ELISA_NOT_CLOSED;
}

static void check_works(struct vm *vm, uint32_t in)
{
	struct outcome out = call(vm, 0, in, DO_ADD, 30, 12);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 42);
}

static void check_calls(void)
{
	struct kvm_regs regs = {.rsi = ELISA_OBJECT_BASE + PAGE_SIZE};
	struct outcome out;

	check_works(guest, slot);
	CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	CHECK_EQ(call(guest, 0, slot, DO_READ, ELISA_OBJECT_BASE + (1ULL << 48), 0).error,
		 ELISA_CALL_FAULT);
	CHECK_EQ(run_at(guest, 0, 3, user_code(user_read), &regs).exit, FAULT(PF));
	wait_in_sub(guest, 0, slot, manager);
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
}

static void check_other_process(void)
{
	struct kvm_sregs other = five;

	other.cr3 = ROOT5_OTHER;
	CHECK_EQ(set_sregs(guest, 0, &other), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).exit, FAULT(UD));
	CHECK_EQ(set_sregs(guest, 0, &five), 0);
	check_works(guest, slot);
}

/* The number of levels changes between calls, and during one. */
static void check_other_levels(void)
{
	CHECK_EQ(set_sregs(guest, 0, &four), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).exit, FAULT(UD));
	CHECK_EQ(why_closed(), ELISA_CLOSED_LEVELS);
	CHECK_EQ(set_sregs(guest, 0, &five), 0);
	check_works(guest, slot);
	CHECK_EQ(why_closed(), ELISA_NOT_CLOSED);
	wait_in_sub(guest, 0, slot, manager);
	CHECK_EQ(set_sregs(guest, 0, &four), 0);
	let_go(manager);
	CHECK_EQ(finish(guest, 0).error, ELISA_CALL_CLOSED);
	CHECK_EQ(set_sregs(guest, 0, &five), 0);
	check_works(guest, slot);
}

/* As in cr3.c: the VMM sets the root, then the guest's kernel loads it. */
static void check_roots(void)
{
	static const uint64_t offsets[] = {
		0x20000,       0x40000,	      0x41000,	     0x42000,
		0x43000,       0x44000,	      0x45000,	     0x46000,
		0x47000,       0x48000,	      GIB + 0x10000, GIB + 0x14000,
		GIB + 0x20000, GIB + 0x30000, 64 * GIB,	     64 * GIB + PAGE_SIZE,
	};
	uint64_t base, object = *object_data(manager);
	struct kvm_vcpu_events none = {0};
	struct kvm_sregs bad = five;
	struct kvm_regs regs = {0};
	unsigned int i;

	guest->page->hello.abi = ELISA_ABI_VERSION;
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_HELLO), 0);
	base = guest->page->hello.root_limit;
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		bad.cr3 = base + offsets[i];
		if (!set_sregs(guest, 0, &bad)) {
			start_call(guest, 0, slot, DO_COUNT, 0, 0);
			CHECK(finish_within(guest, 0, LONG).exit);
		}
		CHECK_EQ(set_sregs(guest, 0, &five), 0);
		CHECK(!ioctl(guest->vcpu[0], KVM_SET_VCPU_EVENTS, &none));
		regs.rdi = bad.cr3;
		start_at(guest, 0, 0, kernel_code(load_cr3), &regs);
		CHECK(finish_within(guest, 0, LONG).exit);
		CHECK_EQ(set_sregs(guest, 0, &five), 0);
		CHECK(!ioctl(guest->vcpu[0], KVM_SET_VCPU_EVENTS, &none));
		CHECK_EQ(*object_data(manager), object);
		check_works(guest, slot);
	}
}

static void in_one_mode(void)
{
	struct vm *neighbour = vm_new(1);
	uint32_t neighbours;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH |
			    (trusted ? ELISA_GRANT_TRUSTED_MANAGER : 0),
		    "t.la57", 0) > 0);
	export_new(manager, "t.la57", ELISA_EXPORT_GENERAL_REGS, 1000000);
	four = get_sregs(guest, 0);
	CHECK(page_with_five_levels(guest));
	five = get_sregs(guest, 0);
	neighbours = attach(neighbour, "t.la57", ELISA_STUB_TRUSTING, 1);
	CHECK_EQ(attach_root_try(guest, "t.la57", 1, ROOT5), 0);
	slot = attached(guest, ELISA_STUB_TRUSTING);
	CHECK_EQ(slot, neighbours);
	check_calls();
	check_works(neighbour, neighbours);
	check_other_process();
	check_other_levels();
	check_roots();
	check_works(neighbour, neighbours);
}

int main(void)
{
	const char *lacks = getenv("ELISA_EMULATOR_LACKS");

	if (lacks && strstr(lacks, "la57")) {
		printf("la57: skipped: this emulator enters no guest with CR4.LA57\n");
		return SKIPPED;
	}
	if (!page_with_five_levels(vm_new(1))) {
		printf("la57: skipped: KVM gives VMs no CR4.LA57 on this processor\n");
		return SKIPPED;
	}
	if (in_both_modes(in_one_mode))
		return 1;
	printf("la57: calls with five levels in both modes, beside a guest with four\n");
	return 0;
}
