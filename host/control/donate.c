// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that guests donate to an export, at their attachment's place in the object area. The pages
 * are in all attachments of the export until the donor's ends. Then one page of the host's takes
 * their place, so that no call that still uses them faults, and only when no CPU remembers them are
 * they let go.
 *
 * A donor's attachment that is shut takes no more memory. So a thread that ends the attachment
 * finds all of it, run by run, and no lock is held for longer than one run takes. Several threads
 * may end it at once, and each of them may be kept from running at any point. So none relies on
 * another:
 *
 *   take   Each run goes from `donations` to `leaving`, and the sink takes its place.
 *   flush  A thread that finds `donations` empty shows and flushes for all runs, also for those
 *          that another thread has taken.
 *   leave  What is in `leaving` then goes to the donor's VMM, which unpins it.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

/* The offset for the attachment's next page. Under export->lock, or for a first look. */
static u64 next_offset(struct eh_export *export, struct eh_attachment *a)
{
	return export->places_offset + a->place * export->place_pages * PAGE_SIZE +
	       READ_ONCE(a->donated);
}

/* May @a donate this many more pages of this order? Under export->lock, or for a first look. */
static int check_room(struct eh_export *export, struct eh_attachment *a, u32 count, u32 order,
		      struct eh_refusal *refusal)
{
	u64 room;

	if (a->place == ELISA_NO_PLACE)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_NO_PLACE, a->place);
	room = export->place_pages - READ_ONCE(a->donated) / PAGE_SIZE;
	if ((u64)count << order > room)
		return eh_refuse(refusal, -ENOSPC, ELISA_WHY_RANGE, room);
	if (!IS_ALIGNED(next_offset(export, a), (u64)PAGE_SIZE << order))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_ORDER, next_offset(export, a));
	return 0;
}

/*
 * Tells the functions in its contexts how much it has donated, once each CPU has all of it. A
 * function writes where the host says that it may.
 */
static void tell_contexts(struct eh_export *export, struct eh_attachment *a)
{
	struct eh_context *c;

	spin_lock(&export->lock);
	/* the last of several donations at once tells of all */
	if (!--a->donating) {
		spin_lock(&a->vm->lock);
		list_for_each_entry(c, &a->contexts, node)
			WRITE_ONCE(c->self->donated, a->donated);
		spin_unlock(&a->vm->lock);
	}
	spin_unlock(&export->lock);
}

/*
 * Maps the pages at the attachment's place. -EAGAIN: more tables must be made ready. *@was_sink:
 * CPUs may have translations of what was there. Under export->lock.
 */
static int donate_locked(struct eh_export *export, struct eh_attachment *a,
			 struct elisa_hc_donate *in, struct eh_run *run, struct eh_ready *ready,
			 bool *was_sink, struct eh_refusal *refusal)
{
	u64 at, length = eh_run_length(run);
	int r;

	if (a->export != export || eh_attachment_is_shut(a))
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_ATTACHMENT, in->slot);
	r = check_room(export, a, run->count, run->order, refusal);
	if (!r)
		r = eh_refuse_failed(run, in->gpa, refusal);
	if (r)
		return r;
	run->offset = next_offset(export, a);
	if (!eh_export_takes(export, run, &at))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_ORDER, at);
	*was_sink = eh_export_tables_map(export, run->offset, length);
	if (!eh_export_tables_make(export, run, ready))
		return -EAGAIN;
	eh_export_tables_set(export, run);
	list_add_tail(&run->node, &a->donations);
	WRITE_ONCE(a->donated, a->donated + length);
	a->donating++;
	in->donated = a->donated / PAGE_SIZE;
	return 0;
}

/* With the pages pinned: all of them, or none. */
static int donate_pinned(struct eh_export *export, struct eh_attachment *a,
			 struct elisa_hc_donate *in, struct eh_run *run, struct eh_refusal *refusal)
{
	struct eh_ready ready;
	bool was_sink = false;
	int r;

