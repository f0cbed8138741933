// SPDX-License-Identifier: GPL-2.0-only
/*
 * The events of all VMs, for administrators' files. Each reader has a ring of its own. A full ring
 * loses records and counts them, so no reader delays a VM, another reader, or the module.
 *
 * An event is recorded where it happens, under the locks that protect its cause. So the records are
 * in the order of the events. That place may be the exit path with IRQs off. So stream_lock is a
 * leaf. It is held while an event is copied to each reader, at most STREAM_READERS, and while a
 * reader takes one batch. Readers are woken by an irq_work, which needs no lock here.
 *
 * Without a reader that wants an event, it costs a look at eh_stream_wanted.
 */
#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "base/base.h"
#include "path/path.h"

#define STREAM_READERS 8
#define STREAM_RING    256

struct eh_reader {
	struct list_head node; /* stream_lock, as head, count and lost */
	u32 kinds;	       /* const */
	bool answers;	       /* const */
	wait_queue_head_t wait;
	struct irq_work wake;
	u32 head, count;
	u64 lost;
	struct elisa_host_event ring[STREAM_RING];
};

static DEFINE_RAW_SPINLOCK(stream_lock);
static LIST_HEAD(readers); /* stream_lock, as the next two */
static u32 reader_count;
static u32 answering; /* readers that answer */
u32 eh_stream_wanted; /* written under stream_lock: what all readers together want */

static void wake_reader(struct irq_work *work)
{
	wake_up_interruptible(&container_of(work, struct eh_reader, wake)->wait);
}

/*
 * Adds a record to a reader's ring, and returns true if there was room. A VM can have its calls
 * aborted at any rate, while its requests are paced. So aborts get half of a ring. Under
 * stream_lock.
 */
static bool put(struct eh_reader *reader, const struct elisa_host_event *event)
{
	u32 size = event->kind == ELISA_HOST_EVENT_ABORTED ? STREAM_RING / 2 : STREAM_RING;
	bool room = reader->count < size;

	if (room)
		reader->ring[(reader->head + reader->count++) % STREAM_RING] = *event;
	else
		reader->lost++;
	irq_work_queue(&reader->wake);
	return room;
}

/* Records an event for all readers. False: a reader that answers had no room. From any context. */
bool eh_stream_tell(struct elisa_host_event event)
{
	struct eh_reader *reader;
	unsigned long flags;
	bool told = true;

	event.time_ns = ktime_get_mono_fast_ns();
	raw_spin_lock_irqsave(&stream_lock, flags);
	list_for_each_entry(reader, &readers, node)
		if ((reader->kinds & 1u << event.kind) && !put(reader, &event) && reader->answers)
			told = false;
	raw_spin_unlock_irqrestore(&stream_lock, flags);
	return told;
}

/* Records an event of an attachment. The caller has a lock or a reference of the attachment. */
void eh_attachment_tell(enum elisa_host_event_kind kind, const struct eh_attachment *a, s64 value)
{
	struct elisa_host_event event = {.kind = kind,
					 .pid = a->vm->pid,
					 .vm = a->vm->id,
					 .grant = a->grant_id,
					 .export_id = a->export_id,
					 .attachment = a->number,
					 .value = value};

	if (!eh_stream_wants(kind))
		return;
	memcpy(event.name, a->name, ELISA_NAME_SIZE);
	eh_stream_tell(event);
}

/* Tells whether a reader answers requests of VMs. */
bool eh_stream_answers(void)
{
	return READ_ONCE(answering);
}

/* Under stream_lock. */
static void count_readers(void)
{
	struct eh_reader *reader;
	u32 kinds = 0, answers = 0;

	reader_count = 0;
	list_for_each_entry(reader, &readers, node) {
		reader_count++;
		kinds |= reader->kinds;
		answers += reader->answers;
	}
	WRITE_ONCE(eh_stream_wanted, kinds);
	WRITE_ONCE(answering, answers);
}

/* Adds a reader of all events from now on. -EBUSY: there are STREAM_READERS already. */
struct eh_reader *eh_stream_open(u32 kinds, bool answers)
{
	struct eh_reader *reader = kvzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);
	unsigned long flags;
	bool room;

	if (!reader)
		return ERR_PTR(-ENOMEM);
	reader->kinds = kinds;
	reader->answers = answers;
	init_waitqueue_head(&reader->wait);
	init_irq_work(&reader->wake, wake_reader);
	raw_spin_lock_irqsave(&stream_lock, flags);
	room = reader_count < STREAM_READERS;
	if (room) {
		list_add_tail(&reader->node, &readers);
		count_readers();
	}
	raw_spin_unlock_irqrestore(&stream_lock, flags);
	if (room)
		return reader;
	kvfree(reader);
	return ERR_PTR(-EBUSY);
}

/* Removes a reader. No thread reads or polls it any more. */
void eh_stream_close(struct eh_reader *reader)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&stream_lock, flags);
	list_del(&reader->node);
	count_readers();
	raw_spin_unlock_irqrestore(&stream_lock, flags);
	irq_work_sync(&reader->wake);
	kvfree(reader);
}

/* Takes up to @room (at least 1) records out, oldest first. A last record tells of lost ones. */
u32 eh_stream_take(struct eh_reader *reader, struct elisa_host_event *out, u32 room)
{
	unsigned long flags;
	u32 n = 0;

	raw_spin_lock_irqsave(&stream_lock, flags);
	while (n < room && reader->count) {
		out[n++] = reader->ring[reader->head];
		reader->head = (reader->head + 1) % STREAM_RING;
		reader->count--;
	}
	if (n < room && reader->lost) {
		out[n++] = (struct elisa_host_event){.kind = ELISA_HOST_EVENT_LOST,
						     .time_ns = ktime_get_mono_fast_ns(),
						     .value = reader->lost};
		reader->lost = 0;
	}
	raw_spin_unlock_irqrestore(&stream_lock, flags);
	return n;
}

/* Counts records as lost that were taken and did not come to the reader. */
void eh_stream_lose(struct eh_reader *reader, u32 count)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&stream_lock, flags);
	reader->lost += count;
	raw_spin_unlock_irqrestore(&stream_lock, flags);
}

bool eh_stream_has(struct eh_reader *reader)
{
	unsigned long flags;
	bool has;

	raw_spin_lock_irqsave(&stream_lock, flags);
	has = reader->count || reader->lost;
	raw_spin_unlock_irqrestore(&stream_lock, flags);
	return has;
}

wait_queue_head_t *eh_stream_wait(struct eh_reader *reader)
{
	return &reader->wait;
}
