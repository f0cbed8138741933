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
static u32 next_grant = 1; /* elisa_registry */

static bool name_matches(const char *pattern, const char *name)
{
	size_t length = strnlen(pattern, ELISA_NAME_SIZE);

	if (length && pattern[length - 1] == '*')
		return !strncmp(pattern, name, length - 1);
	return !strncmp(pattern, name, ELISA_NAME_SIZE);
}

/* What the VMM's VMs may do. Under elisa_registry. */
u32 elisa_vmm_rights(struct elisa_vmm *vmm)
{
	struct elisa_grant *grant;
	u32 rights = 0;

	lockdep_assert_held(&elisa_registry);
	if (vmm->gone)
		return 0;
	list_for_each_entry(grant, &vmm->grants, node)
		rights |= grant->rights;
	return rights;
}

/* The same by address space: there may be no grant. */
u32 elisa_grant_rights(struct mm_struct *mm)
{
	struct elisa_vmm *vmm;
	u32 rights;

	spin_lock(&elisa_registry);
	vmm = elisa_vmm_find(mm);
	rights = vmm ? elisa_vmm_rights(vmm) : 0;
	spin_unlock(&elisa_registry);
	return rights;
}

/* The terms on which the VMM's VMs have @right on @name. False: they have not. */
bool elisa_grant_find(struct elisa_vmm *vmm, u32 right, const char *name, struct elisa_terms *terms)
{
	struct elisa_grant *grant;
	bool found = false;

	spin_lock(&elisa_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if ((grant->rights & right) && name_matches(grant->name, name)) {
			*terms = (struct elisa_terms){grant->id, grant->rights, grant->max_pages};
			found = !vmm->gone;
			break;
		}
	spin_unlock(&elisa_registry);
	return found;
}

/* Is it still there? Under elisa_registry. */
bool elisa_grant_holds(struct elisa_vmm *vmm, u32 id)
{
	struct elisa_grant *grant;

	lockdep_assert_held(&elisa_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if (grant->id == id)
			return !vmm->gone;
	return false;
}

/* The limit of a grant of the VMM's; 0: it was taken back. */
u64 elisa_grant_max_pages(struct elisa_vmm *vmm, u32 id)
{
	struct elisa_grant *grant;
	u64 pages = 0;

	spin_lock(&elisa_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if (grant->id == id)
			pages = vmm->gone ? 0 : grant->max_pages;
	spin_unlock(&elisa_registry);
	return pages;
}

/* The most that one of the VMM's grants with @right allows it. */
u64 elisa_grants_max_pages(struct elisa_vmm *vmm, u32 right)
{
	struct elisa_grant *grant;
	u64 pages = 0;

	spin_lock(&elisa_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if (grant->rights & right)
			pages = max(pages, grant->max_pages);
	spin_unlock(&elisa_registry);
	return pages;
}

/*
 * The exports that were published under the grant end for their guests, and go to @ended: their
 * memory is let go later, for that waits for their managers' threads.
 */
static void end_exports(u32 id, struct list_head *ended)
{
	struct elisa_export *export = NULL;

	while ((export = elisa_export_next(NULL, export)))
		/* out of the directory's lists, it is in ours */
		if (export->terms.grant_id == id && elisa_export_end(export))
			list_add_tail(&export->node, ended);
}

static bool end_attachments(struct elisa_vm *vm, u32 id)
{
	struct elisa_attachment *a;
	bool found = false;
	u32 slot;

	for (slot = 0; slot < ELISA_SLOTS; slot++) {
		a = elisa_attachment_in(vm, slot);
		if (!a)
			continue;
		if (a->grant_id == id) {
			elisa_attachment_revoke(a);
			found = true;
		}
		elisa_attachment_put(a);
	}
	return found;
}

/*
 * What was published or attached under a grant ends with it. True: there was something. All of it
 * ends before the first wait for a thread of a manager's.
 */
static bool end_of_grant(u32 id)
{
	struct elisa_export *export, *next;
	struct elisa_vm *vm = NULL;
	LIST_HEAD(ended);
	bool found;

	end_exports(id, &ended);
	found = !list_empty(&ended);
	while ((vm = elisa_vm_next(vm)))
		found |= end_attachments(vm, id);
	list_for_each_entry_safe(export, next, &ended, node) {
		list_del(&export->node);
		elisa_export_let_go(export);
	}
	return found;
}

/* Under elisa_registry: out of the lists. Then grant_free(). */
static void unlink_grant(struct elisa_grant *grant)
{
	list_del(&grant->node);
	list_del(&grant->all);
}

static void grant_free(struct elisa_grant *grant)
{
	elisa_vmm_put(grant->vmm);
	kfree(grant);
}

/* A grant of the VMM's, or of any VMM's, that is in no list any more; or NULL. */
static struct elisa_grant *take_grant(struct elisa_vmm *vmm)
{
	struct elisa_grant *grant;

	spin_lock(&elisa_registry);
	grant = vmm ? list_first_entry_or_null(&vmm->grants, struct elisa_grant, node) :
		      list_first_entry_or_null(&elisa_grants, struct elisa_grant, all);
	if (grant)
		unlink_grant(grant);
	spin_unlock(&elisa_registry);
	return grant;
}

/* All grants of a VMM that is gone, or all. What was made under them ends with the VMs. */
void elisa_grants_drop(struct elisa_vmm *vmm)
{
	struct elisa_grant *grant;

	while ((grant = take_grant(vmm)))
		grant_free(grant);
}

int elisa_grant_add(struct elisa_host_grant *request)
{
	struct elisa_grant *grant;
	struct task_struct *task;
	struct elisa_vmm *vmm;
	struct mm_struct *mm;
	struct pid *pid;

	if (!request->rights || (request->rights & ~ELISA_GRANT_RIGHTS) || request->pad ||
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
		spin_lock(&elisa_registry);
		grant->id = request->id = next_grant++;
		list_add_tail(&grant->node, &vmm->grants);
		list_add_tail(&grant->all, &elisa_grants);
		spin_unlock(&elisa_registry);
	}
	mmput(mm);
	put_task_struct(task);
	return PTR_ERR_OR_ZERO(vmm);
}

/*
 * Takes a grant back; what was published or attached under it ends at once. A request that has
 * found the grant before looks for it once more when it puts something in a list.
 */
int elisa_grant_remove(u32 id)
{
	struct elisa_grant *grant, *found = NULL;
	bool ended;

	spin_lock(&elisa_registry);
	list_for_each_entry(grant, &elisa_grants, all)
		if (grant->id == id) {
			found = grant;
			unlink_grant(grant);
			break;
		}
	spin_unlock(&elisa_registry);
	if (found)
		grant_free(found);
	ended = end_of_grant(id);
	return found || ended ? 0 : -ENOENT;
}

/* The module goes. A VMM that ends may drop its own at the same time. */
void elisa_grants_free(void)
{
	elisa_grants_drop(NULL);
}
