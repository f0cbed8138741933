/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lowest layer: the module's data (objects.h), its parameters and its counters. It calls no
 * other layer.
 */
#ifndef ELISA_HOST_BASE_H
#define ELISA_HOST_BASE_H

#include <linux/percpu.h>

#include "base/objects.h"

/* ---- registry.c */
extern spinlock_t eh_registry;
extern struct list_head eh_vms, eh_exports, eh_grants; /* eh_registry */

/* A work item belongs to one tenant. In eh_slow_works it may wait for a mutex of its tenant. */
extern struct workqueue_struct *eh_works, *eh_slow_works;
/* One for each CPU: a VM that makes its CPU count without end takes no cache line from others. */
struct eh_counts {
	u64 of[ELISA_COUNT_COUNT];
};
DECLARE_PER_CPU(struct eh_counts, eh_counts);

/* Counts an event. In any context. */
static inline void eh_count(enum elisa_counter counter)
{
	this_cpu_inc(eh_counts.of[counter]);
}

/* Notes why a request is refused, and for which value. Returns @error. */
static inline int eh_refuse(struct eh_refusal *refusal, int error, u32 why, u64 value)
{
	*refusal = (struct eh_refusal){.why = why, .value = value};
	return error;
}

extern u8 eh_vcpu_filter[EH_FILTER_SIZE];
extern DECLARE_HASHTABLE(eh_vcpus, 16); /* RCU; written under eh_registry */

/* Returns the vCPU's state or NULL. In the vCPU's thread, which cannot be preempted. */
static __always_inline struct eh_vcpu *eh_vcpu_lookup(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu;

	hash_for_each_possible_rcu(eh_vcpus, vcpu, hash, (unsigned long)kvm_vcpu)
		if (vcpu->kvm_vcpu == kvm_vcpu)
			return vcpu;
	return NULL;
}

/*
 * Returns the vCPU's state or NULL. In the vCPU's thread, or in a thread that has the vCPU's file
 * open: both keep the vCPU alive after the lookup. Preemptible.
 */
static __always_inline struct eh_vcpu *eh_vcpu_find(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu;

	/* protects as rcu_read_lock() does, and takes less time in a preemptible kernel */
	preempt_disable_notrace();
	vcpu = eh_vcpu_lookup(kvm_vcpu);
	preempt_enable_notrace();
	return vcpu;
}

/* ---- settings.c */
extern unsigned int eh_default_limit_us, eh_max_limit_us, eh_default_max_pages;
extern unsigned int eh_default_suspend_us, eh_max_suspend_us;
extern unsigned int eh_calls_per_second;
bool eh_cpu_override(void);

#endif
