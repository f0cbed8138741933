// SPDX-License-Identifier: Apache-2.0
/*
 * KVM saves a vCPU's registers in memory when an exit interrupts a function.
 *
 * The attack: the last attachment ends, no hook sees the VMM's ioctls any more, and the VMM reads
 * these saved registers. The host must have cleared them before. The test compares the answer of
 * KVM_GET_FPU with a clean state.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define FCW 0x37f

int main(void)
{
	static const struct kvm_fpu clean = {.fcw = FCW, .mxcsr = 0x1f80};
	struct vm *manager = vm_new(1), *guest = vm_new(2);
	struct kvm_regs regs = {.rsi = 10, .rflags = 0x202};
	struct kvm_fpu fpu;
	uint32_t slot;
	int i;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.saved", 0, 50000000);
	slot = attach(guest, "t.saved", ELISA_STUB_XSAVE, 0);
	wait_in_sub(guest, 0, slot, manager);
	let_go(manager);
	/* The function returns. From here on vCPU 0 gets no ioctl but KVM_RUN. */
	CHECK_EQ(run_once(guest, 0), 0);
	CHECK_EQ(detach(guest, 1, slot), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(run_once(guest, 0), 0);
	run_at(guest, 1, 3, user_code(user_spin), &regs);
	for (i = 0; i < 60 && (host_flags() & ELISA_HOST_ARMED); i++)
		usleep(200000);
	CHECK(!(host_flags() & ELISA_HOST_ARMED));

	CHECK_EQ(ioctl(guest->vcpu[0], KVM_GET_FPU, &fpu), 0);
	for (i = 0; i < 16; i++)
		CHECK(!memcmp(fpu.xmm[i], clean.xmm[i], 16));
	CHECK(!memcmp(fpu.fpr, clean.fpr, sizeof(fpu.fpr)));
	CHECK_EQ(fpu.fcw, clean.fcw);
	CHECK_EQ(fpu.fsw, 0);
	CHECK_EQ(fpu.last_opcode, 0);
	CHECK_EQ(fpu.last_ip, 0);
	CHECK_EQ(fpu.last_dp, 0);
	printf("saved_state: nothing of a function after the last attachment\n");
	return 0;
}
