// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an attachment ends. The guest may detach it, the manager evict it, the export end, the
 * administrator take a grant back, the VM or its VMM end, memory fail: in any thread, and several
 * at once. So each step may be done by each of them, and only the last one is done once:
 *
 *   shut     vm->lock: the contexts are revoked. An entry hook that runs later enters none.
 *   kick     The CPUs that run a vCPU of the VM leave guest mode once. After that no CPU runs or
 *            resumes any of the contexts. A vCPU may still be on its way from such an exit to its
 *            exit hook: see context_end() in sync.c.
 *   finish   The donated pages leave the object, with a flush: donate.c. The contexts show nothing
 *            of the object any more. Under export->lock and vm->lock the attachment leaves the
 *            export: `export` is NULL after that, the place is free, the exchange buffer is not its
 *            own any more. The thread that finds `export` set does this.
 *
 * A revoked attachment keeps its slot until the guest detaches, so that callers get an error and
 * not a fault. Pages of the guest's go to its VMM, whose thread or work unpins them.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "base/base.h"
#include "base/spans.h"
#include "base/trace.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static void attachment_release(struct kref *ref)
{
	struct eh_attachment *a = container_of(ref, struct eh_attachment, ref);

	eh_events_put(a->events);
	eh_bell_put(a->bell);
	eh_attachment_tables_free(a);
	kfree(a->end);
	eh_vm_put(a->vm);
	kfree_rcu(a, rcu);
}

void eh_attachment_put(struct eh_attachment *a)
{
	kref_put(&a->ref, attachment_release);
}

/* Returns the complete attachment in a slot of the VM, with a reference, or NULL. */
struct eh_attachment *eh_attachment_in(struct eh_vm *vm, u32 slot)
{
	struct eh_attachment *a = NULL;

	if (slot >= ELISA_SLOTS)
		return NULL;
	spin_lock(&vm->lock);
	a = vm->slots[array_index_nospec(slot, ELISA_SLOTS)];
	if (a && a->number)
		kref_get(&a->ref);
	else
		a = NULL;
	spin_unlock(&vm->lock);
	return a;
}

/* Returns the export that it is attached to, with a reference. NULL: it is revoked. */
struct eh_export *eh_attachment_export(struct eh_attachment *a)
{
	struct eh_export *export;

	spin_lock(&a->vm->lock);
	export = a->export;
	if (export)
		kref_get(&export->ref);
	spin_unlock(&a->vm->lock);
	return export;
}

/* Is the attachment shut? Then its pages leave the object, or have left it; it takes no more. */
bool eh_attachment_is_shut(struct eh_attachment *a)
{
	bool shut;

	spin_lock(&a->vm->lock);
	shut = a->shut;
	spin_unlock(&a->vm->lock);
	return shut;
}

/* Recomputes whether the VM's kernel is trusted with PCIDs for all of its attachments. Under
 * vm->lock. */
void eh_vm_update_pcid(struct eh_vm *vm)
{
	bool allowed = true;
	int i;

	for (i = 0; i < ELISA_SLOTS; i++)
		if (vm->slots[i] && vm->slots[i]->export)
			allowed &= vm->slots[i]->allow_pcid;
	WRITE_ONCE(vm->allow_pcid, allowed);
}

/*
 * Marks the attachment: every entry hook from now on sees `revoked`. The caller must kick the vCPUs
 * next. Until then a vCPU may run in a context, and a kick of another thread for the same
 * attachment may not have come yet. Under vm->lock.
 */
void eh_attachment_shut(struct eh_attachment *a, struct eh_kick *kick)
{
	struct eh_context *c;
	unsigned long flags;

	lockdep_assert_held(&a->vm->lock);
	a->shut = true;
	list_for_each_entry(c, &a->contexts, node) {
		struct eh_vcpu *vcpu = c->vcpu;

		raw_spin_lock_irqsave(&vcpu->lock, flags);
		if (!c->revoked)
			c->entry = READ_ONCE(vcpu->phase) == EH_INSIDE ? vcpu->entries : 0;
		c->revoked = true;
		vcpu->stale = true;
		eh_kick_add(kick, vcpu);
		raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	}
}

/* Removes the object from the contexts. A shut attachment gets nothing new to show. */
static void hide_object(struct eh_attachment *a)
{
	struct eh_context *c;

	spin_lock(&a->vm->lock);
	list_for_each_entry(c, &a->contexts, node)
		eh_context_hide_object(c);
	spin_unlock(&a->vm->lock);
}

