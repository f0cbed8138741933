// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processes that attached. When one ends, however it ends, its attachments are gone
 * from the host before its page tables are freed: the mmu notifier sees to it. A process
 * may be freed by its notifier only.
 */
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "guest.h"

static LIST_HEAD(processes); /* RCU */
static DEFINE_SPINLOCK(processes_lock);

static struct eg_process *to_process(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct eg_process, notifier);
}

static struct mmu_notifier *process_alloc(struct mm_struct *mm)
{
	struct eg_process *process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);

	if (!process)
		return ERR_PTR(-ENOMEM);
	process->mm = mm;
	mutex_init(&process->attach_lock);
	mutex_init(&process->lock);
	INIT_LIST_HEAD(&process->attachments);
	spin_lock_bh(&processes_lock);
	list_add_rcu(&process->node, &processes);
	spin_unlock_bh(&processes_lock);
	return &process->notifier;
}

/* The last thread is gone (exit, kill, exec); the page tables are still there. */
static void process_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	eg_detach_all(to_process(notifier), NULL);
}

/* No reference is left: no file, no mapping of the window. */
static void process_free(struct mmu_notifier *notifier)
{
	struct eg_process *process = to_process(notifier);
	u32 slot;

	spin_lock_bh(&processes_lock);
	list_del_rcu(&process->node);
	spin_unlock_bh(&processes_lock);
	for (slot = 0; slot < ELISA_SLOTS; slot++)
		free_page((unsigned long)process->stub[slot]);
	kfree_rcu(process, rcu);
}

static const struct mmu_notifier_ops process_ops = {
	.release = process_release,
	.alloc_notifier = process_alloc,
	.free_notifier = process_free,
};

/* The process of this mm, made if it is new. Takes mmap_lock. */
struct eg_process *eg_process_get(struct mm_struct *mm)
{
	struct mmu_notifier *notifier = mmu_notifier_get(&process_ops, mm);

	return IS_ERR(notifier) ? ERR_CAST(notifier) : to_process(notifier);
}

void eg_process_put(struct eg_process *process)
{
	mmu_notifier_put(&process->notifier);
}

/* Waits until all are freed: their functions are the module's. */
void eg_processes_exit(void)
{
	mmu_notifier_synchronize();
}

/* Under RCU; NULL: the process has never attached. */
static struct eg_process *process_find(struct mm_struct *mm)
{
	struct eg_process *process;

	list_for_each_entry_rcu(process, &processes, node)
		if (process->mm == mm)
			return process;
	return NULL;
}

/* Where the VMFUNC of a slot's stub ends. From any context; false: no such stub. */
bool eg_process_stub_entry(struct mm_struct *mm, u32 slot, u32 *entry)
{
	struct eg_process *process;

	rcu_read_lock();
	process = process_find(mm);
	*entry = process ? READ_ONCE(process->entry[slot]) : 0;
	rcu_read_unlock();
	return *entry;
}

/* From any context. */
bool eg_process_has_window(struct mm_struct *mm)
{
	struct eg_process *process;
	bool window;

	rcu_read_lock();
	process = process_find(mm);
	window = process && READ_ONCE(process->window);
	rcu_read_unlock();
	return window;
}
