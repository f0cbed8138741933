// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that guests donate to an export: an attachment's place in the object area, and the pages
 * there. They are in all attachments of the export until the donor's ends; then one page of the
 * host's takes their place, so that nobody who still uses them faults, and only when no CPU
 * remembers them are they let go.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "elisa.h"

/* Once in an export's life. Attachments that exist have no place. */
int elisa_places_create(struct elisa_vm *vm, struct elisa_hc_places *in, u32 *why, u64 *value)
{
	struct elisa_export *export = elisa_export_of(vm, in->id);
	int r;

	lockdep_assert_held(&elisa_lock);
	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	if (!in->count || in->count > ELISA_MAX_PLACES)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->count);
	if (in->size > ELISA_OBJECT_SIZE / PAGE_SIZE / in->count)
		return elisa_fail(-EINVAL, why, ELISA_WHY_RANGE, value, in->size);
	r = elisa_check_range(in->offset, in->size * in->count, why, value);
	if (r)
		return r;
	if (export->place_count)
		return elisa_fail(-EBUSY, why, ELISA_WHY_NO_PLACE, value, export->place_count);
	if (elisa_export_is_mapped(export, in->offset, in->size * in->count * PAGE_SIZE))
		return elisa_fail(-EEXIST, why, ELISA_WHY_OVERLAP, value, in->offset);
	export->places = kcalloc(in->count, sizeof(*export->places), GFP_KERNEL_ACCOUNT);
	export->sink = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!export->places || !export->sink) {
		elisa_places_free(export);
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	}
	export->places_offset = in->offset;
	export->place_pages = in->size;
	smp_store_release(&export->place_count, in->count);
	return 0;
}

/* For the next one who attaches: who has the place now keeps it. */
int elisa_place_ticket(struct elisa_vm *vm, struct elisa_hc_ticket *in, u32 *why, u64 *value)
{
	struct elisa_export *export = elisa_export_of(vm, in->id);
	u32 place;

	lockdep_assert_held(&elisa_lock);
	if (!export)
		return elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	if (in->place >= export->place_count)
		return elisa_fail(-EINVAL, why, ELISA_WHY_NO_PLACE, value, in->place);
	if (elisa_ticket_is_set(in->ticket) && elisa_export_find("", in->ticket, &place))
		return elisa_fail(-EEXIST, why, ELISA_WHY_NAME_TAKEN, value, 0);
	place = array_index_nospec(in->place, export->place_count);
	memcpy(export->places[place].ticket, in->ticket, ELISA_TICKET_SIZE);
	return 0;
}

bool elisa_place_by_ticket(struct elisa_export *export, const u8 *ticket, u32 *place)
{
	u32 i;

	if (!elisa_ticket_is_set(ticket))
		return false;
	for (i = 0; i < export->place_count; i++)
		if (elisa_ticket_matches(export->places[i].ticket, ticket)) {
			*place = i;
			return true;
		}
	return false;
}

/* The place that a ticket was for, or the first free one that has no ticket. */
int elisa_place_take(struct elisa_attachment *a, struct elisa_export *export, u32 place)
{
	lockdep_assert_held(&elisa_lock);
	a->place = ELISA_NO_PLACE;
	if (!export->place_count)
		return 0;
	if (place == ELISA_NO_PLACE)
		for (place = 0; place < export->place_count; place++)
			if (!export->places[place].attachment &&
			    !elisa_ticket_is_set(export->places[place].ticket))
				break;
	if (place == export->place_count)
		return -ENOSPC;
	if (export->places[place].attachment)
		return -EBUSY;
	smp_store_release(&export->places[place].attachment, a);
	a->place = place;
	return 0;
}

/* The attachment that has room for so much more, or why not. Under elisa_lock. */
static struct elisa_attachment *donor(struct elisa_vm *vm, struct elisa_hc_donate *in, u32 *why,
				      u64 *value, int *error)
{
	struct elisa_attachment *a = NULL;
	u64 pages;

	if (in->slot < ELISA_SLOTS)
		a = vm->slots[array_index_nospec(in->slot, ELISA_SLOTS)];
	if (!a || !a->export) {
		*error = elisa_fail(-ENOENT, why, ELISA_WHY_NO_ATTACHMENT, value, in->slot);
		return NULL;
	}
	if (a->place == ELISA_NO_PLACE) {
		*error = elisa_fail(-EINVAL, why, ELISA_WHY_NO_PLACE, value, a->place);
		return NULL;
	}
	pages = a->donated / PAGE_SIZE;
	if (in->count > a->export->place_pages - pages) {
		*error = elisa_fail(-ENOSPC, why, ELISA_WHY_RANGE, value,
				    a->export->place_pages - pages);
		return NULL;
	}
	return a;
}

