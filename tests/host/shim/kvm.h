/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host module's sources have of KVM, VMX and the processor, in a process. The kernel's
 * part is in kernel.h, which includes this file at its end.
 */
#ifndef SHIM_KVM_H
#define SHIM_KVM_H

/* ---- KVM */
#define KVM_MEM_LOG_DIRTY_PAGES 1u
#define KVM_MEM_READONLY	2u
#define KVM_MEMSLOT_INVALID	(1u << 16)
#define KVM_USER_MEM_SLOTS	32764
#define SHIM_MEMSLOTS		8
enum {
	VCPU_REGS_RAX,
	VCPU_REGS_RCX,
	VCPU_REGS_RDX,
	VCPU_REGS_RBX,
	SHIM_REGS
};
#define EFER_LMA	      (1u << 10)
#define HF_SMM_MASK	      (1u << 6)
#define HF_GUEST_MASK	      (1u << 5)
#define XFEATURE_MASK_FPSSE   0x3
#define XFEATURE_MASK_YMM     0x4
#define XFEATURE_MASK_BNDREGS 0x8
#define XFEATURE_MASK_BNDCSR  0x10
#define XFEATURE_MASK_AVX512  0xe0
#define XFEATURE_MASK_PKRU    0x200
#define XFEATURE_MASK_XTILE   0x60000
struct kvm_memory_slot {
	gfn_t base_gfn;
	unsigned long npages, userspace_addr;
	u32 flags;
	int id;
};
struct kvm {
	struct mm_struct *mm;
	struct kvm_memory_slot slots[SHIM_MEMSLOTS];
	bool confidential, own_counters;
};
struct kvm_vcpu {
	int vcpu_idx;
	struct kvm *kvm;
	struct kvm_vcpu_arch {
		unsigned long regs[SHIM_REGS], cr4;
		u64 efer, xcr0;
		u32 hflags;
		struct {
			u64 pebs_enable;
		} pmu;
	} arch;
};
#define kvm_memslots(kvm) ((kvm)->slots)
struct kvm_memory_slot *__gfn_to_memslot(struct kvm_memory_slot *slots, gfn_t gfn);
static inline unsigned long __gfn_to_hva_memslot(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return slot->userspace_addr + (gfn - slot->base_gfn) * PAGE_SIZE;
}

/* ---- in the place of host/kvm/compat.h, which is about ftrace and kernel versions */
#define ELISA_HOST_COMPAT_H
#ifndef X86_CR4_LAM_SUP
#define X86_CR4_LAM_SUP (1UL << 28)
#endif
#define EH_MEMORY_FAILURE_EVENT	 "memory_failure_event"
#define EH_MEM_GUEST_MEMFD	 4u
#define eh_is_confidential(kvm)	 ((kvm)->confidential)
#define eh_has_own_counters(kvm) ((kvm)->own_counters)
#define eh_pin_page(vma, address, page) \
	((void)(vma), pin_user_pages(address, 1, FOLL_WRITE | FOLL_LONGTERM, page))

/* ---- in the place of host/kvm/vmx.h: a VMCS that is an array */
#define ELISA_HOST_VMX_H
#define SECONDARY_VM_EXEC_CONTROL	     0x401e
#define CR4_GUEST_HOST_MASK		     0x6000
#define GUEST_CR4			     0x6804
#define VM_EXIT_REASON			     0x4402
#define EPT_POINTER			     0x201a
#define GUEST_CS_AR_BYTES		     0x4816
#define GUEST_SS_AR_BYTES		     0x4818
#define GUEST_CR3			     0x6802
#define VMX_AR_L_MASK			     (1 << 13)
#define GUEST_IA32_DEBUGCTL		     0x2802
#define GUEST_GDTR_BASE			     0x6816
#define GUEST_IDTR_BASE			     0x6818
#define GUEST_LDTR_BASE			     0x6812
#define GUEST_TR_BASE			     0x6814
#define SECONDARY_EXEC_UNRESTRICTED_GUEST    (1u << 7)
#define SECONDARY_EXEC_APIC_REGISTER_VIRT    (1u << 8)
#define SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY (1u << 9)
#define SECONDARY_EXEC_MODE_BASED_EPT_EXEC   (1u << 22)
#define EH_SECONDARY_EXEC_EPT_VIOLATION_VE   (1u << 18)
#define SECONDARY_EXEC_PT_USE_GPA	     (1u << 24)
#define DEBUGCTLMSR_LBR			     (1u << 0)
#define DEBUGCTLMSR_TR			     (1u << 6)
#define DEBUGCTLMSR_BTS			     (1u << 7)
#define DEBUGCTLMSR_BTINT		     (1u << 8)
#define vmcs_get(field)			     (shim_vmcs[field])

enum {
	EXIT_REASON_EXTERNAL_INTERRUPT = 1,
	EXIT_REASON_INTERRUPT_WINDOW = 7,
	EXIT_REASON_NMI_WINDOW,
	EXIT_REASON_CPUID = 10,
	EXIT_REASON_HLT = 12,
	EXIT_REASON_VMCALL = 18,
	EXIT_REASON_MSR_READ = 31,
	EXIT_REASON_MSR_WRITE,
	EXIT_REASON_PAUSE_INSTRUCTION = 40,
	EXIT_REASON_TPR_BELOW_THRESHOLD = 43,
	EXIT_REASON_GDTR_IDTR = 46,
	EXIT_REASON_LDTR_TR,
	EXIT_REASON_PREEMPTION_TIMER = 52,
	EXIT_REASON_VMFUNC = 59
};
#define MSR_IA32_DEBUGCTLMSR 0x1d9

/* ---- the processor, as predicate.c asks it */
enum {
	X86_FEATURE_INTEL_PT,
	X86_FEATURE_ARCH_LBR
};
enum {
	MSR_IA32_RTIT_CTL,
	MSR_ARCH_LBR_CTL
};
#define RTIT_CTL_TRACEEN   1ULL
#define ARCH_LBR_CTL_LBREN 1ULL
extern bool shim_cpu_has[2];
extern u64 shim_trace_msr[2]; /* it must not be read where the processor does not have it */
#define boot_cpu_has(feature)	     (shim_cpu_has[feature])
#define cpu_feature_enabled(feature) (shim_cpu_has[feature])
#define rdmsrq(msr, to)                         \
	do {                                    \
		shim_assert(shim_cpu_has[msr]); \
		(to) = shim_trace_msr[msr];     \
	} while (0)
/* what this CPU has forgotten: by root, or all */
#define SHIM_INVEPTS 64
extern unsigned long shim_invept_all, shim_invepts;
extern u64 shim_invept[SHIM_INVEPTS];
static inline void invept_all(void)
{
	shim_invept_all++;
}
static inline void invept_context(u64 eptp)
{
	shim_assert(shim_invepts < SHIM_INVEPTS);
	shim_invept[shim_invepts++] = eptp;
}

#endif
