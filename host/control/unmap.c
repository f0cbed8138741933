// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmapping a range of an export, which may be a part of what one request has mapped:
 *
 *   1. All that takes memory: tables for large pages that an end of the range cuts. They map the
 *      same as before.
 *   2. The entries are cleared, run by run. export->lock is held for 2 MiB at a time.
 *   3. All contexts get the new entries (show.c), and every CPU forgets the old ones (flush.c).
 *   4. Tables that are empty are freed, and pages of which nothing is mapped any more are unpinned.
 *
 * A run of which a part is gone has NULL in the place of a page that was unpinned. Another run may
 * be mapped there since; of a large page it may be in a hole. Entries say whose they are by the
 * size of the page (ept.h: EPT_PART), so that neither takes the other's.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/base.h"
#include "control/control.h"
#include "path/path.h"
#include "tables/ept.h"
#include "tables/tables.h"

/* What is to be unmapped, and the runs whose pages are let go. All under export->owner. */
struct unmapping {
	u64 offset, end;
	struct list_head gone;
	struct list_head spare; /* runs for pages cut from a run that keeps others; one each */
};

static u64 from_of(const struct unmapping *u, const struct eh_run *run)
{
	return max(u->offset, run->offset);
}

static u64 end_of(const struct unmapping *u, const struct eh_run *run)
{
	return min(u->end, run->offset + eh_run_length(run));
}

static bool touches(const struct unmapping *u, const struct eh_run *run)
{
	return from_of(u, run) < end_of(u, run);
}

static bool cuts(const struct unmapping *u, const struct eh_run *run)
{
	return end_of(u, run) - from_of(u, run) < eh_run_length(run);
}

/* No large page of the run reaches over an end of the range. False: too few pages are ready. */
static bool split_ends(struct eh_export *export, const struct unmapping *u, struct eh_run *run,
		       struct eh_ready *ready)
{
	bool ok;

	spin_lock(&export->lock);
	ok = eh_export_split(export, run, from_of(u, run), ready) &&
	     eh_export_split(export, run, end_of(u, run), ready);
	spin_unlock(&export->lock);
	return ok;
}

/* The tables that a split makes count as pins do: one page of 1 GiB may have 513 of them. */
static int split(struct eh_export *export, const struct unmapping *u, struct eh_run *run,
		 struct eh_refusal *refusal)
{
	struct eh_vmm *vmm = export->vm->vmm;
	struct eh_ready ready = {.count = 0};
	u32 unused = EH_READY_PAGES;
	bool ok = false;
	int r;

	if (split_ends(export, u, run, &ready))
		return 0;
	r = eh_run_count_tables(vmm, eh_grant_max_pages(vmm, export->terms.grant_id), run,
				EH_READY_PAGES, refusal);
	if (r)
		return r;
	if (eh_ready_split(&ready)) {
		ok = split_ends(export, u, run, &ready);
		unused = ready.count;
	}
	eh_run_forget_tables(vmm, run, unused);
	eh_ready_free(&ready);
	return ok ? 0 : eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
}

/* All that takes memory. What is split already maps the same as before. */
static int prepare(struct eh_export *export, struct unmapping *u, struct eh_refusal *refusal)
{
	struct eh_run *run, *spare;
	int r;

	list_for_each_entry(run, &export->mappings, node) {
		if (!touches(u, run) || !cuts(u, run))
			continue;
		spare = eh_run_new(run->count, run->order);
		if (!spare)
			return eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
		list_add_tail(&spare->node, &u->spare);
		r = split(export, u, run, refusal);
		if (r)
			return r;
	}
	return 0;
}

/* Takes the run's part out of the tables; the caller flushes. The lock is held for 2 MiB at a
 * time. */
static u64 hide(struct eh_export *export, const struct unmapping *u, struct eh_run *run)
{
	u64 pages = 0, at = from_of(u, run);

	while (at < end_of(u, run)) {
		spin_lock(&export->lock);
		pages += eh_export_tables_clear(export, run, &at, end_of(u, run));
		spin_unlock(&export->lock);
	}
	spin_lock(&export->lock);
	export->pages -= pages;
	spin_unlock(&export->lock);
	return pages;
}