	do {
		if (!eh_ready_tables(export, next_offset(export, a), run, &ready))
			return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
		spin_lock(&export->lock);
		r = donate_locked(export, a, in, run, &ready, &was_sink, refusal);
		spin_unlock(&export->lock);
		eh_ready_free(&ready);
	} while (r == -EAGAIN);
	if (r)
		return r;
	eh_export_show(export);
	if (was_sink)
		eh_flush_export(export);
	tell_contexts(export, a);
	return 0;
}

/* Without locks the pages are faulted in and pinned. */
static int donate(struct eh_export *export, struct eh_attachment *a, struct kvm_vcpu *kvm_vcpu,
		  struct elisa_hc_donate *in, struct eh_refusal *refusal)
{
	struct eh_vmm *vmm = a->vm->vmm;
	u64 limit = eh_grant_max_pages(vmm, a->grant_id);
	struct eh_run *run;
	int r;

	r = check_room(export, a, in->count, in->order, refusal);
	if (!r)
		r = eh_share(a->vm, kvm_vcpu, in->gpa, in->count, refusal);
	if (r)
		return r;
	run = eh_run_new(in->count, in->order);
	if (!run)
		return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	run->prot = ELISA_PROT_READ | ELISA_PROT_WRITE;
	r = eh_run_pin(vmm, limit, kvm_vcpu, in->gpa, run, refusal);
	if (r) {
		kvfree(run);
		return r;
	}
	r = donate_pinned(export, a, in, run, refusal);
	if (r)
		eh_run_free(vmm, run);
	return r;
}

int eh_donate(struct eh_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_donate *in,
	      struct eh_refusal *refusal)
{
	struct eh_attachment *a;
	struct eh_export *export;
	int r;

	if (!in->count || in->count > ELISA_HC_DONATE_PAGES)
		return eh_refuse(refusal, -EINVAL, in->count ? ELISA_WHY_FIELD : ELISA_WHY_NO_PAGES,
				 in->count);
	r = eh_check_order(in->order, refusal);
	if (r)
		return r;
	a = eh_attachment_in(vm, in->slot);
	if (!a)
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_ATTACHMENT, in->slot);
	export = eh_attachment_export(a);
	if (export) {
		r = donate(export, a, kvm_vcpu, in, refusal);
		eh_export_put(export);
	} else {
		r = eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_ATTACHMENT, in->slot);
	}
	eh_attachment_put(a);
	return r;
}

/*
 * Takes the next run of a shut attachment out of the tables. False: there is none. An attachment
 * leaves the export after its last run was taken, and the export's tables go after its last
 * attachment has left.
 */
static bool take_run(struct eh_export *export, struct eh_attachment *a)
{
	struct eh_run *run;

	spin_lock(&export->lock);
	run = list_first_entry_or_null(&a->donations, struct eh_run, node);
	if (run) {
		list_move(&run->node, &a->leaving);
		eh_export_tables_sink(export, run);
	}
	spin_unlock(&export->lock);
	return run;
}

/* Gives a run that was taken to the donor's VMM. False: there is none. */
static bool leave_run(struct eh_export *export, struct eh_attachment *a)
{
	struct eh_run *run;

	spin_lock(&export->lock);
	run = list_first_entry_or_null(&a->leaving, struct eh_run, node);
	if (run) {
		list_del(&run->node);
		eh_vmm_leave(a->vm->vmm, run);
	}
	spin_unlock(&export->lock);
	return run;
}

/*
 * Ends the donations of a shut attachment, when no CPU runs its contexts. When this returns, its
 * pages are in no attachment any more, and no CPU has translations of them. @all_shut: all
 * attachments of the export are shut as well, so no flush is needed.
 */
void eh_donations_end(struct eh_export *export, struct eh_attachment *a, bool all_shut)
{
	while (take_run(export, a))
		cond_resched();
	/* it gets no more since it is shut */
	if (!READ_ONCE(a->donated))
		return;
	if (!all_shut) {
		eh_export_show(export);
		eh_flush_export(export);
	}
	while (leave_run(export, a))
		cond_resched();
	/* another thread may have ended the attachment since its runs were taken */
	eh_vmm_unpin_soon(a->vm->vmm);
}
