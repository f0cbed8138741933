// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMMs: address spaces that were granted something. When the last thread of one has left it, its
 * grants and all that its VMs have end, also if another process still holds the VMs' files.
 *
 * The kernel says so by mmu_notifier's release(), in exit_mmap(). Nothing is done there but a mark,
 * and a work does the rest under elisa_lock: so an exit waits for no lock of ours, and mmput() may
 * be called anywhere. Until the work has run, the mark keeps the grants from being used.
 * Registering takes the address space's mmap_lock, which its threads may hold for long: only the
 * administrator, who grants, waits for it, and may be killed.
 *
 * The kernel knows one notifier of ours for each address space, and counts how often it is asked
 * for it. It frees the notifier, and with it the VMM, only after each release() that has begun.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "elisa.h"

static void end_gone(struct work_struct *work)
{
	struct elisa_vm *vm;

	mutex_lock(&elisa_lock);
	elisa_grants_drop_stale();
	list_for_each_entry(vm, &elisa_vms, node)
		if (vm->vmm && READ_ONCE(vm->vmm->gone))
			elisa_vm_end(vm);
	mutex_unlock(&elisa_lock);
}

static DECLARE_WORK(ending, end_gone);

static struct elisa_vmm *vmm_of(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct elisa_vmm, notifier);
}

static struct mmu_notifier *notifier_new(struct mm_struct *mm)
{
	struct elisa_vmm *vmm = kzalloc(sizeof(*vmm), GFP_KERNEL);

	if (!vmm)
		return ERR_PTR(-ENOMEM);
	vmm->mm = mm;
	mutex_init(&vmm->lock);
	xa_init_flags(&vmm->folios, XA_FLAGS_ACCOUNT);
	return &vmm->notifier;
}

static void notifier_free(struct mmu_notifier *notifier)
{
	struct elisa_vmm *vmm = vmm_of(notifier);

	WARN_ON(vmm->pins);
	xa_destroy(&vmm->folios);
	kfree(vmm);
}

static void mm_released(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	WRITE_ONCE(vmm_of(notifier)->gone, true);
	queue_work(system_unbound_wq, &ending);
}

static const struct mmu_notifier_ops notifier_ops = {
	.alloc_notifier = notifier_new,
	.free_notifier = notifier_free,
	.release = mm_released,
};

/* A reference. The caller has a user of @mm (mm_users), and not elisa_lock. */
struct elisa_vmm *elisa_vmm_get(struct mm_struct *mm)
{
	struct mmu_notifier *notifier;
	struct elisa_vmm *vmm;

	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	notifier = mmu_notifier_get_locked(&notifier_ops, mm);
	mmap_write_unlock(mm);
	if (IS_ERR(notifier))
		return ERR_CAST(notifier);
	vmm = vmm_of(notifier);
	mutex_lock(&elisa_lock);
	/* all our references together are one to the notifier */
	if (vmm->refs++)
		mmu_notifier_put(notifier);
	mutex_unlock(&elisa_lock);
	return vmm;
}

/* Under elisa_lock. */
void elisa_vmm_put(struct elisa_vmm *vmm)
{
	lockdep_assert_held(&elisa_lock);
	if (!--vmm->refs)
		mmu_notifier_put(&vmm->notifier);
}

/*
 * The VM uses a grant of @vmm, which is its own: what it pins is counted there. Under elisa_lock.
 */
void elisa_vm_join(struct elisa_vm *vm, struct elisa_vmm *vmm)
{
	lockdep_assert_held(&elisa_lock);
	if (vm->vmm)
		return;
	vmm->refs++;
	vm->vmm = vmm;
}

/* There are no grants and no VMs any more. */
void elisa_vmm_exit(void)
{
	mmu_notifier_synchronize();
	flush_work(&ending);
}
