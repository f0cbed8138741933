// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a manager must learn although its event queue was full: that a call has ended in the
 * middle, for it may have held locks of the object. The last such call of each vCPU and attachment
 * is enough.
 *
 *   the attachment lives   Its contexts count the calls that were aborted, and note the last one
 *                          that came into the queue. The rest is told after LOST.
 *   it ends                Its contexts go, so DETACH takes over: it says of how many vCPUs a call
 *                          may have been aborted untold. No call of the attachment goes on, so what
 *                          its calls held can be released. If the queue has no room for that DETACH
 *                          either, a record of it waits in the export until the manager takes it.
 *
 * A vCPU that was in a context when that was shut, or whose call was suspended, has its call ended
 * when its thread runs again. The event may come after DETACH, or find no room: it counts as
 * untold.
 *
 * The record is made with the attachment, so that an end needs no memory. A guest could have ever
 * more of them wait: an export takes EH_UNTOLD_MAX of one grant. Then that grant's VMs cannot
 * attach to it until the manager has taken them; those that are attached may add one each.
 */
#include <linux/slab.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

struct eh_end {
	struct list_head node; /* in export->untold; export->lock */
	u64 attachment, aborts;
	u32 grant_id;
};

/* For attachment->end. */
struct eh_end *eh_end_new(void)
{
	return kzalloc(sizeof(struct eh_end), GFP_KERNEL_ACCOUNT);
}

/* May a call in it have ended in the middle, or be about to, without an event? Under vm->lock. */
static bool is_untold(struct eh_context *c)
{
	struct eh_vcpu *vcpu = c->vcpu;
	unsigned long flags;
	bool untold;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	untold = c->reported != c->self->aborts ||
		 (READ_ONCE(vcpu->phase) == EH_INSIDE && vcpu->entries == c->entry) ||
		 (vcpu->phase == EH_SUSPENDED && vcpu->stash.context == c);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	return untold;
}

/* The context's vCPU goes, perhaps before its attachment ends: keeps an end that is untold. Under
 * vm->lock. */
void eh_context_leaves(struct eh_context *c)
{
	lockdep_assert_held(&c->attachment->vm->lock);
	c->attachment->untold += is_untold(c);
}

/* Reports the end of an attachment that has left the export, with its contexts shut. Under
 * export->lock and vm->lock. */
void eh_tell_end(struct eh_export *export, struct eh_attachment *a)
{
	struct eh_context *c;
	struct elisa_event event = {
		.type = ELISA_EVENT_DETACH,
		.export_id = a->export_id,
		.attachment = a->number,
		.aborts = a->untold,
	};

	lockdep_assert_held(&export->lock);
	lockdep_assert_held(&a->vm->lock);
	list_for_each_entry(c, &a->contexts, node)
		event.aborts += is_untold(c);
	if (eh_event_put(a->events, event) || !event.aborts)
		return;
	a->end->attachment = a->number;
	a->end->aborts = event.aborts;
	a->end->grant_id = a->grant_id;
	list_add_tail(&a->end->node, &export->untold);
	a->end = NULL;
}

/* May a VM of the grant attach to it? Under export->lock. */
int eh_check_untold(struct eh_export *export, u32 grant_id, struct eh_refusal *refusal)
{
	struct eh_end *end;
	u32 n = 0;

	lockdep_assert_held(&export->lock);
	list_for_each_entry(end, &export->untold, node)
		n += end->grant_id == grant_id;
	return n < EH_UNTOLD_MAX ? 0 : eh_refuse(refusal, -EAGAIN, ELISA_WHY_UNTOLD, n);
}

void eh_untold_free(struct eh_export *export)
{
	struct eh_end *end, *next;

	list_for_each_entry_safe(end, next, &export->untold, node)
		kfree(end);
}

static u32 take_ends(struct eh_export *export, struct elisa_event *out, u32 n, u32 room)
{
	struct eh_end *end, *next;

	list_for_each_entry_safe(end, next, &export->untold, node) {
		if (n == room)
			break;
		out[n++] = (struct elisa_event){
			.type = ELISA_EVENT_DETACH,
			.export_id = export->id,
			.attachment = end->attachment,
			.aborts = end->aborts,
		};
		list_del(&end->node);
		kfree(end);
	}
	return n;
}

/* Takes the number of the vCPU's last abort if no event has told it. Returns 0 if one has. */
static u64 take_abort(struct eh_context *c)
{
	unsigned long flags;
	u64 aborts;

	raw_spin_lock_irqsave(&c->vcpu->lock, flags);
	aborts = c->reported != c->self->aborts ? c->self->aborts : 0;
	if (aborts)
		c->reported = aborts;
	raw_spin_unlock_irqrestore(&c->vcpu->lock, flags);
	return aborts;
}

/* Repeats the last abort of each vCPU. Its value is not known any more. */
static u32 take_aborts(struct eh_attachment *a, struct elisa_event *out, u32 n, u32 room)
{
	struct eh_context *c;
	u64 aborts;

	spin_lock(&a->vm->lock);
	list_for_each_entry(c, &a->contexts, node) {
		if (n == room)
			break;
		aborts = take_abort(c);
		if (!aborts)
			continue;
		out[n++] = (struct elisa_event){
			.type = ELISA_EVENT_ABORT,
			.export_id = a->export_id,
			.attachment = a->number,
			.value = ELISA_CALL_FAULT,
			.aborts = aborts,
			.vcpu = c->self->vcpu,
		};
	}
	spin_unlock(&a->vm->lock);
	return n;
}

static u32 take_of_export(struct eh_export *export, struct elisa_event *out, u32 n, u32 room)
{
	struct eh_attachment *a = NULL;

	spin_lock(&export->lock);
	n = take_ends(export, out, n, room);
	spin_unlock(&export->lock);
	while (n < room && (a = eh_attachment_next(export, a))) {
		n = take_aborts(a, out, n, room);
		cond_resched();
	}
	if (a)
		eh_attachment_put(a);
	return n;
}

/* Up to @room of what the manager @vm has not been told. */
u32 eh_untold_take(struct eh_vm *vm, struct elisa_event *out, u32 room)
{
	struct eh_export *export = NULL;
	u32 n = 0;

	while (n < room && (export = eh_export_next(vm, export)))
		n = take_of_export(export, out, n, room);
	if (export)
		eh_export_put(export);
	return n;
}
