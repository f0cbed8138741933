// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a manager maps into its export: runs of its pages, pinned, in the object's tables. Two of
 * its requests at once are kept apart by export->owner, which no other tenant's thread takes. The
 * tables are under export->lock, because guests' donations are in them, too.
 *
 * No memory is allocated under a lock: pages for tables are made ready first (struct elisa_ready),
 * and if there are not enough of them under the lock, the request tries once more.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "elisa.h"

struct elisa_run *elisa_run_new(u32 count)
{
	struct elisa_run *run = kvzalloc(struct_size(run, pages, count), GFP_KERNEL_ACCOUNT);

	if (run)
		run->count = count;
	return run;
}

/* Unpins the pages of a run that is in no list. */
void elisa_run_free(struct elisa_vmm *vmm, struct elisa_run *run)
{
	elisa_guest_unpin(vmm, run->pages, run->count);
	kvfree(run);
}

static u64 length_of(const struct elisa_run *run)
{
	return (u64)run->count * PAGE_SIZE;
}

/* Is any of it taken by the places, or mapped? Under export->lock. */
bool elisa_export_is_mapped(struct elisa_export *export, u64 offset, u64 length)
{
	u64 places = export->place_count * export->place_pages * PAGE_SIZE;

	if (offset < export->places_offset + places && export->places_offset < offset + length)
		return true;
	return elisa_export_tables_map(export, offset, length);
}

/* The same by the list of mappings, for a range of any length: under export->owner. */
bool elisa_export_overlaps(struct elisa_export *export, u64 offset, u64 length)
{
	struct elisa_run *run;

	lockdep_assert_held(&export->owner);
	list_for_each_entry(run, &export->mappings, node)
		if (offset < run->offset + length_of(run) && run->offset < offset + length)
			return true;
	return false;
}

static int check_map(struct elisa_hc_map *in, u32 *why, u64 *value)
{
	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (in->count > ELISA_HC_MAP_PAGES)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->count);
	if (in->prot != ELISA_PROT_READ && in->prot != (ELISA_PROT_READ | ELISA_PROT_WRITE) &&
	    in->prot != (ELISA_PROT_READ | ELISA_PROT_EXEC))
		return elisa_fail(-EINVAL, why, ELISA_WHY_PROT, value, in->prot);
	return elisa_check_range(in->offset, in->count, why, value);
}

/* All pages of the run into the tables, or none. Under export->lock. */
static int show(struct elisa_export *export, struct elisa_run *run, struct elisa_ready *ready)
{
	u32 i;

	if (!elisa_export_tables_make(export, run->offset, length_of(run), ready))
		return -EAGAIN;
	for (i = 0; i < run->count; i++)
		elisa_export_table_set(export, run->offset + (u64)i * PAGE_SIZE,
				       page_to_phys(run->pages[i]), run->prot);
	return 0;
}

/* With the pages pinned: into the tables and the list, or not at all. Under export->owner. */
static int map_pinned(struct elisa_export *export, struct elisa_hc_map *in, struct elisa_run *run,
		      u32 *why, u64 *value)
{
	struct elisa_ready ready;
	int r;

	do {
		if (!elisa_ready_tables(export, in->offset, length_of(run), &ready))
			return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
		spin_lock(&export->lock);
		if (export->dead)
			r = elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
		else if (elisa_export_is_mapped(export, in->offset, length_of(run)))
			r = elisa_fail(-EEXIST, why, ELISA_WHY_OVERLAP, value, in->offset);
		else
			r = show(export, run, &ready);
		if (!r)
			export->pages += run->count;
		spin_unlock(&export->lock);
		elisa_ready_free(&ready);
	} while (r == -EAGAIN);
	if (r)
		return r;
	list_add_tail(&run->node, &export->mappings);
	return 0;
}

/* Without locks the pages are faulted in and pinned. */
int elisa_export_map(struct elisa_export *export, struct kvm_vcpu *kvm_vcpu,
		     struct elisa_hc_map *in, u32 *why, u64 *value)
{
	struct elisa_vmm *vmm = export->vm->vmm;
	struct elisa_run *run;
	u64 limit;
	int r;

	r = check_map(in, why, value);
	if (r)
		return r;
	limit = elisa_grant_max_pages(vmm, export->terms.grant_id);
	if (!limit)
		return elisa_fail(-EPERM, why, ELISA_WHY_NO_GRANT, value, 0);
	run = elisa_run_new(in->count);
	if (!run)
		return elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	run->offset = in->offset;
	run->prot = in->prot;
	r = elisa_guest_pin(vmm, limit, kvm_vcpu, in->gpa, in->count, run->pages, why, value);
	if (r) {
		kvfree(run);
		return r;
	}
	mutex_lock(&export->owner);
	r = elisa_refuse_failed(run->pages, run->count, in->gpa, why, value);
	if (!r)
		r = map_pinned(export, in, run, why, value);
	mutex_unlock(&export->owner);
	if (r)
		elisa_run_free(vmm, run);
	return r;
}

/*
 * Moves the mappings in the range to @gone. Mappings that the range cuts are refused. Under
 * export->owner.
 */
static int take_mappings(struct elisa_export *export, struct elisa_hc_unmap *in,
			 struct list_head *gone, u32 *why, u64 *value)
{
	u64 end = in->offset + in->count * PAGE_SIZE;
	struct elisa_run *run, *next;
	bool found = false;

	list_for_each_entry(run, &export->mappings, node) {
		u64 last = run->offset + length_of(run);

		if (run->offset >= end || last <= in->offset)
			continue;
		if (run->offset < in->offset || last > end)
			return elisa_fail(-EINVAL, why, ELISA_WHY_OVERLAP, value, run->offset);
		found = true;
	}
	if (!found)
		return elisa_fail(-ENOENT, why, ELISA_WHY_RANGE, value, in->offset);
	list_for_each_entry_safe(run, next, &export->mappings, node)
		if (run->offset >= in->offset && run->offset < end)
			list_move(&run->node, gone);
	return 0;
}

/* The run is in the tables no more; the caller flushes. */
static void hide(struct elisa_export *export, struct elisa_run *run)
{
	u32 i;

	spin_lock(&export->lock);
	for (i = 0; i < run->count; i++)
		elisa_export_table_clear(export, run->offset + (u64)i * PAGE_SIZE);
	elisa_export_tables_shut(export, run->offset, length_of(run));
	export->pages -= run->count;
	spin_unlock(&export->lock);
}

/* After the flush: tables that it has left empty are freed. */
static void free_tables(struct elisa_export *export, struct elisa_run *run)
{
	spin_lock(&export->lock);
	elisa_export_tables_free_shut(export, run->offset, length_of(run));
	spin_unlock(&export->lock);
}

/*
 * Takes whole mappings out again, also under attachments that exist: a call that touches
 * them from now on faults.
 */
int elisa_export_unmap(struct elisa_export *export, struct elisa_hc_unmap *in, u32 *why, u64 *value)
{
	struct elisa_run *run, *next;
	LIST_HEAD(gone);
	int r;

	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	r = elisa_check_range(in->offset, in->count, why, value);
	if (r)
		return r;
	mutex_lock(&export->owner);
	r = take_mappings(export, in, &gone, why, value);
	if (!r) {
		list_for_each_entry(run, &gone, node)
			hide(export, run);
		elisa_flush_export(export);
		list_for_each_entry(run, &gone, node)
			free_tables(export, run);
	}
	mutex_unlock(&export->owner);
	list_for_each_entry_safe(run, next, &gone, node) {
		list_del(&run->node);
		elisa_run_free(export->vm->vmm, run);
	}
	return r;
}
