// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: a manager's pinned pages, their EPT, and the name under which guests find
 * them. An export lives until its manager destroys it or is gone; its pages stay pinned
 * until no CPU can reach them any more.
 *
 * The end of an export. Several threads may end it at once: its manager, the administrator, KVM's
 * call when dirty logging begins. Each of them does steps 1 to 3, so that none returns while a call
 * goes on because another thread gets no processor:
 *
 *   1. `dead` is set under export->lock: no attachment and no mapping is added after that.
 *   2. All its attachments are shut, and the CPUs that run their VMs' vCPUs interrupted once.
 *   3. Each attachment is revoked: its contexts show nothing of the object.
 *   4. The export leaves the directory: its name is free. One thread does this, and the next steps.
 *   5. The tables are freed; the pages go to their VMMs, whose works unpin them.
 *
 * Requests may still have a reference. They find `dead` under the lock, and the memory of the
 * export itself stays until the last of them is done.
 */
#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

bool eh_name_is_good(const char *name)
{
	size_t length = strnlen(name, ELISA_NAME_SIZE), i;

	if (!length || length == ELISA_NAME_SIZE)
		return false;
	for (i = 0; i < length; i++)
		/* the kernel's isalnum() knows Latin-1 */
		if (!(isascii(name[i]) && isalnum(name[i])) && !strchr("._-", name[i]))
			return false;
	return !memchr_inv(name + length, 0, ELISA_NAME_SIZE - length);
}

static void export_release(struct kref *ref)
{
	struct eh_export *export = container_of(ref, struct eh_export, ref);

	eh_places_free(export);
	eh_untold_free(export);
	eh_events_put(export->events);
	eh_vm_put(export->vm);
	kfree_sensitive(export);
	module_put(THIS_MODULE);
}

void eh_export_put(struct eh_export *export)
{
	kref_put(&export->ref, export_release);
}

/*
 * The attachment after @last, or the first (NULL), with a reference. Drops @last's reference. New
 * attachments come last. If @last has ended meanwhile, its number leads to the next one.
 */
struct eh_attachment *eh_attachment_next(struct eh_export *export, struct eh_attachment *last)
{
	struct list_head *head = &export->attachments, *at = head;
	struct eh_attachment *next = NULL;

	spin_lock(&export->lock);
	if (last && last->export == export)
		at = &last->node;
	for (at = at->next; at != head; at = at->next) {
		next = list_entry(at, struct eh_attachment, node);
		if (!last || next->number > last->number)
			break;
	}
	next = at != head ? next : NULL;
	if (next)
		kref_get(&next->ref);
	spin_unlock(&export->lock);
	if (last)
		eh_attachment_put(last);
	return next;
}

static void look_again(struct eh_vcpu *vcpu, unsigned int slot)
{
	vcpu->stale = true;
}

/*
 * Makes all attached vCPUs check again whether they may call. A vCPU that attaches meanwhile has
 * already checked.
 */
static void refresh(struct eh_export *export)
{
	eh_mark_vcpus(export, look_again);
}

/* After an aborted call in an export that then refuses calls: tells all its vCPUs. */
static void spread_poison(struct work_struct *work)
{
	struct eh_export *export = container_of(work, struct eh_export, poisoning);

	refresh(export);
	eh_export_put(export);
}

static int check_create(struct elisa_hc_export *in, struct eh_refusal *refusal)
{
	if (in->flags & ~ELISA_EXPORT_FLAGS)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->flags);
	if (in->limit_us > eh_max_limit_us)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, eh_max_limit_us);
	/* each costs all vCPUs of a guest that attaches a timer */
	if (in->suspend_us && in->suspend_us < ELISA_MIN_SUSPEND_US)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->suspend_us);
	if (in->suspend_us > eh_max_suspend_us)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, eh_max_suspend_us);
	if (!eh_name_is_good(in->name))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_NAME,
				 strnlen(in->name, ELISA_NAME_SIZE));
	if (!!(in->flags & ELISA_EXPORT_PRIVATE) != eh_ticket_is_set(in->ticket))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->flags);
	return 0;
}

static struct eh_export *export_new(struct eh_vm *vm, struct elisa_hc_export *in)
{
	struct eh_export *export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);

	if (!export)
		return NULL;
	kref_init(&export->ref);
	eh_vm_get(vm);
	export->vm = vm;
	kref_get(&vm->events->ref);
	export->events = vm->events;
	export->flags = in->flags;
	export->limit_us = in->limit_us ?: eh_default_limit_us;
	export->suspend_us = in->suspend_us;
	if (!export->suspend_us)
		export->suspend_us = max_t(u32, eh_default_suspend_us, ELISA_MIN_SUSPEND_US);
	memcpy(export->name, in->name, ELISA_NAME_SIZE);
	memcpy(export->ticket, in->ticket, ELISA_TICKET_SIZE);
	INIT_WORK(&export->poisoning, spread_poison);
	mutex_init(&export->owner);
	INIT_LIST_HEAD(&export->mappings);
	spin_lock_init(&export->lock);
	INIT_LIST_HEAD(&export->attachments);
	INIT_LIST_HEAD(&export->untold);
	__module_get(THIS_MODULE);
	return export;
}

