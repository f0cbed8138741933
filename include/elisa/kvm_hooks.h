/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of KVM that the host's module hooks: the module finds them by these names, and
 * `elisactl check` looks whether another user of ftrace has them. Those on rare paths come first,
 * hooked as long as the module is loaded; from RUN on they are hooked while a VM is attached. Each
 * use says what it makes of an entry: HOOK(id, module, function).
 */
#ifndef ELISA_KVM_HOOKS_H
#define ELISA_KVM_HOOKS_H

#define ELISA_KVM_HOOKS(HOOK)                                         \
	HOOK(HYPERCALL, "kvm", "kvm_sched_yield")                     \
	HOOK(VCPU_FREE, "kvm_intel", "vmx_vcpu_free")                 \
	HOOK(RUN, "kvm_intel", "vmx_vcpu_run")                        \
	HOOK(HANDLE_EXIT, "kvm_intel", "vmx_handle_exit")             \
	HOOK(VCPU_LOAD, "kvm", "vcpu_load")                           \
	HOOK(INTERRUPT_ALLOWED, "kvm_intel", "vmx_interrupt_allowed") \
	HOOK(NMI_ALLOWED, "kvm_intel", "vmx_nmi_allowed")             \
	HOOK(SMI_ALLOWED, "kvm_intel", "vmx_smi_allowed")             \
	HOOK(IRQ_WINDOW, "kvm_intel", "vmx_enable_irq_window")        \
	HOOK(NMI_WINDOW, "kvm_intel", "vmx_enable_nmi_window")        \
	HOOK(VCPU_RESET, "kvm_intel", "vmx_vcpu_reset")

#endif
