/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * The functions of KVM that the host's module hooks or calls, and which kernels it was tested with.
 * The module finds functions by these names, and `elisactl check` looks whether another user of
 * ftrace has the hooked ones. The module compares their prototypes with the kernel's type
 * information (prototype.h), which spells types so. "..." stands for parameters that the module
 * does not use. Each use of the list says what it makes of an entry.
 */
#ifndef ELISA_KVM_HOOKS_H
#define ELISA_KVM_HOOKS_H

/* clang-format off */

/* Series that were tested; docs/porting.md says how far. Others need the right prototypes. */
#define ELISA_TESTED_KERNELS(SERIES) SERIES("6.1") SERIES("6.12") SERIES("7.3")

/*
 * HOOK(id, module, function, prototype). The functions before RUN are on rare paths, and hooked as
 * long as the module is loaded. Those from RUN on are hooked while a VM is attached.
 */
#define ELISA_KVM_HOOKS(HOOK) \
	HOOK(HYPERCALL, "kvm", "kvm_sched_yield", "void (struct kvm_vcpu *, long unsigned int)") \
	HOOK(VCPU_FREE, "kvm_intel", "vmx_vcpu_free", "void (struct kvm_vcpu *)") \
	HOOK(MEMSLOT, "kvm", "kvm_arch_commit_memory_region", \
	     "void (struct kvm *, struct kvm_memory_slot *, struct kvm_memory_slot *, ...)") \
	HOOK(RUN, "kvm_intel", "vmx_vcpu_run", "fastpath_t (struct kvm_vcpu *, ...)") \
	HOOK(HANDLE_EXIT, "kvm_intel", "vmx_handle_exit", "int (struct kvm_vcpu *, fastpath_t)") \
	HOOK(VCPU_LOAD, "kvm", "vcpu_load", "void (struct kvm_vcpu *)") \
	HOOK(INTERRUPT_ALLOWED, "kvm_intel", "vmx_interrupt_allowed", "int (struct kvm_vcpu *, bool)") \
	HOOK(NMI_ALLOWED, "kvm_intel", "vmx_nmi_allowed", "int (struct kvm_vcpu *, bool)") \
	HOOK(SMI_ALLOWED, "kvm_intel", "vmx_smi_allowed", "int (struct kvm_vcpu *, bool)") \
	HOOK(IRQ_WINDOW, "kvm_intel", "vmx_enable_irq_window", "void (struct kvm_vcpu *)") \
	HOOK(NMI_WINDOW, "kvm_intel", "vmx_enable_nmi_window", "void (struct kvm_vcpu *)") \
	HOOK(VCPU_RESET, "kvm_intel", "vmx_vcpu_reset", "void (struct kvm_vcpu *, bool)")

/*
 * Exported by kvm.ko for kvm_intel.ko, and called by their addresses: CALL(id, module, function,
 * prototype). The last one is only found: of all callers of vcpu_load() it is KVM_RUN.
 */
#define ELISA_KVM_CALLS(CALL) \
	CALL(EMULATE, "kvm", "kvm_emulate_instruction_from_buffer", \
	     "int (struct kvm_vcpu *, void *, int)") \
	CALL(QUEUE_EXCEPTION, "kvm", "kvm_queue_exception", "void (struct kvm_vcpu *, unsigned int)") \
	CALL(MARK_DIRTY, "kvm", "kvm_vcpu_mark_page_dirty", "void (struct kvm_vcpu *, gfn_t)") \
	CALL(GET, "kvm", "kvm_get_kvm_safe", "bool (struct kvm *)") \
	CALL(PUT, "kvm", "kvm_put_kvm", "void (struct kvm *)") \
	CALL(APICV, "kvm", "kvm_set_or_clear_apicv_inhibit", \
	     "void (struct kvm *, enum kvm_apicv_inhibit, bool)") \
	CALL(READ, "kvm", "kvm_vcpu_read_guest", \
	     "int (struct kvm_vcpu *, gpa_t, void *, long unsigned int)") \
	CALL(RUN_IOCTL, "kvm", "kvm_arch_vcpu_ioctl_run", "int (struct kvm_vcpu *)")

/* clang-format on */

#endif
