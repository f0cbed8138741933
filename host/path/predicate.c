// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entry predicate: may this vCPU use VMFUNC in the state in which it is about to run? It
 * refuses every state that is not known to be harmless. It runs at each entry of a vCPU that is set
 * up, unless its inputs cannot have changed (predicate.h). It only reads.
 */
#include <linux/kvm_host.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>

#include "base/base.h"
#include "kvm/compat.h"
#include "kvm/vmx.h"
#include "path/path.h"
#include "path/predicate.h"

/*
 * CR4 bits that cannot act in the gate or sub contexts. The list lacks PCIDE (stale translations
 * under another root), LA57 (other page tables), PKS, UINTR, FRED and all unknown bits. It also
 * lacks CET: at an indirect branch in sub the CPU may read a bitmap at an address that the guest
 * has chosen.
 *
 * VMXE: all VMX instructions of a guest exit, whatever its CR4 is, but for VMREAD and VMWRITE of
 * ring 0. LAM_SUP: only addresses whose bit 63 is 1 have tags then, and the APT maps none of those.
 */
#define CR4_KNOWN                                                                           \
	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | \
	 X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |    \
	 X86_CR4_UMIP | X86_CR4_VMXE | X86_CR4_FSGSBASE | X86_CR4_OSXSAVE | X86_CR4_SMEP |  \
	 X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LAM_SUP)
#define CR4_ALLOWED (CR4_KNOWN | X86_CR4_PCIDE | X86_CR4_LA57)
/* SMEP keeps ring 0 out of the code pages; SMAP is a second wall before planted tables. */
#define CR4_NEEDED  (X86_CR4_PAE | X86_CR4_SMEP | X86_CR4_SMAP)

#define XCR0_KNOWN                                                                \
	((u64)(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | XFEATURE_MASK_BNDREGS |  \
	       XFEATURE_MASK_BNDCSR | XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU | \
	       XFEATURE_MASK_XTILE))

#define DEBUGCTL_TRACES (DEBUGCTLMSR_LBR | DEBUGCTLMSR_TR | DEBUGCTLMSR_BTS | DEBUGCTLMSR_BTINT)

/*
 * Returns the bits of CR4 that a vCPU with VMFUNC must not change without an exit: all that the
 * predicate refuses or demands. KVM may let the guest own some of them (CET, from 6.18 on).
 */
u64 eh_watched_cr4(void)
{
	return ~(u64)CR4_ALLOWED | X86_CR4_PCIDE | X86_CR4_LA57 | CR4_NEEDED;
}

/* Returns the vCPU's CR4. KVM's copy may be older in the bits that the guest owns. */
static u64 cr4_of(struct kvm_vcpu *kvm_vcpu)
{
	u64 owned = ~vmcs_get(CR4_GUEST_HOST_MASK);

	return (kvm_vcpu->arch.cr4 & ~owned) | (vmcs_get(GUEST_CR4) & owned);
}

static u32 levels_of(u64 cr4)
{
	return cr4 & X86_CR4_LA57 ? 5 : 4;
}

/* Returns the levels of the page tables that the vCPU walks in long mode. Its VMCS is loaded. */
u32 eh_levels(struct kvm_vcpu *kvm_vcpu)
{
	return levels_of(cr4_of(kvm_vcpu));
}

/* 4 GiB in front of the window: a limit is at most that, so it need not be read. */
static bool in_window(u64 base)
{
	return base + (1ULL << 32) > ELISA_WINDOW_BASE &&
	       base < ELISA_WINDOW_BASE + ELISA_WINDOW_SIZE;
}

/* On a CPU that has at least one of them. */
bool eh_trace_is_on(void)
{
	u64 pt = 0, lbr = 0;

	if (boot_cpu_has(X86_FEATURE_INTEL_PT))
		rdmsrq(MSR_IA32_RTIT_CTL, pt);
	if (boot_cpu_has(X86_FEATURE_ARCH_LBR))
		rdmsrq(MSR_ARCH_LBR_CTL, lbr);
	return (pt & RTIT_CTL_TRACEEN) || (lbr & ARCH_LBR_CTL_LBREN);
}

