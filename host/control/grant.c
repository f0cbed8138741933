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

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static u32 next_grant = 1; /* eh_registry */

static bool name_matches(const char *pattern, const char *name)
{
	size_t length = strnlen(pattern, ELISA_NAME_SIZE);

	if (length && pattern[length - 1] == '*')
		return !strncmp(pattern, name, length - 1);
	return !strncmp(pattern, name, ELISA_NAME_SIZE);
}

/* What the VMM's VMs may do. Under eh_registry. */
u32 eh_vmm_rights(struct eh_vmm *vmm)
{
	struct eh_grant *grant;
	u32 rights = 0;

	lockdep_assert_held(&eh_registry);
	if (vmm->gone)
		return 0;
	list_for_each_entry(grant, &vmm->grants, node)
		rights |= grant->rights;
	return rights;
}

/* The same by address space: there may be no grant. */
u32 eh_grant_rights(struct mm_struct *mm)
{
	struct eh_vmm *vmm;
	u32 rights;

	spin_lock(&eh_registry);
	vmm = eh_vmm_find(mm);
	rights = vmm ? eh_vmm_rights(vmm) : 0;
	spin_unlock(&eh_registry);
	return rights;
}

/* Finds the terms on which the VMM's VMs have @right on @name. False: they do not have it. */
bool eh_grant_find(struct eh_vmm *vmm, u32 right, const char *name, struct eh_terms *terms)
{
	struct eh_grant *grant;
	bool found = false;

	spin_lock(&eh_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if ((grant->rights & right) && name_matches(grant->name, name)) {
			*terms = (struct eh_terms){grant->id, grant->rights, grant->max_pages};
			found = !vmm->gone;
			break;
		}
	spin_unlock(&eh_registry);
	return found;
}

/* Is it still there? Under eh_registry. */
bool eh_grant_holds(struct eh_vmm *vmm, u32 id)
{
	struct eh_grant *grant;

	lockdep_assert_held(&eh_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if (grant->id == id)
			return !vmm->gone;
	return false;
}

/* The limit of a grant of the VMM. 0: the grant was revoked. */
u64 eh_grant_max_pages(struct eh_vmm *vmm, u32 id)
{
	struct eh_grant *grant;
	u64 pages = 0;

	spin_lock(&eh_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if (grant->id == id)
			pages = vmm->gone ? 0 : grant->max_pages;
	spin_unlock(&eh_registry);
	return pages;
}

/* The largest limit of the VMM's grants with @right. */
u64 eh_grants_max_pages(struct eh_vmm *vmm, u32 right)
{
	struct eh_grant *grant;
	u64 pages = 0;

	spin_lock(&eh_registry);
	list_for_each_entry(grant, &vmm->grants, node)
		if (grant->rights & right)
			pages = max(pages, grant->max_pages);
	spin_unlock(&eh_registry);
	return pages;
}

/*
 * Ends the exports that were published under the grant for their guests, and moves them to @ended.
 * Their memory is released later, since that waits for their managers' threads.
 */
static void end_exports(u32 id, struct list_head *ended)
{
	struct eh_export *export = eh_export_next(NULL, NULL), *next;

	for (; export; export = next) {
		/* first: an export that has left the list has no next one at hand */
		kref_get(&export->ref);
		next = eh_export_next(NULL, export);
		/* out of the directory's lists, it is in ours */
		if (export->terms.grant_id == id && eh_export_end(export))
			list_add_tail(&export->node, ended);
		eh_export_put(export);
	}
}

/*
 * Ends what was published or attached under a grant. True: there was something. All of it ends
 * before the first wait for a manager's thread.
 */
static bool end_of_grant(u32 id)
{
	struct eh_export *export, *next;
	struct eh_vm *vm = NULL;
	LIST_HEAD(ended);
	bool found;

	end_exports(id, &ended);
	found = !list_empty(&ended);
	while ((vm = eh_vm_next(vm)))
		found |= eh_vm_revoke(vm, id);
	list_for_each_entry_safe(export, next, &ended, node) {
		list_del(&export->node);
		eh_export_let_go(export);
	}
	return found;
}

static void tell(enum elisa_host_event_kind kind, const struct eh_grant *grant)
{
	struct elisa_host_event event = {.kind = kind,
					 .pid = grant->pid,
					 .rights = grant->rights,
					 .grant = grant->id,
					 .max_pages = grant->max_pages};

	if (!eh_stream_wants(kind))
		return;
	memcpy(event.name, grant->name, ELISA_NAME_SIZE);
	eh_stream_tell(event);
}

/* Takes a grant out of the lists, under eh_registry. Call grant_free() next. */
static void unlink_grant(struct eh_grant *grant)
{
	list_del(&grant->node);
	list_del(&grant->all);
	tell(ELISA_HOST_EVENT_REVOKED, grant);
}

static void grant_free(struct eh_grant *grant)
{
	eh_vmm_put(grant->vmm);
	kfree(grant);
}

/* Takes a grant of the VMM, or of any VMM, out of the lists. NULL: there is none. */
static struct eh_grant *take_grant(struct eh_vmm *vmm)
{
	struct eh_grant *grant;

	spin_lock(&eh_registry);
	grant = vmm ? list_first_entry_or_null(&vmm->grants, struct eh_grant, node) :
		      list_first_entry_or_null(&eh_grants, struct eh_grant, all);
	if (grant)
		unlink_grant(grant);
	spin_unlock(&eh_registry);
	return grant;
}

/* Drops all grants of a dead VMM, or all grants. What was made under them ends with the VMs. */
void eh_grants_drop(struct eh_vmm *vmm)
{
	struct eh_grant *grant;

	while ((grant = take_grant(vmm)))
		grant_free(grant);
}

int eh_grant_add(struct elisa_host_grant *request)
{
	struct eh_grant *grant;
	struct task_struct *task;
	struct eh_vmm *vmm;
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
	vmm = grant ? eh_vmm_get(mm) : ERR_PTR(-ENOMEM);
	if (IS_ERR(vmm)) {
		kfree(grant);
	} else {
		grant->vmm = vmm;
		grant->pid = task_tgid_nr(task);
		grant->rights = request->rights;
		grant->max_pages = request->max_pages ?: eh_default_max_pages;
		memcpy(grant->name, request->name, ELISA_NAME_SIZE);
		spin_lock(&eh_registry);
		grant->id = request->id = next_grant++;
		list_add_tail(&grant->node, &vmm->grants);
		list_add_tail(&grant->all, &eh_grants);
		tell(ELISA_HOST_EVENT_GRANTED, grant);
		spin_unlock(&eh_registry);
	}
	mmput(mm);
	put_task_struct(task);
	return PTR_ERR_OR_ZERO(vmm);
}

/*
 * Revokes a grant; what was published or attached under it ends at once. A request that found the
 * grant before looks for it again when it puts something into a list.
 */
int eh_grant_remove(u32 id)
{
	struct eh_grant *grant, *found = NULL;
	bool ended;

	spin_lock(&eh_registry);
	list_for_each_entry(grant, &eh_grants, all)
		if (grant->id == id) {
			found = grant;
			unlink_grant(grant);
			break;
		}
	spin_unlock(&eh_registry);
	if (found)
		grant_free(found);
	ended = end_of_grant(id);
	return found || ended ? 0 : -ENOENT;
}

/* The module goes. A VMM that ends may drop its own at the same time. */
void eh_grants_free(void)
{
	eh_grants_drop(NULL);
}
