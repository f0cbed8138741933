// SPDX-License-Identifier: GPL-2.0-only
/*
 * The events of this VM's exports. The host has one queue for the VM, and rings the doorbell when
 * an event comes into it. Without a doorbell, the driver asks the host every 20 ms while a process
 * waits. An event goes to the file that owns its export and must never be seen through another.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "guest.h"
#include "trace.h"

#define POLL_INTERVAL msecs_to_jiffies(20)
#define LOOK_INTERVAL HZ /* with a doorbell, of which an interrupt may get lost */

/* Also keeps the order of events: the thread that takes them from the host hands them out. */
DEFINE_MUTEX(eg_events_lock);
static LIST_HEAD(files);
static DEFINE_XARRAY(exports); /* struct eg_export by the host's id */

static void ask_host(struct work_struct *work);
static DECLARE_DELAYED_WORK(asking, ask_host);

struct unread {
	struct list_head node;
	struct elisa_event event;
};

void eg_events_open(struct eg_file *file)
{
	INIT_LIST_HEAD(&file->events);
	spin_lock_init(&file->queue_lock);
	init_waitqueue_head(&file->wait);
	mutex_lock(&eg_events_lock);
	list_add_tail(&file->node, &files);
	mutex_unlock(&eg_events_lock);
}

/* Its exports are gone. */
void eg_events_release(struct eg_file *file)
{
	struct unread *unread, *next;

	mutex_lock(&eg_events_lock);
	list_del(&file->node);
	mutex_unlock(&eg_events_lock);
	list_for_each_entry_safe(unread, next, &file->events, node)
		kfree(unread);
}

void eg_events_exit(void)
{
	cancel_delayed_work_sync(&asking);
	xa_destroy(&exports);
}

/* An id that is in use means that the host module was loaded anew and counts again. */
int eg_events_add_export(struct eg_export *export)
{
	struct eg_export *old;

	mutex_lock(&eg_events_lock);
	old = xa_store(&exports, export->id, export, GFP_KERNEL);
	if (old && !xa_is_err(old))
		WRITE_ONCE(old->stale, true);
	mutex_unlock(&eg_events_lock);
	/* what the host has of older ones would keep it from ringing */
	mod_delayed_work(system_dfl_wq, &asking, 0);
	return xa_err(old);
}

/* True if it is stale: its id is another's. */
bool eg_events_remove_export(struct eg_export *export)
{
	bool stale;

	mutex_lock(&eg_events_lock);
	stale = export->stale;
	if (!stale)
		xa_erase(&exports, export->id);
	mutex_unlock(&eg_events_lock);
	return stale;
}

static struct unread *unread_new(const struct elisa_event *event)
{
	struct unread *unread = kmalloc(sizeof(*unread), GFP_KERNEL | __GFP_NOFAIL);

	unread->event = *event;
	return unread;
}

static bool is_abort(const struct elisa_event *event)
{
	return event->type == ELISA_EVENT_ABORT;
}

/* A call may have held something of the object when it ended. */
static bool must_be_told(const struct elisa_event *event)
{
	return is_abort(event) || (event->type == ELISA_EVENT_DETACH && event->aborts);
}

/* The last one unread of the same vCPU and attachment. */
static struct unread *same_caller(struct eg_file *file, const struct elisa_event *abort)
{
	struct unread *unread;

	list_for_each_entry_reverse(unread, &file->events, node)
		if (is_abort(&unread->event) && unread->event.export_id == abort->export_id &&
		    unread->event.attachment == abort->attachment &&
		    unread->event.vcpu == abort->vcpu)
			return unread;
	return NULL;
}

static u32 room_for(const struct elisa_event *event)
{
	if (event->type == ELISA_EVENT_FAULT)
		return EG_FILE_EVENTS / 2;
	return EG_FILE_EVENTS + (must_be_told(event) ? EG_FILE_ABORTS : 0);
}

/*
 * A full queue loses events. It loses an abort only for a later abort of the same caller, which
 * says all that the manager must know: no call that held something may be forgotten. A manager that
 * never reads must not fill the memory, since callers come and go. A fault only explains the abort
 * that follows it, and takes no room from others.
 */
static void queue_event(struct eg_file *file, const struct elisa_event *event)
{
	const u32 room = room_for(event);
	struct unread *unread = unread_new(event), *older = NULL;

	spin_lock(&file->queue_lock);
	if (is_abort(event) && file->count >= EG_FILE_EVENTS)
		older = same_caller(file, event);
	if (older)
		older->event = *event;
	if (event->type == ELISA_EVENT_LOST) {
		file->lost += event->value;
	} else if (older || file->count >= room) {
		file->lost += event->type != ELISA_EVENT_FAULT;
	} else {
		list_add_tail(&unread->node, &file->events);
		file->count++;
		unread = NULL;
	}
	spin_unlock(&file->queue_lock);
	kfree(unread);
	wake_up_interruptible(&file->wait);
}

