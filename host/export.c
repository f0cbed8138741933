// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports: a manager's pinned pages, their EPT, and the name under which guests find
 * them. An export lives until its manager destroys it or is gone; its pages stay pinned
 * until no CPU can reach them any more.
 */
#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "elisa.h"

LIST_HEAD(elisa_exports);
static u32 next_export = 1; /* elisa_lock */

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

struct elisa_export *elisa_export_of(struct elisa_vm *vm, u32 id)
{
	struct elisa_export *export;

	list_for_each_entry(export, &vm->exports, node)
		if (export->id == id)
			return export;
	return NULL;
}

bool elisa_ticket_is_set(const u8 *ticket)
{
	return memchr_inv(ticket, 0, ELISA_TICKET_SIZE);
}

/* A ticket decides alone; the time to compare it must not tell how much of it fits. */
bool elisa_ticket_matches(const u8 *a, const u8 *b)
{
	u8 difference = 0;
	int i;

	for (i = 0; i < ELISA_TICKET_SIZE; i++)
		difference |= a[i] ^ b[i];
	return !difference;
}

/* By ticket if there is one (*place: the place that it is for), else the public export of
 * this name. Under elisa_lock. */
struct elisa_export *elisa_export_find(const char *name, const u8 *ticket, u32 *place)
{
	struct elisa_export *export;

	lockdep_assert_held(&elisa_lock);
	*place = ELISA_NO_PLACE;
	list_for_each_entry(export, &elisa_exports, all) {
		if (elisa_place_by_ticket(export, ticket, place))
			return export;
		if (export->flags & ELISA_EXPORT_PRIVATE) {
			if (elisa_ticket_is_set(ticket) &&
			    elisa_ticket_matches(export->ticket, ticket))
				return export;
		} else if (!elisa_ticket_is_set(ticket) && !strcmp(export->name, name)) {
			return export;
		}
	}
	return NULL;
}

int elisa_export_create(struct elisa_vm *vm, struct elisa_hc_export *in, u32 *why, u64 *value)
{
	const u32 known = ELISA_EXPORT_GENERAL_REGS | ELISA_EXPORT_PRIVATE | ELISA_EXPORT_POISON;
	struct elisa_export *export;
	struct elisa_grant *grant;
	u32 place;

	lockdep_assert_held(&elisa_lock);
	if (in->flags & ~known)
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
	grant = elisa_grant_find(vm->mm, ELISA_GRANT_EXPORT, in->name);
	if (!grant)
		return elisa_fail(-EPERM, why, ELISA_WHY_NO_GRANT, value, 0);
	if (vm->export_count >= ELISA_EXPORTS_PER_VM)
		return elisa_fail(-EDQUOT, why, ELISA_WHY_QUOTA, value, ELISA_EXPORTS_PER_VM);
	if (elisa_export_find(in->name, in->ticket, &place))
		return elisa_fail(-EEXIST, why, ELISA_WHY_NAME_TAKEN, value, 0);
	export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	if (!export)
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	export->vm = vm;
	elisa_vm_join(vm, grant->vmm);
	kref_get(&vm->events->ref);
	export->events = vm->events;
	export->id = in->id = next_export++;
	export->flags = in->flags;
	export->limit_us = in->limit_us ?: elisa_default_limit_us;
	export->suspend_us = in->suspend_us ?:
				     max_t(u32, elisa_default_suspend_us, ELISA_MIN_SUSPEND_US);
	export->rights = grant->rights;
	export->grant_id = grant->id;
	memcpy(export->name, in->name, ELISA_NAME_SIZE);
	memcpy(export->ticket, in->ticket, ELISA_TICKET_SIZE);
	INIT_LIST_HEAD(&export->mappings);
	INIT_LIST_HEAD(&export->attachments);
	INIT_LIST_HEAD(&export->donations);
	list_add_tail(&export->node, &vm->exports);
	vm->export_count++;
	list_add_tail(&export->all, &elisa_exports);
	__module_get(THIS_MODULE);
	return 0;
}

