// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: a process of a guest VM may enter one export, on every vCPU that has been
 * set up for it. The order of ending is always: mark the contexts revoked, make every
 * CPU leave and forget, and only then free.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <linux/workqueue.h>
#include <asm/tsc.h>

#include "elisa.h"

static int check_request(struct elisa_hc_attach *in, u32 *why, u64 *value)
{
	if (in->flags || in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->flags | in->pad);
	if (strnlen(in->name, ELISA_NAME_SIZE) == ELISA_NAME_SIZE)
		return elisa_fail(-EINVAL, why, ELISA_WHY_NAME, value, ELISA_NAME_SIZE);
	if (!in->root || !PAGE_ALIGNED(in->root) || in->root >= elisa_root_limit())
		return elisa_fail(-EINVAL, why, ELISA_WHY_ROOT, value, in->root);
	if ((in->user_cs & 7) != 3 || (in->user_ss & 7) != 3 || in->user_cs < 8 || in->user_ss < 8)
		return elisa_fail(-EINVAL, why, ELISA_WHY_SELECTOR, value,
				  ((u32)in->user_cs << 16) | in->user_ss);
	if (in->exchange_pages > ELISA_EXCHANGE_MAX_PAGES)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->exchange_pages);
	return 0;
}

static void reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(reap_work, reap);

static void attachment_release(struct kref *ref)
{
	struct elisa_attachment *a = container_of(ref, struct elisa_attachment, ref);

	elisa_events_put(a->events);
	elisa_bell_put(a->bell);
	kfree_rcu(a, rcu);
}

/* No CPU can reach the exchange buffer any more. */
static void exchange_free(struct elisa_attachment *a)
{
	if (a->exchange)
		elisa_guest_unpin(a->vm->vmm, a->exchange, a->exchange_pages);
	kfree(a->exchange);
	a->exchange = NULL;
	a->exchange_pages = 0;
}

/* The slot's share: the tables and the exchange buffer, which no CPU can reach any more. */
static void attachment_put(struct elisa_attachment *a)
{
	elisa_attachment_tables_free(a);
	exchange_free(a);
	kref_put(&a->ref, attachment_release);
}

static void tell(struct elisa_attachment *a, u32 type, s64 value)
{
	elisa_event(a->events, (struct elisa_event){.type = type,
						    .export_id = a->export_id,
						    .attachment = a->number,
						    .value = value});
}

static int slot_for(struct elisa_vm *vm, struct elisa_export *export, u64 root, u32 *slot)
{
	int i, free = -1;

	for (i = ELISA_SLOTS - 1; i >= 0; i--) {
		if (!vm->slots[i])
			free = i;
		else if (vm->slots[i]->export == export && vm->slots[i]->root == root) {
			*slot = i;
			return -EEXIST;
		}
	}
	*slot = free;
	return free < 0 ? -ENOSPC : 0;
}

/* A kernel must be trusted with PCIDs for all that its VM is attached to. */
static void update_pcid(struct elisa_vm *vm)
{
	bool allowed = true;
	int i;

	for (i = 0; i < ELISA_SLOTS; i++)
		if (vm->slots[i] && vm->slots[i]->export)
			allowed &= vm->slots[i]->allow_pcid;
	WRITE_ONCE(vm->allow_pcid, allowed);
}

/* What a process is to be attached to. */
struct target {
	struct elisa_export *export;
	struct elisa_grant *grant;
	u32 place, slot;
};

/* Under elisa_lock. */
static int find_target(struct elisa_vm *vm, const struct elisa_hc_attach *in, struct target *t,
		       u32 *why, u64 *value)
{
	struct elisa_export *export;
	int r;

	export = t->export = elisa_export_find(in->name, in->ticket, &t->place);
	if (!export && memchr_inv(in->ticket, 0, ELISA_TICKET_SIZE))
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, 0);
	/* a ticket selects, a grant allows: the name is the export's own */
	t->grant = elisa_grant_find(vm->mm, ELISA_GRANT_ATTACH, export ? export->name : in->name);
	if (!t->grant)
		return elisa_fail(-EPERM, why, ELISA_WHY_NO_GRANT, value, 0);
	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, 0);
	if (export->state != ELISA_EXPORT_LIVE)
		return elisa_fail(-EAGAIN, why, ELISA_WHY_NOT_PUBLISHED, value, export->id);
	r = slot_for(vm, export, in->root, &t->slot);
	if (r)
		return elisa_fail(r, why, r == -EEXIST ? ELISA_WHY_ATTACHED : ELISA_WHY_NO_SLOT,
				  value, r == -EEXIST ? t->slot : ELISA_SLOTS);
	return 0;
}

