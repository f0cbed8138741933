// SPDX-License-Identifier: Apache-2.0
/*
 * VMs, vCPUs and the module end in different ways.
 *
 * A vCPU is reset or gets INIT in a call, a VM is closed while it is attached, and the module is
 * asked to unload. The failure would be memory, a record or a reference to the module that is left.
 * The test compares the host's lists, the module's reference count and free memory.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define CYCLES 50

static struct vm *manager, *guest;
static uint32_t slot;

static long free_kb(void)
{
	return number_in("/proc/meminfo", "MemFree: %ld") +
	       number_in("/proc/meminfo", "SReclaimable: %ld");
}

static int vms_known(void)
{
	struct elisa_host_vm vms[4];

	return admin_list(ELISA_HOST_VMS, vms, sizeof(vms[0]), 4);
}

static void check_gone(void)
{
	struct elisa_host_attachment attachments[1];
	struct elisa_host_export exports[1];

	CHECK_EQ(vms_known(), 0);
	CHECK_EQ(admin_list(ELISA_HOST_ATTACHMENTS, attachments, sizeof(attachments[0]), 1), 0);
	CHECK_EQ(admin_list(ELISA_HOST_EXPORTS, exports, sizeof(exports[0]), 1), 0);
}

/* Resets a vCPU as QEMU does: sets its whole state, with paging off. */
static void reset_in_a_call(void)
{
	struct kvm_sregs good = get_sregs(guest, 0), reset = good;
	struct kvm_segment real = {.limit = 0xffff, .present = 1, .type = 3, .s = 1};
	struct kvm_mp_state running = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_regs regs = {.rip = 0xfff0, .rflags = 2};
	struct outcome out;

	wait_in_sub(guest, 0, slot, manager);
	reset.cr0 = 0x60000010;
	reset.cr3 = reset.cr4 = reset.efer = 0;
	reset.ds = reset.es = reset.fs = reset.gs = reset.ss = real;
	real.type = 11;
	real.selector = 0xf000;
	real.base = 0xf0000;
	reset.cs = real;
	reset.tr.limit = 0xffff;
	CHECK_EQ(set_sregs(guest, 0, &reset), 0);
	CHECK(!ioctl(guest->vcpu[0], KVM_SET_REGS, &regs));
	memset(guest->memory + 0xffff0, 0xf4, 16); /* HLT */
	timer(2000, 0);
	CHECK_EQ(run_once(guest, 0), -EINTR);
	CHECK(!ioctl(guest->vcpu[0], KVM_SET_MP_STATE, &running));
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	/* the old attachment does not work until the new kernel sets up the vCPU */
	out = call(guest, 0, slot, DO_ADD, 1, 2);
	CHECK(out.exit == FAULT(UD) || out.error == ELISA_CALL_CLOSED);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_RESET), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).exit, FAULT(UD));
	CHECK_EQ(detach(guest, 0, slot), -ENOENT);
}

/* Sends INIT, as a kernel does to another processor. The vCPU then waits for SIPI. */
static void init_in_a_call(void)
{
	struct kvm_sregs good = get_sregs(guest, 1);
	struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct outcome out;

	CHECK_EQ(call(guest, 1, slot, DO_ADD, 1, 2).value, 3);
	wait_in_sub(guest, 1, slot, manager);
	msi(guest, 1, 5 << 8); /* delivery mode INIT */
	timer(2000, 0);
	CHECK_EQ(run_once(guest, 1), -EINTR);
	CHECK(!ioctl(guest->vcpu[1], KVM_GET_MP_STATE, &state));
	CHECK_EQ(state.mp_state, KVM_MP_STATE_INIT_RECEIVED);
	CHECK(get_sregs(guest, 1).cr3 != ROOT);
	state.mp_state = KVM_MP_STATE_RUNNABLE;
	CHECK(!ioctl(guest->vcpu[1], KVM_SET_MP_STATE, &state));
	CHECK_EQ(set_sregs(guest, 1, &good), 0);
	out = call(guest, 1, slot, DO_ADD, 1, 2);
	CHECK(out.exit == FAULT(UD) || out.error == ELISA_CALL_CLOSED);
	CHECK_EQ(hypercall(guest, 1, ELISA_HC_VCPU_SYNC), 0);
	CHECK_EQ(call(guest, 1, slot, DO_ADD, 1, 2).value, 3);
}

