/* SPDX-License-Identifier: GPL-2.0-only */
/* What hook.c, arm.c and hook_entry.S share. */
#ifndef ELISA_HOST_HOOK_H
#define ELISA_HOST_HOOK_H

struct kvm_vcpu;

/* hook_entry.S: what ftrace calls. */
void eh_hypercall_hook(void);
void eh_free_hook(void);
void eh_run_hook(void);
void eh_exit_hook(void);
void eh_load_hook(void);
void eh_allowed_hook(void);
void eh_window_hook(void);
void eh_reset_hook(void);

/*
 * hook.c: the handlers. @go_on[0] is where the CPU goes afterwards, to be changed for a
 * replacement; @go_on[1] is where the hooked function returns to.
 */
void eh_hypercall_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on,
			  unsigned long destination);
void eh_free_handler(struct kvm_vcpu *kvm_vcpu);
void eh_run_handler(struct kvm_vcpu *kvm_vcpu);
void eh_exit_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_load_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_allowed_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_window_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_reset_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);

/* prototype.c: are KVM's functions what the hooks and calls take them for? */
int eh_prototypes_check(void);

/* arm.c; @sites: where ftrace calls, by enum eh_hook_id */
int eh_arm_init(unsigned long *sites);
void eh_arm_exit(void);

#endif
