// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMs and vCPUs that have spoken to the module. A vCPU is found by its struct
 * kvm_vcpu, whose address KVM reuses: it leaves the table before KVM frees it, and
 * nothing else may remove it.
 */
#include <linux/hash.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "elisa.h"

DEFINE_MUTEX(elisa_lock);
LIST_HEAD(elisa_vms);
static DEFINE_HASHTABLE(vcpus, 8); /* RCU; written under elisa_lock */
/* For hook_entry.S: how many vCPUs that are set up share a byte. Written under elisa_lock. */
u8 elisa_vcpu_filter[ELISA_FILTER_SIZE];
static u32 next_vm = 1; /* elisa_lock */

/* The vCPU's state or NULL. The caller is the vCPU's thread or has its file open. */
struct elisa_vcpu *elisa_vcpu_find(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu, *found = NULL;

	rcu_read_lock();
	hash_for_each_possible_rcu(vcpus, vcpu, hash, (unsigned long)kvm_vcpu)
		if (vcpu->kvm_vcpu == kvm_vcpu) {
			found = vcpu;
			break;
		}
	rcu_read_unlock();
	return found;
}

/* The entry and exit hooks look at this vCPU from now on, or no more. */
void elisa_vcpu_set_up(struct elisa_vcpu *vcpu, bool set_up)
{
	u8 *count = &elisa_vcpu_filter[(u32)(unsigned long)vcpu->kvm_vcpu >> ELISA_FILTER_SHIFT];

	lockdep_assert_held(&elisa_lock);
	vcpu->counted = set_up;
	/* a byte that was full stays: hooks may look too often, never too seldom */
	if (*count != U8_MAX)
		WRITE_ONCE(*count, *count + (set_up ? 1 : -1));
}

static struct elisa_vm *vm_get(struct kvm *kvm)
{
	struct elisa_vm *vm;

	list_for_each_entry(vm, &elisa_vms, node)
		if (vm->kvm == kvm)
			return vm;
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return NULL;
	vm->events = elisa_events_new();
	if (!vm->events || !zalloc_cpumask_var(&vm->cpus, GFP_KERNEL_ACCOUNT)) {
		elisa_events_put(vm->events);
		kfree(vm);
		return NULL;
	}
	vm->kvm = kvm;
	vm->mm = kvm->mm;
	mmgrab(vm->mm);
	vm->pid = task_tgid_nr(current);
	vm->id = next_vm++;
	vm->gsi = ELISA_NO_DOORBELL;
	INIT_LIST_HEAD(&vm->vcpus);
	INIT_LIST_HEAD(&vm->exports);
	list_add_tail(&vm->node, &elisa_vms);
	return vm;
}

/* Pages pinned for all VMs of one VMM: a grant is the VMM's. Under elisa_lock. */
u64 elisa_pages_of(struct mm_struct *mm)
{
	struct elisa_vm *vm;
	u64 pages = 0;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(vm, &elisa_vms, node)
		if (vm->mm == mm)
			pages += atomic64_read(&vm->pages);
	return pages;
}

/* Ends all that the VM exports and all that it is attached to. Under elisa_lock. */
void elisa_vm_reset(struct elisa_vm *vm)
{
	struct elisa_export *export, *next;
	int i;

	lockdep_assert_held(&elisa_lock);
	for (i = 0; i < ELISA_SLOTS; i++)
		if (vm->slots[i])
			elisa_attachment_free(vm->slots[i]);
	list_for_each_entry_safe(export, next, &vm->exports, node)
		elisa_export_kill(export);
	elisa_events_clear(vm->events);
	vm->gsi = ELISA_NO_DOORBELL;
}

static void vm_free(struct elisa_vm *vm)
{
	elisa_vm_reset(vm);
	list_del(&vm->node);
	elisa_events_put(vm->events);
	mmdrop(vm->mm);
	free_cpumask_var(vm->cpus);
	kfree(vm);
}

/* The vCPU's state, made at its first hypercall. Its own thread, under elisa_lock. */
struct elisa_vcpu *elisa_vcpu_get(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_find(kvm_vcpu);
	struct elisa_vm *vm;

	lockdep_assert_held(&elisa_lock);
	if (vcpu)
		return vcpu;
	vm = vm_get(kvm_vcpu->kvm);
	if (!vm)
		return NULL;
	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu) {
		if (list_empty(&vm->vcpus))
			vm_free(vm);
		return NULL;
	}
	vcpu->kvm_vcpu = kvm_vcpu;
	vcpu->vm = vm;
	raw_spin_lock_init(&vcpu->lock);
	list_add_tail(&vcpu->node, &vm->vcpus);
	hash_add_rcu(vcpus, &vcpu->hash, (unsigned long)kvm_vcpu);
	return vcpu;
}

/* KVM frees this vCPU; it cannot run any more. The last one takes the VM with it. */
void elisa_vcpu_gone(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu;
	struct elisa_vm *vm;

	mutex_lock(&elisa_lock);
	vcpu = elisa_vcpu_find(kvm_vcpu);
	if (vcpu) {
		vm = vcpu->vm;
		elisa_vcpu_drop_contexts(vcpu);
		/* its VMCS is freed with it: nobody uses the list page any more */
		free_page((unsigned long)vcpu->list);
		if (vcpu->counted) {
			elisa_vcpu_set_up(vcpu, false);
			elisa_hooks_disarm();
		}
		hash_del_rcu(&vcpu->hash);
		list_del(&vcpu->node);
		if (list_empty(&vm->vcpus))
			vm_free(vm);
		kfree_rcu(vcpu, rcu);
	}
	mutex_unlock(&elisa_lock);
}

/* The module goes: nothing is attached or exported; forget who spoke. */
void elisa_vms_free(void)
{
	struct elisa_vcpu *vcpu, *v;
	struct elisa_vm *vm, *next;

	mutex_lock(&elisa_lock);
	list_for_each_entry_safe(vm, next, &elisa_vms, node) {
		list_for_each_entry_safe(vcpu, v, &vm->vcpus, node) {
			hash_del_rcu(&vcpu->hash);
			list_del(&vcpu->node);
			kfree_rcu(vcpu, rcu);
		}
		vm_free(vm);
	}
	mutex_unlock(&elisa_lock);
	rcu_barrier();
}
