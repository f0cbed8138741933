/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's events about guests. The store notes each event, which needs no lock. Memory that dead
 * callers had taken is given back once, after all events of a turn, because that goes through all
 * uploads. If the store is busy at this moment, the daemon does it later.
 *
 * Guests that attach, or have their calls ended, can make events as fast as they are read. A turn
 * takes so many of them; the rest wait in the kernel, and the next turn comes at once.
 */
#include <errno.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"

#define EVENTS 64
#define READS  4 /* reads of EVENTS events in a turn */

static void end(struct daemon *d, const char *why)
{
	if (!d->over)
		output_print(STDERR_FILENO, "elisa-kv: its own export: %s; it ends\n", why);
	d->over = true;
}

static uint32_t place_of(const struct daemon *d, uint64_t attachment)
{
	uint32_t place = 0;

	while (place < d->config.place_count && d->attachment[place] != attachment)
		place++;
	return place;
}

/* Logs a fault. The store's code must not fault, so a report of the error needs what it did. */
static void tell_fault(struct daemon *d, uint32_t place, const struct elisa_event *event)
{
	char text[256];

	if (!limit_allows(&d->limit[place], d->now) ||
	    elisa_fault_text(d->export_, event, text, sizeof(text)) < 0)
		return;
	output_print(STDERR_FILENO, "elisa-kv: place %s: vCPU %u: %s\n",
		     place < d->config.place_count ? d->config.place[place].name : "unknown",
		     event->vcpu, text);
}

void library_left_out(struct daemon *d)
{
	for (uint32_t place = 0; place <= d->config.place_count; place++) {
		const uint64_t lines = limit_left_out(&d->limit[place], d->now);

		if (lines)
			output_print(STDERR_FILENO,
				     "elisa-kv: %llu messages of faults were left out\n",
				     (unsigned long long)lines);
	}
}

static void heard(struct daemon *d, const struct elisa_event *event)
{
	const uint32_t place = place_of(d, event->attachment);

	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		if (event->value >= 0 && event->value < d->config.place_count)
			d->attachment[event->value] = event->attachment;
		break;
	case ELISA_EVENT_DETACH:
		if (place < d->config.place_count)
			d->attachment[place] = 0;
		break;
	case ELISA_EVENT_ABORT:
		if (place < d->config.place_count)
			d->aborts[place]++;
		break;
	case ELISA_EVENT_FAULT:
		tell_fault(d, place, event);
		break;
	case ELISA_EVENT_LOST:
		d->lost_events += (uint64_t)event->value;
		break;
	case ELISA_EVENT_MEMORY:
		end(d, "hardware lost memory of it");
		break;
	case ELISA_EVENT_DIRTY_LOG:
		end(d, "this VM is being migrated or saved, and shares no memory meanwhile");
		break;
	}
}

void library_events(struct daemon *d)
{
	struct elisa_event events[EVENTS];
	int count = EVENTS;

	for (int reads = 0; reads < READS && count == EVENTS; reads++) {
		count = elisa_events_read(d->elisa, events, EVENTS);
		for (int i = 0; i < count; i++) {
			heard(d, &events[i]);
			kv_manager_event(d->store, &events[i]);
			d->owes = true;
		}
	}
	if (d->owes)
		d->owes = kv_manager_reclaim(d->store);
	if (count < 0 && count != -EINTR)
		end(d, elisa_error(d->elisa));
}
