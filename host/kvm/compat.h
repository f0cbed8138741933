/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences between kernels, and the KVM functions that ELISA needs. No other file of the
 * module may test ELISA_HAS_*, which Kbuild derives from the kernel's headers. No other file may
 * name a KVM-internal function.
 */
#ifndef ELISA_HOST_COMPAT_H
#define ELISA_HOST_COMPAT_H

#include <linux/ftrace.h>
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>
#include <linux/version.h>
#include <asm/ibt.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <trace/events/ipi.h>
#if __has_include(<asm/cpuid/api.h>)
#include <asm/cpuid/api.h>
#endif

#include <elisa/kvm_hooks.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "ELISA supports kernels from 6.1 on"
#endif

/* Numbers and names ("module:function") of KVM's functions, in the order of their lists. */
#define EH_HOOK_ID(id, module, function, prototype)   EH_HOOK_##id,
#define EH_CALLED_ID(id, module, function, prototype) EH_CALLED_##id,
#define EH_KVM_NAME(id, module, function, prototype)  module ":" function,
enum eh_hook_id {
	ELISA_KVM_HOOKS(EH_HOOK_ID) EH_HOOKS
};
enum eh_called_id {
	ELISA_KVM_CALLS(EH_CALLED_ID) EH_CALLED
};
#define EH_HOOK_NAMES                        \
	{                                    \
		ELISA_KVM_HOOKS(EH_KVM_NAME) \
	}
#define EH_CALLED_NAMES                      \
	{                                    \
		ELISA_KVM_CALLS(EH_KVM_NAME) \
	}

/*
 * The kernel's tracepoint after it has marked a page as failed. Its arguments are the page's
 * number, its kind, and the result. It does not exist without CONFIG_MEMORY_FAILURE.
 */
#define EH_MEMORY_FAILURE_EVENT "memory_failure_event"

/* Bytes from a function's first byte to its ftrace site: an endbr64 on IBT kernels. */
#ifdef CONFIG_X86_KERNEL_IBT
#define EH_SITE_OFFSET 4
#else
#define EH_SITE_OFFSET 0
#endif

/* CPU flaws that some kernels do not know. There boot_cpu_has_bug() finds no CPU with the flaw. */
#define EH_NO_BUG (~0U)
#ifndef X86_BUG_MMIO_UNKNOWN
#define X86_BUG_MMIO_UNKNOWN EH_NO_BUG
#endif
#ifndef X86_BUG_GDS
#define X86_BUG_GDS EH_NO_BUG
#endif
#ifndef X86_BUG_TDX_PW_MCE
#define X86_BUG_TDX_PW_MCE EH_NO_BUG
#endif
#ifndef X86_BUG_RFDS
#define X86_BUG_RFDS EH_NO_BUG
#endif
#ifndef X86_BUG_BHI
#define X86_BUG_BHI EH_NO_BUG
#endif
#ifndef X86_BUG_SPECTRE_V2_USER
#define X86_BUG_SPECTRE_V2_USER EH_NO_BUG
#endif
#ifndef X86_BUG_OLD_MICROCODE
#define X86_BUG_OLD_MICROCODE EH_NO_BUG
#endif
#ifndef X86_BUG_ITS
#define X86_BUG_ITS EH_NO_BUG
#endif
#ifndef X86_BUG_ITS_NATIVE_ONLY
#define X86_BUG_ITS_NATIVE_ONLY EH_NO_BUG
#endif
#ifndef X86_BUG_VMSCAPE
#define X86_BUG_VMSCAPE EH_NO_BUG
#endif

/*
 * The inhibit reason for "this host has no APICv at all" (enum kvm_apicv_inhibit; its spelling
 * differs between kernels). Of all reasons that VMX knows, only this one is never cleared by KVM.
 */
#define EH_APICV_DISABLED 0

/* CR4.LAM_SUP, which older headers lack. */
#ifndef X86_CR4_LAM_SUP
#define X86_CR4_LAM_SUP (1UL << 28)
#endif

/* Reading an MSR has other names in older kernels. */
#ifndef rdmsrq
#define rdmsrq	    rdmsrl
#define rdmsrq_safe rdmsrl_safe
#endif

/*
 * Registers of the VMCS that KVM caches: bits of arch.regs_avail and arch.regs_dirty. The two are
 * an integer, or a bitmap of one word.
 */
#ifdef ELISA_HAS_REG_BITMAPS
#define EH_CACHED(map) (BUILD_BUG_ON_ZERO(ARRAY_SIZE(map) > 1) + (map))[0]
#define EH_CACHED_RIP  BIT(VCPU_REG_RIP)
#define EH_CACHED_REST (BIT(VCPU_REG_RFLAGS) | BIT(VCPU_REG_SEGMENTS))
#else
#define EH_CACHED(map) (map)
#define EH_CACHED_RIP  BIT(VCPU_REGS_RIP)
#define EH_CACHED_REST (BIT(VCPU_EXREG_RFLAGS) | BIT(VCPU_EXREG_SEGMENTS))
#endif
#define EH_CACHED_WRITTEN (EH_CACHED_RIP | BIT(VCPU_REGS_RSP))

