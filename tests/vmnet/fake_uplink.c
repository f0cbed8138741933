/* SPDX-License-Identifier: Apache-2.0 */
/* Uplinks without interfaces and processes, for tests of the daemon; see fake_manager.h. */
#include <errno.h>
#include <string.h>
#include "fake_manager.h"

static struct uplink_seen seen;

int uplink_is_name(const char *name)
{
	return *name && strlen(name) < IFNAMSIZ && !strchr(name, ' ');
}

int uplink_process_start(struct uplink_process *process, const struct uplink_wish *wish)
{
	fake.uplinks_started++;
	if (fake.uplinks_fail)
		return -EAGAIN;
	fake.uplinks++;
	memcpy(fake.uplink_ticket, wish->ticket, ELISA_TICKET_SIZE);
	strcpy(fake.uplink_interface, wish->interface);
	*process = (struct uplink_process){.pid = 1000 + fake.uplinks_started, .seen = &seen};
	return 0;
}

void uplink_process_end(const struct uplink_process *process, bool at_once)
{
	(void)process;
	fake.uplinks_told++;
	fake.uplinks_killed += at_once;
	fake.uplink_ends |= at_once || !fake.uplink_is_deaf;
}

bool uplink_process_has_ended(struct uplink_process *process)
{
	if (!fake.uplink_ends)
		return false;
	fake.uplink_ends = false;
	fake.uplinks--;
	*process = (struct uplink_process){.pid = 0};
	return true;
}

void uplink_report(json_object *port, const char *interface, const struct uplink_seen *of)
{
	(void)of;
	json_object_object_add(port, "uplink", json_object_new_string(interface));
}

void uplink_metrics(FILE *to, const struct see *see,
		    const struct uplink_seen *(*of)(const void *owner, uint32_t port))
{
	(void)to;
	(void)see;
	(void)of;
}
