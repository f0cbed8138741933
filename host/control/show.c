// SPDX-License-Identifier: GPL-2.0-only
/*
 * The object's first tables. Where a GiB of the object leads is an entry of each context's own: to
 * the export's page directory, to 1 GiB of memory, or nowhere. A request changes it in the export,
 * under export->lock, and lets that lock go. Then each context gets the new entry, attachment by
 * attachment, so that no lock is held for longer than one attachment takes.
 *
 * A context that comes meanwhile gets the entries as they are (context_show() in sync.c). When
 * eh_export_show() returns every context has each change that was made before it was called, also
 * another thread's that still is under way: so a page that is found in a table is shown to all.
 */
#include "base/base.h"
#include "control/control.h"
#include "tables/tables.h"

/* Under export->lock, which keeps an older entry from coming later. */
static void show_gib(struct eh_export *export, struct eh_attachment *a, u32 gib)
{
	struct eh_context *c;

	spin_lock(&a->vm->lock);
	list_for_each_entry(c, &a->contexts, node)
		eh_context_link_object(c, export, gib);
	spin_unlock(&a->vm->lock);
}

/* Without a spinlock. An entry that went is gone for CPUs when the caller has flushed. */
void eh_export_show(struct eh_export *export)
{
	struct eh_attachment *a = NULL;
	u64 unshown, changes;
	u32 gib;

	spin_lock(&export->lock);
	unshown = export->unshown;
	changes = export->changes;
	spin_unlock(&export->lock);
	if (!unshown)
		return;
	for (gib = 0; gib < EH_OBJECT_GIB; gib++)
		while (unshown & BIT_ULL(gib) && (a = eh_attachment_next(export, a))) {
			spin_lock(&export->lock);
			show_gib(export, a, gib);
			spin_unlock(&export->lock);
		}
	spin_lock(&export->lock);
	if (export->changes == changes)
		export->unshown = 0;
	spin_unlock(&export->lock);
}
