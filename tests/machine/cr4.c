// SPDX-License-Identifier: Apache-2.0
/*
 * Values of control registers that ELISA cannot work with.
 *
 * Attach must tell which bit is wrong. Existing attachments must be closed while the register has
 * such a value, even if it changes during a call. The test compares the reasons, the errors of
 * calls and the host's list of vCPUs.
 */
#include <errno.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define CR4_PCIDE    (1 << 17)
#define CR4_SMEP     (1 << 20)
#define CR4_SMAP     (1 << 21)
#define CR4_CET	     (1 << 23)
#define EFER_LMA_LME 0x500

static struct vm *manager, *guest;

/*
 * Returns why the guest's vCPU is closed, by the list of vCPUs. The manager's vCPU has no
 * attachment.
 */
static enum elisa_closed why_closed(enum elisa_vcpu_state state)
{
	struct elisa_host_vcpu vcpus[2];
	int i;

	CHECK_EQ(admin_list(ELISA_HOST_VCPUS, vcpus, sizeof(vcpus[0]), 2), 2);
	i = !vcpus[0].attachments;
	CHECK_EQ(vcpus[!i].closed, ELISA_CLOSED_NOT_ATTACHED);
	CHECK_EQ(vcpus[!i].state, ELISA_VCPU_IDLE);
	CHECK_EQ(vcpus[i].attachments, 1);
	CHECK_EQ(vcpus[i].vcpu, 0);
	CHECK_EQ(vcpus[i].state, state);
	return vcpus[i].closed;
}

/*
 * Tells whether KVM lets a guest set these bits. For CET it does so from Linux 6.18 on, if the
 * processor has it.
 */
static bool kvm_gives(uint64_t cr4)
{
	struct kvm_sregs good = get_sregs(guest, 0), other = good;
	bool given;

	other.cr4 |= cr4;
	given = !set_sregs(guest, 0, &other);
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	return given;
}

static void check_refused(uint64_t set, uint64_t clear, enum elisa_why why, uint32_t slot)
{
	struct kvm_sregs good = get_sregs(guest, 0), other = good;
	struct outcome out;

	other.cr4 |= set;
	other.cr4 &= ~clear;
	CHECK_EQ(set_sregs(guest, 0, &other), 0);
	CHECK_EQ(attach_try(guest, "t.second", 0), -EOPNOTSUPP);
	CHECK_EQ(guest->page->why, why);
	CHECK_EQ(guest->page->value, other.cr4);
	out = call(guest, 0, slot, DO_COUNT, 0, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_CLOSED);
	CHECK_EQ(why_closed(ELISA_VCPU_CLOSED), why == ELISA_WHY_PCID ? ELISA_CLOSED_PCID :
						why == ELISA_WHY_CET  ? ELISA_CLOSED_CET :
									ELISA_CLOSED_CR4);
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(why_closed(ELISA_VCPU_OPEN), ELISA_NOT_CLOSED);
	/* the register changes during a call */
	wait_in_sub(guest, 0, slot, manager);
	CHECK_EQ(why_closed(ELISA_VCPU_SUSPENDED), ELISA_NOT_CLOSED);
	CHECK_EQ(set_sregs(guest, 0, &other), 0);
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_CLOSED);
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(*object_data(manager), 0);
}

int main(void)
{
	uint32_t slot, second;
	struct kvm_sregs sregs, good;
	struct outcome out;
	int g;

	manager = vm_new(1);
	guest = vm_new(1);
	g = grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0);
	CHECK(g > 0);
	export_new(manager, "t.cr4", ELISA_EXPORT_GENERAL_REGS, 1000000);
	export_at(manager, "t.second", ELISA_EXPORT_GENERAL_REGS, 0, OBJECT + 0x10000);
	slot = attach(guest, "t.cr4", ELISA_STUB_TRUSTING, 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	check_refused(CR4_PCIDE, 0, ELISA_WHY_PCID, slot);
	if (kvm_gives(CR4_CET))
		check_refused(CR4_CET, 0, ELISA_WHY_CET, slot);
	check_refused(0, CR4_SMAP, ELISA_WHY_VCPU_STATE, slot);
	check_refused(0, CR4_SMEP, ELISA_WHY_VCPU_STATE, slot);
	check_refused(0, CR4_SMEP | CR4_SMAP, ELISA_WHY_VCPU_STATE, slot);

	/* the administrator trusts this guest's kernel with PCIDs */
	CHECK(grant(ELISA_GRANT_ATTACH | ELISA_GRANT_ALLOW_PCID, "t.second", 0) > 0);
	good = sregs = get_sregs(guest, 0);
	sregs.cr4 |= CR4_PCIDE;
	CHECK_EQ(revoke_grant(g), 0);
	CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
	CHECK_EQ(attach_try(guest, "t.second", 0), -ENOENT); /* the export ended with the grant */
	CHECK(grant(ELISA_GRANT_EXPORT, "t.*", 0) > 0);
	export_at(manager, "t.second", ELISA_EXPORT_GENERAL_REGS, 0, OBJECT + 0x10000);
	second = attach(guest, "t.second", ELISA_STUB_TRUSTING, 0);
	out = call(guest, 0, second, DO_ADD, 3, 4);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	CHECK_EQ(call(guest, 0, second, DO_ADD, 3, 4).value, 7);

	/*
	 * The vCPU leaves long mode, as a 32-bit kernel would. Afterwards it must be set up again.
	 */
	sregs = good;
	sregs.efer &= ~(uint64_t)EFER_LMA_LME;
	sregs.cr0 &= ~(1ULL << 31);
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	if (!set_sregs(guest, 0, &sregs)) {
		timer(2000, 0);
		run_once(guest, 0);
	}
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	out = call(guest, 0, second, DO_ADD, 3, 4);
	CHECK(out.exit == FAULT(UD) || out.error == ELISA_CALL_CLOSED);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	CHECK_EQ(call(guest, 0, second, DO_ADD, 3, 4).value, 7);
	printf("cr4: PCIDE, CET where KVM has it, SMEP and SMAP off, no long mode: closed, and open "
	       "again\n");
	return 0;
}
