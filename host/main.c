// SPDX-License-Identifier: GPL-2.0-only
/*
 * elisa.ko: exit-less, isolated, shared access for virtual machines, beside a stock KVM.
 * Loading refuses, with the reason, what this host cannot do; it changes nothing for any
 * VM until the administrator grants something and a VM attaches.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/vmx.h>

#include <elisa/cpu_bugs.h>
#include <elisa/release.h>

#include "compat.h"
#include "elisa.h"

unsigned int eh_default_limit_us = 5000;
module_param_named(limit_us, eh_default_limit_us, uint, 0644);
MODULE_PARM_DESC(limit_us,
		 "run time in microseconds that a call may use if its export says nothing");

unsigned int eh_max_limit_us = 1000000;
module_param_named(max_limit_us, eh_max_limit_us, uint, 0644);
MODULE_PARM_DESC(max_limit_us,
		 "the most that an export may ask for: a call keeps interrupts from its vCPU");

unsigned int eh_default_suspend_us = 50000;
module_param_named(suspend_us, eh_default_suspend_us, uint, 0644);
MODULE_PARM_DESC(
	suspend_us,
	"microseconds that a vCPU may be kept from running a call if its export says nothing");

unsigned int eh_max_suspend_us = 1000000;
module_param_named(max_suspend_us, eh_max_suspend_us, uint, 0644);
MODULE_PARM_DESC(max_suspend_us,
		 "the most that an export may ask for: the call's locks are held as long");

unsigned int eh_default_max_pages = 65536;
module_param_named(max_pages, eh_default_max_pages, uint, 0644);
MODULE_PARM_DESC(max_pages, "pages that may be held of a VMM if its grant says nothing");

unsigned int eh_calls_per_second = 1000;
module_param_named(calls_per_second, eh_calls_per_second, uint, 0644);
MODULE_PARM_DESC(
	calls_per_second,
	"attaches, detaches and the like that a VMM's VMs may make in the long run; 0: no limit");

static bool allow_leaky_cpu;
module_param(allow_leaky_cpu, bool, 0444);
MODULE_PARM_DESC(
	allow_leaky_cpu,
	"attach on CPUs with L1TF, MDS or the like: no exit flushes the object's data after a call");

atomic64_t eh_counters[ELISA_COUNT_COUNT];
struct workqueue_struct *eh_works;
bool eh_invept_context; /* this CPU has INVEPT of a single context; const after init */

#define HARMLESS(bug, text) {X86_BUG_##bug, text, true},
#define LEAKS(bug, text)    {X86_BUG_##bug, text, false},
static const struct bug {
	u32 number;
	const char *name;
	bool harmless;
} known_bugs[] = {ELISA_CPU_BUGS(HARMLESS, LEAKS)};

#define BUGS_BEGIN (NCAPINTS * 32)
#define BUGS_END   ((NCAPINTS + NBUGINTS) * 32)

static const struct bug *bug_of(u32 number)
{
	static const struct bug unknown = {.name = "a flaw that this module does not know"};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known_bugs); i++)
		if (known_bugs[i].number == number)
			return &known_bugs[i];
	return &unknown;
}

/* The first one from @number on that the kernel says of this CPU and that is not harmless. */
static u32 next_leak(u32 number)
{
	while (number < BUGS_END && (!boot_cpu_has_bug(number) || bug_of(number)->harmless))
		number++;
	return number;
}

bool eh_cpu_leaks(void)
{
	return next_leak(BUGS_BEGIN) < BUGS_END;
}

bool eh_cpu_override(void)
{
	return allow_leaky_cpu;
}

#define CPUID_7_EBX_HLE (1u << 4)
#define CPUID_7_EBX_RTM (1u << 11)

/*
 * What a transaction that is open at a VMFUNC does is not known: the SDM (vol. 1, on RTM) says that
 * VMFUNC may abort one. If it did not, an abort in sub would take back what the gate wrote. The
 * CPU's own word is asked, for the kernel may only have forgotten the feature (clearcpuid).
 */
bool eh_cpu_has_tsx(void)
{
	u32 eax, ebx, ecx, edx;

	cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	return ebx & (CPUID_7_EBX_HLE | CPUID_7_EBX_RTM);
}

static void say_why_attach_is_refused(void)
{
	u32 number;

	for (number = next_leak(BUGS_BEGIN); number < BUGS_END; number = next_leak(number + 1))
		pr_warn("this CPU has %s (bug %u of the kernel's): attach is %s (parameter allow_leaky_cpu)\n",
			bug_of(number)->name, number - BUGS_BEGIN,
			allow_leaky_cpu ? "allowed nevertheless" : "refused");
	if (eh_cpu_has_tsx())
		pr_warn("this CPU has TSX: attach is refused; boot with tsx=off\n");
}

#define VMFUNC_MSR_EPTP_SWITCHING 1ULL

static int cpu_lacks(const char *what)
{
	pr_err("this CPU (or the hypervisor below) lacks %s; ELISA cannot work here\n", what);
	return -EOPNOTSUPP;
}

/* SDM appendix A: what the VMX capability MSRs must allow. */
static int check_cpu(void)
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

/* Nothing is attached or exported; VMs may have spoken to us. */
static void stop(void)
{
	eh_failure_exit();
	eh_doorbell_stop();
	eh_hooks_exit();
	eh_vms_free();
	eh_doorbell_exit();
}

static int init_works(void)
{
	/* not bound to the CPU of a tenant's thread, which may keep a work from running there */
	eh_works = alloc_workqueue("elisa", WQ_UNBOUND, 0);
	return eh_works ? 0 : -ENOMEM;
}

static int __init eh_module_init(void)
{
	int r;

	r = check_cpu();
	if (r)
		return r;
	r = init_works();
	if (r)
		return r;
	eh_tables_init();
	eh_directory_init();
	r = eh_doorbell_init();
	if (r)
		goto err_works;
	r = eh_failure_init();
	if (r)
		goto err_doorbell;
	r = eh_hooks_init();
	if (r)
		goto err_failure;
	r = eh_admin_init();
	if (r) {
		stop();
		goto err_works;
	}
	say_why_attach_is_refused();
	pr_info("ready, ABI %d\n", ELISA_ABI_VERSION);
	return 0;

err_failure:
	eh_failure_exit();
err_doorbell:
	eh_doorbell_exit();
err_works:
	destroy_workqueue(eh_works);
	eh_tables_exit();
	return r;
}

static void __exit eh_module_exit(void)
{
	eh_admin_exit();
	stop();
	eh_grants_free();
	eh_vmm_exit();
	destroy_workqueue(eh_works);
	eh_tables_exit();
}

module_init(eh_module_init);
module_exit(eh_module_exit);
MODULE_AUTHOR("The ELISA authors");
MODULE_VERSION(ELISA_RELEASE);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Exit-less, isolated, and shared access for virtual machines (host side)");
MODULE_SOFTDEP("pre: kvm_intel");
