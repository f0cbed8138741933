// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: an attachment on one vCPU. VCPU_SYNC makes those that the vCPU lacks. A guest's kernel
 * calls it in interrupts, on each vCPU, so the vCPU's thread waits for nothing there but spinlocks
 * and memory: an attachment has the hooks in place already.
 *
 *   make     Without a lock a context is built for an attachment that the vCPU lacks. Under
 *            export->lock and vm->lock, if the attachment still is there, it gets the object's
 *            tables and its place in the vCPU. Then the next one.
 *   end      The attachment was shut, and its VM's CPUs kicked. If the vCPU exited in the context
 *            and has not come to its exit hook yet (its thread may not get a CPU for long, and no
 *            other thread shall wait for that), the context stays in its place, dead. The vCPU's
 *            next sync or its VM's work buries it.
 *
 * A context that is in no list any more is freed without locks.
 */
#include <linux/bitops.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

/* ---- the end */

/* Under vm->lock and vcpu->lock. */
static void context_unlink(struct eh_context *c)
{
	struct eh_vcpu *vcpu = c->vcpu;
	u32 slot = c->attachment->slot;

	clear_bit(slot, vcpu->used);
	clear_bit(slot, vcpu->forget);
	vcpu->slots[slot] = NULL;
	eh_stash_orphan(vcpu, c);
	vcpu->stale = true;
}

static void context_free(struct eh_context *c)
{
	eh_attachment_put(c->attachment);
	eh_context_free(c);
}

/* Those that were gathered. */
void eh_contexts_free(struct list_head *gone)
{
	struct eh_context *c, *next;

	list_for_each_entry_safe(c, next, gone, node) {
		list_del(&c->node);
		context_free(c);
	}
}

/* Ends a context that was shut, or leaves it dead. Under vm->lock. */
static void context_end(struct eh_context *c, struct list_head *gone)
{
	struct eh_vcpu *vcpu = c->vcpu;
	unsigned long flags;

	list_del_init(&c->node);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->dead -= c->dead;
	c->dead = READ_ONCE(vcpu->phase) == EH_INSIDE && vcpu->entries == c->entry;
	vcpu->dead += c->dead;
	if (!c->dead)
		context_unlink(c);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (!c->dead)
		list_add_tail(&c->node, gone);
}

/* Ends all contexts of the attachment. Under vm->lock. */
void eh_contexts_end(struct eh_attachment *a, struct list_head *gone)
{
	struct eh_context *c, *next;

	lockdep_assert_held(&a->vm->lock);
	list_for_each_entry_safe(c, next, &a->contexts, node)
		context_end(c, gone);
}

/* Ends the vCPU's dead contexts. True: it still is on its way out of one. Under vm->lock. */
static bool bury(struct eh_vcpu *vcpu, struct list_head *gone)
{
	int slot;

	if (!vcpu->dead)
		return false;
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS)
		if (vcpu->slots[slot]->dead)
			context_end(vcpu->slots[slot], gone);
	return vcpu->dead;
}

/* Frees all contexts of a vCPU that does not run any more, dead or alive. Under vm->lock. */
void eh_vcpu_drop_contexts(struct eh_vcpu *vcpu, struct list_head *gone)
{
	struct eh_context *c;
	unsigned long flags;
	int slot;

	lockdep_assert_held(&vcpu->vm->lock);
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		c = vcpu->slots[slot];
		list_del_init(&c->node);
		raw_spin_lock_irqsave(&vcpu->lock, flags);
		vcpu->dead -= c->dead;
		context_unlink(c);
		raw_spin_unlock_irqrestore(&vcpu->lock, flags);
		eh_context_leaves(c);
		list_add_tail(&c->node, gone);
	}
}

/*
 * Takes the list page and the share of the hooks from a vCPU without attachments, after the entry
 * hook has switched its VMFUNC off. Under vm->lock.
 */
static void give_back_if_idle(struct eh_vcpu *vcpu)
{
	u64 *list = NULL;
	unsigned long flags;
	bool idle;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	idle = vcpu->counted && vcpu->vmfunc == EH_VMFUNC_OFF &&
	       bitmap_empty(vcpu->used, ELISA_SLOTS);
	if (idle) {
		list = vcpu->list;
		vcpu->list = NULL;
		vcpu->synced = false;
		WRITE_ONCE(vcpu->phase, EH_OUTSIDE); /* its exit passes no hook of ours */
	}
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (!idle)
		return;
	free_page((unsigned long)list);
	eh_vcpu_set_up(vcpu, false);
	eh_hooks_disarm();
}

/* In the VM's work. True: a context is still dead. */
bool eh_vcpus_give_back(struct eh_vm *vm)
{
	struct eh_vcpu *vcpu;
	bool left = false;
	LIST_HEAD(gone);

	spin_lock(&vm->lock);
	list_for_each_entry(vcpu, &vm->vcpus, node) {
		left |= bury(vcpu, &gone);
		give_back_if_idle(vcpu);
	}
	spin_unlock(&vm->lock);
	eh_contexts_free(&gone);
	return left;
}

/* ---- the beginning: all in the vCPU's own thread */