/* What was lost is said first: the manager may have to look for it. */
static bool take_event(struct eg_file *file, struct elisa_event *event)
{
	struct unread *unread = NULL;
	bool have = true;

	spin_lock(&file->queue_lock);
	if (file->lost) {
		*event = (struct elisa_event){.type = ELISA_EVENT_LOST, .value = file->lost};
		file->lost = 0;
	} else if (file->count) {
		unread = list_first_entry(&file->events, struct unread, node);
		list_del(&unread->node);
		file->count--;
		*event = unread->event;
	} else {
		have = false;
	}
	spin_unlock(&file->queue_lock);
	kfree(unread);
	return have;
}

static bool have_event(struct eg_file *file)
{
	bool have;

	spin_lock(&file->queue_lock);
	have = file->count || file->lost;
	spin_unlock(&file->queue_lock);
	return have;
}

/* What the host has lost may have been of any file. */
static void hand_out(const struct elisa_event *event)
{
	struct eg_export *export;
	struct eg_file *file;

	trace_elisa_guest_event(event);
	if (event->type == ELISA_EVENT_LOST) {
		list_for_each_entry(file, &files, node)
			queue_event(file, event);
		return;
	}
	export = xa_load(&exports, event->export_id);
	if (export)
		queue_event(export->file, event);
}

/* Takes all that the host has. */
static int fetch(void)
{
	struct elisa_status status;
	struct elisa_hc_page *page;
	u32 count, i;
	int ret = 0;

	mutex_lock(&eg_events_lock);
	if (xa_empty(&exports))
		goto out;
	page = eg_page_get(ELISA_HC_EVENTS);
	do {
		page->events.count = 0;
		ret = eg_hypercall(page, &status);
		count = ret ? 0 : min_t(u32, page->events.count, ELISA_HC_EVENTS_MAX);
		for (i = 0; i < count; i++)
			hand_out(&page->events.event[i]);
	} while (count == ELISA_HC_EVENTS_MAX);
	eg_page_put(page);
out:
	mutex_unlock(&eg_events_lock);
	return ret;
}

static bool a_thread_waits(void)
{
	struct eg_file *file;
	bool waits = false;

	mutex_lock(&eg_events_lock);
	list_for_each_entry(file, &files, node)
		waits = waits || atomic_read(&file->readers) || wq_has_sleeper(&file->wait);
	mutex_unlock(&eg_events_lock);
	return waits;
}

static void ask_host_later(void)
{
	queue_delayed_work(system_dfl_wq, &asking,
			   eg_doorbell_works() ? LOOK_INTERVAL : POLL_INTERVAL);
}

static void ask_host(struct work_struct *work)
{
	fetch();
	if (a_thread_waits())
		ask_host_later();
}

/* In an interrupt: there may be events. */
void eg_events_rang(void)
{
	if (!xa_empty(&exports))
		mod_delayed_work(system_dfl_wq, &asking, 0);
}

/* Waits for an event; another reader of this file may be quicker to take it. */
static int wait_for_event(struct eg_file *file)
{
	int ret;

	atomic_inc(&file->readers);
	ask_host_later();
	ret = wait_event_interruptible(file->wait, have_event(file));
	atomic_dec(&file->readers);
	return ret;
}

ssize_t eg_events_read(struct file *filp, char __user *buffer, size_t size, loff_t *pos)
{
	struct eg_file *file = filp->private_data;
	struct elisa_event event;
	ssize_t done = 0;
	int ret;

	if (size < sizeof(event))
		return -EINVAL;
	for (;;) {
		if (!have_event(file)) {
			ret = fetch();
			if (ret)
				return ret;
		}
		while (size - done >= sizeof(event) && take_event(file, &event)) {
			if (copy_to_user(buffer + done, &event, sizeof(event)))
				return -EFAULT;
			done += sizeof(event);
		}
		if (done)
			return done;
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_for_event(file);
		if (ret)
			return ret;
	}
}

__poll_t eg_events_poll(struct file *filp, poll_table *wait)
{
	struct eg_file *file = filp->private_data;

	poll_wait(filp, &file->wait, wait);
	if (!have_event(file) && fetch())
		return EPOLLERR;
	if (have_event(file))
		return EPOLLIN | EPOLLRDNORM;
	ask_host_later();
	return 0;
}
