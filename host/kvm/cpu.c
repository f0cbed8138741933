// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks the CPU: whether it has the features that the module needs, and whether a flaw lets a
 * guest read an object's data. The module checks both when it is loaded, and flaws again at each
 * attach.
 */
#include <linux/kvm_host.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/vmx.h>

#include <elisa/cpu_bugs.h>

#include "base/base.h"
#include "kvm/kvm.h"

bool eh_ept_2m, eh_ept_1g; /* const after init */
bool eh_invept_context;	   /* this CPU has INVEPT of a single context; const after init */

#define HARMLESS(bug, text) {X86_BUG_##bug, text, true},
#define LEAKS(bug, text)    {X86_BUG_##bug, text, false},
static const struct bug {
	u32 number;
	const char *name;
	bool harmless;
} known_bugs[] = {ELISA_CPU_BUGS(HARMLESS, LEAKS)};

#define BUGS_BEGIN (NCAPINTS * 32)
#define BUGS_END   ((NCAPINTS + NBUGINTS) * 32)

/* Finds a flaw by the kernel's number. A flaw that the module does not know counts as a leak. */
static const struct bug *bug_of(u32 number)
{
	static const struct bug unknown = {.name = "a flaw that this module does not know"};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known_bugs); i++)
		if (known_bugs[i].number == number)
			return &known_bugs[i];
	return &unknown;
}

/* Returns the first flaw from @number on that this CPU has and that is not harmless. */
static u32 next_leak(u32 number)
{
	while (number < BUGS_END && (!boot_cpu_has_bug(number) || bug_of(number)->harmless))
		number++;
	return number;
}

/* Tells whether the CPU has a flaw through which a guest could read an object's data. */
bool eh_cpu_leaks(void)
{
	return next_leak(BUGS_BEGIN) < BUGS_END;
}

#define CPUID_7_EBX_HLE (1u << 4)
#define CPUID_7_EBX_RTM (1u << 11)

/*
 * Tells whether the CPU has TSX. The SDM (vol. 1, on RTM) says only that VMFUNC may abort an open
 * transaction. If VMFUNC did not abort it, a later abort in sub would undo the gate's stores. So
 * attaching is refused on such a CPU. The function asks CPUID itself, because the kernel may hide a
 * feature that the CPU has (clearcpuid).
 */
bool eh_cpu_has_tsx(void)
{
	u32 eax, ebx, ecx, edx;

	cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	return ebx & (CPUID_7_EBX_HLE | CPUID_7_EBX_RTM);
}

/* Logs each flaw because of which VMs cannot attach. Runs when the module is loaded. */
void eh_cpu_say_why_attach_is_refused(void)
{
	u32 number;

	for (number = next_leak(BUGS_BEGIN); number < BUGS_END; number = next_leak(number + 1))
		pr_warn("this CPU has %s (bug %u of the kernel's): attach is %s (parameter allow_leaky_cpu)\n",
			bug_of(number)->name, number - BUGS_BEGIN,
			eh_cpu_override() ? "allowed nevertheless" : "refused");
	if (eh_cpu_has_tsx())
		pr_warn("this CPU has TSX: attach is refused; boot with tsx=off\n");
}

#define VMFUNC_MSR_EPTP_SWITCHING 1ULL

static int cpu_lacks(const char *what)
{
	pr_err("this CPU (or the hypervisor below) lacks %s; ELISA cannot work here\n", what);
	return -EOPNOTSUPP;
}

/* Checks the VMX capability MSRs (SDM appendix A) and CPU features when the module is loaded. */
int eh_cpu_check(void)
{
	u64 secondary, ept, functions;

	if (!boot_cpu_has(X86_FEATURE_VMX))
		return cpu_lacks("VMX (VT-x)");
	if (rdmsrq_safe(MSR_IA32_VMX_PROCBASED_CTLS2, &secondary))
		return cpu_lacks("secondary VM-execution controls");
	secondary >>= 32;
	if (!(secondary & SECONDARY_EXEC_ENABLE_EPT))
		return cpu_lacks("EPT");
	if (!(secondary & SECONDARY_EXEC_ENABLE_VMFUNC))
		return cpu_lacks("VMFUNC");
	if (!(secondary & SECONDARY_EXEC_DESC))
		return cpu_lacks("descriptor-table exiting");
	if (!(secondary & SECONDARY_EXEC_ENABLE_VPID))
		return cpu_lacks("VPID");
	if (rdmsrq_safe(MSR_IA32_VMX_VMFUNC, &functions) ||
	    !(functions & VMFUNC_MSR_EPTP_SWITCHING))
		return cpu_lacks("EPTP switching by VMFUNC");
	rdmsrq(MSR_IA32_VMX_EPT_VPID_CAP, ept);
	if (!(ept & VMX_EPT_EXECUTE_ONLY_BIT))
		return cpu_lacks("execute-only EPT pages");
	if (!(ept & VMX_EPTP_WB_BIT) || !(ept & VMX_EPT_PAGE_WALK_4_BIT))
		return cpu_lacks("write-back 4-level EPT");
	if (!(ept & VMX_EPT_EXTENT_GLOBAL_BIT))
		return cpu_lacks("INVEPT of all contexts");
	eh_invept_context = ept & VMX_EPT_EXTENT_CONTEXT_BIT;
	eh_ept_2m = ept & VMX_EPT_2MB_PAGE_BIT;
	eh_ept_1g = ept & VMX_EPT_1GB_PAGE_BIT;
	if (!(ept >> 32 & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT))
		return cpu_lacks("INVVPID of a single context");
	if (!boot_cpu_has(X86_FEATURE_SMEP) || !boot_cpu_has(X86_FEATURE_SMAP))
		return cpu_lacks("SMEP and SMAP");
	if (!boot_cpu_has(X86_FEATURE_GBPAGES))
		return cpu_lacks("1 GiB pages");
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return cpu_lacks("XSAVE");
	if (boot_cpu_data.x86_phys_bits < 39)
		return cpu_lacks("39 bits of physical address");
	return 0;
}
