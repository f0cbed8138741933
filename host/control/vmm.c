// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMMs: address spaces that were granted something. When the last thread of one has left it, its
 * grants and all that its VMs have end, also if another process still holds the VMs' files.
 *
 * The kernel says so by mmu_notifier's release(), in exit_mmap(). Nothing is done there but a mark,
 * and a work of this VMM's does the rest: so an exit waits for no lock of ours, and mmput() may
 * be called anywhere. Until the work has run, the mark keeps the grants from being used.
 * Registering takes the address space's mmap_lock, which its threads may hold for long: only the
 * administrator, who grants, waits for it, and may be killed.
 *
 * The kernel knows one notifier of ours for each address space, and counts how often it is asked
 * for it. It frees the notifier, and with it the VMM, only after each release() that has begun.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static DEFINE_HASHTABLE(vmms, 8); /* eh_registry */

/* The work has a reference, so the VMM is there. */
static void end_gone(struct work_struct *work)
{
	struct eh_vmm *vmm = container_of(work, struct eh_vmm, ending);
	struct eh_vm *vm;
	u64 at = 0;

	eh_grants_drop(vmm);
	while ((vm = eh_vmm_vm_after(vmm, at))) {
		at = vm->sequence;
		eh_vm_end(vm);
		eh_vm_put(vm);
	}
	eh_vmm_put(vmm);
}

static void unpin(struct work_struct *work)
{
	struct eh_vmm *vmm = container_of(work, struct eh_vmm, unpinning);

	eh_vmm_unpin_unused(vmm);
	eh_vmm_put(vmm);
}

static void look_for_failures(struct work_struct *work)
{
	struct eh_vmm *vmm = container_of(work, struct eh_vmm, failure);

	eh_failure_look_at_givers(vmm);
	eh_vmm_put(vmm);
}

static void look_for_failures_of_objects(struct work_struct *work)
{
	struct eh_vmm *vmm = container_of(work, struct eh_vmm, object_failure);

	eh_failure_look_at_objects(vmm);
	eh_vmm_put(vmm);
}

static struct eh_vmm *vmm_of(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct eh_vmm, notifier);
}

static struct mmu_notifier *notifier_new(struct mm_struct *mm)
{
	struct eh_vmm *vmm = kzalloc(sizeof(*vmm), GFP_KERNEL);

	if (!vmm)
		return ERR_PTR(-ENOMEM);
	vmm->mm = mm;
	INIT_LIST_HEAD(&vmm->grants);
	INIT_LIST_HEAD(&vmm->vms);
	INIT_LIST_HEAD(&vmm->unused);
	INIT_WORK(&vmm->ending, end_gone);
	INIT_WORK(&vmm->unpinning, unpin);
	INIT_WORK(&vmm->failure, look_for_failures);
	INIT_WORK(&vmm->object_failure, look_for_failures_of_objects);
	mutex_init(&vmm->lock);
	xa_init_flags(&vmm->folios, XA_FLAGS_ACCOUNT);
	return &vmm->notifier;
}

static void notifier_free(struct mmu_notifier *notifier)
{
	struct eh_vmm *vmm = vmm_of(notifier);

	WARN_ON(vmm->pins || vmm->tables || vmm->export_count || vmm->vm_count);
	xa_destroy(&vmm->folios);
	kfree(vmm);
}

static void mm_released(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct eh_vmm *vmm = vmm_of(notifier);

	spin_lock(&eh_registry);
	vmm->gone = true;
	/* without references there is nothing to end; it happens once, so the work is not queued */
	if (vmm->refs) {
		vmm->refs++;
		queue_work(eh_slow_works, &vmm->ending);
	}
	spin_unlock(&eh_registry);
}

static const struct mmu_notifier_ops notifier_ops = {
	.alloc_notifier = notifier_new,
	.free_notifier = notifier_free,
	.release = mm_released,
};

/* Finds or makes the VMM of @mm, with a reference. The caller holds a user of @mm (mm_users), and
 * no lock. */
