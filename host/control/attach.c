// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching a process of a guest VM to an export:
 *
 *   1. What can be refused at once is refused, before anything is made or changed.
 *   2. The attachment takes a slot of the VM's: no second request gets it, and none sees it as
 *      complete.
 *   3. The exchange buffer is faulted in and pinned, KVM switches the VM's APICv off, hooks may
 *      have to be put in place, the tables are built: all without a lock, for it takes long.
 *   4. Under export->lock, vm->lock and eh_registry what was found in step 1 is looked at again.
 *      If the grant, the ticket or the export has gone, the attachment ends before it began. Else
 *      it is complete, and each thread that ends one of them from now on finds it.
 *
 * revoke.c has the end of attachments, sync.c what a vCPU needs to enter one.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <asm/tsc.h>

#include "base/base.h"
#include "base/trace.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static int check_request(struct elisa_hc_attach *in, struct eh_refusal *refusal)
{
	if (in->flags || in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->flags | in->pad);
	if (strnlen(in->name, ELISA_NAME_SIZE) == ELISA_NAME_SIZE)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_NAME, ELISA_NAME_SIZE);
	if (!in->root || !PAGE_ALIGNED(in->root) || in->root >= eh_root_limit())
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_ROOT, in->root);
	if ((in->user_cs & 7) != 3 || (in->user_ss & 7) != 3 || in->user_cs < 8 || in->user_ss < 8)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_SELECTOR,
				 ((u32)in->user_cs << 16) | in->user_ss);
	if (in->exchange_pages > ELISA_EXCHANGE_MAX_PAGES)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->exchange_pages);
	return 0;
}

/* What a process is to be attached to. */
struct target {
	struct eh_export *export; /* a reference */
	struct eh_terms terms;
	u64 entry;
};

static int check_export(struct eh_export *export, struct target *t, struct eh_refusal *refusal)
{
	int r;

	spin_lock(&export->lock);
	if (export->state != ELISA_EXPORT_LIVE)
		r = eh_refuse(refusal, -EAGAIN, ELISA_WHY_NOT_PUBLISHED, export->id);
	else
		r = eh_check_untold(export, t->terms.grant_id, refusal);
	t->entry = export->entry;
	spin_unlock(&export->lock);
	return r;
}

static int find_target(struct eh_vm *vm, const struct elisa_hc_attach *in, struct target *t,
		       struct eh_refusal *refusal)
{
	struct eh_export *export;
	u32 place;
	int r;

	export = eh_export_find(in->name, in->ticket, &place);
	if (!export && eh_ticket_is_set(in->ticket))
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, 0);
	/* a ticket selects, a grant allows: the name is the export's own */
	if (!eh_grant_find(vm->vmm, ELISA_GRANT_ATTACH, export ? export->name : in->name,
			   &t->terms))
		r = eh_refuse(refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	else if (!export)
		r = eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, 0);
	else
		r = check_export(export, t, refusal);
	if (r && export)
		eh_export_put(export);
	t->export = export;
	return r;
}

/* What a guest learns of it: that which it can change. */
static enum elisa_why why_of(enum elisa_closed closed)
{
	switch (closed) {
	case ELISA_CLOSED_PCID:
		return ELISA_WHY_PCID;
	case ELISA_CLOSED_CET:
		return ELISA_WHY_CET;
	case ELISA_CLOSED_COUNTERS:
	case ELISA_CLOSED_DEBUGCTL:
		return ELISA_WHY_COUNTERS;
	case ELISA_CLOSED_APICV:
		return ELISA_WHY_APICV;
	default:
		return ELISA_WHY_VCPU_STATE;
	}
}

/* Checks that host and vCPU are in a state in which the isolation holds. APICv may be on, because
 * attaching switches it off. */
