// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMs and vCPUs that have spoken to the module. A vCPU is found by its struct
 * kvm_vcpu, whose address KVM reuses: it leaves the table before KVM frees it, and
 * nothing else may remove it.
 *
 * A VM is in the list from its first vCPU's first hypercall until KVM frees the last of its vCPUs
 * that have spoken. Its memory stays until nothing refers to it any more. KVM frees vCPUs when the
 * VM's last file is closed, so no vCPU of the VM is in a hypercall then.
 *
 * What a VM's vCPUs do not need any more is given back by a work of its own, so that no other
 * tenant's thread waits for them:
 *
 *   contexts whose vCPU was on its way out of them when they ended (sync.c)
 *   the list pages of vCPUs that are attached to nothing any more
 */
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static u64 last_vm; /* eh_registry: the sequence */

/* Makes the entry and exit hooks look at this vCPU from now on, or not any more. Under vm->lock. */
void eh_vcpu_set_up(struct eh_vcpu *vcpu, bool set_up)
{
	u8 *count = &eh_vcpu_filter[(u32)(unsigned long)vcpu->kvm_vcpu >> EH_FILTER_SHIFT];

	lockdep_assert_held(&vcpu->vm->lock);
	vcpu->counted = set_up;
	spin_lock(&eh_registry);
	/* a byte that was full stays: hooks may look too often, never too seldom */
	if (*count != U8_MAX)
		WRITE_ONCE(*count, *count + (set_up ? 1 : -1));
	spin_unlock(&eh_registry);
}

void eh_vm_get(struct eh_vm *vm)
{
	kref_get(&vm->ref);
}

static void vm_release(struct kref *ref)
{
	struct eh_vm *vm = container_of(ref, struct eh_vm, ref);

	eh_bell_put(vm->bell);
	eh_events_put(vm->events);
	eh_vmm_put(vm->vmm);
	mmdrop(vm->mm);
	kfree(vm);
}

void eh_vm_put(struct eh_vm *vm)
{
	kref_put(&vm->ref, vm_release);
}

/* Under eh_registry. */
static struct eh_vm *find_by_kvm(struct eh_vmm *vmm, struct kvm *kvm)
{
	struct eh_vm *vm;

	lockdep_assert_held(&eh_registry);
	list_for_each_entry(vm, &vmm->vms, sibling)
		if (vm->kvm == kvm)
			return vm;
	return NULL;
}

/* May this VM have state here? It has spoken, or its VMM has a grant, and room for one more. */
enum eh_may eh_vm_may_speak(struct kvm *kvm)
{
	enum eh_may may = EH_MAY_NOT;
	struct eh_vmm *vmm;

	spin_lock(&eh_registry);
	vmm = eh_vmm_find(kvm->mm);
	/* a VM that has spoken keeps its VMM */
	if (vmm && find_by_kvm(vmm, kvm))
		may = EH_MAY;
	else if (vmm && eh_vmm_rights(vmm))
		may = vmm->vm_count < EH_VMS_PER_VMM ? EH_MAY : EH_MAY_NOT_MORE;
	spin_unlock(&eh_registry);
	return may;
}

/* Finds the VM of this KVM VM, with a reference. NULL: it has not spoken. */
struct eh_vm *eh_vm_find(struct kvm *kvm)
{
	struct eh_vm *vm;
	struct eh_vmm *vmm;

	spin_lock(&eh_registry);
	vmm = eh_vmm_find(kvm->mm);
	vm = vmm ? find_by_kvm(vmm, kvm) : NULL;
	if (vm)
		eh_vm_get(vm);
	spin_unlock(&eh_registry);
	return vm;
}

/*
 * The VM after @last, or the first (NULL), with a reference. NULL: there is none. Drops @last's
 * reference. If @last has left the list meanwhile, its number leads to the next one.
 */
struct eh_vm *eh_vm_next(struct eh_vm *last)
{
	struct list_head *at = &eh_vms;
	struct eh_vm *next = NULL;

