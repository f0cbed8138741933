// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a manager maps into its export: runs of its pages, pinned, in the object's tables. Two of
 * its requests at once are kept apart by export->owner, which no other tenant's thread takes. The
 * tables are under export->lock, because guests' donations are in them, too.
 *
 * No memory is allocated under a lock: pages for tables are made ready first (struct eh_ready),
 * and if there are not enough of them under the lock, the request tries once more.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static u64 length_of(const struct eh_run *run)
{
	return (u64)run->count * PAGE_SIZE;
}

/* Is any of it taken by the places, or mapped? Under export->lock. */
bool eh_export_is_mapped(struct eh_export *export, u64 offset, u64 length)
{
	u64 places = export->place_count * export->place_pages * PAGE_SIZE;

	if (offset < export->places_offset + places && export->places_offset < offset + length)
		return true;
	return eh_export_tables_map(export, offset, length);
}

/* The same by the list of mappings, for a range of any length: under export->owner. */
bool eh_export_overlaps(struct eh_export *export, u64 offset, u64 length)
{
	struct eh_run *run;

	lockdep_assert_held(&export->owner);
	list_for_each_entry(run, &export->mappings, node)
		if (offset < run->offset + length_of(run) && run->offset < offset + length)
			return true;
	return false;
}

static int check_map(struct elisa_hc_map *in, struct eh_refusal *refusal)
{
	if (in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->pad);
	if (in->count > ELISA_HC_MAP_PAGES)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->count);
	if (in->prot != ELISA_PROT_READ && in->prot != (ELISA_PROT_READ | ELISA_PROT_WRITE) &&
	    in->prot != (ELISA_PROT_READ | ELISA_PROT_EXEC))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_PROT, in->prot);
	return eh_check_range(in->offset, in->count, refusal);
}

/* All pages of the run into the tables, or none. Under export->lock. */
static int show(struct eh_export *export, struct eh_run *run, struct eh_ready *ready)
{
	u32 i;

	if (!eh_export_tables_make(export, run->offset, length_of(run), ready))
		return -EAGAIN;
	for (i = 0; i < run->count; i++)
		eh_export_table_set(export, run->offset + (u64)i * PAGE_SIZE,
				    page_to_phys(run->pages[i]), run->prot);
	return 0;
}

/* With the pages pinned: into the tables and the list, or not at all. Under export->owner. */
static int map_pinned(struct eh_export *export, struct elisa_hc_map *in, struct eh_run *run,
		      struct eh_refusal *refusal)
{
	struct eh_ready ready;
	int r;

	do {
		if (!eh_ready_tables(export, in->offset, length_of(run), &ready))
			return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
		spin_lock(&export->lock);
		if (export->dead)
			r = eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, in->id);
		else if (eh_export_is_mapped(export, in->offset, length_of(run)))
			r = eh_refuse(refusal, -EEXIST, ELISA_WHY_OVERLAP, in->offset);
		else
			r = show(export, run, &ready);
		if (!r)
			export->pages += run->count;
		spin_unlock(&export->lock);
		eh_ready_free(&ready);
	} while (r == -EAGAIN);
	if (r)
		return r;
	list_add_tail(&run->node, &export->mappings);
	return 0;
}

/* Without locks the pages are faulted in and pinned. */
int eh_export_map(struct eh_export *export, struct kvm_vcpu *kvm_vcpu, struct elisa_hc_map *in,
		  struct eh_refusal *refusal)
{
	struct eh_vmm *vmm = export->vm->vmm;
	struct eh_run *run;
	u64 limit;
	int r;

	r = check_map(in, refusal);
	if (r)
		return r;
	limit = eh_grant_max_pages(vmm, export->terms.grant_id);
	if (!limit)
		return eh_refuse(refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	r = eh_share(export->vm, kvm_vcpu, in->gpa, in->count, refusal);
	if (r)
		return r;
	run = eh_run_new(in->count);
	if (!run)
		return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	run->offset = in->offset;
	run->prot = in->prot;
	r = eh_guest_pin(vmm, limit, kvm_vcpu, in->gpa, in->count, run->pages, refusal);
	if (r) {
		kvfree(run);
		return r;
	}
	mutex_lock(&export->owner);
	r = eh_refuse_failed(run->pages, run->count, in->gpa, refusal);
	if (!r)
		r = map_pinned(export, in, run, refusal);
	mutex_unlock(&export->owner);
	if (r)
		eh_run_free(vmm, run);
	return r;
}

/*
 * Moves the mappings in the range to @gone. Mappings that the range cuts are refused. Under
 * export->owner.
 */
static int take_mappings(struct eh_export *export, struct elisa_hc_unmap *in,
			 struct list_head *gone, struct eh_refusal *refusal)
{
	u64 end = in->offset + in->count * PAGE_SIZE;
	struct eh_run *run, *next;
	bool found = false;

	list_for_each_entry(run, &export->mappings, node) {
		u64 last = run->offset + length_of(run);

		if (run->offset >= end || last <= in->offset)
			continue;
		if (run->offset < in->offset || last > end)
			return eh_refuse(refusal, -EINVAL, ELISA_WHY_OVERLAP, run->offset);
		found = true;
	}
	if (!found)
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_RANGE, in->offset);
	list_for_each_entry_safe(run, next, &export->mappings, node)
		if (run->offset >= in->offset && run->offset < end)
			list_move(&run->node, gone);
	return 0;
}

/* The run is in the tables no more; the caller flushes. */
static void hide(struct eh_export *export, struct eh_run *run)
{
	u32 i;

	spin_lock(&export->lock);
	for (i = 0; i < run->count; i++)
		eh_export_table_clear(export, run->offset + (u64)i * PAGE_SIZE);
	eh_export_tables_shut(export, run->offset, length_of(run));
	export->pages -= run->count;
	spin_unlock(&export->lock);
}

/* After the flush: tables that it has left empty are freed. */
static void free_tables(struct eh_export *export, struct eh_run *run)
{
	spin_lock(&export->lock);
	eh_export_tables_free_shut(export, run->offset, length_of(run));
	spin_unlock(&export->lock);
}

/*
 * Takes whole mappings out again, also under attachments that exist: a call that touches
 * them from now on faults.
 */
int eh_export_unmap(struct eh_export *export, struct elisa_hc_unmap *in, struct eh_refusal *refusal)
{
	struct eh_run *run, *next;
	LIST_HEAD(gone);
	int r;

	if (in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->pad);
	r = eh_check_range(in->offset, in->count, refusal);
	if (r)
		return r;
	mutex_lock(&export->owner);
	r = take_mappings(export, in, &gone, refusal);
	if (!r) {
		list_for_each_entry(run, &gone, node)
			hide(export, run);
		eh_flush_export(export);
		list_for_each_entry(run, &gone, node)
			free_tables(export, run);
	}
	mutex_unlock(&export->owner);
	list_for_each_entry_safe(run, next, &gone, node) {
		list_del(&run->node);
		eh_run_free(export->vm->vmm, run);
	}
	return r;
}
