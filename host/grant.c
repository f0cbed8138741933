// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants: what the administrator allows which VMM process. A VM is its VMM's address
 * space, chosen by process; nothing that a VM says about itself is ever a reason to allow.
 */
#include <linux/fs.h>
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

/* The grant by which @mm's VMs have @right on @name, or NULL. Under elisa_lock. */
struct elisa_grant *elisa_grant_find(struct mm_struct *mm, u32 right, const char *name)
{
	struct elisa_grant *grant;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(grant, &elisa_grants, node)
		if (grant->mm == mm && (grant->rights & right) && name_matches(grant->name, name))
			return grant;
	return NULL;
}

u32 elisa_grant_rights(struct mm_struct *mm)
{
	struct elisa_grant *grant;
	u32 rights = 0;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(grant, &elisa_grants, node)
		if (grant->mm == mm)
			rights |= grant->rights;
	return rights;
}

/* What @mm's VMs have done cost so much. Returns how long they have to wait for it. Under elisa_lock. */
u64 elisa_grant_charge(struct mm_struct *mm, u64 now, u64 cost, u64 burst)
{
	struct elisa_grant *grant;

	lockdep_assert_held(&elisa_lock);
	list_for_each_entry(grant, &elisa_grants, node)
		if (grant->mm == mm) {
			elisa_bucket_take(&grant->calls, now, cost);
			return elisa_bucket_wait(&grant->calls, now, burst);
		}
	return 0;
}

static void grant_free(struct elisa_grant *grant)
{
	list_del(&grant->node);
	mmdrop(grant->mm);
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

/*
 * A VMM that has exited leaves its grants behind, and its VM may live on in a process that it
 * gave its files to: the grant was not for that one. Dropped when somebody looks.
 */
static void drop_stale(void)
{
	struct elisa_grant *grant, *next;
	u32 id;

	list_for_each_entry_safe(grant, next, &elisa_grants, node)
		if (!atomic_read(&grant->mm->mm_users)) {
			id = grant->id;
			grant_free(grant);
			end_of_grant(id);
		}
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

int elisa_grant_add(struct elisa_host_grant *request)
{
	const u32 known = ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH | ELISA_GRANT_TRUSTED_MANAGER |
			  ELISA_GRANT_ALLOW_PCID;
	struct elisa_grant *grant;
	struct task_struct *task;
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
	if (grant) {
		mmgrab(mm);
		grant->mm = mm;
		grant->pid = task_tgid_nr(task);
		grant->rights = request->rights;
		grant->max_pages = request->max_pages ?: elisa_default_max_pages;
		memcpy(grant->name, request->name, ELISA_NAME_SIZE);
		mutex_lock(&elisa_lock);
		drop_stale();
		grant->id = request->id = next_grant++;
		list_add_tail(&grant->node, &elisa_grants);
		mutex_unlock(&elisa_lock);
	}
	mmput(mm);
	put_task_struct(task);
	return grant ? 0 : -ENOMEM;
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

	list_for_each_entry_safe(grant, next, &elisa_grants, node)
		grant_free(grant);
}