	spin_lock(&eh_registry);
	if (last && !list_empty(&last->node))
		at = &last->node;
	for (at = at->next; at != &eh_vms; at = at->next) {
		next = list_entry(at, struct eh_vm, node);
		if (!last || next->sequence > last->sequence)
			break;
	}
	next = at != &eh_vms ? next : NULL;
	if (next)
		eh_vm_get(next);
	spin_unlock(&eh_registry);
	if (last)
		eh_vm_put(last);
	return next;
}

/* The next VM of one VMM after number @sequence. A VMM has at most 128. */
struct eh_vm *eh_vmm_vm_after(struct eh_vmm *vmm, u64 sequence)
{
	struct eh_vm *vm, *found = NULL;

	spin_lock(&eh_registry);
	list_for_each_entry(vm, &vmm->vms, sibling)
		if (vm->sequence > sequence) {
			found = vm;
			eh_vm_get(vm);
			break;
		}
	spin_unlock(&eh_registry);
	return found;
}

/* ---- the VM's work */

static void vm_work(struct work_struct *work)
{
	struct eh_vm *vm = container_of(to_delayed_work(work), struct eh_vm, work);

	if (eh_vcpus_give_back(vm)) {
		eh_vm_get(vm);
		if (!queue_delayed_work(eh_works, &vm->work, HZ / 10))
			eh_vm_put(vm);
	}
	eh_vm_put(vm);
}

/* ---- coming */

/* A VM that is in no list yet. */
static struct eh_vm *vm_new(struct kvm *kvm)
{
	struct eh_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	vm->bell = eh_bell_new(kvm);
	if (!vm->bell)
		goto err_vm;
	vm->events = eh_events_new(vm->bell);
	if (!vm->events)
		goto err_bell;
	vm->vmm = eh_vmm_of(kvm->mm);
	if (!vm->vmm)
		goto err_events;
	kref_init(&vm->ref);
	vm->kvm = kvm;
	vm->mm = kvm->mm;
	mmgrab(vm->mm);
	vm->pid = task_tgid_nr(current);
	INIT_LIST_HEAD(&vm->exports);
	INIT_LIST_HEAD(&vm->vcpus);
	INIT_DELAYED_WORK(&vm->work, vm_work);
	spin_lock_init(&vm->lock);
	eh_vm_apicv_init(vm);
	return vm;

err_events:
	eh_events_put(vm->events);
err_bell:
	eh_bell_put(vm->bell);
err_vm:
	kfree(vm);
	return NULL;
}

/*
 * Puts the VM into the lists, unless it is there already. NULL: its VMM may have no more VMs or
 * vCPUs, *limit. Counts the vCPU that comes next.
 */
static struct eh_vm *vm_enter(struct eh_vm *fresh, u32 *limit)
{
	struct eh_vmm *vmm = fresh->vmm;
	struct eh_vm *vm = NULL;

	spin_lock(&eh_registry);
	*limit = EH_VCPUS_PER_VMM;
	if (vmm->vcpu_count >= EH_VCPUS_PER_VMM)
		goto out;
	*limit = EH_VMS_PER_VMM;
	vm = find_by_kvm(vmm, fresh->kvm);
	if (!vm && vmm->vm_count < EH_VMS_PER_VMM) {
		vm = fresh;
		eh_vm_get(vm);
		vm->sequence = ++last_vm;
		vm->id = (u32)vm->sequence;
		list_add_tail(&vm->node, &eh_vms);
		list_add_tail(&vm->sibling, &vmm->vms);
		vmm->vm_count++;
	}
	if (vm)
		vmm->vcpu_count++;
out:
	spin_unlock(&eh_registry);
	return vm;
}

/* Under eh_registry. */
static void vm_leave(struct eh_vm *vm)
{
	lockdep_assert_held(&eh_registry);
	list_del_init(&vm->node);
	list_del(&vm->sibling);
	vm->vmm->vm_count--;
}

/*
 * Finds or makes the VM of a vCPU that speaks for the first time, or returns an error. The vCPU's
 * thread is in the hypercall, so the VM stays in the list until the vCPU is in the VM's list.
 */
