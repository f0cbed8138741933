/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows kernel versions, and the one list of KVM functions that
 * ELISA needs. No other file of the module may test LINUX_VERSION_CODE or name a
 * KVM-internal function.
 */
#ifndef ELISA_HOST_COMPAT_H
#define ELISA_HOST_COMPAT_H

#include <linux/ftrace.h>
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <asm/ibt.h>

#include <elisa/kvm_hooks.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#include <trace/events/ipi.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "ELISA supports kernels from 6.1 on"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "ELISA has not been checked against this kernel; see docs/porting.md"
#endif

/* Functions of KVM that are hooked by name. The signature is that of 6.1 and 6.12. */
#define ELISA_HOOK_ID(id, module, function)   ELISA_HOOK_##id,
#define ELISA_HOOK_NAME(id, module, function) [ELISA_HOOK_##id] = module ":" function,
enum elisa_hook_id {
	ELISA_KVM_HOOKS(ELISA_HOOK_ID) ELISA_HOOKS
};
#define ELISA_HOOK_NAMES                         \
	{                                        \
		ELISA_KVM_HOOKS(ELISA_HOOK_NAME) \
	}

/* The kernel's tracepoint after it has marked a page as failed; its arguments: the page's
 * number, what kind of page it was, what came of it. Not there without CONFIG_MEMORY_FAILURE. */
#define ELISA_MEMORY_FAILURE_EVENT "memory_failure_event"

/* Functions of KVM that the module calls; exported by kvm.ko, found at load by name. */
#define ELISA_KVM_EMULATE	   "kvm:kvm_emulate_instruction_from_buffer"
#define ELISA_KVM_QUEUE_EXCEPTION  "kvm:kvm_queue_exception"
#define ELISA_KVM_MARK_DIRTY	   "kvm:kvm_vcpu_mark_page_dirty"
#define ELISA_KVM_GET		   "kvm:kvm_get_kvm_safe"
#define ELISA_KVM_PUT		   "kvm:kvm_put_kvm"
#define ELISA_KVM_READ		   "kvm:kvm_vcpu_read_guest"

/* KVM_RUN: of all callers of vcpu_load() the one that does not look at the vCPU's state. */
#define ELISA_KVM_RUN		   "kvm:kvm_arch_vcpu_ioctl_run"

/* From a function's ftrace site back to its first byte: past endbr64 on IBT kernels. */
#ifdef CONFIG_X86_KERNEL_IBT
#define ELISA_SITE_OFFSET 4
#else
#define ELISA_SITE_OFFSET 0
#endif

/* Flaws of CPUs that some kernels do not know: there no CPU has them. */
#define ELISA_NO_BUG (~0U)
#ifndef X86_BUG_MMIO_UNKNOWN
#define X86_BUG_MMIO_UNKNOWN ELISA_NO_BUG
#endif
#ifndef X86_BUG_GDS
#define X86_BUG_GDS ELISA_NO_BUG
#endif
#ifndef X86_BUG_TDX_PW_MCE
#define X86_BUG_TDX_PW_MCE ELISA_NO_BUG
#endif
#ifndef X86_BUG_RFDS
#define X86_BUG_RFDS ELISA_NO_BUG
#endif
#ifndef X86_BUG_BHI
#define X86_BUG_BHI ELISA_NO_BUG
#endif
#ifndef X86_BUG_ITS
#define X86_BUG_ITS ELISA_NO_BUG
#endif
#ifndef X86_BUG_ITS_NATIVE_ONLY
#define X86_BUG_ITS_NATIVE_ONLY ELISA_NO_BUG
#endif
#ifndef X86_BUG_VMSCAPE
#define X86_BUG_VMSCAPE ELISA_NO_BUG
#endif

/* Sealed functions have something else in its place (objtool's .ibt_endbr_seal). */
static inline bool elisa_lacks_endbr(unsigned long function)
{
#ifdef CONFIG_X86_KERNEL_IBT
	return cpu_feature_enabled(X86_FEATURE_IBT) && *(u32 *)function != gen_endbr();
#else
	return false;
#endif
}

/* ftrace calls @function itself at the sites that are @ops' filter, with nothing between. */
static inline int elisa_ftrace_direct(struct ftrace_ops *ops, unsigned long function)
{
	int r;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	r = register_ftrace_direct(ops, function);
#else
	r = register_ftrace_direct_multi(ops, function);
#endif
	if (r) {
		/* the function is redirected already; ftrace left what takes no ops anew */
		ops->func = NULL;
		ops->trampoline = 0;
	}
	return r;
}

static inline void elisa_ftrace_direct_end(struct ftrace_ops *ops, unsigned long function)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	unregister_ftrace_direct(ops, function, false);
#else
	unregister_ftrace_direct_multi(ops, function);
#endif
}

/* A timer that runs @function with IRQs off, also where other timers run in threads. */
static inline void elisa_timer_setup(struct hrtimer *timer,
				     enum hrtimer_restart (*function)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	timer->function = function;
#endif
}

/* An IPI to this CPU, IRQs off: KVM's own way to an exit right after an entry. */
static inline void elisa_interrupt_self(void)
{
	smp_send_reschedule(raw_smp_processor_id());
}

/* Pins one page; the caller holds mmap_lock and no fault may drop it. */
static inline long elisa_pin_page(unsigned long address, struct page **page)
{
	unsigned int flags = FOLL_WRITE | FOLL_LONGTERM;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return pin_user_pages(address, 1, flags, page);
#else
	return pin_user_pages(address, 1, flags, page, NULL);
#endif
}

#endif
