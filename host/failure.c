// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that fails in hardware. The kernel learns of it by a machine check, or from the firmware
 * or a scrubber before a CPU touches it; it marks the page, takes it from the processes that map
 * it, and kills those that touched it. It does not know who else has it by our tables: each vCPU
 * that touched it in a call would be one more machine check, and one more VMM killed. So an export
 * with such a page ends, and so does an attachment that gave one.
 *
 * All ways come to memory_failure(), which says so by a tracepoint when the page is marked. What is
 * mapped is looked at then, which costs time for all of it, under elisa_lock: hardware fails
 * rarely, and only CAP_SYS_ADMIN can pretend it. A page that is marked before it is in a list is
 * refused there: elisa_refuse_failed().
 */
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "elisa.h"

static struct tracepoint *event;

bool elisa_any_failed(struct page **pages, u32 count, u32 *which)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (is_page_hwpoison(pages[i])) {
			*which = i;
			return true;
		}
	return false;
}

static bool object_failed(struct elisa_export *export, u64 *offset)
{
	struct elisa_mapping *mapping;
	u32 which;

	list_for_each_entry(mapping, &export->mappings, node) {
		cond_resched();
		if (elisa_any_failed(mapping->pages, mapping->count, &which)) {
			*offset = mapping->offset + (u64)which * PAGE_SIZE;
			return true;
		}
	}
	return false;
}

static struct elisa_attachment *failed_donor(struct elisa_export *export)
{
	struct elisa_donation *d;
	u32 which;

	list_for_each_entry(d, &export->donations, node)
		if (elisa_any_failed(d->pages, d->count, &which))
			return d->attachment;
	return NULL;
}

static struct elisa_attachment *failed_exchange(struct elisa_export *export)
{
	struct elisa_attachment *a;
	u32 which;

	list_for_each_entry(a, &export->attachments, node)
		if (elisa_any_failed(a->exchange, a->exchange_pages, &which))
			return a;
	return NULL;
}

static void look_at(struct elisa_export *export)
{
	struct elisa_attachment *a;
	u64 offset;

	if (object_failed(export, &offset)) {
		pr_err("export %u ended: its memory failed at offset %#llx\n", export->id, offset);
		elisa_event(export->events, (struct elisa_event){.type = ELISA_EVENT_MEMORY,
								 .export_id = export->id,
								 .value = offset});
		elisa_export_kill(export);
		return;
	}
	while ((a = failed_donor(export)) || (a = failed_exchange(export))) {
		pr_err("attachment %llu to export %u ended: memory that it gave failed\n",
		       a->number, export->id);
		elisa_attachment_revoke(a);
	}
}

static void look(struct work_struct *work)
{
	struct elisa_export *export, *next;

	mutex_lock(&elisa_lock);
	list_for_each_entry_safe(export, next, &elisa_exports, all)
		look_at(export);
	mutex_unlock(&elisa_lock);
}

static DECLARE_WORK(looking, look);

/* Preemption is off. */
static void memory_failed(void *unused, unsigned long pfn, int type, int result)
{
	queue_work(system_unbound_wq, &looking);
}

static void find_event(struct tracepoint *tracepoint, void *unused)
{
	if (!strcmp(tracepoint->name, ELISA_MEMORY_FAILURE_EVENT))
		event = tracepoint;
}

/* A kernel without the tracepoint marks no pages: it stops at a machine check. */
int elisa_failure_init(void)
{
	for_each_kernel_tracepoint(find_event, NULL);
	return event ? tracepoint_probe_register(event, memory_failed, NULL) : 0;
}

void elisa_failure_exit(void)
{
	if (event) {
		tracepoint_probe_unregister(event, memory_failed, NULL);
		tracepoint_synchronize_unregister();
	}
	flush_work(&looking);
}