/*
 * Translates a guest-virtual address by the page tables that the guest has loaded. @access has bits
 * of a page fault's error code. In the vCPU's thread, under kvm->srcu.
 */
static inline gpa_t eh_gva_to_gpa(struct kvm_vcpu *vcpu, u64 address, u64 access)
{
#ifdef ELISA_HAS_GVA_WALK
	struct kvm_pagewalk *walk = &vcpu->arch.gva_walk;
#else
	struct kvm_mmu *walk = vcpu->arch.walk_mmu;
#endif
	return walk->gva_to_gpa(vcpu, walk, address, access, NULL);
}

/* The flag of a memory slot with a guest_memfd. Older kernels have no such slots. */
#ifdef KVM_MEM_GUEST_MEMFD
#define EH_MEM_GUEST_MEMFD KVM_MEM_GUEST_MEMFD
#else
#define EH_MEM_GUEST_MEMFD 0
#endif

/* Tells whether KVM itself cannot see the VM's registers or memory. The VMCS does not tell it. */
static inline bool eh_is_confidential(const struct kvm *kvm)
{
#ifdef ELISA_HAS_VM_TYPES
	return kvm->arch.vm_type != KVM_X86_DEFAULT_VM;
#else
	return false;
#endif
}

/* Tells whether the VM owns the CPU's performance counters while it runs, without an exit. */
static inline bool eh_has_own_counters(const struct kvm *kvm)
{
#ifdef ELISA_HAS_MEDIATED_PMU
	return kvm->arch.created_mediated_pmu;
#else
	return false;
#endif
}

/* Tells whether IBT forbids to call a function by address: sealing has removed its ENDBR. */
static inline bool eh_lacks_endbr(unsigned long function)
{
#ifdef CONFIG_X86_KERNEL_IBT
	return cpu_feature_enabled(X86_FEATURE_IBT) && *(u32 *)function != gen_endbr();
#else
	return false;
#endif
}

/* Makes ftrace call @function directly at the sites in @ops' filter. Sleeps. */
static inline int eh_ftrace_direct(struct ftrace_ops *ops, unsigned long function)
{
	int r;

#ifdef ELISA_HAS_DIRECT_MULTI
	r = register_ftrace_direct_multi(ops, function);
#else
	r = register_ftrace_direct(ops, function);
#endif
	if (r) {
		/* the function has another direct call; reset fields that would refuse a new try */
		ops->func = NULL;
		ops->trampoline = 0;
	}
	return r;
}

/* Ends the direct calls of eh_ftrace_direct(), and keeps the filter for the next time. Sleeps. */
static inline void eh_ftrace_direct_end(struct ftrace_ops *ops, unsigned long function)
{
#ifdef ELISA_HAS_DIRECT_MULTI
	unregister_ftrace_direct_multi(ops, function);
#else
	unregister_ftrace_direct(ops, function, false);
#endif
}

/* Sets up a timer that runs @function with IRQs off, also on PREEMPT_RT. */
static inline void eh_timer_setup(struct hrtimer *timer,
				  enum hrtimer_restart (*function)(struct hrtimer *))
{
#ifdef ELISA_HAS_HRTIMER_SETUP
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	timer->function = function;
#endif
}

/* Sends an IPI to this CPU. With IRQs off before an entry, the vCPU exits right after the entry. */
static inline void eh_interrupt_self(void)
{
	smp_send_reschedule(raw_smp_processor_id());
}

/*
 * Pins one page of @vma. The caller holds mmap_lock, and no fault may drop it. So a fault cannot
 * wait for a page that userfaultfd withholds. A kernel with CONFIG_DEBUG_VM would report each such
 * fault. Memory with a userfaultfd is therefore pinned only if its page is present. Before 6.5 the
 * kernel ignores FOLL_NOFAULT for hugetlb pages (follow_hugetlb_page()). There hugetlb memory with
 * a userfaultfd is refused. It may sleep.
 */
static inline long eh_pin_page(struct vm_area_struct *vma, unsigned long address,
			       struct page **page)
{
	const bool withheld = userfaultfd_armed(vma);
	const unsigned int flags = FOLL_WRITE | FOLL_LONGTERM | (withheld ? FOLL_NOFAULT : 0);

	if (LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0) && withheld && is_vm_hugetlb_page(vma))
		return -EFAULT;

#ifdef ELISA_HAS_PINNED_VMAS
	return pin_user_pages(address, 1, flags, page, NULL);
#else
	return pin_user_pages(address, 1, flags, page);
#endif
}

#endif
