// SPDX-License-Identifier: Apache-2.0
/*
 * Calls in each CPU state that a guest's kernel or VMM can set up.
 *
 * For each state, either the instructions of stub and gate work as usual, or the call does not
 * reach its function. The failure would be a wrong result, or vector registers of the function that
 * the guest can read. The test compares the end of the call and looks for the function's secret.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "../../gate/gate_page.h"
#include "harness.h"

#define CR0_MP	       (1 << 1)
#define CR0_EM	       (1 << 2)
#define CR0_TS	       (1 << 3)
#define CR0_AM	       (1 << 18)
#define CR4_OSFXSR     (1 << 9)
#define CR4_OSXMMEXCPT (1 << 10)
#define CR4_FSGSBASE   (1 << 16)
#define CR4_OSXSAVE    (1 << 18)
#define FLAG_TF	       0x100
#define FLAG_DF	       0x400
#define FLAG_NT	       0x4000
#define FLAG_RF	       0x10000
#define FLAG_AC	       0x40000
#define ANY	       1 /* the error depends on the mode */

/* How a vCPU differs from one that Linux sets up, and how the call ends. */
static const struct cell {
	const char *name;
	uint64_t cr0, cr4;  /* bits that are inverted */
	uint64_t xcr0;	    /* 0: 7 */
	uint64_t flags;	    /* the caller's flags */
	uint64_t data_base; /* bases of DS, ES, SS; 64-bit code ignores them */
	long error;
} cells[] = {
	{.name = "as Linux has it"},
	{.name = "XCR0 without SSE", .xcr0 = 1, .error = ELISA_CALL_CLOSED},
	{.name = "XCR0 without AVX", .xcr0 = 3},
	/* XRSTOR before the function causes #NM or #UD */
	{.name = "CR0.TS", .cr0 = CR0_TS, .error = ELISA_CALL_FAULT},
	{.name = "CR4.OSXSAVE off", .cr4 = CR4_OSXSAVE, .error = ELISA_CALL_FAULT},
	/* the function's own SSE instructions cause #UD */
	{.name = "CR0.EM", .cr0 = CR0_EM, .error = ELISA_CALL_FAULT},
	{.name = "CR4.OSFXSR off", .cr4 = CR4_OSFXSR, .error = ELISA_CALL_FAULT},
	{.name = "CR0.MP off", .cr0 = CR0_MP},
	{.name = "CR4.OSXMMEXCPT off", .cr4 = CR4_OSXMMEXCPT},
	{.name = "CR4.FSGSBASE", .cr4 = CR4_FSGSBASE},
	{.name = "RFLAGS.TF", .flags = FLAG_TF},
	{.name = "RFLAGS.DF", .flags = FLAG_DF},
	{.name = "RFLAGS.NT", .flags = FLAG_NT},
	{.name = "RFLAGS.RF", .flags = FLAG_RF},
	/* the RSP slot is not aligned: gate-in of strict mode causes #AC */
	{.name = "RFLAGS.AC", .flags = FLAG_AC, .error = ANY},
	{.name = "RFLAGS.AC, CR0.AM off", .cr0 = CR0_AM, .flags = FLAG_AC},
	{.name = "bases of DS, ES, SS", .data_base = 0x123000},
};

static struct vm *manager, *guest;

static void set_state(const struct cell *cell)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = cell->xcr0 ? cell->xcr0 : 7};
	struct kvm_sregs sregs = get_sregs(guest, 0);

	sregs.cr0 = 0x80050033 ^ cell->cr0;
	sregs.cr4 = (0x620 | 1 << 18 | 1 << 20 | 1 << 21) ^ cell->cr4;
	sregs.ds.base = sregs.es.base = sregs.ss.base = cell->data_base;
	CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
	SYS(ioctl(guest->vcpu[0], KVM_SET_XCRS, &xcrs));
}

static bool has_secret(const void *data, size_t size)
{
	const uint64_t *word = data;
	size_t i;

	for (i = 0; i < size / 8; i++)
		if (word[i] == SECRET)
			return true;
	return false;
}

/*
 * Checks the vector registers: the legacy ones, which are read without XCR0, and all that XSAVE
 * knows. RBX and R12 to R15 may have the function's values: a stub's caller declares them
 * clobbered.
 */
static void check_registers(void)
{
	static struct kvm_xsave xsave;
	struct kvm_fpu fpu;

	SYS(ioctl(guest->vcpu[0], KVM_GET_FPU, &fpu));
	SYS(ioctl(guest->vcpu[0], KVM_GET_XSAVE, &xsave));
	CHECK(!has_secret(&fpu, sizeof(fpu)));
	CHECK(!has_secret(&xsave, sizeof(xsave)));
}

static void check_cell(const struct cell *cell, uint32_t slot)
{
	struct kvm_regs regs = {
		.rdi = DO_REGISTERS, .r11 = stub_entry(slot), .rflags = 0x200 | cell->flags};
	struct outcome out;

	set_state(cell);
	/* The run has only one exit to the VMM. No ioctl comes between the call and its end. */
	out = run_at(guest, 0, 3, user_code(user_call), &regs);
	printf("cpu_state: %s: end %d, error %ld at %#lx\n", cell->name, out.exit, out.error,
	       (long)out.at);
	if (cell->error == ANY) {
		CHECK_EQ(out.error, trusted ? 0 : ELISA_CALL_FAULT);
	} else {
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, cell->error);
		CHECK_EQ(out.value, cell->error ? 0 : 1);
	}
	check_registers();
	set_state(&cells[0]);
	/* the state has no effect on the next call */
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
}

static void test(void)
{
	uint32_t slot;
	unsigned int i;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.state", 0, 1000000);
	slot = attach(guest, "t.state", ELISA_STUB_TRUSTING, 0);
	/*
	 * the caller's stub has no SSE and x87 instructions, so that sub's instructions meet the
	 * state first
	 */
	map_stub(guest, slot, trusted ? ELISA_MODE_TRUSTED : ELISA_MODE_STRICT,
		 ELISA_STUB_TRUSTING);
	set_gate(guest, DB, kernel_code(isr_debug), 0);
	for (i = 0; i < sizeof(cells) / sizeof(*cells); i++)
		check_cell(&cells[i], slot);
}

int main(void)
{
	return in_both_modes(test);
}
