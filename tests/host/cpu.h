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
enum {
	X86_BUG_L1TF,
	X86_BUG_MDS,
	X86_BUG_TAA,
	X86_BUG_MMIO_STALE_DATA,
	X86_BUG_GDS,
	X86_BUG_RFDS,
};
#define ELISA_LEAKY_BUGS \
	X86_BUG_L1TF, X86_BUG_MDS, X86_BUG_TAA, X86_BUG_MMIO_STALE_DATA, X86_BUG_GDS, X86_BUG_RFDS
static unsigned int shim_features, shim_bugs;
#define boot_cpu_has(feature) ((shim_features >> (feature)) & 1)
#define boot_cpu_has_bug(bug) ((shim_bugs >> (bug)) & 1)

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
#define rdmsrl(msr, to)			   ((to) = shim_msr[msr].value)
#define rdmsrl_safe(msr, to)		   (rdmsrl(msr, *(to)), shim_msr[msr].exists ? 0 : -EIO)

/* SDM, VMX capability reporting */
#define SECONDARY_EXEC_ENABLE_EPT	   (1u << 1)
#define SECONDARY_EXEC_DESC		   (1u << 2)
#define SECONDARY_EXEC_ENABLE_VPID	   (1u << 5)
#define SECONDARY_EXEC_ENABLE_VMFUNC	   (1u << 13)
#define VMX_EPT_EXECUTE_ONLY_BIT	   (1ull << 0)
#define VMX_EPT_PAGE_WALK_4_BIT		   (1ull << 6)
#define VMX_EPTP_WB_BIT			   (1ull << 14)
#define VMX_EPT_EXTENT_CONTEXT_BIT	   (1ull << 25)
#define VMX_EPT_EXTENT_GLOBAL_BIT	   (1ull << 26)
#define VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT (1ull << 9)

void shim_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define pr_err(format, ...)  shim_error(pr_fmt(format), ##__VA_ARGS__)
#define pr_warn(format, ...) pr_err(format, ##__VA_ARGS__)
#define pr_info(format, ...) pr_err(format, ##__VA_ARGS__)

/* loading the module is not tested here */
#undef __init
#define __init					    __attribute__((unused))
#define __exit					    __attribute__((unused))
#define module_init(function)			    struct shim_nothing
#define module_exit(function)			    struct shim_nothing
#define module_param(name, type, mode)		    struct shim_nothing
#define module_param_named(name, value, type, mode) struct shim_nothing
#define MODULE_PARM_DESC(name, text)		    struct shim_nothing
#define MODULE_LICENSE(text)			    struct shim_nothing
#define MODULE_DESCRIPTION(text)		    struct shim_nothing

#endif
