/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon asks of libelisa while it runs, and what a failure means. The network must not
 * end because one call did. The manager's VM may have been suspended in the call, or a port may be
 * in a state that the switch's code does not bear.
 *
 *   for good    the export or the daemon's attachment to it is gone: the daemon says so, and ends
 *   one port's  the switch's code failed at it: the port is left alone until another VM has it
 *   for now     all others: what was to be done stays to be done, and is tried at the next look
 *
 * A call may be stopped at any instruction, and every call of the manager can be repeated.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"

#define EVENTS 64
#define READS  4 /* reads of EVENTS events in a turn: guests cause events as fast as they like */

static void end(struct daemon *d, const char *what, const char *why)
{
	if (!d->over)
		output_print(STDERR_FILENO, "elisa-vmnet: %s: %s; it ends\n", what, why);
	d->over = true;
}

static enum library_result call_failed(struct daemon *d, long op, uint32_t place, long error)
{
	d->failures++;
	switch (error) {
	case ELISA_CALL_REVOKED:
	case ELISA_CALL_NOT_ATTACHED:
	case ELISA_CALL_POISONED:
		end(d, "its own export", elisa_call_strerror(error));
		return LIBRARY_OVER;
	case ELISA_CALL_FAULT:
	case ELISA_CALL_FORBIDDEN:
		if (place)
			d->port[place].broken = true;
		say(d, place, STDERR_FILENO,
		    "the switch's code failed, in operation %ld: %s; this is an error of the "
		    "switch%s",
		    op, elisa_call_strerror(error),
		    place ? ", and the port is left alone until another VM has it" : "");
		return LIBRARY_BROKEN;
	default:
		d->owes = true;
		say(d, place, STDERR_FILENO, "operation %ld is tried again: %s", op,
		    elisa_call_strerror(error));
		return LIBRARY_LATER;
	}
}

enum library_result library_call(struct daemon *d, long op, uint32_t place, long a2, long a3,
				 long a4, long *value)
{
	struct elisa_result result = elisa_call_general(d->own, op, place, a2, a3, a4, 0);

	*value = result.value;
	return result.error ? call_failed(d, op, place, result.error) : LIBRARY_DONE;
}

/* Handles a failed request to the host about the export. */
static enum library_result request_failed(struct daemon *d, uint32_t place)
{
	if (elisa_error_why(d->elisa, NULL) == ELISA_WHY_NO_EXPORT) {
		end(d, "its own export", elisa_error(d->elisa));
		return LIBRARY_OVER;
	}
	d->failures++;
	d->owes = true;
	say(d, place, STDERR_FILENO, "%s; tried again", elisa_error(d->elisa));
	return LIBRARY_LATER;
}

enum library_result library_evict(struct daemon *d, uint32_t place, uint64_t attachment)
{
	if (!elisa_evict(d->export_, attachment))
		return LIBRARY_DONE;
	if (elisa_error_why(d->elisa, NULL) == ELISA_WHY_NO_ATTACHMENT)
		return LIBRARY_NONE;
	return request_failed(d, place);
}

enum library_result library_ticket(struct daemon *d, uint32_t place,
				   const uint8_t ticket[ELISA_TICKET_SIZE])
{
	static const uint8_t none[ELISA_TICKET_SIZE];
	const bool is_one = memcmp(ticket, none, sizeof(none));

	if (!elisa_export_place_ticket(d->export_, place, is_one ? ticket : NULL))
		return LIBRARY_DONE;
	return request_failed(d, place);
}

int library_events(struct daemon *d)
{
	struct elisa_event events[EVENTS];
	int count = EVENTS, all = 0;

	for (int reads = 0; reads < READS && count == EVENTS; reads++) {
		count = elisa_events_read(d->elisa, events, EVENTS);
		for (int i = 0; i < count; i++)
			ports_event(d, &events[i]);
		all += count > 0 ? count : 0;
	}
	d->deaf = count < 0 && count != -EINTR;
	if (count == -EIO || count == -EINVAL) {
		end(d, "/dev/elisa", elisa_error(d->elisa));
	} else if (d->deaf) {
		d->failures++;
		say(d, 0, STDERR_FILENO, "%s; tried again", elisa_error(d->elisa));
	}
	return all;
}