/* Finds the next attachment without a context of this vCPU, or NULL. Under vm->lock. */
static struct eh_attachment *missing(struct eh_vcpu *vcpu)
{
	struct eh_vm *vm = vcpu->vm;
	int slot;

	for (slot = 0; slot < ELISA_SLOTS; slot++)
		if (vm->slots[slot] && vm->slots[slot]->export && !vm->slots[slot]->shut &&
		    !vcpu->slots[slot])
			return vm->slots[slot];
	return NULL;
}

static bool is_attached(struct eh_vm *vm)
{
	int slot;

	for (slot = 0; slot < ELISA_SLOTS; slot++)
		if (vm->slots[slot] && vm->slots[slot]->export)
			return true;
	return false;
}

/* Gives the vCPU what its first context needs: a share of the hooks, and the list page. Under
 * vm->lock. */
static void set_up(struct eh_vcpu *vcpu, u64 **list)
{
	unsigned long flags;

	if (!vcpu->counted) {
		eh_hooks_share();
		eh_vcpu_set_up(vcpu, true);
	}
	if (vcpu->list)
		return;
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->list = *list;
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	*list = NULL;
}

/* All contexts are there. Under vm->lock. */
static void set_synced(struct eh_vcpu *vcpu)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->synced = true;
	eh_list_reset(vcpu);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
}

enum step {
	STEP_DONE,
	STEP_LIST,    /* make a list page */
	STEP_CONTEXT, /* make a context for *next, a reference */
};

/* What there is to do next. */
static enum step look(struct eh_vcpu *vcpu, u64 **list, struct eh_attachment **next)
{
	enum step step = STEP_DONE;
	LIST_HEAD(gone);

	spin_lock(&vcpu->vm->lock);
	/* the vCPU's own thread is here, so it is inside of nothing */
	bury(vcpu, &gone);
	if (!is_attached(vcpu->vm)) {
		if (vcpu->counted)
			eh_vm_work_soon(vcpu->vm);
	} else if (!vcpu->list && !*list) {
		step = STEP_LIST;
	} else {
		set_up(vcpu, list);
		*next = missing(vcpu);
		if (*next) {
			kref_get(&(*next)->ref);
			step = STEP_CONTEXT;
		} else {
			set_synced(vcpu);
		}
	}
	spin_unlock(&vcpu->vm->lock);
	eh_contexts_free(&gone);
	return step;
}

/*
 * False: the attachment has ended meanwhile, or the VM's work has taken the list page of a vCPU
 * that seemed to need it no more. Under export->lock and vm->lock.
 */
static bool context_show(struct eh_context *c, struct eh_export *export)
{
	struct eh_attachment *a = c->attachment;
	struct eh_vcpu *vcpu = c->vcpu;
	unsigned long flags;
	u32 gib;

	if (a->export != export || a->shut || vcpu->slots[a->slot] || vcpu->list != c->list)
		return false;
	for (gib = 0; gib < EH_OBJECT_GIB; gib++)
		eh_context_link_object(c, export, gib);
	c->self->donated = a->donated;
	list_add_tail(&c->node, &a->contexts);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->slots[a->slot] = c;
	set_bit(a->slot, vcpu->forget);
	set_bit(a->slot, vcpu->used);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	return true;
}

/*
 * Makes a context for @a, if @a is still attached. Takes the caller's reference to @a. Since look()
 * released its lock, the VM's work may have taken the list page of a vCPU without contexts. Then
 * the next look makes another list page.
 */
static int context_new(struct eh_vcpu *vcpu, struct eh_attachment *a)
{
	struct eh_export *export = eh_attachment_export(a);
	struct eh_context *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	u64 *list = READ_ONCE(vcpu->list);
	bool shown = false;
	int r = 0;

	if (!c || !list || !export) {
		kfree(c);
		eh_attachment_put(a);
		r = c ? 0 : -ENOMEM;
		goto out;
	}
	c->attachment = a;
	c->vcpu = vcpu;
	c->list = list;
	r = eh_context_build(c);
	if (!r) {
		spin_lock(&export->lock);
		spin_lock(&vcpu->vm->lock);
		shown = context_show(c, export);
		spin_unlock(&vcpu->vm->lock);
		spin_unlock(&export->lock);
	}
	if (!shown)
		context_free(c);
out:
	if (export)
		eh_export_put(export);
	return r;
}

/*
 * Sets this vCPU up for all attachments of its VM. Without attachments it does nothing, so that no
 * VM pays for hooks. Each turn makes one more context, or finds that an attachment has ended.
 */
int eh_vcpu_sync(struct eh_vcpu *vcpu, struct eh_refusal *refusal)
{
	struct eh_attachment *next;
	u64 *list = NULL;
	enum step step;
	int r = 0;

	while (!r && (step = look(vcpu, &list, &next)) != STEP_DONE) {
		if (step == STEP_CONTEXT) {
			r = context_new(vcpu, next);
		} else {
			list = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
			r = list ? 0 : -ENOMEM;
		}
		if (fatal_signal_pending(current))
			r = -EINTR;
	}
	free_page((unsigned long)list);
	if (r == -ENOMEM)
		return eh_refuse(refusal, r, ELISA_WHY_NO_MEMORY, 0);
	return r;
}
