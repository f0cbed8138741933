// SPDX-License-Identifier: Apache-2.0
/*
 * A guest tries to stop a function at an instruction of its choice, by single-step and breakpoints.
 *
 * The attack would succeed if #DB were delivered while the vCPU is in a gate or in sub. The host
 * must suppress it there, and the call must come to its end. The guest's handler counts #DB, and
 * the host counts the suppressed ones.
 */
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define FLAG_TF 0x100

static void test(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	struct kvm_regs regs = {.rdi = DO_COUNT, .rflags = 0x200};
	struct kvm_debugregs debug = {.dr6 = 0xffff0ff0};
	uint64_t suppressed, places[4];
	uint32_t slot, full;
	struct outcome out;
	int i;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.debug", ELISA_EXPORT_GENERAL_REGS, 0);
	export_at(manager, "t.debug-full", 0, 0, OBJECT + 0x10000);
	slot = attach(guest, "t.debug", ELISA_STUB_TRUSTING, 0);
	full = attach(guest, "t.debug-full", ELISA_STUB_XSAVE, 0);
	set_gate(guest, DB, kernel_code(isr_debug), 0);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, 1);

	/* single-step begins before the stub */
	suppressed = counter(ELISA_COUNT_DEBUG_SUPPRESSED);
	regs.r11 = stub_entry(slot);
	regs.rflags |= FLAG_TF;
	out = run_at(guest, 0, 3, user_code(user_call), &regs);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 2);
	CHECK(seen(guest)->debugs >= 4); /* single-step works in default */
	CHECK(counter(ELISA_COUNT_DEBUG_SUPPRESSED) > suppressed);
	regs.rflags &= ~(uint64_t)FLAG_TF;

	/* the four breakpoints: in gate-in, in sub's stub, at the function, at its data */
	places[0] = code_page(slot) + ELISA_ARM_OFFSET(slot);
	places[1] = code_page(slot) + ELISA_SUB_ENTRY(slot) + 7;
	places[2] = ELISA_OBJECT_BASE;
	places[3] = ELISA_OBJECT_BASE + PAGE_SIZE;
	for (i = 0; i < 4; i++) {
		debug.db[i] = places[i];
		debug.dr7 = 2 << 2 * i | (i == 3 ? 0xbULL << 28 : 0) | 0x400;
		CHECK(!ioctl(guest->vcpu[0], KVM_SET_DEBUGREGS, &debug));
		suppressed = counter(ELISA_COUNT_DEBUG_SUPPRESSED);
		seen(guest)->debugs = 0;
		out = run_at(guest, 0, 3, user_code(user_call), &regs);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		CHECK_EQ(out.value, 3 + i);
		printf("debug: breakpoint %d suppressed %llu times\n", i,
		       (unsigned long long)(counter(ELISA_COUNT_DEBUG_SUPPRESSED) - suppressed));
		CHECK_EQ(seen(guest)->debugs, 0);
		CHECK(counter(ELISA_COUNT_DEBUG_SUPPRESSED) > suppressed);
	}
	/* all breakpoints at once, with single-step, in the other kind of export */
	debug.dr7 = 0xb00006aa;
	CHECK(!ioctl(guest->vcpu[0], KVM_SET_DEBUGREGS, &debug));
	regs.r11 = stub_entry(full);
	regs.rflags |= FLAG_TF;
	out = run_at(guest, 0, 3, user_code(user_call), &regs);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 1);
	printf("debug: no breakpoint or single-step stopped a call\n");
}

int main(void)
{
	return in_both_modes(test);
}
