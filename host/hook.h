/* SPDX-License-Identifier: GPL-2.0-only */
/* What hook.c, arm.c and hook_entry.S share. */
#ifndef ELISA_HOST_HOOK_H
#define ELISA_HOST_HOOK_H

struct kvm_vcpu;

/* hook_entry.S: what ftrace calls. */
void elisa_hypercall_hook(void);
void elisa_free_hook(void);
void elisa_run_hook(void);
void elisa_exit_hook(void);
void elisa_load_hook(void);
void elisa_allowed_hook(void);
void elisa_window_hook(void);
void elisa_reset_hook(void);

/*
 * hook.c: the handlers. @go_on[0] is where the CPU goes afterwards, to be changed for a
 * replacement; @go_on[1] is where the hooked function returns to.
 */
void elisa_hypercall_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on,
			     unsigned long destination);
void elisa_free_handler(struct kvm_vcpu *kvm_vcpu);
void elisa_run_handler(struct kvm_vcpu *kvm_vcpu);
void elisa_exit_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_load_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_allowed_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_window_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void elisa_reset_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);

/* prototype.c: are KVM's functions what the hooks and calls take them for? */
int elisa_prototypes_check(void);

/* arm.c; @sites: where ftrace calls, by enum elisa_hook_id */
int elisa_arm_init(unsigned long *sites);
void elisa_arm_exit(void);

#endif
