// SPDX-License-Identifier: Apache-2.0
/*
 * The features that a processor must have, and the flaws that it may have for a guest to attach.
 *
 * The module must load on a processor that has all features, and on no other, and must name what is
 * missing. The test includes cpu.c, because the other tests replace the CPU.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "cpu.h"
#include "host.h"
#include "../../host/kvm/cpu.c"

#define HIGH(bit) ((u64)(bit) << 32)

static char said[200]; /* the last message */
static bool leaky_cpu_allowed;

bool eh_cpu_override(void)
{
	return leaky_cpu_allowed;
}

void shim_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

static const u64 secondary = HIGH(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VMFUNC |
				  SECONDARY_EXEC_DESC | SECONDARY_EXEC_ENABLE_VPID);
static const u64 ept = VMX_EPT_EXECUTE_ONLY_BIT | VMX_EPTP_WB_BIT | VMX_EPT_PAGE_WALK_4_BIT |
		       VMX_EPT_EXTENT_GLOBAL_BIT | HIGH(VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT);

static int start(void **state)
{
	(void)state;
	memset(shim_msr, 0, sizeof(shim_msr));
	shim_msr[SHIM_PROCBASED2] = (struct shim_msr){true, secondary};
	shim_msr[SHIM_VMFUNC] = (struct shim_msr){true, VMFUNC_MSR_EPTP_SWITCHING};
	shim_msr[SHIM_EPT_VPID] = (struct shim_msr){true, ept};
	shim_features = ~0U;
	boot_cpu_data.x86_phys_bits = 39;
	said[0] = 0;
	assert_int_equal(eh_cpu_check(), 0);
	assert_string_equal(said, "");
	return 0;
}

static void expect_lack(const char *what)
{
	char text[200];

	snprintf(text, sizeof(text), "lacks %s;", what);
	assert_int_equal(eh_cpu_check(), -EOPNOTSUPP);
	if (!strstr(said, text))
		fail_msg("\"%s\" does not say \"%s\"", said, text);
	start(NULL);
}

static void features(void **state)
{
	static const struct {
		int feature;
		const char *name;
	} needed[] = {
		{X86_FEATURE_VMX, "VMX (VT-x)"},     {X86_FEATURE_SMEP, "SMEP and SMAP"},
		{X86_FEATURE_SMAP, "SMEP and SMAP"}, {X86_FEATURE_GBPAGES, "1 GiB pages"},
		{X86_FEATURE_XSAVE, "XSAVE"},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		shim_features &= ~(1U << needed[i].feature);
		expect_lack(needed[i].name);
	}
	boot_cpu_data.x86_phys_bits = 38;
	expect_lack("39 bits of physical address");
}

static void registers(void **state)
{
	static const struct {
		enum shim_msr_name msr;
		u64 bit;
		const char *name;
	} needed[] = {
		{SHIM_PROCBASED2, HIGH(SECONDARY_EXEC_ENABLE_EPT), "EPT"},
		{SHIM_PROCBASED2, HIGH(SECONDARY_EXEC_ENABLE_VMFUNC), "VMFUNC"},
		{SHIM_PROCBASED2, HIGH(SECONDARY_EXEC_DESC), "descriptor-table exiting"},
		{SHIM_PROCBASED2, HIGH(SECONDARY_EXEC_ENABLE_VPID), "VPID"},
		{SHIM_VMFUNC, VMFUNC_MSR_EPTP_SWITCHING, "EPTP switching by VMFUNC"},
		{SHIM_EPT_VPID, VMX_EPT_EXECUTE_ONLY_BIT, "execute-only EPT pages"},
		{SHIM_EPT_VPID, VMX_EPTP_WB_BIT, "write-back 4-level EPT"},
		{SHIM_EPT_VPID, VMX_EPT_PAGE_WALK_4_BIT, "write-back 4-level EPT"},
		{SHIM_EPT_VPID, VMX_EPT_EXTENT_GLOBAL_BIT, "INVEPT of all contexts"},
		{SHIM_EPT_VPID, HIGH(VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT),
		 "INVVPID of a single context"},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		shim_msr[needed[i].msr].value &= ~needed[i].bit;
		expect_lack(needed[i].name);
	}
	/* the bits that may be 1 count, not those that must be 1 */
	shim_msr[SHIM_PROCBASED2].value >>= 32;
	expect_lack("EPT");
	/* registers that do not exist */
	shim_msr[SHIM_PROCBASED2].exists = false;
	expect_lack("secondary VM-execution controls");
	shim_msr[SHIM_VMFUNC].exists = false;
	expect_lack("EPTP switching by VMFUNC");
}

