/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host tells of guests. Locks and uploads of a caller that has died are free again when
 * the store has had the event. If the store is busy at this moment, the event is kept and tried
 * anew; one is enough, as each frees all that is to be freed.
 */
#include <errno.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"

#define EVENTS 64

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
	case ELISA_EVENT_LOST:
		d->lost_events += (uint64_t)event->value;
		break;
	case ELISA_EVENT_MEMORY:
		end(d, "hardware lost memory of it");
		break;
	}
}

static void tell_store(struct daemon *d, const struct elisa_event *event)
{
	if (kv_manager_event(d->store, event) == -EBUSY)
		d->owed = *event;
}

void library_events(struct daemon *d)
{
	struct elisa_event events[EVENTS];
	int count;

	if (d->owed.type && kv_manager_event(d->store, &d->owed) != -EBUSY)
		d->owed.type = 0;
	do {
		count = elisa_events_read(d->elisa, events, EVENTS);
		for (int i = 0; i < count; i++) {
			heard(d, &events[i]);
			tell_store(d, &events[i]);
		}
	} while (count == EVENTS);
	if (count < 0 && count != -EINTR)
		end(d, elisa_error(d->elisa));
}
