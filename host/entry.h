/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The highest layer: where KVM, guests and the administrator come into the module. hook_entry.S and
 * hook.c: KVM's functions; hypercall.c: guests; admin.c: /dev/elisa; events_file.c: what it
 * tells; main.c: loading.
 */
#ifndef ELISA_HOST_ENTRY_H
#define ELISA_HOST_ENTRY_H

#include <linux/fs.h>
#include <linux/poll.h>

struct kvm;
struct kvm_memory_slot;
struct kvm_vcpu;

/* hook_entry.S: what ftrace calls. */
void eh_hypercall_hook(void);
void eh_free_hook(void);
void eh_memslot_hook(void);
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
void eh_memslot_handler(struct kvm *kvm, const struct kvm_memory_slot *slot);
void eh_run_handler(struct kvm_vcpu *kvm_vcpu);
void eh_exit_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_load_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_allowed_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_window_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);
void eh_reset_handler(struct kvm_vcpu *kvm_vcpu, unsigned long *go_on);

int eh_hooks_init(void);
void eh_hooks_exit(void);

/* ---- hypercall.c */
u64 eh_hypercall(struct kvm_vcpu *kvm_vcpu, unsigned long magic);
u64 eh_hypercall_debt(struct kvm_vcpu *kvm_vcpu);
void eh_hypercall_wait(u64 wait);

/* ---- admin.c */
int eh_admin_init(void);
void eh_admin_exit(void);

/* ---- events_file.c */
long eh_events_watch(struct file *file, const void __user *arg);
ssize_t eh_events_read(struct file *file, char __user *buffer, size_t size, loff_t *pos);
__poll_t eh_events_poll(struct file *file, poll_table *wait);
void eh_events_release(struct file *file);

#endif