static u64 one(unsigned int bug)
{
	return 1ULL << (bug - NCAPINTS * 32);
}

/*
 * The list of flaws that were examined and found harmless. Any other flaw is refused, also an
 * unnamed one.
 */
static void flaws(void **state)
{
	const u64 harmless =
		one(X86_BUG_CPU_MELTDOWN) | one(X86_BUG_SPECTRE_V1) | one(X86_BUG_SPECTRE_V2) |
		one(X86_BUG_SPEC_STORE_BYPASS) | one(X86_BUG_RETBLEED) | one(X86_BUG_BHI) |
		one(X86_BUG_ITS) | one(X86_BUG_ITS_NATIVE_ONLY) | one(X86_BUG_SWAPGS) |
		one(X86_BUG_EIBRS_PBRSB) | one(X86_BUG_VMSCAPE) | one(X86_BUG_ITLB_MULTIHIT) |
		one(X86_BUG_SRBDS) | one(X86_BUG_NULL_SEG) | one(X86_BUG_CLFLUSH_MONITOR) |
		one(X86_BUG_MONITOR) | one(X86_BUG_TDX_PW_MCE) | one(X86_BUG_SPECTRE_V2_USER);

	(void)state;
	shim_bugs = 0;
	assert_false(eh_cpu_leaks());
	shim_bugs = harmless;
	assert_false(eh_cpu_leaks());
	for (unsigned int bit = 0; bit < 64; bit++) {
		shim_bugs = 1ULL << bit;
		assert_int_equal(eh_cpu_leaks(), !(harmless & shim_bugs));
		shim_bugs |= harmless;
		assert_int_equal(eh_cpu_leaks(), !(harmless & 1ULL << bit));
	}
}

static void flaws_are_named(void **state)
{
	(void)state;
	shim_cpuid_7_ebx = 0;
	shim_bugs = one(X86_BUG_SPECTRE_V2) | one(X86_BUG_GDS);
	eh_cpu_say_why_attach_is_refused();
	assert_non_null(strstr(said, "gds (bug 30 of the kernel's): attach is refused"));
	leaky_cpu_allowed = true;
	shim_bugs = 1ULL << 63;
	eh_cpu_say_why_attach_is_refused();
	assert_non_null(strstr(said, "bug 63 of the kernel's): attach is allowed nevertheless"));
	leaky_cpu_allowed = false;
	said[0] = 0;
	shim_bugs = one(X86_BUG_SPECTRE_V2);
	eh_cpu_say_why_attach_is_refused();
	assert_string_equal(said, "");
	shim_cpuid_7_ebx = CPUID_7_EBX_RTM;
	eh_cpu_say_why_attach_is_refused();
	assert_non_null(strstr(said, "TSX: attach is refused; boot with tsx=off"));
}

static void transactions(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 32; bit++) {
		shim_cpuid_7_ebx = 1U << bit;
		assert_int_equal(eh_cpu_has_tsx(), bit == 4 || bit == 11); /* HLE, RTM */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(features, start),
		cmocka_unit_test_setup(registers, start),
		cmocka_unit_test_setup(flaws, start),
		cmocka_unit_test_setup(flaws_are_named, start),
		cmocka_unit_test_setup(transactions, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
