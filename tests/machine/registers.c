// SPDX-License-Identifier: Apache-2.0
/*
 * Registers at the borders of a call.
 *
 * Values that a function leaves in registers must not reach the guest, neither by a return nor by
 * an abort. The guarded stub must restore what the function destroys. Flags and control words of
 * the caller must not reach the function. The test looks for the function's secret in all
 * registers, and compares the caller's.
 */
#include <string.h>
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define MXCSR	      0x1f80 /* the C ABI's value */
#define FCW	      0x37f
#define CALLERS_MXCSR 0x7f00
#define CALLERS_FCW   0xc40
#define FLAG_AC	      0x40000
#define FLAG_DF	      0x400
#define FLAG_TF	      0x100
#define FLAG_CF	      1

/* Counts the secret's values in the vCPU's general and vector registers. */
static int secrets(struct vm *vm)
{
	static struct kvm_xsave xsave;
	uint64_t *vector = (uint64_t *)xsave.region, *general;
	struct kvm_regs regs;
	unsigned int i;
	int found = 0;

	CHECK(!ioctl(vm->vcpu[0], KVM_GET_REGS, &regs));
	CHECK(!ioctl(vm->vcpu[0], KVM_GET_XSAVE, &xsave));
	general = (uint64_t *)&regs;
	for (i = 0; i < sizeof(regs) / 8; i++)
		found += general[i] == SECRET || (uint32_t)general[i] == (uint32_t)SECRET;
	for (i = 0; i < 832 / 8; i++) /* x87, SSE and AVX, by their offsets */
		found += vector[i] == SECRET;
	return found;
}

static struct outcome call_with(struct vm *vm, uint32_t slot, long function, long a1,
				uint64_t flags)
{
	struct kvm_regs regs = {.rdi = function,
				.rsi = a1,
				.r11 = stub_entry(slot),
				.rbp = 0xbb,
				.rflags = 0x200 | flags};

	return run_at(vm, 0, 3, user_code(user_call), &regs);
}

/* Checks the registers that a caller cannot declare clobbered. */
static void check_kept(const struct kvm_regs *regs)
{
	CHECK_EQ(regs->rsp, USER_STACK);
	CHECK_EQ(regs->rbp, 0xbb);
}

/*
 * The caller uses another rounding mode and unmasked exceptions. The function must see the ABI's
 * control words, and each stub must restore the caller's.
 */
static void control_words(struct vm *guest, uint32_t slot)
{
	static struct kvm_xsave caller = {
		.region = {[0] = CALLERS_FCW, [6] = CALLERS_MXCSR, [128] = 3}};
	static struct kvm_xsave after;
	struct outcome out;

	CHECK(!ioctl(guest->vcpu[0], KVM_SET_XSAVE, &caller));
	out = call_with(guest, slot, DO_CONTROL, 0, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, MXCSR | (long)FCW << 32);
	CHECK(!ioctl(guest->vcpu[0], KVM_GET_XSAVE, &after));
	CHECK_EQ(after.region[0] & 0xffff, CALLERS_FCW);
	CHECK_EQ(after.region[6], CALLERS_MXCSR);
}

static void test(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	uint32_t full, full_trusting, general;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct outcome out;
	uint32_t *image = xsave.region;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	sregs = get_sregs(guest, 0);
	sregs.cr4 |= 1 << 16; /* FSGSBASE */
	sregs.fs.base = 0xf5000;
	sregs.gs.base = 0x65000;
	CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
	export_new(manager, "t.full", 0, 0);
	export_new(manager, "t.trusting", 0, 0);
	export_new(manager, "t.general", ELISA_EXPORT_GENERAL_REGS, 0);
	full = attach(guest, "t.full", ELISA_STUB_XSAVE | ELISA_STUB_FSGSBASE, 0);
	full_trusting = attach(guest, "t.trusting", ELISA_STUB_TRUSTING, 0);
	general = attach(guest, "t.general", ELISA_STUB_XSAVE | ELISA_STUB_FSGSBASE, 0);

	/* no secret is left after returns and aborts */
	out = call_with(guest, full, DO_SECRET, 0, 0);
	CHECK_EQ(out.value, 1);
	CHECK_EQ(secrets(guest), 0);
	out = call_with(guest, full, DO_SECRET, 1, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	CHECK_EQ(secrets(guest), 0);
	check_kept(&out.regs);
	out = call_with(guest, full_trusting, DO_SECRET, 0, 0);
	CHECK_EQ(out.value, 1);
	CHECK_EQ(secrets(guest), 0);
	out = call_with(guest, full_trusting, DO_SECRET, 1, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	CHECK_EQ(secrets(guest), 0);
	out = call_with(guest, full, DO_REGISTERS, 0, 0);
	CHECK_EQ(out.value, 1);
	CHECK_EQ(secrets(guest), 0);
	out = call_with(guest, full, DO_REGISTERS, 1, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	CHECK_EQ(secrets(guest), 0);
	/* The search itself works: an export of general registers leaves its vector registers. */
	out = call_with(guest, general, DO_SECRET, 0, 0);
	CHECK_EQ(out.value, 1);
	CHECK(secrets(guest) > 0);

	/* the guarded stub */
	out = call_with(guest, full, DO_SPOIL, 0x1234000, FLAG_CF);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 5);
	check_kept(&out.regs);
	CHECK_EQ(out.regs.rflags & (FLAG_DF | FLAG_CF), FLAG_CF);
	sregs = get_sregs(guest, 0);
	CHECK_EQ(sregs.fs.base, 0xf5000);
	CHECK_EQ(sregs.gs.base, 0x65000);
	CHECK(!ioctl(guest->vcpu[0], KVM_GET_XSAVE, &xsave));
	CHECK_EQ(image[0] & 0xffff, FCW);
	CHECK_EQ(image[1] & 0xff, 0); /* x87 tag word: all empty */
	CHECK_EQ(image[6], MXCSR);

	/* the caller's control words and flags */
	control_words(guest, full);
	control_words(guest, full_trusting);
	out = call_with(guest, full, DO_FLAGS, 0, FLAG_DF | FLAG_CF);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value & (FLAG_DF | FLAG_TF | FLAG_AC), 0);
	CHECK_EQ(out.regs.rflags & (FLAG_DF | FLAG_CF), FLAG_DF | FLAG_CF);
	out = call_with(guest, full, DO_FLAGS, 0, FLAG_AC);
	CHECK_EQ(out.exit, 0);
	CHECK(out.error == ELISA_CALL_FAULT || !(out.value & FLAG_AC));
	CHECK_EQ(out.regs.rflags & FLAG_AC, FLAG_AC);
	printf("registers: no secret left by returns and aborts, the caller keeps its own\n");
}

int main(void)
{
	return in_both_modes(test);
}