/* Under export->lock and vm->lock. */
static void leave_export(struct eh_export *export, struct eh_attachment *a)
{
	trace_elisa_revoke(a);
	eh_place_leave(export, a);
	eh_spans_add(&export->suspended, &a->suspended);
	list_del(&a->node);
	export->attachment_count--;
	a->export = NULL;
	eh_vm_update_pcid(a->vm);
	if (a->exchange)
		eh_vmm_leave(a->vm->vmm, a->exchange);
	a->exchange = NULL;
	/* before the place's next attachment */
	eh_tell_end(export, a);
	eh_attachment_tell(ELISA_HOST_EVENT_DETACHED, a, 0);
}

/* Ends a shut attachment, when no CPU runs its contexts. True: this thread has ended it. */
static bool finish(struct eh_export *export, struct eh_attachment *a, bool all_shut)
{
	bool was_attached;

	eh_donations_end(export, a, all_shut);
	hide_object(a);
	spin_lock(&export->lock);
	spin_lock(&a->vm->lock);
	was_attached = a->export && !WARN_ON_ONCE(!a->shut);
	if (was_attached)
		leave_export(export, a);
	spin_unlock(&a->vm->lock);
	spin_unlock(&export->lock);
	if (was_attached)
		eh_hooks_disarm();
	return was_attached;
}

/* One that is revoked was kicked before it was finished. */
static void shut_and_kick(struct eh_attachment *a)
{
	struct eh_kick kick;

	eh_kick_begin(&kick);
	spin_lock(&a->vm->lock);
	if (a->export)
		eh_attachment_shut(a, &kick);
	spin_unlock(&a->vm->lock);
	eh_kick_end(&kick);
}

/*
 * Revokes a shut attachment, after the kick. @all_shut: the caller has shut and kicked all
 * attachments of its export.
 */
void eh_attachment_finish(struct eh_attachment *a, bool all_shut)
{
	struct eh_export *export = eh_attachment_export(a);

	if (!export)
		return;
	if (finish(export, a, all_shut)) {
		/* a process that sleeps until its place is rung learns of it */
		eh_bell_ring(a->bell);
		eh_vmm_unpin_soon(a->vm->vmm);
		eh_vm_work_soon(a->vm);
		/* the attachment's */
		eh_export_put(export);
	}
	eh_export_put(export);
}

/* Revokes the attachment. Its callers get an error, not a fault. */
void eh_attachment_revoke(struct eh_attachment *a)
{
	shut_and_kick(a);
	eh_attachment_finish(a, false);
}

/* Revokes the VM's attachments under one grant, or all (0). True: there were some. */
bool eh_vm_revoke(struct eh_vm *vm, u32 grant_id)
{
	struct eh_attachment *a;
	bool found = false;
	u32 slot;

	for (slot = 0; slot < ELISA_SLOTS; slot++) {
		a = eh_attachment_in(vm, slot);
		if (!a)
			continue;
		if (!grant_id || a->grant_id == grant_id) {
			eh_attachment_revoke(a);
			found = true;
		}
		eh_attachment_put(a);
	}
	return found;
}

/* Frees the slot of a revoked attachment. In a thread of its VM, or of the VM's end. */
void eh_attachment_free(struct eh_attachment *a)
{
	struct eh_vm *vm = a->vm;
	LIST_HEAD(gone);
	bool had_slot;

	spin_lock(&vm->lock);
	had_slot = vm->slots[a->slot] == a;
	if (had_slot) {
		trace_elisa_detach(a);
		vm->slots[a->slot] = NULL;
		eh_contexts_end(a, &gone);
	}
	spin_unlock(&vm->lock);
	eh_contexts_free(&gone);
	eh_vmm_unpin_unused(vm->vmm);
	eh_vm_allow_apicv_soon(vm);
	/* vCPUs may have contexts that only they can end, or nothing that they need */
	eh_vm_work_soon(vm);
	if (had_slot)
		eh_attachment_put(a);
}

int eh_detach(struct eh_vm *vm, u32 slot, struct eh_refusal *refusal)
{
	struct eh_attachment *a = eh_attachment_in(vm, slot);

	if (!a)
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_ATTACHMENT, slot);
	eh_attachment_revoke(a);
	eh_attachment_free(a);
	eh_attachment_put(a);
	return 0;
}

/* Evicts one attachment for the manager: its calls end, all others continue. */
int eh_evict(struct eh_export *export, struct elisa_hc_evict *in, struct eh_refusal *refusal)
{
	struct eh_attachment *a, *found = NULL;

	if (in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->pad);
	spin_lock(&export->lock);
	list_for_each_entry(a, &export->attachments, node)
		if (a->number == in->attachment) {
			found = a;
			kref_get(&a->ref);
			break;
		}
	spin_unlock(&export->lock);
	if (!found)
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_ATTACHMENT, in->attachment);
	trace_elisa_evict(found);
	eh_attachment_tell(ELISA_HOST_EVENT_EVICTED, found, 0);
	eh_attachment_revoke(found);
	eh_attachment_put(found);
	return 0;
}