static struct eh_vm *vm_of(struct kvm *kvm, u32 *limit)
{
	struct eh_vm *vm, *fresh = vm_new(kvm);

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	vm = vm_enter(fresh, limit);
	eh_vm_put(fresh);
	return vm ?: ERR_PTR(-EDQUOT);
}

/* Into its VM's list, if the VM may have one more. */
static bool vcpu_enter(struct eh_vcpu *vcpu)
{
	struct eh_vm *vm = vcpu->vm;
	bool may;

	spin_lock(&vm->lock);
	may = vm->vcpu_count < EH_VCPUS_PER_VM;
	spin_lock(&eh_registry);
	if (may) {
		vm->vcpu_count++;
		list_add_tail(&vcpu->node, &vm->vcpus);
		hash_add_rcu(eh_vcpus, &vcpu->hash, (unsigned long)vcpu->kvm_vcpu);
	} else {
		vm->vmm->vcpu_count--;
	}
	spin_unlock(&eh_registry);
	spin_unlock(&vm->lock);
	return may;
}

/* Finds the vCPU's state in *@found, or makes it at the first hypercall that needs it. In the
 * vCPU's own thread. */
int eh_vcpu_get(struct kvm_vcpu *kvm_vcpu, struct eh_vcpu **found, struct eh_refusal *refusal)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);
	u32 limit;
	int r;

	*found = vcpu;
	if (vcpu)
		return 0;
	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	vcpu->vm = vm_of(kvm_vcpu->kvm, &limit);
	if (IS_ERR(vcpu->vm)) {
		r = PTR_ERR(vcpu->vm);
		kfree(vcpu);
		if (r == -ENOMEM)
			return eh_refuse(refusal, r, ELISA_WHY_NO_MEMORY, 0);
		return eh_refuse(refusal, r, ELISA_WHY_QUOTA, limit);
	}
	vcpu->kvm_vcpu = kvm_vcpu;
	vcpu->cpu = -1;
	vcpu->exit_cr3 = EH_NO_ROOT;
	vcpu->closed = ELISA_CLOSED_NOT_ATTACHED;
	raw_spin_lock_init(&vcpu->lock);
	eh_watch_init(vcpu);
	if (!vcpu_enter(vcpu)) {
		/* its VM stays: 512 others are in it */
		kfree(vcpu);
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, EH_VCPUS_PER_VM);
	}
	*found = vcpu;
	return 0;
}

/* ---- going */

/* Shuts the attachment in a slot. Returns it with a reference, or NULL. */
static struct eh_attachment *shut_slot(struct eh_vm *vm, u32 slot, struct eh_kick *kick)
{
	struct eh_attachment *a;

	spin_lock(&vm->lock);
	a = vm->slots[slot];
	if (a)
		eh_attachment_shut(a, kick);
	/* one that is not complete is given back by the thread that makes it */
	if (a && a->number)
		kref_get(&a->ref);
	else
		a = NULL;
	spin_unlock(&vm->lock);
	return a;
}

/*
 * Ends the VM's present attachments. A thread of the VM may attach it meanwhile, in a slot that is
 * free already; that attachment is not shut, and stays. Runs in a thread or work of the VM, or of
 * its VMM's end. The lock is held for one attachment at a time, because managers wait for it.
 */
static void detach_all(struct eh_vm *vm)
{
	struct eh_attachment *shut[ELISA_SLOTS];
	struct eh_kick kick;
	u32 slot;

	eh_kick_begin(&kick);
	for (slot = 0; slot < ELISA_SLOTS; slot++)
		shut[slot] = shut_slot(vm, slot, &kick);
	eh_kick_end(&kick);
	for (slot = 0; slot < ELISA_SLOTS; slot++) {
		if (!shut[slot])
			continue;
		eh_attachment_finish(shut[slot], false);
		eh_attachment_free(shut[slot]);
		eh_attachment_put(shut[slot]);
	}
}

/* Ends all that the VM exports and all that it is attached to. */
void eh_vm_reset(struct eh_vm *vm)
{
	struct eh_export *export;

	detach_all(vm);
	while ((export = eh_export_next(vm, NULL))) {
		eh_export_kill(export);
		eh_export_put(export);
	}
	eh_events_clear(vm->events);
	eh_bell_silence(vm->bell);
	eh_vmm_unpin_unused(vm->vmm);
}

