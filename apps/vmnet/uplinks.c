/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that are Linux interfaces of this VM. To the switch such a port is like any other. A
 * process of the daemon attaches at the place, by a ticket that no other process learns, and
 * donates the memory. The process calls the switch as a guest's process does. So everything about
 * attachments holds for it: an operator may evict it, and it comes back.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "daemon.h"

#define TRY_EVERY 5  /* seconds between two starts at first; twice as long each time */
#define TRY_MOST  80 /* seconds: limit of that time */
#define END_AFTER 2  /* seconds until a process that has not ended is killed */
#define LAST_MS	  1500
#define LOOK_MS	  10

static bool is_wanted(const struct daemon *d, uint32_t place)
{
	return config_has(&d->config, place) && d->config.port[place - 1].uplink[0] &&
	       !tickets_is_changing(d, place);
}

static void start(struct daemon *d, uint32_t place)
{
	const struct port_config *config = &d->config.port[place - 1];
	struct port_uplink *of = &d->port[place].uplink;
	const struct uplink_wish wish = {.port = config->name,
					 .interface = config->uplink,
					 .most_bytes = (uint64_t)d->config.port_mib << 20,
					 .ticket = d->port[place].ticket.bytes};
	int error;

	of->pause = of->pause ? of->pause * 2 : TRY_EVERY;
	if (of->pause > TRY_MOST)
		of->pause = TRY_MOST;
	of->next = d->now + of->pause;
	of->ending = false;
	error = uplink_process_start(&of->process, &wish);
	if (error)
		say(d, place, STDERR_FILENO, "uplink %s: its process: %s", config->uplink,
		    strerrordesc_np(-error));
	else
		strcpy(of->interface, config->uplink);
}

/* Tells the process once to end, and kills it if it does not. */
static void end(struct daemon *d, struct port_uplink *of)
{
	if (of->ending && d->now < of->killed_at)
		return;
	uplink_process_end(&of->process, of->ending);
	of->ending = true;
	of->killed_at = d->now + END_AFTER;
	of->pause = of->next = 0; /* the next process has not failed yet */
}

static void look(struct daemon *d, uint32_t place)
{
	struct port_uplink *of = &d->port[place].uplink;

	if (of->process.pid && uplink_process_has_ended(&of->process) && !of->ending)
		say(d, place, STDERR_FILENO, "uplink %s: its process has ended; started again",
		    of->interface);
	if (of->process.pid &&
	    (!is_wanted(d, place) || strcmp(of->interface, d->config.port[place - 1].uplink)))
		end(d, of);
	if (!of->process.pid && is_wanted(d, place) && d->now >= of->next)
		start(d, place);
}

void uplinks_look(struct daemon *d)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		look(d, place);
}

/* Takes the status of processes that have ended. Returns how many are left. */
static uint32_t reap(struct daemon *d)
{
	uint32_t left = 0;

	for (uint32_t place = 1; place <= d->config.port_count; place++) {
		struct uplink_process *process = &d->port[place].uplink.process;

		left += process->pid && !uplink_process_has_ended(process);
	}
	return left;
}

static void end_all(const struct daemon *d, bool at_once)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		if (d->port[place].uplink.process.pid)
			uplink_process_end(&d->port[place].uplink.process, at_once);
}

void uplinks_close(struct daemon *d)
{
	end_all(d, false);
	for (int waited = 0; reap(d) && waited < LAST_MS; waited += LOOK_MS)
		poll(NULL, 0, LOOK_MS);
	end_all(d, true);
}
