// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fake host for the tests of the guest driver, built instead of guest/hypercall.c. It answers the
 * hypercalls itself and counts what the driver has not released. Calls never reach a function, as
 * VMFUNC causes #UD here. A released driver must never contain it.
 */
#include <linux/acpi.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "guest.h"

static DEFINE_SPINLOCK(lock); /* all below; taken with IRQs off by VCPU_SYNC */
static u32 next_id = 1;
static u64 slots;
static int exports, pages, attachments, donated, syncs, resets;
static struct elisa_event events[256];
static int event_head, event_count;
static u64 aborts;

/* Counters that the tests read, and failures that they order. */
module_param(exports, int, 0444);
module_param(pages, int, 0444);
module_param(attachments, int, 0444);
module_param(donated, int, 0444);
module_param(syncs, int, 0444);
module_param(resets, int, 0444);
static int large; /* requests with large pages that were granted */
module_param(large, int, 0444);
static bool takes_large;
module_param(takes_large, bool, 0644); /* as HELLO says */
static int fail_call, fail_after, mode, export_flags, flood, flood_callers = 1,
							     abi = ELISA_ABI_VERSION;
module_param(fail_call, int, 0644);  /* this call fails, once... */
module_param(fail_after, int, 0644); /* ... after so many that succeed */
module_param(abi, int, 0444);	     /* what this host speaks */
module_param(mode, int, 0644);
module_param(export_flags, int, 0644);
module_param(flood, int, 0644);		/* so many aborts of the newest export... */
module_param(flood_callers, int, 0644); /* ... by so many vCPUs in turn */
static bool flood_faults;
module_param(flood_faults, bool, 0644); /* ... each with its fault before it */

static int asked; /* so many requests for a grant are answered so; below 0: all, none granted */
module_param(asked, int, 0644);

/* The doorbell: its edge comes if "rings" is set, and once more for each write to "ring". */
static u32 gsi = ELISA_NO_DOORBELL;
static bool rings, granted = true;
module_param(gsi, uint, 0444);
module_param(rings, bool, 0444);
module_param(granted, bool, 0644);

static void edge(struct work_struct *work)
{
	unsigned int irq;

	if (gsi == ELISA_NO_DOORBELL || acpi_gsi_to_irq(gsi, &irq) || irq_inject_interrupt(irq))
		pr_err("fake host: no edge of GSI %u\n", gsi);
}
static DECLARE_WORK(ringing, edge);

static int ring(const char *text, const struct kernel_param *param)
{
	schedule_work(&ringing);
	return 0;
}

static const struct kernel_param_ops ring_ops = {.set = ring};
module_param_cb(ring, &ring_ops, NULL, 0200);

/*
 * A write to "forget": the host forgets the VM, as after the VM's state was restored on another
 * host.
 */
static int forget(const char *text, const struct kernel_param *param)
{
	spin_lock_irq(&lock);
	slots = 0;
	attachments = donated = 0;
	spin_unlock_irq(&lock);
	return 0;
}

static const struct kernel_param_ops forget_ops = {.set = forget};
module_param_cb(forget, &forget_ops, NULL, 0200);

int eg_hypercall_init(void)
{
	return 0;
}

void eg_hypercall_exit(void)
{
	cancel_work_sync(&ringing);
}

struct elisa_hc_page *eg_page_get(enum elisa_hc call)
{
	struct elisa_hc_page *page;

	page = (void *)get_zeroed_page(GFP_KERNEL | __GFP_NOFAIL);
	page->call = call;
	return page;
}

void eg_page_put(struct elisa_hc_page *page)
{
	free_page((unsigned long)page);
}

static void add_event(u32 type, u32 id)
{
	struct elisa_event event = {.type = type, .export_id = id, .attachment = 1};

	if (type == ELISA_EVENT_ABORT) {
		event.vcpu = aborts % flood_callers;
		event.aborts = ++aborts;
	}
	if (event_count < 256)
		events[(event_head + event_count++) % 256] = event;
}

static int take_events(struct elisa_hc_events *out)
{
	for (; flood; flood--) {
		if (flood_faults)
			add_event(ELISA_EVENT_FAULT, next_id - 1);
		add_event(ELISA_EVENT_ABORT, next_id - 1);
	}
	while (event_count && out->count < ELISA_HC_EVENTS_MAX) {
		out->event[out->count++] = events[event_head];
		event_head = (event_head + 1) % 256;
		event_count--;
	}
	return 0;
}

