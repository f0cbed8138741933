/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which VM may have a port: the one that has the ticket in the port's file. The host asks for the
 * ticket when a VM attaches, and not again: a VM that has the place keeps it. So a ticket that has
 * leaked is withdrawn in this order. Each step is tried again until the host has done it.
 *
 *   0. The attachment that has the place is not served any more, whatever the host answers. So it
 *      gets nothing that belongs to the new owner, or to another port at the place.
 *   1. The place gets a ticket of random bytes that no VM has. From now on the old ticket opens
 *      nothing. All places that change do this first: the new ticket of one may be the old ticket
 *      of another, and the host takes a ticket for one place only.
 *   2. The attachment that has the place is evicted, and cannot come back. If it were evicted
 *      before step 1, it could be back before the ticket had changed.
 *   3. For SETTLE seconds any attachment that appears at the place is evicted as well: the host
 *      let it in before step 1, and its event was on its way. No other one can come meanwhile.
 *   4. The place is free, and the switch has heard of the end. The old owner's debts are
 *      forgotten, and its counters are not shown any more. Only now the place gets the new ticket.
 *      So an attachment of the new owner is never taken for one of the old owner, and does not pay
 *      for the old owner's calls.
 *
 * A port that is removed goes through steps 0 to 3 as well. Its place keeps a ticket that no VM
 * has.
 *
 * If the host has lost events, the daemon may not have heard at all of an attachment by the old
 * ticket. Such an attachment is not served before it joins. The first one that joins without an
 * event after step 4 is evicted for that reason. At worst that is the new owner, once, and it comes
 * again.
 */
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "complain.h"
#include "daemon.h"
#include "settings.h"

#define SETTLE 1.0 /* seconds; an event takes milliseconds */

static const uint8_t no_ticket[ELISA_TICKET_SIZE];

/* Draws a ticket that no VM has. */
static int draw(uint8_t ticket[ELISA_TICKET_SIZE])
{
	return getrandom(ticket, ELISA_TICKET_SIZE, 0) == ELISA_TICKET_SIZE ? 0 : -1;
}

/* ------------------------------------------------------------------------------------- files */

static int read_ticket(const char *file, uint8_t ticket[ELISA_TICKET_SIZE])
{
	const struct settings reading = {.file = file, .say = complain_of};

	if (settings_secret(&reading, ticket, ELISA_TICKET_SIZE))
		return -1;
	if (memcmp(ticket, no_ticket, ELISA_TICKET_SIZE))
		return 0;
	return settings_wrong(&reading,
			      "64 times 0 is no ticket; remove the file to have one drawn");
}

/* Makes the ticket of an uplink. It depends on the place, and stays the same as long as this
 * process lives. */
static int own_ticket(uint32_t place, uint8_t ticket[ELISA_TICKET_SIZE])
{
	static uint8_t secret[ELISA_TICKET_SIZE];

	if (!memcmp(secret, no_ticket, ELISA_TICKET_SIZE) && draw(secret)) {
		complain("an uplink's ticket: no random bytes");
		return -1;
	}
	memcpy(ticket, secret, ELISA_TICKET_SIZE);
	ticket[0] ^= (uint8_t)place; /* so no two places have the same */
	return 0;
}

/* Reads a port's ticket, which no other port may have. Ports without a ticket have 0, which no file
 * holds. */
int tickets_read_one(const struct config *config, uint32_t place, struct tickets *tickets)
{
	const char *file = config->port[place - 1].ticket_file;
	uint8_t *ticket = tickets->of[place - 1];

	if (config->port[place - 1].uplink[0])
		return own_ticket(place, ticket);
	memset(ticket, 0, ELISA_TICKET_SIZE);
	if (!file[0])
		return 0;
	if (read_ticket(file, ticket))
		return -1;
	for (uint32_t k = 0; k < config->port_count; k++) {
		if (k == place - 1 || memcmp(ticket, tickets->of[k], ELISA_TICKET_SIZE))
			continue;
		complain("%s: it holds the same ticket as %s", file, config->port[k].ticket_file);
		return -1;
	}
	return 0;
}

int tickets_read(const struct config *config, struct tickets *tickets)
{
	memset(tickets, 0, sizeof(*tickets));
	for (uint32_t place = 1; place <= config->port_count; place++) {
		if (!tickets_read_one(config, place, tickets))
			continue;
		explicit_bzero(tickets, sizeof(*tickets));
		return -1;
	}
	return 0;
}

void tickets_kept(const struct daemon *d, struct tickets *tickets)
{
	for (uint32_t place = 1; place <= MAX_PORTS; place++)
		memcpy(tickets->of[place - 1], d->port[place].ticket.bytes, ELISA_TICKET_SIZE);
}

/* ------------------------------------------------------------------------------------ places */