/* Everything checked and pinned: fills the slot. Under elisa_lock. */
static int attach_locked(struct elisa_attachment *a, struct elisa_hc_attach *in, u32 *why,
			 u64 *value)
{
	struct elisa_vm *vm = a->vm;
	struct elisa_export *export;
	struct target target;
	int r;

	r = find_target(vm, in, &target, why, value);
	if (r)
		return r;
	/* it was pinned by the VM's largest grant; what counts is this one */
	if (max(vm->vmm->held, vm->vmm->pins) > target.grant->max_pages)
		return elisa_fail(-EDQUOT, why, ELISA_WHY_QUOTA, value, target.grant->max_pages);
	r = elisa_refuse_failed(a->exchange, a->exchange_pages, in->exchange, why, value);
	if (r)
		return r;
	export = target.export;
	a->slot = target.slot;
	a->mode = export->rights & ELISA_GRANT_TRUSTED_MANAGER ? ELISA_MODE_TRUSTED :
								 ELISA_MODE_STRICT;
	a->export_flags = export->flags;
	a->export_id = export->id;
	a->grant_id = target.grant->id;
	a->allow_pcid = target.grant->rights & ELISA_GRANT_ALLOW_PCID;
	a->limit_cycles = div_u64((u64) export->limit_us * tsc_khz, 1000);
	a->suspend_ns = (u64) export->suspend_us * NSEC_PER_USEC;
	memcpy(a->name, export->name, ELISA_NAME_SIZE);
	r = elisa_slot_prepare(a->slot);
	if (!r)
		r = elisa_attachment_build(a, ELISA_OBJECT_BASE + export->entry);
	if (r)
		return elisa_fail(r, why, ELISA_WHY_NO_MEMORY, value, 0);
	r = elisa_place_take(a, export, target.place);
	if (r)
		return elisa_fail(r, why, ELISA_WHY_NO_PLACE, value, target.place);
	a->export = export;
	a->number = ++export->next_attachment;
	kref_get(&export->events->ref);
	a->events = export->events;
	list_add_tail(&a->node, &export->attachments);
	vm->slots[a->slot] = a;
	update_pcid(vm);
	in->slot = a->slot;
	in->mode = a->mode;
	in->export_flags = a->export_flags;
	in->place = a->place;
	tell(a, ELISA_EVENT_ATTACH, (int)a->place);
	return 0;
}

/*
 * All that can be refused before anything is made or changed for it. *@limit: of pages that the VM
 * may pin.
 */
static int may_attach(struct elisa_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_attach *in,
		      u64 *limit, u32 *why, u64 *value)
{
	struct target target;
	enum elisa_why state;
	u32 rights;
	int r;

	r = check_request(in, why, value);
	if (r)
		return r;
	mutex_lock(&elisa_lock);
	rights = elisa_grant_rights(vm->mm);
	*limit = elisa_grants_max_pages(vm, ELISA_GRANT_ATTACH);
	mutex_unlock(&elisa_lock);
	if (!(rights & ELISA_GRANT_ATTACH))
		return elisa_fail(-EPERM, why, ELISA_WHY_NO_GRANT, value, 0);
	if (elisa_cpu_leaks() && !elisa_cpu_override())
		return elisa_fail(-EOPNOTSUPP, why, ELISA_WHY_CPU_BUG, value, 0);
	if (elisa_cpu_has_tsx())
		return elisa_fail(-EOPNOTSUPP, why, ELISA_WHY_TSX, value, 0);
	state = elisa_predicate(kvm_vcpu, rights & ELISA_GRANT_ALLOW_PCID);
	if (state != ELISA_OK)
		return elisa_fail(-EOPNOTSUPP, why, state, value, kvm_vcpu->arch.cr4);
	mutex_lock(&elisa_lock);
	r = find_target(vm, in, &target, why, value);
	mutex_unlock(&elisa_lock);
	return r;
}

/*
 * Without elisa_lock: the exchange buffer is faulted in and pinned first, then hooks may have to be
 * put in place.
 */