static int check_host(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, struct eh_refusal *refusal)
{
	u32 rights = eh_grant_rights(vm->mm);
	enum elisa_closed closed;

	if (!(rights & ELISA_GRANT_ATTACH))
		return eh_refuse(refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	if (eh_cpu_leaks() && !eh_cpu_override())
		return eh_refuse(refusal, -EOPNOTSUPP, ELISA_WHY_CPU_BUG, 0);
	if (eh_cpu_has_tsx())
		return eh_refuse(refusal, -EOPNOTSUPP, ELISA_WHY_TSX, 0);
	closed = eh_predicate(kvm_vcpu, rights & ELISA_GRANT_ALLOW_PCID, eh_levels(kvm_vcpu));
	if (closed != ELISA_NOT_CLOSED && closed != ELISA_CLOSED_APICV)
		return eh_refuse(refusal, -EOPNOTSUPP, why_of(closed), kvm_vcpu->arch.cr4);
	return 0;
}

static struct eh_attachment *attachment_new(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu,
					    const struct elisa_hc_attach *in,
					    const struct target *t)
{
	struct eh_attachment *a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	struct eh_export *export = t->export;

	if (!a)
		return NULL;
	a->end = eh_end_new();
	if (!a->end) {
		kfree(a);
		return NULL;
	}
	kref_init(&a->ref);
	eh_vm_get(vm);
	a->vm = vm;
	eh_bell_get(vm->bell);
	a->bell = vm->bell;
	kref_get(&export->events->ref);
	a->events = export->events;
	a->root = in->root;
	a->levels = eh_levels(kvm_vcpu);
	a->user_cs = in->user_cs;
	a->user_ss = in->user_ss;
	a->mode = export->terms.rights & ELISA_GRANT_TRUSTED_MANAGER ? ELISA_MODE_TRUSTED :
								       ELISA_MODE_STRICT;
	a->export_flags = export->flags;
	a->export_id = export->id;
	a->grant_id = t->terms.grant_id;
	a->allow_pcid = t->terms.rights & ELISA_GRANT_ALLOW_PCID;
	a->limit_cycles = div_u64((u64) export->limit_us * tsc_khz, 1000);
	a->suspend_ns = (u64) export->suspend_us * NSEC_PER_USEC;
	a->exchange_pages = in->exchange_pages;
	memcpy(a->name, export->name, ELISA_NAME_SIZE);
	INIT_LIST_HEAD(&a->contexts);
	INIT_LIST_HEAD(&a->donations);
	INIT_LIST_HEAD(&a->leaving);
	return a;
}

/* Is @b an attachment of the same process to the same export? Revoked ones do not count. */
static bool is_same(const struct eh_attachment *a, const struct eh_attachment *b)
{
	return a->export_id == b->export_id && a->root == b->root && (a->export || !a->number);
}

static int slot_take(struct eh_vm *vm, struct eh_attachment *a, struct eh_refusal *refusal)
{
	int i, free = -1, same = -1;

	spin_lock(&vm->lock);
	for (i = ELISA_SLOTS - 1; i >= 0; i--) {
		if (!vm->slots[i])
			free = i;
		else if (is_same(vm->slots[i], a))
			same = i;
	}
	if (same < 0 && free >= 0) {
		a->slot = free;
		vm->slots[free] = a;
	}
	spin_unlock(&vm->lock);
	if (same >= 0)
		return eh_refuse(refusal, -EEXIST, ELISA_WHY_ATTACHED, same);
	if (free < 0)
		return eh_refuse(refusal, -ENOSPC, ELISA_WHY_NO_SLOT, ELISA_SLOTS);
	return 0;
}

/* Drops an attachment that was never complete, so only this thread knows it. */
static void slot_give_back(struct eh_vm *vm, struct eh_attachment *a)
{
	spin_lock(&vm->lock);
	vm->slots[a->slot] = NULL;
	spin_unlock(&vm->lock);
}

static int pin_exchange(struct eh_attachment *a, struct kvm_vcpu *kvm_vcpu,
			const struct elisa_hc_attach *in, u64 limit, struct eh_refusal *refusal)
{
	int r;

	if (!in->exchange_pages)
		return 0;
	r = eh_share(a->vm, kvm_vcpu, in->exchange, in->exchange_pages, refusal);
	if (r)
		return r;
	a->exchange = eh_run_new(in->exchange_pages, ELISA_ORDER_4K);
	if (!a->exchange)
		return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	r = eh_run_pin(a->vm->vmm, limit, kvm_vcpu, in->exchange, a->exchange, refusal);
	if (r) {
		kvfree(a->exchange);
		a->exchange = NULL;
	}
	return r;
}

/* Counts the export's attachments of one tenant. Under export->lock. */
static u32 attachments_of(struct eh_export *export, struct eh_vmm *vmm)
{
	struct eh_attachment *a;
	u32 count = 0;

	list_for_each_entry(a, &export->attachments, node)
		count += a->vm->vmm == vmm;
	return count;
}

/*
 * Checks that everything found before still holds, and that *@place is free. Under export->lock and
 * vm->lock.
 */
static int check_again(struct eh_attachment *a, const struct elisa_hc_attach *in,
		       const struct target *t, u32 *place, struct eh_refusal *refusal)
{
	struct eh_vmm *vmm = a->vm->vmm;
	int r;

	spin_lock(&eh_registry);
	if (eh_export_look_up(in->name, in->ticket, place) != t->export || t->export->dead)
		r = eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, 0);
	else if (!eh_grant_holds(vmm, a->grant_id))
		r = eh_refuse(refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	else
		r = eh_place_choose(t->export, a->vm, place, refusal);
	spin_unlock(&eh_registry);
	if (r)
		return r;
	if (t->export->attachment_count >= EH_ATTACHMENTS_PER_EXPORT)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, EH_ATTACHMENTS_PER_EXPORT);
	if (attachments_of(t->export, vmm) >= EH_ATTACHMENTS_PER_VMM)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, EH_ATTACHMENTS_PER_VMM);
	/* the VM was reset */
	if (a->shut)
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_ATTACHMENT, a->slot);
	/* the buffer was pinned by the VM's largest grant; what counts is this one */
	if (max(READ_ONCE(vmm->held), READ_ONCE(vmm->pins) + READ_ONCE(vmm->tables)) >
	    t->terms.max_pages)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, t->terms.max_pages);
	if (!a->exchange)
		return 0;
	return eh_refuse_failed(a->exchange, in->exchange, refusal);
}