/* The caller flushes. */
static void show_sink(struct elisa_export *export, u64 offset, u32 count)
{
	u32 i;

	/* cannot fail: the tables are there already */
	for (i = 0; i < count; i++)
		elisa_export_table_set(export, offset + (u64)i * PAGE_SIZE, __pa(export->sink),
				       ELISA_PROT_READ | ELISA_PROT_WRITE);
}

static int show_donation(struct elisa_export *export, struct elisa_donation *d)
{
	bool was_sink = false;
	u64 offset;
	u32 i;

	for (i = 0; i < d->count; i++) {
		offset = d->offset + (u64)i * PAGE_SIZE;
		was_sink |= elisa_export_table_get(export, offset) != 0;
		if (elisa_export_table_set(export, offset, page_to_phys(d->pages[i]),
					   ELISA_PROT_READ | ELISA_PROT_WRITE)) {
			show_sink(export, d->offset, i);
			elisa_flush_export(export);
			return -ENOMEM;
		}
	}
	if (was_sink)
		elisa_flush_export(export);
	return 0;
}

static void donation_free(struct elisa_donation *d)
{
	struct elisa_vm *vm = d->attachment->vm;

	list_del(&d->node);
	elisa_guest_unpin(vm->vmm, d->pages, d->count);
	kvfree(d);
}

/* With the pages pinned: all of them, or none. Under elisa_lock. */
static int donate_pinned(struct elisa_vm *vm, struct elisa_hc_donate *in, struct elisa_donation *d,
			 u32 *why, u64 *value)
{
	struct elisa_attachment *a;
	struct elisa_export *export;
	struct elisa_context *c;
	int r = 0;

	a = donor(vm, in, why, value, &r);
	if (!a)
		return r;
	r = elisa_refuse_failed(d->pages, d->count, in->gpa, why, value);
	if (r)
		return r;
	export = a->export;
	d->attachment = a;
	d->offset = export->places_offset + a->place * export->place_pages * PAGE_SIZE + a->donated;
	if (show_donation(export, d))
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	list_add_tail(&d->node, &export->donations);
	a->donated += (u64)d->count * PAGE_SIZE;
	list_for_each_entry(c, &a->contexts, node)
		WRITE_ONCE(c->self->donated, a->donated);
	in->donated = a->donated / PAGE_SIZE;
	return 0;
}

/* Without elisa_lock: the pages are faulted in and pinned first. */
int elisa_donate(struct elisa_vm *vm, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_donate *in,
		 u32 *why, u64 *value)
{
	struct elisa_attachment *a;
	struct elisa_donation *d;
	u64 limit = 0;
	int r = 0;

	if (!in->count || in->count > ELISA_HC_DONATE_PAGES)
		return elisa_fail(-EINVAL, why, in->count ? ELISA_WHY_FIELD : ELISA_WHY_NO_PAGES,
				  value, in->count);
	mutex_lock(&elisa_lock);
	a = donor(vm, in, why, value, &r);
	if (a)
		limit = elisa_grant_max_pages(a->grant_id);
	mutex_unlock(&elisa_lock);
	if (r)
		return r;
	d = kvzalloc(struct_size(d, pages, in->count), GFP_KERNEL_ACCOUNT);
	if (!d)
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	d->count = in->count;
	r = elisa_guest_pin(vm->vmm, limit, kvm_vcpu, in->gpa, in->count, d->pages, why, value);
	if (r)
		goto err;
	mutex_lock(&elisa_lock);
	r = donate_pinned(vm, in, d, why, value);
	mutex_unlock(&elisa_lock);
	if (!r)
		return 0;
	elisa_guest_unpin(vm->vmm, d->pages, d->count);
err:
	kvfree(d);
	return r;
}

/* The attachment ends: its place is free, and nobody has its pages any more. */
void elisa_donations_end(struct elisa_attachment *a)
{
	struct elisa_export *export = a->export;
	struct elisa_donation *d, *next;
	LIST_HEAD(gone);

	lockdep_assert_held(&elisa_lock);
	if (a->place == ELISA_NO_PLACE)
		return;
	list_for_each_entry_safe(d, next, &export->donations, node)
		if (d->attachment == a)
			list_move(&d->node, &gone);
	WRITE_ONCE(export->places[a->place].attachment, NULL);
	if (list_empty(&gone))
		return;
	list_for_each_entry(d, &gone, node)
		show_sink(export, d->offset, d->count);
	elisa_flush_export(export);
	elisa_donations_free(&gone);
}

/* No context shows them any more, and no CPU remembers them. */
void elisa_donations_free(struct list_head *donations)
{
	struct elisa_donation *d, *next;

	list_for_each_entry_safe(d, next, donations, node)
		donation_free(d);
}

void elisa_places_free(struct elisa_export *export)
{
	free_page((unsigned long)export->sink);
	kfree_sensitive(export->places);
	export->sink = NULL;
	export->places = NULL;
}