/* Is any of it taken by a mapping or by the places? */
bool elisa_export_is_mapped(struct elisa_export *export, u64 offset, u64 length)
{
	u64 places = export->place_count * export->place_pages * PAGE_SIZE;
	struct elisa_mapping *mapping;

	if (offset < export->places_offset + places && export->places_offset < offset + length)
		return true;
	list_for_each_entry(mapping, &export->mappings, node)
		if (offset < mapping->offset + (u64)mapping->count * PAGE_SIZE &&
		    mapping->offset < offset + length)
			return true;
	return false;
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

/* With the pages pinned: into the tables and the list, or not at all. */
static int map_pinned(struct elisa_vm *vm, struct elisa_hc_map *in, struct elisa_mapping *mapping,
		      u32 *why, u64 *value)
{
	struct elisa_export *export = elisa_export_of(vm, in->id);
	u32 i;
	int r;

	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	if (elisa_export_is_mapped(export, in->offset, (u64)in->count * PAGE_SIZE))
		return elisa_fail(-EEXIST, why, ELISA_WHY_OVERLAP, value, in->offset);
	r = elisa_refuse_failed(mapping->pages, in->count, in->gpa, why, value);
	if (r)
		return r;
	for (i = 0; i < in->count; i++) {
		r = elisa_export_table_set(export, in->offset + i * PAGE_SIZE,
					   page_to_phys(mapping->pages[i]), in->prot);
		if (r)
			goto undo;
	}
	list_add_tail(&mapping->node, &export->mappings);
	export->pages += in->count;
	return 0;
undo:
	while (i--)
		elisa_export_table_clear(export, in->offset + i * PAGE_SIZE);
	elisa_flush_export(export);
	return elisa_fail(r, why, ELISA_WHY_NO_MEMORY, value, 0);
}

/* Without elisa_lock: the pages are faulted in and pinned first. */
int elisa_export_map(struct elisa_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_map *in,
		     u32 *why, u64 *value)
{
	struct elisa_export *export;
	struct elisa_mapping *mapping;
	u64 limit = 0;
	int r;

	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (in->count > ELISA_HC_MAP_PAGES)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->count);
	r = elisa_check_range(in->offset, in->count, why, value);
	if (r)
		return r;
	if (in->prot != ELISA_PROT_READ && in->prot != (ELISA_PROT_READ | ELISA_PROT_WRITE) &&
	    in->prot != (ELISA_PROT_READ | ELISA_PROT_EXEC))
		return elisa_fail(-EINVAL, why, ELISA_WHY_PROT, value, in->prot);
	mapping = kvzalloc(struct_size(mapping, pages, in->count), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	mapping->offset = in->offset;
	mapping->prot = in->prot;
	mapping->count = in->count;

	mutex_lock(&elisa_lock);
	export = elisa_export_of(vm, in->id);
	if (!(elisa_grant_rights(vm->mm) & ELISA_GRANT_EXPORT))
		r = elisa_fail(-EPERM, why, ELISA_WHY_NO_GRANT, value, 0);
	else if (!export)
		r = elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	else
		limit = elisa_grant_max_pages(export->grant_id);
	mutex_unlock(&elisa_lock);
	if (!r)
		r = elisa_guest_pin(vm->vmm, limit, kvm_vcpu, in->gpa, in->count, mapping->pages,
				    why, value);
	if (r) {
		kvfree(mapping);
		return r;
	}
	mutex_lock(&elisa_lock);
	r = map_pinned(vm, in, mapping, why, value);
	mutex_unlock(&elisa_lock);
	if (r) {
		elisa_guest_unpin(vm->vmm, mapping->pages, mapping->count);
		kvfree(mapping);
	}
	return r;
}

static void mapping_free(struct elisa_export *export, struct elisa_mapping *mapping)
{
	list_del(&mapping->node);
	export->pages -= mapping->count;
	elisa_guest_unpin(export->vm->vmm, mapping->pages, mapping->count);
	kvfree(mapping);
}

/*
 * Takes whole mappings out again, also under attachments that exist: a call that touches
 * them from now on faults. Mappings that the range cuts are refused.
 */
int elisa_export_unmap(struct elisa_vm *vm, struct elisa_hc_unmap *in, u32 *why, u64 *value)
{
	struct elisa_export *export = elisa_export_of(vm, in->id);
	struct elisa_mapping *mapping, *next;
	u64 end, found = 0;
	LIST_HEAD(gone);
	u32 i;
	int r;

	lockdep_assert_held(&elisa_lock);
	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	r = elisa_check_range(in->offset, in->count, why, value);
	if (r)
		return r;
	end = in->offset + in->count * PAGE_SIZE;
	list_for_each_entry(mapping, &export->mappings, node) {
		u64 last = mapping->offset + (u64)mapping->count * PAGE_SIZE;

		if (mapping->offset >= end || last <= in->offset)
			continue;
		if (mapping->offset < in->offset || last > end)
			return elisa_fail(-EINVAL, why, ELISA_WHY_OVERLAP, value, mapping->offset);
		found++;
	}
	if (!found)
		return elisa_fail(-ENOENT, why, ELISA_WHY_RANGE, value, in->offset);
	list_for_each_entry_safe(mapping, next, &export->mappings, node) {
		if (mapping->offset < in->offset || mapping->offset >= end)
			continue;
		for (i = 0; i < mapping->count; i++)
			elisa_export_table_clear(export, mapping->offset + i * PAGE_SIZE);
		elisa_export_tables_shut(export, mapping->offset, (u64)mapping->count * PAGE_SIZE);
		list_move(&mapping->node, &gone);
	}
	elisa_flush_export(export);
	list_for_each_entry_safe(mapping, next, &gone, node) {
		elisa_export_tables_free_shut(export, mapping->offset,
					      (u64)mapping->count * PAGE_SIZE);
		mapping_free(export, mapping);
	}
	return 0;
}

int elisa_export_publish(struct elisa_vm *vm, struct elisa_hc_publish *in, u32 *why, u64 *value)
{
	struct elisa_export *export = elisa_export_of(vm, in->id);
	struct elisa_mapping *mapping;

	lockdep_assert_held(&elisa_lock);
	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	if (export->state == ELISA_EXPORT_LIVE && !export->poisoned)
		return elisa_fail(-EBUSY, why, ELISA_WHY_PUBLISHED, value, in->id);
	if (export->state == ELISA_EXPORT_LIVE && in->entry != export->entry)
		return elisa_fail(-EINVAL, why, ELISA_WHY_ENTRY, value, in->entry);
	list_for_each_entry(mapping, &export->mappings, node)
		if ((mapping->prot & ELISA_PROT_EXEC) && in->entry >= mapping->offset &&
		    in->entry - mapping->offset < (u64)mapping->count * PAGE_SIZE)
			goto found;
	return elisa_fail(-EINVAL, why, ELISA_WHY_ENTRY, value, in->entry);
found:
	export->entry = in->entry;
	export->state = ELISA_EXPORT_LIVE;
	if (export->poisoned) {
		WRITE_ONCE(export->poisoned, false);
		elisa_export_refresh(export);
	}
	return 0;
}

/*
 * Aborts that the full event queue lost, the last one of each vCPU and attachment: who runs code in
 * a guest's call has to learn of every call that did not come back. The value is not known
 * any more. Under elisa_lock.
 */
u32 elisa_exports_lost_aborts(struct elisa_vm *vm, struct elisa_event *out, u32 room)
{
	struct elisa_attachment *a;
	struct elisa_export *export;
	struct elisa_context *c;
	u64 aborts;
	u32 n = 0;

	list_for_each_entry(export, &vm->exports, node)
		list_for_each_entry(a, &export->attachments, node)
			list_for_each_entry(c, &a->contexts, node) {
				aborts = READ_ONCE(c->self->aborts);
				if (READ_ONCE(c->reported) == aborts || n == room)
					continue;
				WRITE_ONCE(c->reported, aborts);
				out[n++] = (struct elisa_event){
					.type = ELISA_EVENT_ABORT,
					.export_id = export->id,
					.attachment = a->number,
					.value = ELISA_CALL_FAULT,
					.aborts = aborts,
					.vcpu = c->self->vcpu,
				};
			}
	return n;
}

/* Lets all attached vCPUs look again whether they may call. Under elisa_lock. */
void elisa_export_refresh(struct elisa_export *export)
{
	struct elisa_attachment *attachment;
	struct elisa_context *context;
	unsigned long flags;

	list_for_each_entry(attachment, &export->attachments, node)
		list_for_each_entry(context, &attachment->contexts, node) {
			raw_spin_lock_irqsave(&context->vcpu->lock, flags);
			context->vcpu->stale = true;
			raw_spin_unlock_irqrestore(&context->vcpu->lock, flags);
		}
	elisa_kick_export(export);
}

/* The manager is done or gone: its name is free, its callers get ELISA_CALL_REVOKED. */
void elisa_export_kill(struct elisa_export *export)
{
	struct elisa_attachment *attachment, *next;
	struct elisa_mapping *mapping, *m;
	LIST_HEAD(donations);

	lockdep_assert_held(&elisa_lock);
	/* all attachments end, so that there is nobody for whom to put something in their place */
	list_splice_init(&export->donations, &donations);
	list_for_each_entry(attachment, &export->attachments, node)
		elisa_attachment_shut(attachment);
	elisa_kick_export(export);
	list_for_each_entry_safe(attachment, next, &export->attachments, node)
		elisa_attachment_revoke(attachment);
	/* no context shows these tables any more, and no CPU remembers them */
	elisa_export_table_free(export);
	list_for_each_entry_safe(mapping, m, &export->mappings, node)
		mapping_free(export, mapping);
	elisa_donations_free(&donations);
	elisa_places_free(export);
	export->vm->export_count--;
	list_del(&export->node);
	list_del(&export->all);
	elisa_events_put(export->events);
	kfree_sensitive(export);
	module_put(THIS_MODULE);
}

int elisa_export_destroy(struct elisa_vm *vm, u32 id, u32 *why, u64 *value)
{
	struct elisa_export *export = elisa_export_of(vm, id);

	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, id);
	elisa_export_kill(export);
	return 0;
}