/* After the flush: frees the tables that it has left empty. */
static void free_tables(struct eh_export *export, const struct unmapping *u, struct eh_run *run)
{
	u64 at;

	for (at = from_of(u, run); at < end_of(u, run); at = (at | (level_size(2) - 1)) + 1) {
		spin_lock(&export->lock);
		eh_export_table_free_shut(export, at);
		spin_unlock(&export->lock);
	}
}

/* Is a part of the run's page still mapped? */
static bool stays(struct eh_export *export, struct eh_run *run, u32 i)
{
	u64 at = run->offset + i * eh_run_step(run), end = at + eh_run_step(run);
	bool found = false;

	while (!found && at < end) {
		spin_lock(&export->lock);
		found = eh_export_tables_have(export, run, &at, end);
		spin_unlock(&export->lock);
	}
	return found;
}

/* After the flush: releases the pages of a cut run that are not mapped any more. */
static void take_pages(struct eh_export *export, struct unmapping *u, struct eh_run *run)
{
	struct eh_run *spare = list_first_entry(&u->spare, struct eh_run, node);
	u64 first = (from_of(u, run) - run->offset) / eh_run_step(run);
	u64 last = (end_of(u, run) - 1 - run->offset) / eh_run_step(run);
	u32 i;

	for (i = first; i <= last; i++)
		if (!stays(export, run, i))
			swap(spare->pages[i], run->pages[i]);
	list_move(&spare->node, &u->gone);
	for (i = 0; i < run->count; i++)
		if (run->pages[i])
			return;
	list_move(&run->node, &u->gone);
}

static void let_go(struct eh_export *export, struct unmapping *u)
{
	struct eh_run *run, *next;

	list_for_each_entry_safe(run, next, &export->mappings, node) {
		if (!touches(u, run))
			continue;
		free_tables(export, u, run);
		if (cuts(u, run))
			take_pages(export, u, run);
		else
			list_move(&run->node, &u->gone);
	}
}

static int unmap(struct eh_export *export, struct unmapping *u, struct eh_refusal *refusal)
{
	struct eh_run *run;
	u64 pages = 0;
	int r;

	r = prepare(export, u, refusal);
	if (r)
		return r;
	list_for_each_entry(run, &export->mappings, node)
		if (touches(u, run))
			pages += hide(export, u, run);
	if (!pages)
		return eh_refuse(refusal, -ENOENT, ELISA_WHY_RANGE, u->offset);
	eh_export_show(export);
	eh_flush_export(export);
	let_go(export, u);
	return 0;
}

static void runs_free(struct eh_vmm *vmm, struct list_head *runs)
{
	struct eh_run *run, *next;

	list_for_each_entry_safe(run, next, runs, node) {
		list_del(&run->node);
		eh_run_free(vmm, run);
	}
}

/*
 * Unmaps a range, also under existing attachments: a call that touches it from now on faults. A
 * large page that the range cuts is split. It is unpinned when no part of it is mapped any more.
 */
int eh_export_unmap(struct eh_export *export, struct elisa_hc_unmap *in, struct eh_refusal *refusal)
{
	struct unmapping u = {.offset = in->offset, .end = in->offset + in->count * PAGE_SIZE};
	int r;

	if (in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->pad);
	r = eh_check_range(in->offset, in->count, ELISA_ORDER_4K, refusal);
	if (r)
		return r;
	INIT_LIST_HEAD(&u.gone);
	INIT_LIST_HEAD(&u.spare);
	mutex_lock(&export->owner);
	r = unmap(export, &u, refusal);
	mutex_unlock(&export->owner);
	runs_free(export->vm->vmm, &u.gone);
	runs_free(export->vm->vmm, &u.spare);
	return r;
}