int eh_export_create(struct eh_vm *vm, struct elisa_hc_export *in, struct eh_refusal *refusal)
{
	struct eh_export *export;
	struct eh_terms terms;
	int r;

	r = check_create(in, refusal);
	if (r)
		return r;
	if (!eh_grant_find(vm->vmm, ELISA_GRANT_EXPORT, in->name, &terms))
		return eh_refuse(refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	export = export_new(vm, in);
	if (!export)
		return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	export->terms = terms;
	r = eh_export_enter(export, refusal);
	if (!r)
		in->id = export->id;
	eh_export_put(export);
	return r;
}

/* Of so many pages of this order. */
int eh_check_range(u64 offset, u64 pages, u32 order, struct eh_refusal *refusal)
{
	u64 size = (u64)PAGE_SIZE << order;

	if (!pages)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_NO_PAGES, 0);
	if (!IS_ALIGNED(offset, size) || offset >= ELISA_OBJECT_SIZE ||
	    pages > (ELISA_OBJECT_SIZE - offset) / size)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_RANGE, offset);
	return 0;
}

int eh_export_publish(struct eh_export *export, struct elisa_hc_publish *in,
		      struct eh_refusal *refusal)
{
	bool was_poisoned = false;
	int r = 0;

	if (in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->pad);
	spin_lock(&export->lock);
	if (export->dead)
		r = eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, in->id);
	else if (export->state == ELISA_EXPORT_LIVE && !READ_ONCE(export->poisoned))
		r = eh_refuse(refusal, -EBUSY, ELISA_WHY_PUBLISHED, in->id);
	else if (export->state == ELISA_EXPORT_LIVE && in->entry != export->entry)
		r = eh_refuse(refusal, -EINVAL, ELISA_WHY_ENTRY, in->entry);
	else if (!eh_export_is_code(export, in->entry))
		r = eh_refuse(refusal, -EINVAL, ELISA_WHY_ENTRY, in->entry);
	if (!r) {
		export->entry = in->entry;
		export->state = ELISA_EXPORT_LIVE;
		was_poisoned = xchg(&export->poisoned, false);
	}
	spin_unlock(&export->lock);
	if (was_poisoned)
		refresh(export);
	return r;
}

/* Shuts the export: no vCPU enters or runs a context of it after this. */
static void shut_all(struct eh_export *export)
{
	struct eh_attachment *a = NULL;
	struct eh_kick kick;

	/* none attaches after this */
	spin_lock(&export->lock);
	export->dead = true;
	spin_unlock(&export->lock);
	eh_kick_begin(&kick);
	while ((a = eh_attachment_next(export, a))) {
		spin_lock(&a->vm->lock);
		eh_attachment_shut(a, &kick);
		spin_unlock(&a->vm->lock);
	}
	eh_kick_end(&kick);
}

/*
 * Ends the export for all guests: its callers get ELISA_CALL_REVOKED. Waits for no other tenant.
 * True: this thread has taken it out of the directory, and must release its memory,
 * eh_export_let_go().
 */
bool eh_export_end(struct eh_export *export)
{
	struct eh_attachment *a;

	shut_all(export);
	while ((a = eh_attachment_next(export, NULL))) {
		eh_attachment_finish(a, true);
		eh_attachment_put(a);
	}
	if (!eh_export_leave(export))
		return false;
	/* no context shows these tables any more, and no CPU has translations from them */
	eh_export_table_free(export);
	return true;
}

/* Waits for a request of the manager's that began before the end and still runs. */
void eh_export_let_go(struct eh_export *export)
{
	struct eh_run *run, *next;

	mutex_lock(&export->owner);
	list_for_each_entry_safe(run, next, &export->mappings, node) {
		list_del(&run->node);
		eh_vmm_leave(export->vm->vmm, run);
	}
	mutex_unlock(&export->owner);
	eh_vmm_unpin_soon(export->vm->vmm);
	eh_export_put(export);
}

void eh_export_kill(struct eh_export *export)
{
	if (eh_export_end(export))
		eh_export_let_go(export);
}

/* Destroys an export for its manager. Its pages are unpinned on return, unless another thread ends
 * it. */
void eh_export_destroy(struct eh_export *export)
{
	eh_export_kill(export);
	eh_vmm_unpin_unused(export->vm->vmm);
}
