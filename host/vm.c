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
DEFINE_HASHTABLE(elisa_vcpus, 12);
/* For hook_entry.S: how many vCPUs that are set up share a byte. Written under elisa_lock. */
u8 elisa_vcpu_filter[ELISA_FILTER_SIZE];
static u32 next_vm = 1; /* elisa_lock */

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

/* The VM, if it is known. Under elisa_lock. */
struct elisa_vm *elisa_vm_find(struct kvm *kvm)
{
	struct elisa_vm *vm;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(vm, &elisa_vms, node)
		if (vm->kvm == kvm)
			return vm;
	return NULL;
}

static struct elisa_vm *vm_new(struct kvm *kvm)
{
	struct elisa_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	vm->bell = elisa_bell_new(kvm);
	if (!vm->bell)
		goto err_vm;
	vm->events = elisa_events_new(vm->bell);
	if (!vm->events)
		goto err_bell;
	vm->kvm = kvm;
	vm->mm = kvm->mm;
	mmgrab(vm->mm);
	vm->pid = task_tgid_nr(current);
	vm->id = next_vm++;
	INIT_LIST_HEAD(&vm->vcpus);
	INIT_LIST_HEAD(&vm->exports);
	list_add_tail(&vm->node, &elisa_vms);
	return vm;

err_bell:
	elisa_bell_put(vm->bell);
err_vm:
	kfree(vm);
	return NULL;
}

/* Ends all that the VM exports and all that it is attached to. Under elisa_lock. */
void elisa_vm_reset(struct elisa_vm *vm)
{
	struct elisa_export *export, *next;
	int i;

	lockdep_assert_held(&elisa_lock);
	for (i = 0; i < ELISA_SLOTS; i++)
		if (vm->slots[i])
			elisa_attachment_shut(vm->slots[i]);
	elisa_kick_vm(vm);
	for (i = 0; i < ELISA_SLOTS; i++)
		if (vm->slots[i])
			elisa_attachment_free(vm->slots[i]);
	list_for_each_entry_safe(export, next, &vm->exports, node)
		elisa_export_kill(export);
	elisa_events_clear(vm->events);
	elisa_bell_silence(vm->bell);
}

static void vm_free(struct elisa_vm *vm)
{
	elisa_vm_reset(vm);
	list_del(&vm->node);
	elisa_bell_put(vm->bell);
	elisa_events_put(vm->events);
	if (vm->vmm)
		elisa_vmm_put(vm->vmm);
	mmdrop(vm->mm);
	kfree(vm);
}

/* The vCPU's state, made at its first hypercall that needs it. Its own thread, under elisa_lock. */
struct elisa_vcpu *elisa_vcpu_get(struct kvm_vcpu *kvm_vcpu)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_find(kvm_vcpu);
	struct elisa_vm *vm;

	lockdep_assert_held(&elisa_lock);
	if (vcpu)
		return vcpu;
	vm = elisa_vm_find(kvm_vcpu->kvm) ?: vm_new(kvm_vcpu->kvm);
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
	vcpu->cpu = -1;
	vcpu->exit_cr3 = ELISA_NO_ROOT;
	raw_spin_lock_init(&vcpu->lock);
	elisa_watch_init(vcpu);
	list_add_tail(&vcpu->node, &vm->vcpus);
	hash_add_rcu(elisa_vcpus, &vcpu->hash, (unsigned long)kvm_vcpu);
	return vcpu;
}

/* The vCPU's VMCS is entered no more: it needs neither the list page nor the hooks. */
static void vcpu_strip(struct elisa_vcpu *vcpu)
{
	unsigned long flags;
	u64 *list;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	list = vcpu->list;
	vcpu->list = NULL;
	vcpu->synced = false;
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	free_page((unsigned long)list);
	if (vcpu->counted) {
		elisa_vcpu_set_up(vcpu, false);
		elisa_hooks_disarm();
	}
}

/*
 * The VMM's address space is gone. A process that was given the VM's files keeps the VM, but can
 * run no vCPU of it: KVM refuses a thread of another address space, and there is none left
 * of this one. So nothing is left to it but its records, which KVM's own still may lead to. Under
 * elisa_lock.
 */
void elisa_vm_end(struct elisa_vm *vm)
{
	struct elisa_vcpu *vcpu;

	elisa_vm_reset(vm);
	list_for_each_entry(vcpu, &vm->vcpus, node) {
		elisa_vcpu_drop_contexts(vcpu);
		vcpu_strip(vcpu);
	}
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
		elisa_watch_end(vcpu);
		elisa_vcpu_drop_contexts(vcpu);
		vcpu_strip(vcpu);
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
			elisa_watch_end(vcpu);
			hash_del_rcu(&vcpu->hash);
			list_del(&vcpu->node);
			kfree_rcu(vcpu, rcu);
		}
		vm_free(vm);
	}
	mutex_unlock(&elisa_lock);
	rcu_barrier();
}
