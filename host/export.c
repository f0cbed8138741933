// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: a manager's pinned pages, their EPT, and the name under which guests find
 * them. An export lives until its manager destroys it or is gone; its pages stay pinned
 * until no CPU can reach them any more.
 *
 * The end of an export, by whichever thread has taken it out of the directory:
 *
 *   1. `dead` is set under export->lock: no attachment and no mapping is added after that.
 *   2. All its attachments are shut, and the CPUs that run their VMs' vCPUs interrupted once.
 *   3. Each attachment is revoked: its contexts show nothing of the object.
 *   4. The tables are freed; the pages go to their VMMs, whose works unpin them.
 *
 * Requests may still have a reference. They find `dead` under the lock, and the memory of the
 * export itself stays until the last of them is done.
 */
#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "elisa.h"

static bool name_is_good(const char *name)
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
	struct elisa_export *export = container_of(ref, struct elisa_export, ref);

	elisa_places_free(export);
	elisa_untold_free(export);
	elisa_events_put(export->events);
	elisa_vm_put(export->vm);
	kfree_sensitive(export);
	module_put(THIS_MODULE);
}

void elisa_export_put(struct elisa_export *export)
{
	kref_put(&export->ref, export_release);
}

/*
 * The attachment after @last, or the first (NULL), with a reference. @last's reference goes. New
 * attachments come last. If @last has ended meanwhile, the next one is looked for by its number.
 */
struct elisa_attachment *elisa_attachment_next(struct elisa_export *export,
					       struct elisa_attachment *last)
{
	struct list_head *head = &export->attachments, *at = head;
	struct elisa_attachment *next = NULL;

	spin_lock(&export->lock);
	if (last && last->export == export)
		at = &last->node;
	for (at = at->next; at != head; at = at->next) {
		next = list_entry(at, struct elisa_attachment, node);
		if (!last || next->number > last->number)
			break;
	}
	next = at != head ? next : NULL;
	if (next)
		kref_get(&next->ref);
	spin_unlock(&export->lock);
	if (last)
		elisa_attachment_put(last);
	return next;
}

/*
 * Lets all attached vCPUs look again whether they may call. One that attaches meanwhile has looked
 * already. No lock is held for longer than one attachment takes, for other tenants wait for it.
 */
static void refresh(struct elisa_export *export)
{
	struct elisa_attachment *a = NULL;
	struct elisa_context *c;
	struct elisa_kick kick;
	unsigned long flags;

	elisa_kick_begin(&kick);
	while ((a = elisa_attachment_next(export, a))) {
		spin_lock(&a->vm->lock);
		list_for_each_entry(c, &a->contexts, node) {
			raw_spin_lock_irqsave(&c->vcpu->lock, flags);
			c->vcpu->stale = true;
			elisa_kick_add(&kick, c->vcpu);
			raw_spin_unlock_irqrestore(&c->vcpu->lock, flags);
		}
		spin_unlock(&a->vm->lock);
	}
	elisa_kick_end(&kick);
}

/* A call was aborted in an export that lets no call in after that: tell all its vCPUs. */
static void spread_poison(struct work_struct *work)
{
	struct elisa_export *export = container_of(work, struct elisa_export, poisoning);

	refresh(export);
	elisa_export_put(export);
}

/* From the exit path, IRQs off. The caller knows that the export lives. */
void elisa_export_was_poisoned(struct elisa_export *export)
{
	kref_get(&export->ref);
	if (!queue_work(elisa_works, &export->poisoning))
		elisa_export_put(export);
}

static int check_create(struct elisa_hc_export *in, u32 *why, u64 *value)
{
	if (in->flags & ~ELISA_EXPORT_FLAGS)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->flags);
	if (in->limit_us > elisa_max_limit_us)
		return elisa_fail(-EDQUOT, why, ELISA_WHY_QUOTA, value, elisa_max_limit_us);
	/* each costs all vCPUs of a guest that attaches a timer */
	if (in->suspend_us && in->suspend_us < ELISA_MIN_SUSPEND_US)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->suspend_us);
	if (in->suspend_us > elisa_max_suspend_us)
		return elisa_fail(-EDQUOT, why, ELISA_WHY_QUOTA, value, elisa_max_suspend_us);
	if (!name_is_good(in->name))
		return elisa_fail(-EINVAL, why, ELISA_WHY_NAME, value,
				  strnlen(in->name, ELISA_NAME_SIZE));
	if (!!(in->flags & ELISA_EXPORT_PRIVATE) != elisa_ticket_is_set(in->ticket))
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->flags);
	return 0;
}

