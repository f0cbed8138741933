/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The CPU and KVM. The layer checks the CPU's features and flaws. It finds KVM's functions in the
 * running kernel, calls them, and makes ftrace call the module's hooks. It knows nothing of
 * exports.
 */
#ifndef ELISA_HOST_KVM_H
#define ELISA_HOST_KVM_H

#include <linux/kvm_host.h>
#include <linux/types.h>

#include "kvm/compat.h"

/* ---- symbol.c */
int eh_symbols_find(unsigned long *found, const char *const *name, unsigned int count);
unsigned long eh_symbol_size(unsigned long address);

/* ---- prototype.c: compares KVM's functions with the prototypes that hooks and calls expect */
int eh_prototypes_check(void);

/* ---- kvm.c */
int eh_kvm_init(void);
void eh_kvm_exit(void);
unsigned long *eh_kvm_sites(void);
bool eh_kvm_is_run_ioctl(unsigned long address);
int eh_kvm_exit_handled(struct kvm_vcpu *kvm_vcpu);
int eh_kvm_emulate(struct kvm_vcpu *kvm_vcpu, void *code, u32 size);
int eh_kvm_read(struct kvm_vcpu *kvm_vcpu, u64 gpa, void *to, u32 size);
u64 eh_kvm_translate_fetch(struct kvm_vcpu *kvm_vcpu, u64 address, bool user);
void eh_kvm_queue_ud(struct kvm_vcpu *kvm_vcpu);
void eh_kvm_mark_dirty(struct kvm_vcpu *kvm_vcpu, u64 gpa);
bool eh_kvm_get(struct kvm *kvm);
void eh_kvm_put(struct kvm *kvm);
void eh_kvm_interrupt(struct kvm *kvm, u32 gsi);
bool eh_kvm_apicv_is_off(struct kvm *kvm);
void eh_kvm_inhibit_apicv(struct kvm *kvm, bool inhibit);

/* ---- cpu.c */
extern bool eh_invept_context;
extern bool eh_ept_2m, eh_ept_1g; /* the CPU's EPT has leaves of this size */
int eh_cpu_check(void);
bool eh_cpu_leaks(void);
bool eh_cpu_has_tsx(void);
void eh_cpu_say_why_attach_is_refused(void);

/* ---- arm.c: exit-path hooks are in place while shares of them exist; see also arm.h */
int eh_hooks_arm(void);
void eh_hooks_share(void);
void eh_hooks_disarm(void);
bool eh_hooks_armed(void);

#endif