int elisa_attach(struct elisa_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_attach *in,
		 u32 *why, u64 *value)
{
	struct elisa_attachment *a;
	u64 limit;
	int r;

	r = may_attach(vm, kvm_vcpu, in, &limit, why, value);
	if (r)
		return r;
	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	kref_init(&a->ref);
	a->vm = vm;
	elisa_bell_get(vm->bell);
	a->bell = vm->bell;
	a->root = in->root;
	a->user_cs = in->user_cs;
	a->user_ss = in->user_ss;
	INIT_LIST_HEAD(&a->contexts);
	if (in->exchange_pages) {
		a->exchange = kcalloc(in->exchange_pages, sizeof(*a->exchange), GFP_KERNEL_ACCOUNT);
		if (!a->exchange)
			r = elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
		else
			r = elisa_guest_pin(vm->vmm, limit, kvm_vcpu, in->exchange,
					    in->exchange_pages, a->exchange, why, value);
		if (r) {
			kfree(a->exchange);
			kref_put(&a->ref, attachment_release);
			return r;
		}
	}
	a->exchange_pages = in->exchange_pages;
	r = elisa_hooks_arm();
	if (r) {
		r = elisa_fail(r == -EINTR ? r : -EBUSY, why, ELISA_WHY_HOOK, value, 0);
		goto err;
	}
	mutex_lock(&elisa_lock);
	r = attach_locked(a, in, why, value);
	mutex_unlock(&elisa_lock);
	if (!r)
		return 0;
	elisa_hooks_disarm();
err:
	attachment_put(a);
	return r;
}

/*
 * Every entry hook from now on sees `revoked`. Until the kick that has to follow, a vCPU may run in
 * a context.
 */
void elisa_attachment_shut(struct elisa_attachment *a)
{
	struct elisa_context *c;
	unsigned long flags;

	lockdep_assert_held(&elisa_lock);
	if (a->shut)
		return;
	a->shut = true;
	list_for_each_entry(c, &a->contexts, node) {
		struct elisa_vcpu *vcpu = c->vcpu;

		raw_spin_lock_irqsave(&vcpu->lock, flags);
		c->revoked = true;
		c->entry = READ_ONCE(vcpu->inside) ? vcpu->entries : 0;
		vcpu->stale = true;
		raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	}
}

/*
 * After this no CPU runs or resumes any of the attachment's contexts: the IPI made those that ran
 * in one exit. A vCPU may still be on its way from such an exit to its exit hook: see
 * context_end().
 */
static void attachment_quiesce(struct elisa_attachment *a)
{
	if (a->shut)
		return;
	elisa_attachment_shut(a);
	elisa_kick_vm(a->vm);
}

/* The export is gone: its pages are let go, but callers get an error, not a fault. */
void elisa_attachment_revoke(struct elisa_attachment *a)
{
	struct elisa_context *c;
	u32 i;

	lockdep_assert_held(&elisa_lock);
	if (!a->export)
		return;
	attachment_quiesce(a);
	list_for_each_entry(c, &a->contexts, node)
		for (i = 0; i < 512; i++)
			c->pdpt[ELISA_IN_SUB][i] = 0;
	elisa_donations_end(a);
	exchange_free(a);
	list_del(&a->node);
	a->export = NULL;
	elisa_hooks_disarm();
	update_pcid(a->vm);
	tell(a, ELISA_EVENT_DETACH, 0);
	/* a process that sleeps until its place is rung learns of it */
	elisa_ring(a->bell);
}

/* The manager is done with one guest: that one's calls end, all others go on. Under elisa_lock. */
int elisa_evict(struct elisa_vm *vm, struct elisa_hc_evict *in, u32 *why, u64 *value)
{
	struct elisa_export *export = elisa_export_of(vm, in->id);
	struct elisa_attachment *a;

	lockdep_assert_held(&elisa_lock);
	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	list_for_each_entry(a, &export->attachments, node)
		if (a->number == in->attachment) {
			elisa_attachment_revoke(a);
			return 0;
		}
	return elisa_fail(-ENOENT, why, ELISA_WHY_NO_ATTACHMENT, value, in->attachment);
}

static void context_unlink(struct elisa_context *c)
{
	struct elisa_vcpu *vcpu = c->vcpu;
	u32 slot = c->attachment->slot;

	clear_bit(slot, vcpu->used);
	clear_bit(slot, vcpu->forget);
	vcpu->slots[slot] = NULL;
	elisa_stash_orphan(vcpu, c);
	vcpu->stale = true;
}

