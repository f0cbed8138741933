// SPDX-License-Identifier: GPL-2.0-only
/*
 * The doorbell: an interrupt by which the host says that one of this VM's attachments was rung, or
 * that an event waits. No device has it: it is a pin of the IOAPIC that nothing else uses. The host
 * gives one edge when it is told which, and only one that arrives is taken. The host gives none to
 * a VM that nothing was granted yet: it is asked again at the first request that needs a grant.
 */
#include <linux/acpi.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "guest.h"
#include "trace.h"

#define NONE ELISA_NO_DOORBELL

static int doorbell = -1;
module_param(doorbell, int, 0444);
MODULE_PARM_DESC(doorbell, "interrupt (GSI, 0 to 23) for the doorbell; -1: a free one, -2: none");

struct bell {
	struct list_head node;
	struct eg_file *file;
	struct eventfd_ctx *eventfd;
};

static LIST_HEAD(bells);
static DEFINE_SPINLOCK(bells_lock);
static u32 all_bells; /* bells_lock */
static DECLARE_COMPLETION(first_ring);
static DEFINE_MUTEX(setup_lock); /* all below; gsi is read without it */
static u32 gsi = NONE;
static int irq;
static bool tried; /* the host has given one, or there is none */

static irqreturn_t rang(int number, void *data)
{
	struct bell *bell;
	unsigned long flags;

	trace_elisa_guest_doorbell(number);
	complete(&first_ring);
	spin_lock_irqsave(&bells_lock, flags);
	list_for_each_entry(bell, &bells, node)
		eg_eventfd_signal(bell->eventfd);
	spin_unlock_irqrestore(&bells_lock, flags);
	eg_events_rang();
	return IRQ_HANDLED;
}

static int tell_host(u32 which)
{
	struct elisa_hc_page *page = eg_page_get(ELISA_HC_DOORBELL);
	struct elisa_status status;
	int ret;

	page->doorbell.gsi = which;
	ret = eg_hypercall(page, &status);
	eg_page_put(page);
	return ret;
}

/* 0: the host's edge came. -ENODEV: there will be none, whichever it is; -EPERM: before a grant. */
static int try_gsi(u32 which)
{
	int ret;

	irq = acpi_register_gsi(NULL, which, ACPI_EDGE_SENSITIVE, ACPI_ACTIVE_HIGH);
	if (irq <= 0)
		return -EBUSY;
	ret = request_irq(irq, rang, 0, "elisa", &bells);
	if (ret)
		goto err_gsi;
	reinit_completion(&first_ring);
	ret = tell_host(which);
	if (ret && ret != -EPERM)
		ret = -ENODEV;
	if (!ret && !wait_for_completion_timeout(&first_ring, HZ / 5)) {
		tell_host(NONE);
		ret = -EIO;
	}
	if (!ret)
		return 0;
	free_irq(irq, &bells);
err_gsi:
	acpi_unregister_gsi(which);
	return ret;
}

/* The first one of @candidates that works. */
static int choose(const u8 *candidates, unsigned int count)
{
	int ret = -EIO;
	unsigned int i;

	for (i = 0; i < count && ret && ret != -ENODEV && ret != -EPERM; i++) {
		ret = try_gsi(candidates[i]);
		if (!ret)
			WRITE_ONCE(gsi, candidates[i]);
	}
	return ret;
}

/* Without one there are no interrupts, and each reader has to look. */
static void set_up(void)
{
	/* unused by the chipsets that QEMU has, and not shared by PCI devices */
	static const u8 unused[] = {5, 7, 3};
	const u8 given = doorbell;
	int ret;

	lockdep_assert_held(&setup_lock);
	if (tried || doorbell == -2)
		return;
	ret = doorbell < 0 ? choose(unused, ARRAY_SIZE(unused)) : choose(&given, 1);
	tried = ret != -EPERM;
	if (ret && tried)
		pr_warn("no interrupt for a doorbell: waiting is by polling (does the VMM use KVM's interrupt controllers?)\n");
}

void eg_doorbell_init(void)
{
	mutex_lock(&setup_lock);
	set_up();
	mutex_unlock(&setup_lock);
}

void eg_doorbell_exit(void)
{
	if (gsi == NONE)
		return;
	tell_host(NONE);
	free_irq(irq, &bells);
	acpi_unregister_gsi(gsi);
}

/* The host module may have been loaded anew, and know of no doorbell; or it gave none before. */
void eg_doorbell_renew(void)
{
	mutex_lock(&setup_lock);
	if (gsi != NONE)
		tell_host(gsi);
	else
		set_up();
	mutex_unlock(&setup_lock);
}

bool eg_doorbell_works(void)
{
	return READ_ONCE(gsi) != NONE;
}

static void bell_free(struct bell *bell)
{
	eventfd_ctx_put(bell->eventfd);
	kfree(bell);
}

int eg_doorbell_add(struct eg_file *file, struct elisa_ioc_doorbell *arg)
{
	struct bell *bell;
	u32 limit = 0; /* that is reached */

	if (arg->pad)
		return eg_refuse(&arg->status, -EINVAL, ELISA_WHY_FIELD, arg->pad);
	if (!eg_doorbell_works())
		eg_doorbell_renew();
	if (!eg_doorbell_works())
		return eg_refuse(&arg->status, -EOPNOTSUPP, ELISA_WHY_DOORBELL, doorbell);
	bell = kzalloc(sizeof(*bell), GFP_KERNEL_ACCOUNT);
	if (!bell)
		return -ENOMEM;
	bell->file = file;
	bell->eventfd = eventfd_ctx_fdget(arg->fd);
	if (IS_ERR(bell->eventfd)) {
		kfree(bell);
		return eg_refuse(&arg->status, -EBADF, ELISA_WHY_FIELD, arg->fd);
	}
	spin_lock_irq(&bells_lock);
	if (file->bells == EG_FILE_BELLS)
		limit = EG_FILE_BELLS;
	else if (all_bells == EG_ALL_BELLS)
		limit = EG_ALL_BELLS;
	if (!limit) {
		file->bells++;
		all_bells++;
		list_add_tail(&bell->node, &bells);
	}
	spin_unlock_irq(&bells_lock);
	if (!limit)
		return 0;
	bell_free(bell);
	return eg_refuse(&arg->status, -EDQUOT, ELISA_WHY_QUOTA, limit);
}

/* No request adds to this file any more. */
void eg_doorbell_release(struct eg_file *file)
{
	struct bell *bell, *next;
	LIST_HEAD(gone);

	spin_lock_irq(&bells_lock);
	list_for_each_entry_safe(bell, next, &bells, node)
		if (bell->file == file) {
			list_move(&bell->node, &gone);
			all_bells--;
		}
	spin_unlock_irq(&bells_lock);
	list_for_each_entry_safe(bell, next, &gone, node)
		bell_free(bell);
}
