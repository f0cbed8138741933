// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event queue of a manager VM: attach, detach, abort, fault. The exit path calls it with IRQs
 * off, so it never sleeps. A full queue loses events and counts them. A fault only explains the
 * abort that follows it, so it takes no room from other events: in a full queue, the oldest fault
 * gives way to any other event.
 *
 * A VM that does not read its events costs the host one queue. The module repeats some lost events
 * (control/untold.c): the last abort of each vCPU and attachment, and the end of an attachment with
 * aborts. The first event of an empty queue rings the manager's doorbell.
 */
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "base/base.h"
#include "path/path.h"

struct eh_events *eh_events_new(struct eh_bell *bell)
{
	struct eh_events *events = kzalloc(sizeof(*events), GFP_KERNEL_ACCOUNT);

	if (events) {
		kref_init(&events->ref);
		raw_spin_lock_init(&events->lock);
		eh_bell_get(bell);
		events->bell = bell;
	}
	return events;
}

static void events_release(struct kref *ref)
{
	struct eh_events *events = container_of(ref, struct eh_events, ref);

	eh_bell_put(events->bell);
	kfree(events);
}

void eh_events_put(struct eh_events *events)
{
	if (events)
		kref_put(&events->ref, events_release);
}

/* Drops the oldest fault from the queue, and moves the events before it up. Under events->lock. */
static void drop_fault(struct eh_events *events)
{
	unsigned int at = 0;

	while (at < events->count &&
	       events->ring[(events->head + at) % EH_EVENT_RING].type != ELISA_EVENT_FAULT)
		at++;
	if (at == events->count)
		return;
	for (; at; at--)
		events->ring[(events->head + at) % EH_EVENT_RING] =
			events->ring[(events->head + at - 1) % EH_EVENT_RING];
	events->head = (events->head + 1) % EH_EVENT_RING;
	events->count--;
}

/* Adds an event. Returns false if the queue is full and the event is lost. From any context. */
bool eh_event_put(struct eh_events *events, struct elisa_event event)
{
	unsigned long flags;
	bool room, first;

	event.time_ns = ktime_get_mono_fast_ns();
	raw_spin_lock_irqsave(&events->lock, flags);
	first = !events->count;
	if (events->count == EH_EVENT_RING && event.type != ELISA_EVENT_FAULT)
		drop_fault(events);
	room = events->count < EH_EVENT_RING;
	if (room)
		events->ring[(events->head + events->count++) % EH_EVENT_RING] = event;
	else if (event.type != ELISA_EVENT_FAULT)
		events->lost++;
	raw_spin_unlock_irqrestore(&events->lock, flags);
	if (first)
		eh_bell_ring(events->bell);
	return room;
}

/* Empties the queue. A new driver must not read events of exports that an older driver made. */
void eh_events_clear(struct eh_events *events)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&events->lock, flags);
	events->count = 0;
	events->lost = 0;
	raw_spin_unlock_irqrestore(&events->lock, flags);
}

/* Takes up to `room` (at least 1) events out, oldest first. A last event tells of lost ones. */
u32 eh_events_take(struct eh_events *events, struct elisa_event *out, u32 room)
{
	unsigned long flags;
	u32 n = 0;

	raw_spin_lock_irqsave(&events->lock, flags);
	while (n < room && events->count) {
		out[n++] = events->ring[events->head];
		events->head = (events->head + 1) % EH_EVENT_RING;
		events->count--;
	}
	if (n < room && events->lost) {
		out[n++] = (struct elisa_event){.type = ELISA_EVENT_LOST, .value = events->lost};
		events->lost = 0;
	}
	raw_spin_unlock_irqrestore(&events->lock, flags);
	return n;
}