static int attach(struct elisa_hc_attach *attach)
{
	if (!attach->root || !PAGE_ALIGNED(attach->root) || attach->user_cs != 0x33 ||
	    attach->user_ss != 0x2b)
		return -EINVAL;
	if (slots == ~0ULL)
		return -ENOSPC;
	attach->slot = ffz(slots);
	slots |= BIT_ULL(attach->slot);
	attachments++;
	attach->mode = mode;
	attach->export_flags = export_flags;
	attach->place = 5;
	add_event(ELISA_EVENT_ATTACH, next_id - 1);
	return 0;
}

/* Returns the answer of a host that asks for a grant; 0: granted. */
static int ask(struct elisa_hc_page *page, struct elisa_status *status)
{
	if (!asked)
		return 0;
	if (page->why != ELISA_WHY_ASKED)
		return eg_refuse(status, -EPERM, ELISA_WHY_NO_GRANT, 0);
	asked -= asked > 0;
	return eg_refuse(status, -EAGAIN, ELISA_WHY_ASKED, 0);
}

/*
 * Refuses each third large page, counted by its place in the object. Its neighbours are accepted.
 */
static int check_pages(const u64 *gpa, u32 count, u32 order, u64 at, struct elisa_status *status)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (!gpa[i] || !IS_ALIGNED(gpa[i], (u64)PAGE_SIZE << order))
			return -EINVAL;
		if (order && ((at >> order) + i) % 3 == 1)
			return eg_refuse(status, -EINVAL, ELISA_WHY_ORDER, gpa[i]);
	}
	large += order ? count : 0;
	return 0;
}

static int answer(struct elisa_hc_page *page, struct elisa_status *status)
{
	int ret;

	if ((page->call == ELISA_HC_ATTACH || page->call == ELISA_HC_EXPORT_CREATE) &&
	    ask(page, status))
		return status->why == ELISA_WHY_ASKED ? -EAGAIN : -EPERM;
	if (page->call == fail_call && fail_after-- == 0) {
		fail_call = 0;
		return eg_refuse(status, -ENOMEM, ELISA_WHY_NO_MEMORY, 4711);
	}
	switch (page->call) {
	case ELISA_HC_HELLO:
		if (page->hello.abi != abi)
			return eg_refuse(status, -EPROTO, ELISA_WHY_ABI, abi);
		page->hello.flags = ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH;
		if (takes_large)
			page->hello.flags |= ELISA_HELLO_TAKES_2M;
		return 0;
	case ELISA_HC_EXPORT_CREATE:
		exports++;
		page->export_.id = next_id++;
		return 0;
	case ELISA_HC_EXPORT_MAP:
		ret = check_pages(page->map.gpa, page->map.count, page->map.order,
				  page->map.offset >> PAGE_SHIFT, status);
		if (!ret)
			pages += page->map.count << page->map.order;
		return ret;
	case ELISA_HC_EXPORT_UNMAP:
		pages -= page->unmap.count;
		return 0;
	case ELISA_HC_EXPORT_DESTROY:
		exports--;
		return 0;
	case ELISA_HC_ATTACH:
		return attach(&page->attach);
	case ELISA_HC_VCPU_SYNC:
		syncs++;
		return 0;
	case ELISA_HC_DETACH:
		if (!(slots & BIT_ULL(page->detach.slot)))
			return eg_refuse(status, -ENOENT, ELISA_WHY_NO_ATTACHMENT,
					 page->detach.slot);
		slots &= ~BIT_ULL(page->detach.slot);
		attachments--;
		donated = 0;
		return 0;
	case ELISA_HC_DONATE:
		ret = check_pages(page->donate.gpa, page->donate.count, page->donate.order, donated,
				  status);
		if (!ret)
			donated += page->donate.count << page->donate.order;
		page->donate.donated = donated;
		return ret;
	case ELISA_HC_DOORBELL:
		if (!granted)
			return eg_refuse(status, -EPERM, ELISA_WHY_NO_GRANT, 0);
		gsi = page->doorbell.gsi;
		if (rings && gsi != ELISA_NO_DOORBELL)
			schedule_work(&ringing);
		return 0;
	case ELISA_HC_EVENTS:
		return take_events(&page->events);
	case ELISA_HC_RESET:
		resets++;
		return 0;
	default:
		return 0;
	}
}

int eg_hypercall(struct elisa_hc_page *page, struct elisa_status *status)
{
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&lock, flags);
	ret = answer(page, status);
	spin_unlock_irqrestore(&lock, flags);
	return ret;
}