/*
 * The predicate: may the vCPU make calls in its present state? ELISA_NOT_CLOSED, or the reason why
 * not. The vCPU's VMCS is loaded; it is not in nested guest mode. @allow_pcid: the administrator
 * trusts this guest's kernel with PCIDs. @levels: the levels that its contexts' tables are made
 * for.
 */
enum elisa_closed eh_predicate(struct kvm_vcpu *kvm_vcpu, bool allow_pcid, u32 levels)
{
	u64 cr4 = cr4_of(kvm_vcpu), secondary;

	if (unlikely((cr4 & X86_CR4_PCIDE) && !allow_pcid))
		return ELISA_CLOSED_PCID;
	if (unlikely(cr4 & X86_CR4_CET))
		return ELISA_CLOSED_CET;
	if (unlikely((cr4 & ~CR4_ALLOWED) || (cr4 & CR4_NEEDED) != CR4_NEEDED))
		return ELISA_CLOSED_CR4;
	if (unlikely(levels_of(cr4) != levels))
		return ELISA_CLOSED_LEVELS;
	/*
	 * The sub stub's XRSTOR leaves alone what XCR0 does not name, and a function can use the
	 * XMM registers without XCR0[1] (SDM vol. 1, 13.5.2). All other components cannot be
	 * written in sub if XCR0 does not name them, and ring 3 cannot change XCR0. The stubs leave
	 * the upper half of XRSTOR's mask to chance: no component may be there. Functions of
	 * general registers do not use the known components. Compilers use R16 to R31 of APX as
	 * general registers, which no stub clears.
	 */
	if (unlikely((cr4 & X86_CR4_OSXSAVE) &&
		     ((kvm_vcpu->arch.xcr0 & XFEATURE_MASK_FPSSE) != XFEATURE_MASK_FPSSE ||
		      (kvm_vcpu->arch.xcr0 & ~XCR0_KNOWN))))
		return ELISA_CLOSED_XCR0;
	if (unlikely(!(kvm_vcpu->arch.efer & EFER_LMA)))
		return ELISA_CLOSED_EFER;
	if (unlikely(eh_in_smm(kvm_vcpu)))
		return ELISA_CLOSED_SMM;
	if (unlikely(kvm_vcpu->arch.pmu.pebs_enable || eh_has_own_counters(kvm_vcpu->kvm)))
		return ELISA_CLOSED_COUNTERS;
	secondary = vmcs_get(SECONDARY_VM_EXEC_CONTROL);
	/* without it KVM emulates some states and its exit information is not the VMCS's */
	if (unlikely(!(secondary & SECONDARY_EXEC_UNRESTRICTED_GUEST)))
		return ELISA_CLOSED_CONTROLS;
	if (unlikely(secondary & (SECONDARY_EXEC_PT_USE_GPA | EH_SECONDARY_EXEC_EPT_VIOLATION_VE)))
		return ELISA_CLOSED_CONTROLS;
	if (unlikely(vmcs_get(GUEST_IA32_DEBUGCTL) & DEBUGCTL_TRACES))
		return ELISA_CLOSED_DEBUGCTL;
	if (unlikely(eh_host_traces()))
		return ELISA_CLOSED_HOST_TRACE;
	/* descriptor tables and stacks of the kernel's, planted where sub can read them */
	if (unlikely(in_window(vmcs_get(GUEST_IDTR_BASE)) || in_window(vmcs_get(GUEST_GDTR_BASE)) ||
		     in_window(vmcs_get(GUEST_LDTR_BASE)) || in_window(vmcs_get(GUEST_TR_BASE))))
		return ELISA_CLOSED_TABLES;
	/* virtual interrupts that hardware delivers by itself would arrive in sub; the last reason
	 * to be reported, because attaching switches APICv off */
	if (unlikely(secondary &
		     (SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY | SECONDARY_EXEC_APIC_REGISTER_VIRT)))
		return ELISA_CLOSED_APICV;
	return ELISA_NOT_CLOSED;
}