/* Makes the attachment complete. Takes over the caller's share of the hooks. Under export->lock and
 * vm->lock. */
static void join_export(struct eh_export *export, struct eh_attachment *a, u32 place)
{
	kref_get(&export->ref);
	a->export = export;
	a->number = ++export->next_attachment;
	export->attachment_count++;
	a->place = place;
	eh_place_take(export, a);
	list_add_tail(&a->node, &export->attachments);
	eh_vm_update_pcid(a->vm);
	eh_event_put(a->events, (struct elisa_event){.type = ELISA_EVENT_ATTACH,
						     .export_id = export->id,
						     .attachment = a->number,
						     .value = (int)place});
	trace_elisa_attach(a);
	eh_attachment_tell(ELISA_HOST_EVENT_ATTACHED, a, 0);
}

static int commit(struct eh_attachment *a, struct elisa_hc_attach *in, const struct target *t,
		  struct eh_refusal *refusal)
{
	u32 place;
	int r;

	spin_lock(&t->export->lock);
	spin_lock(&a->vm->lock);
	r = check_again(a, in, t, &place, refusal);
	if (!r) {
		join_export(t->export, a, place);
		in->slot = a->slot;
		in->mode = a->mode;
		in->export_flags = a->export_flags;
		in->place = place;
	}
	spin_unlock(&a->vm->lock);
	spin_unlock(&t->export->lock);
	return r;
}

/* Steps 3 and 4, in a slot and without APICv. */
static int attach_in_slot(struct eh_attachment *a, struct elisa_hc_attach *in,
			  const struct target *t, struct eh_refusal *refusal)
{
	int r = eh_hooks_arm();

	if (r == -ENOMEM)
		return eh_refuse(refusal, r, ELISA_WHY_NO_MEMORY, 0);
	if (r)
		return eh_refuse(refusal, -EBUSY, ELISA_WHY_HOOK, 0);
	r = eh_slot_prepare(a->slot, a->levels);
	if (!r)
		r = eh_attachment_build(a, ELISA_OBJECT_BASE + t->entry);
	if (r)
		r = eh_refuse(refusal, r, ELISA_WHY_NO_MEMORY, 0);
	else
		r = commit(a, in, t, refusal);
	if (r)
		eh_hooks_disarm();
	return r;
}

static int attach(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_attach *in,
		  const struct target *t, struct eh_refusal *refusal)
{
	u64 limit = eh_grants_max_pages(vm->vmm, ELISA_GRANT_ATTACH);
	struct eh_attachment *a = attachment_new(vm, kvm_vcpu, in, t);
	int r;

	if (!a)
		return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	r = slot_take(vm, a, refusal);
	if (!r) {
		r = pin_exchange(a, kvm_vcpu, in, limit, refusal);
		if (!r && !eh_vm_inhibit_apicv(vm))
			r = eh_refuse(refusal, -EOPNOTSUPP, ELISA_WHY_APICV, kvm_vcpu->arch.cr4);
		if (!r)
			r = attach_in_slot(a, in, t, refusal);
		if (r)
			slot_give_back(vm, a);
	}
	if (!r)
		return 0;
	eh_vm_allow_apicv_soon(vm);
	if (a->exchange)
		eh_run_free(vm->vmm, a->exchange);
	eh_attachment_put(a);
	return r;
}

int eh_attach(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_attach *in,
	      struct eh_refusal *refusal)
{
	struct target t;
	int r;

	r = check_request(in, refusal);
	if (!r)
		r = check_host(vm, kvm_vcpu, refusal);
	if (!r)
		r = find_target(vm, in, &t, refusal);
	if (r)
		return r;
	r = attach(vm, kvm_vcpu, in, &t, refusal);
	eh_export_put(t.export);
	return r;
}
