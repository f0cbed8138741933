// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that fails in hardware. The kernel learns of it by a machine check, or from the firmware
 * or a scrubber before a CPU touches it; it marks the page, takes it from the processes that map
 * it, and kills those that touched it. It does not know which vCPUs have it by our tables: each
 * vCPU that touched it in a call would be one more machine check, and one more VMM killed. So an
 * export with such a page ends, and so does an attachment that gave one.
 *
 * All ways come to memory_failure(), which says so by a tracepoint when the page is marked. What is
 * mapped is looked at then, by a work of each VMM, which costs time for all of it: hardware fails
 * rarely, and only CAP_SYS_ADMIN can pretend it. A page that is marked before it is in a list is
 * refused there: eh_refuse_failed().
 */
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/compat.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static struct tracepoint *event;

static bool object_failed(struct eh_export *export, u64 *offset)
{
	struct eh_run *run;
	bool failed = false;
	u64 at;

	mutex_lock(&export->owner);
	list_for_each_entry(run, &export->mappings, node) {
		cond_resched();
		failed = eh_run_failed(run, &at);
		if (failed) {
			*offset = run->offset + at;
			break;
		}
	}
	mutex_unlock(&export->owner);
	return failed;
}

static bool exchange_failed(struct eh_attachment *a)
{
	bool failed;
	u64 at;

	spin_lock(&a->vm->lock);
	failed = a->exchange && eh_run_failed(a->exchange, &at);
	spin_unlock(&a->vm->lock);
	return failed;
}

/*
 * The donation after @run, or the first one. NULL: there is none, or the attachment is shut. Until
 * it is shut, an attachment only gains donations, so @run is still in its list. Under export->lock.
 */
static struct eh_run *donation_after(struct eh_attachment *a, struct eh_run *run)
{
	struct list_head *next;

	if (eh_attachment_is_shut(a))
		return NULL;
	next = run ? run->node.next : a->donations.next;
	return next == &a->donations ? NULL : list_entry(next, struct eh_run, node);
}

/* Holds the lock that guests' requests take for one donation at a time. */
static bool donation_failed(struct eh_export *export, struct eh_attachment *a)
{
	struct eh_run *run = NULL;
	bool failed;
	u64 at;

	do {
		spin_lock(&export->lock);
		run = donation_after(a, run);
		failed = run && eh_run_failed(run, &at);
		spin_unlock(&export->lock);
		cond_resched();
	} while (run && !failed);
	return failed;
}

static void look_at_givers(struct eh_export *export)
{
	struct eh_attachment *a = NULL;

	while ((a = eh_attachment_next(export, a)))
		if (exchange_failed(a) || donation_failed(export, a)) {
			pr_err("attachment %llu to export %u ended: memory that it gave failed\n",
			       a->number, export->id);
			eh_attachment_revoke(a);
		}
}

static void look_at_object(struct eh_export *export)
{
	u64 offset;

	if (!object_failed(export, &offset))
		return;
	pr_err("export %u ended: its memory failed at offset %#llx\n", export->id, offset);
	eh_event_put(export->events, (struct elisa_event){.type = ELISA_EVENT_MEMORY,
							  .export_id = export->id,
							  .value = offset});
	eh_export_kill(export);
}

static void look_at_each(struct eh_vmm *vmm, void (*look)(struct eh_export *export))
{
	struct eh_export *export;
	struct eh_vm *vm;
	u64 at = 0;

	while ((vm = eh_vmm_vm_after(vmm, at))) {
		at = vm->sequence;
		for (export = eh_export_next(vm, NULL); export; export = eh_export_next(vm, export))
			look(export);
		eh_vm_put(vm);
	}
}

/* Checks what guests donated to all exports of a VMM's VMs. Runs in a work of the VMM's. */
void eh_failure_look_at_givers(struct eh_vmm *vmm)
{
	look_at_each(vmm, look_at_givers);
}

/*
 * Checks the objects of these exports, in another work of the VMM's. It waits for managers'
 * threads, which may not get a processor. The check of donations does not wait for it.
 */
void eh_failure_look_at_objects(struct eh_vmm *vmm)
{
	look_at_each(vmm, look_at_object);
}

static void look_at_all(struct work_struct *work)
{
	struct eh_vm *vm = NULL;

	while ((vm = eh_vm_next(vm)))
		eh_vmm_failure_soon(vm->vmm);
}

static DECLARE_WORK(looking, look_at_all);

/* Preemption is off. */
static void memory_failed(void *unused, unsigned long pfn, int type, int result)
{
	queue_work(eh_works, &looking);
}

static void find_event(struct tracepoint *tracepoint, void *unused)
{
	if (!strcmp(tracepoint->name, EH_MEMORY_FAILURE_EVENT))
		event = tracepoint;
}

/* A kernel without the tracepoint marks no pages: it stops at a machine check. */
int eh_failure_init(void)
{
	for_each_kernel_tracepoint(find_event, NULL);
	return event ? tracepoint_probe_register(event, memory_failed, NULL) : 0;
}

void eh_failure_exit(void)
{
	if (event) {
		tracepoint_probe_unregister(event, memory_failed, NULL);
		tracepoint_synchronize_unregister();
	}
	/* that queues a work of each VMM, in both queues */
	flush_workqueue(eh_works);
	flush_workqueue(eh_works);
	flush_workqueue(eh_slow_works);
}
