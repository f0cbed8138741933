// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants: what the administrator allows which VMM process. A VM is its VMM's address
 * space, chosen by process; nothing that a VM says about itself is ever a reason to allow.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "elisa.h"

LIST_HEAD(elisa_grants);
static u32 next_grant = 1; /* elisa_lock */

static bool name_matches(const char *pattern, const char *name)
{
	size_t length = strnlen(pattern, ELISA_NAME_SIZE);

	if (length && pattern[length - 1] == '*')
		return !strncmp(pattern, name, length - 1);
	return !strncmp(pattern, name, ELISA_NAME_SIZE);
}

static bool is_for(struct elisa_grant *grant, struct mm_struct *mm)
{
	return grant->vmm->mm == mm && !READ_ONCE(grant->vmm->gone);
}

/* The grant by which @mm's VMs have @right on @name, or NULL. Under elisa_lock. */
struct elisa_grant *elisa_grant_find(struct mm_struct *mm, u32 right, const char *name)
{
	struct elisa_grant *grant;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(grant, &elisa_grants, node)
		if (is_for(grant, mm) && (grant->rights & right) && name_matches(grant->name, name))
			return grant;
	return NULL;
}

u32 elisa_grant_rights(struct mm_struct *mm)
{
	struct elisa_grant *grant;
	u32 rights = 0;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(grant, &elisa_grants, node)
		if (is_for(grant, mm))
			rights |= grant->rights;
	return rights;
}

/*
 * What @mm's VMs have done cost so much. Returns how long they have to wait for it. Under
 * elisa_lock.
 */
u64 elisa_grant_charge(struct mm_struct *mm, u64 now, u64 cost, u64 burst)
{
	struct elisa_grant *grant;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(grant, &elisa_grants, node)
		if (is_for(grant, mm)) {
			elisa_bucket_take(&grant->calls, now, cost);
			return elisa_bucket_wait(&grant->calls, now, burst);
		}
	/* all of them were taken back: nothing to save up in */
	return cost;
}

static void grant_free(struct elisa_grant *grant)
{
	list_del(&grant->node);
	elisa_vmm_put(grant->vmm);
	kfree(grant);
}

/* What was published or attached under a grant ends with it. True: there was something. */
static bool end_of_grant(u32 id)
{
	struct elisa_export *export, *next;
	struct elisa_vm *vm;
	bool found = false;
	int i;

	list_for_each_entry_safe(export, next, &elisa_exports, all)
		if (export->grant_id == id) {
			elisa_export_kill(export);
			found = true;
		}
	list_for_each_entry(vm, &elisa_vms, node)
		for (i = 0; i < ELISA_SLOTS; i++)
			if (vm->slots[i] && vm->slots[i]->grant_id == id) {
				elisa_attachment_revoke(vm->slots[i]);
				found = true;
			}
	return found;
}

/* Those of VMMs that are gone. What was made under them ends with their VMs. Under elisa_lock. */
void elisa_grants_drop_stale(void)
{
	struct elisa_grant *grant, *next;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry_safe(grant, next, &elisa_grants, node)
		if (READ_ONCE(grant->vmm->gone))
			grant_free(grant);
}

/* The limit of a grant; 0 if it is gone. Under elisa_lock. */
u64 elisa_grant_max_pages(u32 id)
{
	struct elisa_grant *grant;

	list_for_each_entry(grant, &elisa_grants, node)
		if (grant->id == id)
			return grant->max_pages;
	return 0;
}

/* The most that one of the VM's grants with @right allows it. Under elisa_lock. */
u64 elisa_grants_max_pages(struct elisa_vm *vm, u32 right)
{
	struct elisa_grant *grant;
	u64 pages = 0;

	list_for_each_entry(grant, &elisa_grants, node)
		if (is_for(grant, vm->mm) && (grant->rights & right)) {
			elisa_vm_join(vm, grant->vmm);
			pages = max(pages, grant->max_pages);
		}
	return pages;
}

int elisa_grant_add(struct elisa_host_grant *request)
{
	const u32 known = ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH | ELISA_GRANT_TRUSTED_MANAGER |
			  ELISA_GRANT_ALLOW_PCID;
	struct elisa_grant *grant;
	struct task_struct *task;
	struct elisa_vmm *vmm;
	struct mm_struct *mm;
	struct pid *pid;

	if (!request->rights || (request->rights & ~known) || request->pad ||
	    !(request->rights & (ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH)) || !request->name[0] ||
	    strnlen(request->name, ELISA_NAME_SIZE) == ELISA_NAME_SIZE)
		return -EINVAL;
	pid = find_get_pid(request->pid);
	if (!pid)
		return -ESRCH;
	task = get_pid_task(pid, PIDTYPE_TGID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	if (!mm) {
		put_task_struct(task);
		return -ESRCH;
	}
	grant = kzalloc(sizeof(*grant), GFP_KERNEL);
	vmm = grant ? elisa_vmm_get(mm) : ERR_PTR(-ENOMEM);
	if (IS_ERR(vmm)) {
		kfree(grant);
	} else {
		grant->vmm = vmm;
		grant->pid = task_tgid_nr(task);
		grant->rights = request->rights;
		grant->max_pages = request->max_pages ?: elisa_default_max_pages;
		memcpy(grant->name, request->name, ELISA_NAME_SIZE);
		mutex_lock(&elisa_lock);
		grant->id = request->id = next_grant++;
		list_add_tail(&grant->node, &elisa_grants);
		mutex_unlock(&elisa_lock);
	}
	mmput(mm);
	put_task_struct(task);
	return PTR_ERR_OR_ZERO(vmm);
}

/* Takes a grant back; what was published or attached under it ends at once. */
int elisa_grant_remove(u32 id)
{
	struct elisa_grant *grant, *next;
	bool found = false;

	mutex_lock(&elisa_lock);
	list_for_each_entry_safe(grant, next, &elisa_grants, node)
		if (grant->id == id) {
			grant_free(grant);
			found = true;
		}
	found |= end_of_grant(id);
	mutex_unlock(&elisa_lock);
	return found ? 0 : -ENOENT;
}

void elisa_grants_free(void)
{
	struct elisa_grant *grant, *next;

	mutex_lock(&elisa_lock);
	list_for_each_entry_safe(grant, next, &elisa_grants, node)
		grant_free(grant);
	mutex_unlock(&elisa_lock);
}