static void context_free(struct elisa_context *c)
{
	kref_put(&c->attachment->ref, attachment_release);
	elisa_context_free(c);
}

/*
 * Ends a context that was shut. If its vCPU exited in it and has not come to its exit hook
 * yet (its thread may not get a CPU for long, and no other thread shall wait for that), the context
 * stays in its place, dead, and bury() ends it. Under elisa_lock.
 */
static void context_end(struct elisa_context *c)
{
	struct elisa_vcpu *vcpu = c->vcpu;
	unsigned long flags;

	list_del_init(&c->node);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	c->dead = READ_ONCE(vcpu->inside) && vcpu->entries == c->entry;
	if (!c->dead)
		context_unlink(c);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (!c->dead)
		context_free(c);
}

/* Ends the vCPU's dead contexts. True: it still is on its way out of one. Under elisa_lock. */
static bool bury(struct elisa_vcpu *vcpu)
{
	bool left = false;
	int slot;

	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		if (vcpu->slots[slot]->dead)
			context_end(vcpu->slots[slot]);
		left |= !!vcpu->slots[slot] && vcpu->slots[slot]->dead;
	}
	return left;
}

/* Ends an attachment for good. Under elisa_lock. */
void elisa_attachment_free(struct elisa_attachment *a)
{
	struct elisa_context *c, *next;

	lockdep_assert_held(&elisa_lock);
	if (a->export) {
		attachment_quiesce(a);
		elisa_donations_end(a);
		list_del(&a->node);
		elisa_hooks_disarm();
		tell(a, ELISA_EVENT_DETACH, 0);
	}
	list_for_each_entry_safe(c, next, &a->contexts, node)
		context_end(c);
	a->vm->slots[a->slot] = NULL;
	update_pcid(a->vm);
	WRITE_ONCE(a->vm->reap, true);
	attachment_put(a);
	mod_delayed_work(system_wq, &reap_work, 0);
}

int elisa_detach(struct elisa_vm *vm, u32 slot, u32 *why, u64 *value)
{
	struct elisa_attachment *a = NULL;

	if (slot < ELISA_SLOTS)
		a = vm->slots[array_index_nospec(slot, ELISA_SLOTS)];
	if (!a)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_ATTACHMENT, value, slot);
	elisa_attachment_free(a);
	return 0;
}

/* The vCPU is freed: it does not run, and its contexts go with it, dead or alive. */
void elisa_vcpu_drop_contexts(struct elisa_vcpu *vcpu)
{
	struct elisa_context *c;
	unsigned long flags;
	int slot;

	lockdep_assert_held(&elisa_lock);
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		c = vcpu->slots[slot];
		list_del_init(&c->node);
		raw_spin_lock_irqsave(&vcpu->lock, flags);
		context_unlink(c);
		raw_spin_unlock_irqrestore(&vcpu->lock, flags);
		context_free(c);
	}
}

static bool vm_is_attached(struct elisa_vm *vm)
{
	int slot;

	for (slot = 0; slot < ELISA_SLOTS; slot++)
		if (vm->slots[slot] && vm->slots[slot]->export)
			return true;
	return false;
}

/* Shows the VM's attachment in @slot to the vCPU. Under elisa_lock. */
static int context_new(struct elisa_vcpu *vcpu, int slot)
{
	struct elisa_context *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	unsigned long flags;

	if (!c)
		return -ENOMEM;
	c->attachment = vcpu->vm->slots[slot];
	kref_get(&c->attachment->ref);
	c->vcpu = vcpu;
	if (elisa_context_build(c)) {
		context_free(c);
		return -ENOMEM;
	}
	list_add_tail(&c->node, &c->attachment->contexts);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->slots[slot] = c;
	set_bit(slot, vcpu->forget);
	set_bit(slot, vcpu->used);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	return 0;
}

/*
 * The next attachment that the vCPU has no context of; ELISA_SLOTS: it has all. Under elisa_lock.
 */
static int missing_context(struct elisa_vcpu *vcpu)
{
	struct elisa_vm *vm = vcpu->vm;
	int slot;

	for (slot = 0; slot < ELISA_SLOTS; slot++)
		if (vm->slots[slot] && vm->slots[slot]->export && !vcpu->slots[slot])
			break;
	return slot;
}