static int refused(const struct daemon *d, const char *what)
{
	complain("%s: %s", what, elisa_error(d->elisa));
	return -1;
}

/* Sets the first ticket of a place. A place without a ticket is open to any VM, so a place without
 * a port needs a ticket. */
static int begin_place(struct daemon *d, uint32_t place, const uint8_t of_port[ELISA_TICKET_SIZE])
{
	struct place_ticket *ticket = &d->port[place].ticket;
	uint8_t of_no_vm[ELISA_TICKET_SIZE];

	ticket->of_no_vm = !config_has(&d->config, place);
	if (ticket->of_no_vm) {
		if (draw(of_no_vm) || elisa_export_place_ticket(d->export_, place, of_no_vm))
			return refused(d, "a place for later");
		return 0;
	}
	if (!memcmp(of_port, no_ticket, ELISA_TICKET_SIZE))
		return 0;
	if (elisa_export_place_ticket(d->export_, place, of_port))
		return refused(d, d->config.port[place - 1].ticket_file);
	memcpy(ticket->bytes, of_port, ELISA_TICKET_SIZE);
	return 0;
}

int tickets_begin(struct daemon *d, const struct tickets *tickets)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		if (begin_place(d, place, tickets->of[place - 1]))
			return -1;
	return 0;
}

/* Stops serving the VM at the place from now on, even if the host takes step 1 later only. */
static void bar(struct daemon *d, uint32_t place)
{
	if (!d->port[place].attachment)
		return;
	d->port[place].dismissed = true;
	__atomic_store_n(&d->state->port[place].enabled, 0, __ATOMIC_RELEASE);
}

/*
 * Begins a change. If one is under way, it starts over, because the ticket that it was to bring may
 * have leaked, too. If no VM has the place's ticket, the place is closed and free already.
 */
bool tickets_change(struct daemon *d, uint32_t place, const uint8_t bytes[ELISA_TICKET_SIZE])
{
	struct place_ticket *ticket = &d->port[place].ticket;

	if (!ticket->of_no_vm && !memcmp(ticket->bytes, bytes, ELISA_TICKET_SIZE))
		return false;
	if (ticket->of_no_vm && ticket->state == TICKET_IN_FORCE)
		ticket->state = TICKET_WITHDRAWN;
	else
		ticket->state = TICKET_TO_WITHDRAW;
	ticket->of_no_vm = false;
	memcpy(ticket->bytes, bytes, ELISA_TICKET_SIZE);
	ticket->due = d->now;
	bar(d, place);
	return true;
}

void tickets_close(struct daemon *d, uint32_t place)
{
	struct place_ticket *ticket = &d->port[place].ticket;

	explicit_bzero(ticket->bytes, sizeof(ticket->bytes));
	ticket->of_no_vm = true;
	ticket->state = TICKET_TO_WITHDRAW;
	ticket->due = d->now;
	bar(d, place);
}

/* Takes steps 1 and 2. */
static void withdraw(struct daemon *d, uint32_t place)
{
	struct place_ticket *ticket = &d->port[place].ticket;
	uint8_t of_no_vm[ELISA_TICKET_SIZE];

	ticket->due = d->now + SETTLE;
	if (draw(of_no_vm) || library_ticket(d, place, of_no_vm) != LIBRARY_DONE)
		return;
	ticket->state = TICKET_WITHDRAWN;
	ports_dismiss(d, place);
}

/* Takes step 4 once the place is free. If the host does not know the attachment, it has ended and
 * its event was lost. */
static void bring(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (port->attachment && library_evict(d, place, port->attachment) == LIBRARY_NONE)
		ports_end_was_lost(d, place);
	if (port->attachment || port->ended)
		return;
	port->ticket.due = d->now + SETTLE;
	if (!port->ticket.of_no_vm && library_ticket(d, place, port->ticket.bytes) != LIBRARY_DONE)
		return;
	port->account = (struct account){.owed = 0};
	port->unserved = true;
	if (port->emptied)
		port->stalls = port->evictions = 0;
	port->emptied = false;
	port->ticket.distrust = d->lost_events;
	port->ticket.state = TICKET_IN_FORCE;
	say(d, place, STDOUT_FILENO,
	    port->ticket.of_no_vm ? "closed, and free" : "the new ticket is in force");
}

static void step(struct daemon *d, enum ticket_state state, void (*take)(struct daemon *, uint32_t))
{
	for (uint32_t place = 1; place <= d->config.port_count && !d->over; place++) {
		struct place_ticket *ticket = &d->port[place].ticket;

		if (ticket->state == state && d->now >= ticket->due)
			take(d, place);
	}
}

void tickets_look(struct daemon *d)
{
	step(d, TICKET_TO_WITHDRAW, withdraw);
	step(d, TICKET_WITHDRAWN, bring);
}
