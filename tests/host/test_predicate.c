// SPDX-License-Identifier: Apache-2.0
/*
 * The entry predicate, bit by bit. A vCPU may use VMFUNC in the known states, and in no other. The
 * predicate must refuse each bit that has no name here.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "host.h"
#include "path/predicate.h"

static struct kvm_vcpu *vcpu = &machines[GUEST].vcpu;

static int start(void **state)
{
	(void)state;
	host_start();
	assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_NOT_CLOSED);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

static void every_bit_of_cr4(void **state)
{
	/* VME PVI TSD DE PSE (PAE) MCE PGE PCE OSFXSR OSXMMEXCPT UMIP, VMXE, FSGSBASE, OSXSAVE,
	 * PKE, LAM_SUP */
	const u64 harmless = 0xfffULL | 1ULL << 13 | 1ULL << 16 | 1ULL << 18 | 1ULL << 22 |
			     1ULL << 28;
	const u64 needed = 1ULL << 5 | 1ULL << 20 | 1ULL << 21;
	u64 cr4 = vcpu->arch.cr4;

	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		u64 mask = 1ULL << bit;

		vcpu->arch.cr4 = cr4 ^ mask;
		if (mask & needed)
			assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_CR4);
		else if (bit == 17)
			assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_CLOSED_PCID);
		else if (bit == 23)
			assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_CLOSED_CET);
		else if (bit == 12)
			assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_CLOSED_LEVELS);
		else
			assert_int_equal(eh_predicate(vcpu, false, 4),
					 mask & harmless ? ELISA_NOT_CLOSED : ELISA_CLOSED_CR4);
	}
	vcpu->arch.cr4 = cr4 | 1ULL << 17;
	assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_NOT_CLOSED);
	vcpu->arch.cr4 |= 1ULL << 14; /* SMXE */
	assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_CR4);
}

/* A vCPU walks tables that are made for its own number of levels. */
static void levels_of_paging(void **state)
{
	const u64 la57 = 1ULL << 12;

	(void)state;
	assert_int_equal(eh_levels(vcpu), 4);
	for (u32 levels = 0; levels < 8; levels++)
		assert_int_equal(eh_predicate(vcpu, false, levels),
				 levels == 4 ? ELISA_NOT_CLOSED : ELISA_CLOSED_LEVELS);
	vcpu->arch.cr4 |= la57;
	assert_int_equal(eh_levels(vcpu), 5);
	for (u32 levels = 0; levels < 8; levels++)
		assert_int_equal(eh_predicate(vcpu, false, levels),
				 levels == 5 ? ELISA_NOT_CLOSED : ELISA_CLOSED_LEVELS);
	/* the guest may own the bit */
	shim_vmcs[CR4_GUEST_HOST_MASK] = ~la57;
	assert_int_equal(eh_levels(vcpu), 4);
	shim_vmcs[GUEST_CR4] = la57;
	assert_int_equal(eh_levels(vcpu), 5);
}

/* What the guest owns it changes without an exit: then KVM's copy is an old one. */
static void bits_that_the_guest_owns(void **state)
{
	const u64 cet = 1ULL << 23, copy = vcpu->arch.cr4;

	(void)state;
	shim_vmcs[CR4_GUEST_HOST_MASK] = ~cet;
	shim_vmcs[GUEST_CR4] = cet;
	assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_CLOSED_CET);
	/* the others are KVM's own in the VMCS */
	shim_vmcs[GUEST_CR4] = ~cet;
	assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_NOT_CLOSED);
	vcpu->arch.cr4 = copy | cet;
	assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_NOT_CLOSED);
	shim_vmcs[CR4_GUEST_HOST_MASK] = ~0ULL;
	assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_CLOSED_CET);
	/* and none of those that are refused or demanded stays the guest's */
	for (int bit = 0; bit < 64; bit++) {
		vcpu->arch.cr4 = copy ^ 1ULL << bit;
		assert_int_equal(!!(eh_watched_cr4() & 1ULL << bit),
				 eh_predicate(vcpu, false, 4) != ELISA_NOT_CLOSED);
	}
}

