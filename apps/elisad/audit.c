/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMMs share a table of limits. A noisy VMM takes lines only from VMMs with the same remainder of
 * the process id.
 */
#include <stdbool.h>
#include "audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>
#include "clock.h"
#include "event.h"
#include "limit.h"
#include "output.h"

#define LIMITS 64

static struct limit limits[LIMITS];

void audit_say(int priority, const char *what)
{
	if (getenv("JOURNAL_STREAM"))
		output_print(STDERR_FILENO, "<%d>%s\n", priority, what);
	else
		output_print(STDERR_FILENO, "elisad: %s\n", what);
}

void audit_say_of(int priority, int pid, const char *what)
{
	if (limit_allows(&limits[(unsigned int)pid % LIMITS], monotonic()))
		audit_say(priority, what);
}

static int priority_of(const struct elisa_host_event *event)
{
	switch (event->kind) {
	case ELISA_HOST_EVENT_LOST:
	case ELISA_HOST_EVENT_ABORTED:
	case ELISA_HOST_EVENT_EVICTED:
	case ELISA_HOST_EVENT_REFUSED:
		return LOG_WARNING;
	case ELISA_HOST_EVENT_REVOKED:
		return LOG_NOTICE;
	}
	return LOG_INFO;
}

void audit_event(const struct elisa_host_event *event)
{
	char text[512];

	/* the rule that gave the grant was logged already */
	if (event->kind == ELISA_HOST_EVENT_GRANTED && (event->rights & ELISA_GRANT_POLICY))
		return;
	event_text(event, text, sizeof(text));
	audit_say_of(priority_of(event), event->pid, text);
}

bool audit_left_out(void)
{
	bool more = false;
	uint64_t count;
	char text[96];

	for (int i = 0; i < LIMITS; i++) {
		if (!limits[i].left_out)
			continue;
		count = limit_left_out(&limits[i], monotonic());
		if (count) {
			snprintf(text, sizeof(text), "%llu more of such lines were left out",
				 (unsigned long long)count);
			audit_say(LOG_NOTICE, text);
		}
		more |= !count;
	}
	return more;
}