static struct elisa_export *export_new(struct elisa_vm *vm, struct elisa_hc_export *in)
{
	struct elisa_export *export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);

	if (!export)
		return NULL;
	kref_init(&export->ref);
	elisa_vm_get(vm);
	export->vm = vm;
	kref_get(&vm->events->ref);
	export->events = vm->events;
	export->flags = in->flags;
	export->limit_us = in->limit_us ?: elisa_default_limit_us;
	export->suspend_us = in->suspend_us ?:
				     max_t(u32, elisa_default_suspend_us, ELISA_MIN_SUSPEND_US);
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

int elisa_export_create(struct elisa_vm *vm, struct elisa_hc_export *in, u32 *why, u64 *value)
{
	struct elisa_export *export;
	struct elisa_terms terms;
	int r;

	r = check_create(in, why, value);
	if (r)
		return r;
	if (!elisa_grant_find(vm->vmm, ELISA_GRANT_EXPORT, in->name, &terms))
		return elisa_fail(-EPERM, why, ELISA_WHY_NO_GRANT, value, 0);
	export = export_new(vm, in);
	if (!export)
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	export->terms = terms;
	r = elisa_export_enter(export, why, value);
	if (!r)
		in->id = export->id;
	elisa_export_put(export);
	return r;
}

int elisa_check_range(u64 offset, u64 pages, u32 *why, u64 *value)
{
	if (!pages)
		return elisa_fail(-EINVAL, why, ELISA_WHY_NO_PAGES, value, 0);
	if (!PAGE_ALIGNED(offset) || offset >= ELISA_OBJECT_SIZE ||
	    pages > (ELISA_OBJECT_SIZE - offset) / PAGE_SIZE)
		return elisa_fail(-EINVAL, why, ELISA_WHY_RANGE, value, offset);
	return 0;
}

int elisa_export_publish(struct elisa_export *export, struct elisa_hc_publish *in, u32 *why,
			 u64 *value)
{
	bool was_poisoned = false;
	int r = 0;

	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	spin_lock(&export->lock);
	if (export->dead)
		r = elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	else if (export->state == ELISA_EXPORT_LIVE && !READ_ONCE(export->poisoned))
		r = elisa_fail(-EBUSY, why, ELISA_WHY_PUBLISHED, value, in->id);
	else if (export->state == ELISA_EXPORT_LIVE && in->entry != export->entry)
		r = elisa_fail(-EINVAL, why, ELISA_WHY_ENTRY, value, in->entry);
	else if (!elisa_export_is_code(export, in->entry))
		r = elisa_fail(-EINVAL, why, ELISA_WHY_ENTRY, value, in->entry);
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

/* No vCPU enters or runs a context of the export after this. */
static void shut_all(struct elisa_export *export)
{
	struct elisa_attachment *a = NULL;
	struct elisa_kick kick;

	/* none attaches after this */
	spin_lock(&export->lock);
	export->dead = true;
	spin_unlock(&export->lock);
	elisa_kick_begin(&kick);
	while ((a = elisa_attachment_next(export, a))) {
		spin_lock(&a->vm->lock);
		elisa_attachment_shut(a, &kick);
		spin_unlock(&a->vm->lock);
	}
	elisa_kick_end(&kick);
}

/*
 * The export ends for all guests: its name is free, its callers get ELISA_CALL_REVOKED. Waits for
 * no other tenant. True: this thread has ended it, and lets its memory go, elisa_export_let_go().
 */
bool elisa_export_end(struct elisa_export *export)
{
	struct elisa_attachment *a;

	if (!elisa_export_leave(export))
		return false;
	shut_all(export);
	while ((a = elisa_attachment_next(export, NULL))) {
		elisa_attachment_finish(a, true);
		elisa_attachment_put(a);
	}
	/* no context shows these tables any more, and no CPU remembers them */
	elisa_export_table_free(export);
	return true;
}

/* Waits for a request of the manager's that began before the end, and is under way. */
void elisa_export_let_go(struct elisa_export *export)
{
	struct elisa_run *run, *next;

	mutex_lock(&export->owner);
	list_for_each_entry_safe(run, next, &export->mappings, node) {
		list_del(&run->node);
		elisa_vmm_leave(export->vm->vmm, run);
	}
	mutex_unlock(&export->owner);
	elisa_vmm_unpin_soon(export->vm->vmm);
	elisa_export_put(export);
}

void elisa_export_kill(struct elisa_export *export)
{
	if (elisa_export_end(export))
		elisa_export_let_go(export);
}

/* The manager's own wish: its pages are unpinned when it returns, if no other thread ends it. */
void elisa_export_destroy(struct elisa_export *export)
{
	elisa_export_kill(export);
	elisa_vmm_unpin_unused(export->vm->vmm);
}