static void modes_and_controls(void **state)
{
	const u64 unrestricted = SECONDARY_EXEC_UNRESTRICTED_GUEST;

	(void)state;
	vcpu->arch.efer = 0;
	assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_EFER);
	vcpu->arch.efer = EFER_LMA;
	vcpu->arch.hflags = HF_SMM_MASK;
	assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_SMM);
	vcpu->arch.hflags = 0;
	vcpu->arch.pmu.pebs_enable = 1;
	assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_COUNTERS);
	vcpu->arch.pmu.pebs_enable = 0;
	vcpu->kvm->own_counters = true;
	assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_COUNTERS);
	vcpu->kvm->own_counters = false;
	for (int bit = 0; bit < 32; bit++) {
		bool refused = bit == 7 || bit == 18 || bit == 24;
		enum elisa_closed why = bit == 8 || bit == 9 ? ELISA_CLOSED_APICV :
					refused		     ? ELISA_CLOSED_CONTROLS :
							       ELISA_NOT_CLOSED;

		shim_vmcs[SECONDARY_VM_EXEC_CONTROL] = unrestricted ^ 1ULL << bit;
		assert_int_equal(eh_predicate(vcpu, true, 4), why);
	}
	shim_vmcs[SECONDARY_VM_EXEC_CONTROL] = unrestricted;
	for (int bit = 0; bit < 64; bit++) {
		bool traces = !bit || (bit >= 6 && bit <= 8); /* LBR, TR, BTS, BTINT */

		shim_vmcs[GUEST_IA32_DEBUGCTL] = 1ULL << bit;
		assert_int_equal(eh_predicate(vcpu, true, 4),
				 traces ? ELISA_CLOSED_DEBUGCTL : ELISA_NOT_CLOSED);
	}
}

/* XRSTOR after a function leaves the XMM registers alone if XCR0 does not name them. */
static void xcr0_names_sse(void **state)
{
	(void)state;
	vcpu->arch.cr4 |= X86_CR4_OSXSAVE;
	for (u64 xcr0 = 0; xcr0 < 16; xcr0++) {
		vcpu->arch.xcr0 = xcr0;
		assert_int_equal(eh_predicate(vcpu, true, 4),
				 (xcr0 & 3) == 3 ? ELISA_NOT_CLOSED : ELISA_CLOSED_XCR0);
	}
	/* AVX, MPX, AVX-512, PKRU and AMX; not APX (19), and nothing of the upper half */
	for (int bit = 2; bit < 64; bit++) {
		vcpu->arch.xcr0 = 3 | 1ULL << bit;
		assert_int_equal(eh_predicate(vcpu, true, 4),
				 0x602fcULL & 1ULL << bit ? ELISA_NOT_CLOSED : ELISA_CLOSED_XCR0);
	}
	/* without OSXSAVE, XRSTOR is #UD before the function */
	vcpu->arch.xcr0 = 1ULL << 32 | 1;
	vcpu->arch.cr4 &= ~(u64)X86_CR4_OSXSAVE;
	assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_NOT_CLOSED);
}

/* The VMM traces its own thread: only what is on, and only where the processor has it. */
static void host_traces(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++) {
		shim_trace_msr[what] = ~0ULL;
		assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_NOT_CLOSED);
		shim_cpu_has[what] = true;
		assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_HOST_TRACE);
		shim_trace_msr[what] = ~1ULL;
		assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_NOT_CLOSED);
		shim_trace_msr[what] = 1;
		assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_CLOSED_HOST_TRACE);
		shim_trace_msr[what] = 0;
		assert_int_equal(eh_predicate(vcpu, true, 4), ELISA_NOT_CLOSED);
	}
	memset(shim_cpu_has, 0, sizeof(shim_cpu_has));
}

static void kernel_tables_in_the_window(void **state)
{
	static const u32 field[] = {GUEST_IDTR_BASE, GUEST_GDTR_BASE, GUEST_LDTR_BASE,
				    GUEST_TR_BASE};
	static const struct {
		u64 base;
		bool refused;
	} at[] = {
		{0, false},
		{ELISA_WINDOW_BASE - (1ULL << 32), false},
		{ELISA_WINDOW_BASE - (1ULL << 32) + 1, true},
		{ELISA_WINDOW_BASE - 1, true},
		{ELISA_WINDOW_BASE, true},
		{ELISA_WINDOW_BASE + ELISA_WINDOW_SIZE - 1, true},
		{ELISA_WINDOW_BASE + ELISA_WINDOW_SIZE, false},
		{0xfffffe0000000000ULL, false},
		{~0ULL, false},
	};

	(void)state;
	for (unsigned int f = 0; f < 4; f++) {
		for (unsigned int i = 0; i < sizeof(at) / sizeof(*at); i++) {
			shim_vmcs[field[f]] = at[i].base;
			assert_int_equal(eh_predicate(vcpu, true, 4),
					 at[i].refused ? ELISA_CLOSED_TABLES : ELISA_NOT_CLOSED);
		}
		shim_vmcs[field[f]] = 0;
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_bit_of_cr4),
		TEST(levels_of_paging),
		TEST(bits_that_the_guest_owns),
		TEST(xcr0_names_sse),
		TEST(modes_and_controls),
		TEST(host_traces),
		TEST(kernel_tables_in_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