static long uses(void)
{
	return number_in("/sys/module/elisa/refcnt", "%ld");
}

/* The last detach releases everything, even if VMFUNC is closed at that time. */
static void detach_closed(bool closed)
{
	struct kvm_sregs good = get_sregs(guest, 0), other = good;
	int i;

	other.cr4 |= closed ? 1 << 17 : 0; /* PCIDE */
	CHECK_EQ(set_sregs(guest, 0, &other), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).error, closed ? ELISA_CALL_CLOSED : 0);
	CHECK_EQ(detach(guest, 0, slot), 0);
	/* the references of the export and of the administrator's open file are left */
	for (i = 0; i < 1000 && uses() > 2; i++) {
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).exit, FAULT(UD));
		CHECK_EQ(call(guest, 1, slot, DO_ADD, 1, 2).exit, FAULT(UD));
		usleep(2000);
	}
	CHECK_EQ(uses(), 2);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).exit, FAULT(UD));
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	slot = attach(guest, "t.life", ELISA_STUB_TRUSTING, 2);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

int main(void)
{
	long before = 0, after;
	struct vm *holder;
	uint32_t id;
	int i;

	manager = vm_new(1);
	guest = vm_new(2);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	id = export_new(manager, "t.life", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.life", ELISA_STUB_TRUSTING, 2);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	init_in_a_call();
	reset_in_a_call();
	slot = attach(guest, "t.life", ELISA_STUB_TRUSTING, 2);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);

	detach_closed(false);
	detach_closed(true);

	/* a guest is attached */
	CHECK_EQ(module_unload(), -EAGAIN);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);

	/* the guest's VM is closed in a call, then its manager's VM */
	wait_in_sub(guest, 0, slot, manager);
	vm_free(guest);
	CHECK_EQ(vms_known(), 1);
	CHECK_EQ(events(manager, ELISA_EVENT_DETACH, 0), 4);
	vm_free(manager);
	check_gone();
	CHECK_EQ(module_unload(), 0);
	CHECK_EQ(access("/sys/module/elisa", F_OK), -1);
	CHECK_EQ(module_load(), 0);

	/* one attachment stays, so that the host does not place and remove its hooks each time */
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	holder = vm_new(1);
	export_new(holder, "t.holder", ELISA_EXPORT_GENERAL_REGS, 0);
	attach(holder, "t.holder", ELISA_STUB_TRUSTING, 0);
	for (i = 0; i < CYCLES; i++) {
		/* new VMs in one of eight cycles */
		if (i % 8 == 0) {
			manager = vm_new(1);
			guest = vm_new(1);
		}
		id = export_new(manager, "t.life", 0, 0);
		slot = attach(guest, "t.life", ELISA_STUB_TRUSTING, 8);
		CHECK_EQ(call(guest, 0, slot, DO_ADD, i, 2).value, i + 2);
		if (i % 2) {
			CHECK_EQ(detach(guest, 0, slot), 0);
			CHECK_EQ(destroy(manager, id), 0);
		} else {
			CHECK_EQ(destroy(manager, id), 0);
			CHECK_EQ(detach(guest, 0, slot), 0);
		}
		if (i % 8 == 7 || i == CYCLES - 1) {
			vm_free(manager);
			vm_free(guest);
			CHECK_EQ(vms_known(), 1);
		}
		if (i == 15) /* all caches are warm */
			before = free_kb();
	}
	after = free_kb();
	vm_free(holder);
	check_gone();
	printf("lifecycle: %d attachments came and went, %ld KiB less memory\n", CYCLES,
	       before - after);
	/* an attachment takes more than 120 KiB: the test notices if one in three stays */
	CHECK(before - after < 34 * 40);
	CHECK_EQ(module_unload(), 0);
	CHECK_EQ(module_load(), 0);
	printf("lifecycle: reset, close and unload leave nothing behind\n");
	return 0;
}
