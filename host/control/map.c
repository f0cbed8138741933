// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a manager maps into its export: runs of its pages, pinned, in the object's tables. Two of
 * its requests at once are kept apart by export->owner, which no other tenant's thread takes. The
 * tables are under export->lock, because guests' donations are in them, too.
 *
 * No memory is allocated under a spinlock: pages for tables are made ready first (struct eh_ready),
 * and if there are not enough of them under the lock, the request tries once more.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/ept.h"
#include "tables/tables.h"

/* Is any of it taken by the places, or mapped? Under export->lock. */
static bool is_mapped(struct eh_export *export, u64 offset, u64 length)
{
	u64 places = export->place_count * export->place_pages * PAGE_SIZE;

	if (offset < export->places_offset + places && export->places_offset < offset + length)
		return true;
	return eh_export_tables_map(export, offset, length);
}

/* Is any part of a range, of any length, mapped? Under export->owner, so no other part is mapped
 * meanwhile. */
bool eh_export_overlaps(struct eh_export *export, u64 offset, u64 length)
{
	u64 at, end = offset + length;
	bool found = false;

	lockdep_assert_held(&export->owner);
	for (at = offset; !found && at < end; at = (at | (GIB - 1)) + 1) {
		spin_lock(&export->lock);
		found = eh_export_tables_map(export, at, min((at | (GIB - 1)) + 1, end) - at);
		spin_unlock(&export->lock);
	}
	return found;
}

static int check_map(struct elisa_hc_map *in, struct eh_refusal *refusal)
{
	int r = eh_check_order(in->order, refusal);

	if (r)
		return r;
	if (in->count > ELISA_HC_MAP_PAGES)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->count);
	if (in->prot != ELISA_PROT_READ && in->prot != (ELISA_PROT_READ | ELISA_PROT_WRITE) &&
	    in->prot != (ELISA_PROT_READ | ELISA_PROT_EXEC))
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_PROT, in->prot);
	/* the CPU may change the size of a page of code under itself: itlb_multihit */
	if (in->prot & ELISA_PROT_EXEC && in->order)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_PROT, in->prot);
	return eh_check_range(in->offset, in->count, in->order, refusal);
}

/* Puts all pages of the run into the tables, or none. Under export->lock. */
static int show(struct eh_export *export, struct elisa_hc_map *in, struct eh_run *run,
		struct eh_ready *ready, struct eh_refusal *refusal)
{
	bool takes;
	u64 at;

	if (export->dead)
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, in->id);
	/* up to here is_mapped() finds one entry for each large page, so it makes few steps */
	takes = eh_export_takes(export, run, &at);
	if (is_mapped(export, run->offset,
		      takes ? eh_run_length(run) : at + eh_run_step(run) - run->offset))
		return eh_refuse(refusal, -EEXIST, ELISA_WHY_OVERLAP, run->offset);
	if (!takes)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_ORDER, at);
	if (!eh_export_tables_make(export, run, ready))
		return -EAGAIN;
	eh_export_tables_set(export, run);
	export->pages += eh_run_length(run) / PAGE_SIZE;
	return 0;
}

/* Puts a run of pinned pages into the tables and the list, or not at all. Under export->owner. */
static int map_pinned(struct eh_export *export, struct elisa_hc_map *in, struct eh_run *run,
		      struct eh_refusal *refusal)
{
	struct eh_ready ready;
	int r;

	do {
		if (!eh_ready_tables(export, run->offset, run, &ready))
			return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
		spin_lock(&export->lock);
		r = show(export, in, run, &ready, refusal);
		spin_unlock(&export->lock);
		eh_ready_free(&ready);
	} while (r == -EAGAIN);
	if (r)
		return r;
	eh_export_show(export);
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
	run = eh_run_new(in->count, in->order);
	if (!run)
		return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	run->offset = in->offset;
	run->prot = in->prot;
	r = eh_run_pin(vmm, limit, kvm_vcpu, in->gpa, run, refusal);
	if (r) {
		kvfree(run);
		return r;
	}
	mutex_lock(&export->owner);
	r = eh_refuse_failed(run, in->gpa, refusal);
	if (!r)
		r = map_pinned(export, in, run, refusal);
	mutex_unlock(&export->owner);
	if (r)
		eh_run_free(vmm, run);
	return r;
}