/*
 * Releases what a vCPU needs that is never entered again: contexts, the list page, and the hooks.
 * Moves the contexts to @gone. Under vm->lock.
 */
static void vcpu_strip(struct eh_vcpu *vcpu, struct list_head *gone)
{
	unsigned long flags;
	u64 *list;

	eh_vcpu_drop_contexts(vcpu, gone);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	list = vcpu->list;
	vcpu->list = NULL;
	vcpu->synced = false;
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	free_page((unsigned long)list);
	if (vcpu->counted) {
		eh_vcpu_set_up(vcpu, false);
		eh_hooks_disarm();
	}
}

/*
 * Ends a VM with a dead VMM address space. A process that was given the VM's files keeps the VM,
 * but can run no vCPU of it: KVM refuses threads of another address space, and none is left of this
 * one. So only the VM's records remain, since KVM's own structures may still lead to them.
 */
void eh_vm_end(struct eh_vm *vm)
{
	struct eh_vcpu *vcpu;
	LIST_HEAD(gone);

	eh_vm_reset(vm);
	spin_lock(&vm->lock);
	list_for_each_entry(vcpu, &vm->vcpus, node)
		vcpu_strip(vcpu, &gone);
	spin_unlock(&vm->lock);
	eh_contexts_free(&gone);
}

/* KVM frees this vCPU, which cannot run any more. The last vCPU takes the VM with it. */
void eh_vcpu_gone(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);
	struct eh_vm *vm;
	LIST_HEAD(gone);
	bool last;

	if (!vcpu)
		return;
	vm = vcpu->vm;
	eh_watch_end(vcpu);
	spin_lock(&vm->lock);
	vcpu_strip(vcpu, &gone);
	list_del(&vcpu->node);
	vm->vcpu_count--;
	last = list_empty(&vm->vcpus);
	spin_lock(&eh_registry);
	hash_del_rcu(&vcpu->hash);
	vm->vmm->vcpu_count--;
	if (last)
		vm_leave(vm);
	spin_unlock(&eh_registry);
	spin_unlock(&vm->lock);
	eh_contexts_free(&gone);
	kfree_rcu(vcpu, rcu);
	if (last) {
		eh_vm_reset(vm);
		/* one that waits for its time would not be found when the module goes */
		eh_vm_work_soon(vm);
		eh_vm_put(vm);
	}
}

static void forget_vcpus(struct eh_vm *vm)
{
	struct eh_vcpu *vcpu, *next;

	spin_lock(&vm->lock);
	list_for_each_entry_safe(vcpu, next, &vm->vcpus, node) {
		eh_watch_end(vcpu);
		spin_lock(&eh_registry);
		hash_del_rcu(&vcpu->hash);
		vm->vmm->vcpu_count--;
		spin_unlock(&eh_registry);
		list_del(&vcpu->node);
		kfree_rcu(vcpu, rcu);
	}
	spin_unlock(&vm->lock);
}

/*
 * Cleans up when the module is unloaded: nothing is attached or exported, and no hypercall is
 * answered. Frees the slots of revoked attachments while the hooks are still in place, which gives
 * VMs their APICv back.
 */
void eh_vms_stop(void)
{
	struct eh_vm *vm = NULL;

	while ((vm = eh_vm_next(vm))) {
		eh_vm_reset(vm);
		eh_vm_leave_apicv(vm);
	}
}

/* After that, and no hook runs any more. */
void eh_vms_free(void)
{
	struct eh_vm *vm;

	while ((vm = eh_vm_next(NULL))) {
		if (cancel_delayed_work_sync(&vm->work))
			eh_vm_put(vm);
		forget_vcpus(vm);
		spin_lock(&eh_registry);
		vm_leave(vm);
		spin_unlock(&eh_registry);
		eh_vm_put(vm);
		eh_vm_put(vm);
	}
	rcu_barrier();
}
