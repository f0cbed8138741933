// SPDX-License-Identifier: Apache-2.0
/*
 * A VMM looks at a vCPU that is in sub.
 *
 * The attack would succeed if the VMM saw the function's registers or its address. KVM_RUN alone
 * must continue the call. An ioctl that touches the vCPU's state must end the call. The test looks
 * for the function's secret in each answer.
 */
#include <string.h>
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

static struct vm *manager, *guest;
static uint32_t slot;

static void look_regs(int vcpu)
{
	struct kvm_regs regs;
	uint64_t *r = (uint64_t *)&regs;
	unsigned int i;

	CHECK(!ioctl(vcpu, KVM_GET_REGS, &regs));
	for (i = 0; i < sizeof(regs) / 8; i++)
		CHECK(r[i] != SECRET);
	CHECK_EQ(regs.rip, code_page(slot) + ELISA_ERROR_RETURN(slot));
	CHECK(regs.rsp > USER_DATA && regs.rsp < USER_STACK);
}

static void write_regs(int vcpu)
{
	struct kvm_regs regs;

	CHECK(!ioctl(vcpu, KVM_GET_REGS, &regs));
	CHECK(!ioctl(vcpu, KVM_SET_REGS, &regs));
}

static void write_sregs(int vcpu)
{
	struct kvm_sregs sregs;

	CHECK(!ioctl(vcpu, KVM_GET_SREGS, &sregs));
	CHECK_EQ(sregs.cr3, ROOT);
	CHECK_EQ(sregs.cs.dpl, 3);
	CHECK(!ioctl(vcpu, KVM_SET_SREGS, &sregs));
}

static void look_xsave(int vcpu)
{
	struct kvm_xsave xsave;
	unsigned int i;

	CHECK(!ioctl(vcpu, KVM_GET_XSAVE, &xsave));
	for (i = 0; i < sizeof(xsave) / 8; i++)
		CHECK(((uint64_t *)&xsave)[i] != SECRET);
}

static void look_fpu(int vcpu)
{
	struct kvm_fpu fpu;
	unsigned int i;

	CHECK(!ioctl(vcpu, KVM_GET_FPU, &fpu));
	for (i = 0; i < sizeof(fpu) / 8; i++)
		CHECK(((uint64_t *)&fpu)[i] != SECRET);
}

static void guest_debug(int vcpu)
{
	struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};

	CHECK(!ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug));
	debug.control = 0;
	CHECK(!ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug));
}

static void look_events(int vcpu)
{
	struct kvm_vcpu_events events;

	CHECK(!ioctl(vcpu, KVM_GET_VCPU_EVENTS, &events));
}

static void set_nmi(int vcpu)
{
	CHECK(!ioctl(vcpu, KVM_NMI, 0));
}

static void translate(int vcpu)
{
	struct kvm_translation t = {.linear_address = ELISA_OBJECT_BASE + PAGE_SIZE};

	CHECK(!ioctl(vcpu, KVM_TRANSLATE, &t));
	CHECK(!t.valid);
}

static const struct {
	const char *name;
	void (*touch)(int vcpu);
} ways[] = {
	{"KVM_GET_REGS", look_regs},
	{"KVM_SET_REGS", write_regs},
	{"KVM_SET_SREGS", write_sregs},
	{"KVM_GET_XSAVE", look_xsave},
	{"KVM_GET_FPU", look_fpu},
	{"KVM_SET_GUEST_DEBUG", guest_debug},
	{"KVM_GET_VCPU_EVENTS", look_events},
	{"KVM_NMI", set_nmi},
	{"KVM_TRANSLATE", translate},
};
#define WAYS (int)(sizeof(ways) / sizeof(ways[0]))

static void test(void)
{
	struct kvm_run *run;
	struct outcome out;
	uint64_t ended;
	int i, round, export;

	manager = vm_new(1);
	guest = vm_new(1);
	run = guest->run[0];
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	for (export = 0; export < 2; export ++) {
		const char *name = export ? "t.vmm-general" : "t.vmm-full";

		export_new(manager, name, export ? ELISA_EXPORT_GENERAL_REGS : 0, 1000000);
		slot = attach(guest, name, ELISA_STUB_TRUSTING, 0);
		for (round = 0; round < 3; round++) {
			wait_in_sub(guest, 0, slot, manager);
			let_go(manager);
			out = finish(guest, 0);
			CHECK_EQ(out.error, 0);
			CHECK_EQ(out.value, 7);
			/* the vector registers that KVM saved in the middle of the call */
			if (!export) {
				look_fpu(guest->vcpu[0]);
				look_xsave(guest->vcpu[0]);
			}
		}
		for (i = 0; i < WAYS; i++) {
			/*
			 * vector registers that a function of a "general" export leaves are its
			 * manager's affair
			 */
			if (export && (ways[i].touch == look_xsave || ways[i].touch == look_fpu))
				continue;
			ended = counter(ELISA_COUNT_VMM_ENDED);
			wait_in_sub(guest, 0, slot, manager);
			ways[i].touch(guest->vcpu[0]);
			let_go(manager);
			out = finish(guest, 0);
			if (out.exit || out.error != ELISA_CALL_VMM)
				printf("%s:\n", ways[i].name);
			CHECK_EQ(out.exit, 0);
			CHECK_EQ(out.error, ELISA_CALL_VMM);
			CHECK_EQ(out.value, 0);
			CHECK_EQ(out.regs.rsp, USER_STACK);
			CHECK_EQ(counter(ELISA_COUNT_VMM_ENDED), ended + 1);
			CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
		}
	}
	CHECK_EQ(seen(guest)->nmis, 2);

	/*
	 * the shared page of KVM_RUN: it shows no register, and setting registers in it ends the
	 * call
	 */
	run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	wait_in_sub(guest, 0, slot, manager);
	CHECK_EQ(run->s.regs.regs.rip, code_page(slot) + ELISA_ERROR_RETURN(slot));
	for (i = 0; i < (int)sizeof(run->s.regs.regs) / 8; i++)
		CHECK(((uint64_t *)&run->s.regs.regs)[i] != SECRET);
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 7);
	wait_in_sub(guest, 0, slot, manager);
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	let_go(manager);
	out = finish(guest, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_VMM);
	run->kvm_valid_regs = 0;
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	printf("vmm: KVM_RUN goes on; %d other ioctls and dirty registers end the call\n", WAYS);
}

int main(void)
{
	return in_both_modes(test);
}