struct eh_vmm *eh_vmm_get(struct mm_struct *mm)
{
	struct mmu_notifier *notifier;
	struct eh_vmm *vmm;
	bool first;

	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	notifier = mmu_notifier_get_locked(&notifier_ops, mm);
	mmap_write_unlock(mm);
	if (IS_ERR(notifier))
		return ERR_CAST(notifier);
	vmm = vmm_of(notifier);
	spin_lock(&eh_registry);
	first = !vmm->refs++;
	if (first)
		hash_add(vmms, &vmm->hash, (unsigned long)mm);
	spin_unlock(&eh_registry);
	/* all our references together are one to the notifier */
	if (!first)
		mmu_notifier_put(notifier);
	return vmm;
}

void eh_vmm_put(struct eh_vmm *vmm)
{
	bool last;

	spin_lock(&eh_registry);
	last = !--vmm->refs;
	if (last)
		hash_del(&vmm->hash);
	spin_unlock(&eh_registry);
	if (last)
		mmu_notifier_put(&vmm->notifier);
}

/* Finds the VMM with the address space @mm, or NULL. Under eh_registry. */
struct eh_vmm *eh_vmm_find(struct mm_struct *mm)
{
	struct eh_vmm *vmm;

	lockdep_assert_held(&eh_registry);
	hash_for_each_possible(vmms, vmm, hash, (unsigned long)mm)
		if (vmm->mm == mm)
			return vmm;
	return NULL;
}

/* The same with a reference. */
struct eh_vmm *eh_vmm_of(struct mm_struct *mm)
{
	struct eh_vmm *vmm;

	spin_lock(&eh_registry);
	vmm = eh_vmm_find(mm);
	if (vmm)
		vmm->refs++;
	spin_unlock(&eh_registry);
	return vmm;
}

/* Charges the VMM for what its VMs have done. Returns how long they must wait for it. */
u64 eh_vmm_charge(struct mm_struct *mm, u64 now, u64 cost, u64 burst)
{
	struct eh_vmm *vmm;
	u64 wait = 0;

	spin_lock(&eh_registry);
	vmm = eh_vmm_find(mm);
	if (vmm) {
		eh_bucket_take(&vmm->calls, now, cost);
		wait = eh_bucket_wait(&vmm->calls, now, burst);
	}
	spin_unlock(&eh_registry);
	return wait;
}

/* ---- pages that no CPU can reach any more
 *
 * Unpinning takes vmm->lock, which threads of the VMM hold while they are charged for memory or get
 * no processor. So no thread of another tenant does it. There is one work for it, so that one VMM
 * makes one worker wait at most.
 */

/* The caller, or the VMM's work, unpins the run. */
void eh_vmm_leave(struct eh_vmm *vmm, struct eh_run *run)
{
	spin_lock(&eh_registry);
	list_add_tail(&run->node, &vmm->unused);
	spin_unlock(&eh_registry);
}

/* A thread or work of the VMM's own: may sleep. */
void eh_vmm_unpin_unused(struct eh_vmm *vmm)
{
	struct eh_run *run, *next;
	LIST_HEAD(unused);

	spin_lock(&eh_registry);
	list_splice_init(&vmm->unused, &unused);
	spin_unlock(&eh_registry);
	list_for_each_entry_safe(run, next, &unused, node) {
		list_del(&run->node);
		eh_run_free(vmm, run);
	}
}

/* Queues a work of the VMM's, with a reference to the VMM. The caller has one. */
static void work_soon(struct eh_vmm *vmm, struct workqueue_struct *works, struct work_struct *work)
{
	spin_lock(&eh_registry);
	if (queue_work(works, work))
		vmm->refs++;
	spin_unlock(&eh_registry);
}

void eh_vmm_unpin_soon(struct eh_vmm *vmm)
{
	work_soon(vmm, eh_slow_works, &vmm->unpinning);
}

void eh_vmm_failure_soon(struct eh_vmm *vmm)
{
	work_soon(vmm, eh_works, &vmm->failure);
	work_soon(vmm, eh_slow_works, &vmm->object_failure);
}

static bool none_left(void)
{
	bool none;

	spin_lock(&eh_registry);
	none = hash_empty(vmms);
	spin_unlock(&eh_registry);
	return none;
}

/* There are no grants and no VMs any more. */
void eh_vmm_exit(void)
{
	/* works of VMMs that have gone have references still, and may have queued others */
	flush_workqueue(eh_works);
	flush_workqueue(eh_slow_works);
	while (!none_left()) {
		msleep(20);
		flush_workqueue(eh_works);
		flush_workqueue(eh_slow_works);
	}
	mmu_notifier_synchronize();
}
