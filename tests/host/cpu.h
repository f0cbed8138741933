/* SPDX-License-Identifier: Apache-2.0 */
/* A processor for test_cpu.c: its features and VMX capability registers, as main.c reads them. */
#ifndef TESTS_CPU_H
#define TESTS_CPU_H

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

enum {
	X86_FEATURE_VMX,
	X86_FEATURE_SMEP,
	X86_FEATURE_SMAP,
	X86_FEATURE_GBPAGES,
	X86_FEATURE_XSAVE,
};
/* of Linux 7.3 */
#define NCAPINTS 22
#define NBUGINTS 2
enum {
	X86_BUG_CLFLUSH_MONITOR = NCAPINTS * 32 + 7,
	X86_BUG_NULL_SEG = NCAPINTS * 32 + 10,
	X86_BUG_MONITOR = NCAPINTS * 32 + 12,
	X86_BUG_CPU_MELTDOWN = NCAPINTS * 32 + 14,
	X86_BUG_SPECTRE_V1 = NCAPINTS * 32 + 15,
	X86_BUG_SPECTRE_V2 = NCAPINTS * 32 + 16,
	X86_BUG_SPEC_STORE_BYPASS = NCAPINTS * 32 + 17,
	X86_BUG_L1TF = NCAPINTS * 32 + 18,
	X86_BUG_MDS = NCAPINTS * 32 + 19,
	X86_BUG_MSBDS_ONLY = NCAPINTS * 32 + 20,
	X86_BUG_SWAPGS = NCAPINTS * 32 + 21,
	X86_BUG_TAA = NCAPINTS * 32 + 22,
	X86_BUG_ITLB_MULTIHIT = NCAPINTS * 32 + 23,
	X86_BUG_SRBDS = NCAPINTS * 32 + 24,
	X86_BUG_MMIO_STALE_DATA = NCAPINTS * 32 + 25,
	X86_BUG_MMIO_UNKNOWN = NCAPINTS * 32 + 26,
	X86_BUG_RETBLEED = NCAPINTS * 32 + 27,
	X86_BUG_EIBRS_PBRSB = NCAPINTS * 32 + 28,
	X86_BUG_GDS = NCAPINTS * 32 + 30,
	X86_BUG_TDX_PW_MCE = NCAPINTS * 32 + 31,
	X86_BUG_RFDS = NCAPINTS * 32 + 34,
	X86_BUG_BHI = NCAPINTS * 32 + 35,
	X86_BUG_SPECTRE_V2_USER = NCAPINTS * 32 + 37,
	X86_BUG_OLD_MICROCODE = NCAPINTS * 32 + 38,
	X86_BUG_ITS = NCAPINTS * 32 + 39,
	X86_BUG_ITS_NATIVE_ONLY = NCAPINTS * 32 + 40,
	X86_BUG_VMSCAPE = NCAPINTS * 32 + 42,
};
static unsigned int shim_features;
static u64 shim_bugs;
static u32 shim_cpuid_7_ebx;
#undef boot_cpu_has
#undef rdmsrq
#define boot_cpu_has(feature)		   ((shim_features >> (feature)) & 1)
#define boot_cpu_has_bug(bug)		   ((shim_bugs >> ((bug)-NCAPINTS * 32)) & 1)
#define cpuid_count(leaf, sub, a, b, c, d) (*(a) = *(c) = *(d) = 0, *(b) = shim_cpuid_7_ebx)

enum shim_msr_name {
	SHIM_PROCBASED2,
	SHIM_EPT_VPID,
	SHIM_VMFUNC,
	SHIM_MSRS
};
static struct shim_msr {
	bool exists;
	u64 value;
} shim_msr[SHIM_MSRS];
#define MSR_IA32_VMX_PROCBASED_CTLS2	   SHIM_PROCBASED2
#define MSR_IA32_VMX_EPT_VPID_CAP	   SHIM_EPT_VPID
#define MSR_IA32_VMX_VMFUNC		   SHIM_VMFUNC
#define rdmsrq(msr, to)			   ((to) = shim_msr[msr].value)
#define rdmsrq_safe(msr, to)		   (rdmsrq(msr, *(to)), shim_msr[msr].exists ? 0 : -EIO)

/* SDM, VMX capability reporting */
#define SECONDARY_EXEC_ENABLE_EPT	   (1u << 1)
#define SECONDARY_EXEC_DESC		   (1u << 2)
#define SECONDARY_EXEC_ENABLE_VPID	   (1u << 5)
#define SECONDARY_EXEC_ENABLE_VMFUNC	   (1u << 13)
#define VMX_EPT_EXECUTE_ONLY_BIT	   (1ull << 0)
#define VMX_EPT_PAGE_WALK_4_BIT		   (1ull << 6)
#define VMX_EPTP_WB_BIT			   (1ull << 14)
#define VMX_EPT_2MB_PAGE_BIT		   (1ull << 16)
#define VMX_EPT_1GB_PAGE_BIT		   (1ull << 17)
#define VMX_EPT_EXTENT_CONTEXT_BIT	   (1ull << 25)
#define VMX_EPT_EXTENT_GLOBAL_BIT	   (1ull << 26)
#define VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT (1ull << 9)

void shim_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
#undef pr_err
#define pr_err(format, ...)  shim_error(pr_fmt(format), ##__VA_ARGS__)
#define pr_warn(format, ...) pr_err(format, ##__VA_ARGS__)
#define pr_info(format, ...) pr_err(format, ##__VA_ARGS__)

/* the tests do not load the module */
#undef __init
#define __init					    __attribute__((unused))
#define __exit					    __attribute__((unused))
#define module_init(function)			    struct shim_nothing
#define module_exit(function)			    struct shim_nothing
#define module_param(name, type, mode)		    struct shim_nothing
#define module_param_named(name, value, type, mode) struct shim_nothing
#define MODULE_PARM_DESC(name, text)		    struct shim_nothing
#define MODULE_AUTHOR(text)			    struct shim_nothing
#define MODULE_VERSION(text)			    struct shim_nothing
#define MODULE_SOFTDEP(text)			    struct shim_nothing
#define MODULE_LICENSE(text)			    struct shim_nothing
#define MODULE_DESCRIPTION(text)		    struct shim_nothing

#endif