/* One context, or the end of it: then *@done. Under elisa_lock. */
static int sync_step(struct elisa_vcpu *vcpu, bool *done)
{
	unsigned long flags;
	u64 *list;
	int slot;

	/* the vCPU's own thread is here, so it is inside of nothing */
	bury(vcpu);
	if (!vcpu->counted) {
		elisa_hooks_share();
		elisa_vcpu_set_up(vcpu, true);
	}
	if (!vcpu->list) {
		list = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!list)
			return -ENOMEM;
		raw_spin_lock_irqsave(&vcpu->lock, flags);
		vcpu->list = list;
		raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	}
	slot = missing_context(vcpu);
	if (slot < ELISA_SLOTS)
		return context_new(vcpu, slot);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->synced = true;
	elisa_list_reset(vcpu);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	*done = true;
	return 0;
}

/*
 * Sets this vCPU up for all attachments of its VM, if there are any: otherwise no VM pays for
 * hooks. Its own thread. A guest calls it in interrupts, so it waits for nothing but elisa_lock: an
 * attachment has the hooks in place. It lets go of the lock after each context, for others wait; so
 * anything may have ended between two.
 */
int elisa_vcpu_sync(struct elisa_vcpu *vcpu, u32 *why, u64 *value)
{
	bool done = false;
	int r = 0;

	while (!r && !done) {
		if (mutex_lock_killable(&elisa_lock))
			return -EINTR;
		if (vm_is_attached(vcpu->vm)) {
			r = sync_step(vcpu, &done);
		} else {
			if (vcpu->counted)
				elisa_vcpu_idle(vcpu);
			done = true;
		}
		mutex_unlock(&elisa_lock);
	}
	return r ? elisa_fail(r, why, ELISA_WHY_NO_MEMORY, value, 0) : 0;
}

/*
 * Dead contexts are ended; vCPUs whose VMFUNC the entry hook has switched off for lack of
 * attachments give back their list page and their share of the hooks. True: there is a dead one
 * left.
 */
static bool reap_vcpu(struct elisa_vcpu *vcpu)
{
	u64 *list = NULL;
	unsigned long flags;
	bool idle, left;

	left = bury(vcpu);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	idle = vcpu->counted && !vcpu->controls && bitmap_empty(vcpu->used, ELISA_SLOTS);
	if (idle) {
		list = vcpu->list;
		vcpu->list = NULL;
		vcpu->synced = false;
		vcpu->inside = false; /* its exit passes no hook of ours */
	}
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (idle) {
		free_page((unsigned long)list);
		elisa_vcpu_set_up(vcpu, false);
		elisa_hooks_disarm();
	}
	return left;
}

/* One VM's detaches must not make the host look at all vCPUs of the others. */
static void reap(struct work_struct *work)
{
	struct elisa_vcpu *vcpu;
	struct elisa_vm *vm;
	bool left = false;

	mutex_lock(&elisa_lock);
	list_for_each_entry(vm, &elisa_vms, node) {
		if (!xchg(&vm->reap, false))
			continue;
		list_for_each_entry(vcpu, &vm->vcpus, node)
			if (reap_vcpu(vcpu)) {
				WRITE_ONCE(vm->reap, true);
				left = true;
			}
	}
	mutex_unlock(&elisa_lock);
	if (left)
		schedule_delayed_work(&reap_work, HZ / 10);
}

/* A call was aborted in an export that lets nobody in after that: tell all its vCPUs. */
static void spread_poison(struct work_struct *work)
{
	struct elisa_export *export;

	mutex_lock(&elisa_lock);
	list_for_each_entry(export, &elisa_exports, all)
		if (xchg(&export->poison_is_new, false))
			elisa_export_refresh(export);
	mutex_unlock(&elisa_lock);
}

static DECLARE_WORK(poison_work, spread_poison);

/* From the exit path, IRQs off. */
void elisa_export_was_poisoned(void)
{
	schedule_work(&poison_work);
}

/* From the entry hook, IRQs off. */
void elisa_vcpu_idle(struct elisa_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->vm->reap, true);
	schedule_delayed_work(&reap_work, 0);
}

void elisa_attach_exit(void)
{
	cancel_delayed_work_sync(&reap_work);
	flush_work(&poison_work);
}
