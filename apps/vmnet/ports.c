/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ports of the switch. The host's events say which attachment has a port. A look at the vNIC
 * says whether the port is attached to the switch. All access to a vNIC's memory is done by calls,
 * in the sub context.
 *
 * What can happen in which order. An attachment comes (event ATTACH), joins by a call of its own,
 * and is served from the next look on. A call of it may be stopped at any instruction, and the host
 * reports that (ABORT). Then the switch releases what the call held. At the end (DETACH), the
 * switch releases what all calls held, and detaches the vNIC. Any of the daemon's calls may fail
 * for now. So what the switch has not been told is kept in struct port (`ended`, `stop`,
 * `statics_owed`, `evict`), and each look tries it again. Events may be lost: a later attachment at
 * the place, or a join, then shows that the earlier one has ended.
 */
#include <string.h>
#include <unistd.h>
#include <rvif/driver.h>
#include "daemon.h"
#include "output.h"

static uint32_t place_of(const struct daemon *d, uint64_t attachment)
{
	uint32_t place;

	for (place = 1; place <= d->config.port_count; place++)
		if (d->port[place].attachment == attachment)
			return place;
	return 0;
}

static long mac_word(const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	return (long)word;
}

static const char *why_static(long error)
{
	switch (error) {
	case RVS_EXISTS:
		return "another port has it";
	case RVS_FULL:
		return "the forwarding table has no place for it";
	case RVS_BAD_PORT:
		return "the port has gone";
	default:
		return "refused";
	}
}

/* Adds a port's static addresses. They go when the port is detached, so they are added each time it
 * comes up. */
static void add_statics(struct daemon *d, uint32_t place)
{
	const struct port_config *config = &d->config.port[place - 1];
	long value;

	d->port[place].statics_owed = false;
	for (uint32_t i = 0; i < config->static_count; i++) {
		switch (library_call(d, VMNET_STATIC, place, mac_word(config->statics[i]), 1, 0,
				     &value)) {
		case LIBRARY_DONE:
			if (value)
				say(d, place, STDERR_FILENO, "static address %u: %s", i + 1,
				    why_static(-value));
			break;
		/* addresses that were added already stay */
		case LIBRARY_LATER:
			d->port[place].statics_owed = true;
			return;
		default:
			return;
		}
	}
}

/*
 * ------------------------------------------------------------------- what VMs owe each other
 *
 * A call that stops in a delivery holds a receive queue of another port until it is ended. The port
 * of the caller pays for it. The port that has the queue never pays, nor do ports that waited for
 * it.
 *
 * With a ticket, the ticket's owner owes it: the same VM comes back, and no other VM can have the
 * port. Without a ticket, the host does not tell which VM an attachment belongs to. Then the
 * attachment pays while it lives, and after an eviction all VMs that come to such ports wait. The
 * place is no measure there: one VM could close place after place to the other VMs.
 */

/* Tells whether the port's account is its owner's. While a ticket changes, the account is the old
 * owner's, and is forgotten with the old ticket. */
static bool has_owner(const struct daemon *d, uint32_t place)
{
	return config_has_owner(&d->config, place) || tickets_is_changing(d, place);
}

/* Returns the account that decides how long a VM that comes to this place is kept out. */
static struct account *door(struct daemon *d, uint32_t place)
{
	return has_owner(d, place) ? &d->port[place].account : &d->newcomers;
}

uint32_t ports_out(const struct daemon *d, uint32_t place)
{
	const struct port *port = &d->port[place];
	const struct account *account = has_owner(d, place) ? &port->account : &d->newcomers;

	return port->waits || (!port->attachment && has_owner(d, place)) ?
		       account_out(account, d->now) :
		       0;
}

static void evict(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (library_evict(d, place, port->attachment) != LIBRARY_LATER)
		port->evict = false;
}

static void keep_out(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];
	const uint32_t seconds = account_keep_out(door(d, place), d->now);

	port->account.owed = 0;
	port->evictions++;
	port->waits = port->evict = true;
	say(d, place, STDERR_FILENO,
	    "evicted: calls of its VM were stopped too often while "
	    "they held receive queues of others; %s for %u s",
	    has_owner(d, place) ? "it is not served" :
				  "VMs that come to a port without a ticket are not served",
	    seconds);
	evict(d, place);
}

/*
 * Returns the price of a stopped call. A fault has the price of a timeout. The switch itself does
 * not fault. But the host also reports a fault for a call if the VM's queue had no room for the
 * event. A VM decides how full its queue is.
 */
static uint32_t price_of(int64_t error)
{
	return error == ELISA_CALL_TIMEOUT || error == ELISA_CALL_FAULT ? ACCOUNT_STALL :
									  ACCOUNT_BREAK;
}

static void stopped(struct daemon *d, uint32_t place, int64_t error, long held)
{
	struct port *port = &d->port[place];

	if (held <= 0)
		return;
	port->stalls++;
	if (account_charge(&port->account, price_of(error), d->now) && !port->evict)
		keep_out(d, place);
}

/* Charges what a VM that goes leaves unpaid. A VM without an owner's ticket leaves no debt to its
 * successor. But many VMs that leave in time are as bad as one that stays, so the newcomers'
 * account pays. */
static void charge_door(struct daemon *d, uint32_t place, uint32_t price)
{
	if (price && account_charge(door(d, place), price, d->now))
		account_keep_out(door(d, place), d->now);
}

static void settle(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (has_owner(d, place))
		return;
	charge_door(d, place, port->account.owed);
	port->account = (struct account){.owed = 0};
}

void ports_forgive(struct daemon *d)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		account_forgive(&d->port[place].account, d->now);
	account_forgive(&d->newcomers, d->now);
}

/* ------------------------------------------------------------------------ attachments and links */

/* Tells the switch that an attachment has ended. The switch releases what its calls held, and
 * detaches the vNIC. */
static void tell_end(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];
	long held = 0;

	if (!port->ended ||
	    library_call(d, VMNET_GONE, place, (long)port->ended, 0, 0, &held) == LIBRARY_LATER)
		return;
	port->ended = 0;
	if (held > 0)
		charge_door(d, place, (uint32_t)held * ACCOUNT_BREAK);
}

static void gone(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	say(d, place, STDOUT_FILENO, "attachment %llu is gone",
	    (unsigned long long)port->attachment);
	if (ports_is_counted(d, place))
		port->unserved = false;
	port->ended = port->attachment;
	port->attachment = 0;
	port->link = VMNET_DOWN;
	port->waits = port->dismissed = port->evict = port->broken = port->statics_owed = false;
	memset(port->stop, 0, sizeof(port->stop));
	d->rings_owed = true;
	settle(d, place);
	tell_end(d, place);
}

/* Tells the switch of a call that was stopped, so that it releases what the call held. */
static void tell_stop(struct daemon *d, uint32_t place, uint32_t vcpu)
{
	struct port *port = &d->port[place];
	const struct stop stop = port->stop[vcpu];
	long held = 0;
	const enum library_result result = library_call(
		d, VMNET_ABORTED, place, vcpu, (long)stop.aborts, (long)port->attachment, &held);

	if (result == LIBRARY_LATER)
		return;
	port->stop[vcpu].aborts = 0;
	if (result != LIBRARY_DONE)
		return;
	say(d, place, STDOUT_FILENO,
	    "a call was aborted (%s); it held %ld receive queues of others",
	    elisa_call_strerror((long)stop.error), held);
	stopped(d, place, stop.error, held);
}

void ports_dismiss(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (!port->attachment)
		return;
	port->dismissed = port->evict = true;
	__atomic_store_n(&d->state->port[place].enabled, 0, __ATOMIC_RELEASE);
	evict(d, place);
}

void ports_close(struct daemon *d, uint32_t place, bool closed)
{
	d->port[place].closed = closed;
	d->owes = true; /* so that the daemon looks soon */
}

void ports_end_was_lost(struct daemon *d, uint32_t place)
{
	gone(d, place);
}

static void came(struct daemon *d, uint32_t place, uint64_t attachment)
{
	struct port *port = &d->port[place];
	uint32_t out;

	if (port->attachment == attachment)
		return;
	if (port->attachment)
		/* the event of the old attachment's end was lost */
		gone(d, place);
	port->attachment = attachment;
	if (tickets_is_changing(d, place) || !config_has(&d->config, place)) {
		say(d, place, STDOUT_FILENO,
		    "attachment %llu came by a ticket that was withdrawn, and has to go",
		    (unsigned long long)attachment);
		ports_dismiss(d, place);
		return;
	}
	out = account_out(door(d, place), d->now);
	port->waits = out;
	if (out)
		say(d, place, STDOUT_FILENO, "attachment %llu; not served for %u s",
		    (unsigned long long)attachment, out);
	else
		say(d, place, STDOUT_FILENO, "attachment %llu", (unsigned long long)attachment);
}

/* Logs a fault. The switch's code must not fault, so a report of the error needs what it did. */
static void tell_fault(struct daemon *d, uint32_t place, const struct elisa_event *event)
{
	char text[256];

	if (elisa_fault_text(d->export_, event, text, sizeof(text)) >= 0)
		say(d, place, STDERR_FILENO, "vCPU %u: %s", event->vcpu, text);
}

void ports_event(struct daemon *d, const struct elisa_event *event)
{
	uint32_t place = place_of(d, event->attachment);

	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		if (event->value < 1 || event->value > d->config.port_count)
			return;
		d->port[event->value].ticket.distrust = false;
		came(d, (uint32_t)event->value, event->attachment);
		break;
	case ELISA_EVENT_DETACH:
		if (place)
			gone(d, place);
		break;
	case ELISA_EVENT_ABORT:
		d->rings_owed = true;
		if (!place || event->vcpu >= VMNET_VCPUS)
			return;
		d->port[place].stop[event->vcpu] =
			(struct stop){.aborts = event->aborts, .error = event->value};
		tell_stop(d, place, event->vcpu);
		break;
	case ELISA_EVENT_FAULT:
		tell_fault(d, place, event);
		break;
	case ELISA_EVENT_LOST:
		d->rings_owed = true;
		d->lost_events += (uint64_t)event->value;
		break;
	}
}

bool ports_is_counted(const struct daemon *d, uint32_t place)
{
	const struct port *port = &d->port[place];

	if (tickets_is_changing(d, place))
		return false;
	return port->attachment ? d->state->port[place].serving == port->attachment :
				  !port->unserved;
}

bool ports_is_mute(const struct daemon *d, uint32_t place)
{
	const struct port_config *config = &d->config.port[place - 1];
	struct rvs_port_info info;

	return config->policy.flags & RVS_CHECK_SOURCE && !config->static_count &&
	       !rvs_port_info(d->rvs, place, &info) && !rvif_mac_is_station(info.mac);
}

/* Decides whether the port is to be served. */
static void open_or_shut(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (port->waits && !port->evict && !account_out(door(d, place), d->now)) {
		port->waits = false;
		say(d, place, STDOUT_FILENO, "is served again");
	}
	__atomic_store_n(&d->state->port[place].enabled,
			 !port->waits && !port->dismissed && !port->closed && !port->renewed,
			 __ATOMIC_RELEASE);
}

/* Tells the switch what it has not been told yet, because a call failed. */
static void tell_rest(struct daemon *d, uint32_t place)
{
	tell_end(d, place);
	for (uint32_t vcpu = 0; vcpu < VMNET_VCPUS; vcpu++)
		if (d->port[place].stop[vcpu].aborts)
			tell_stop(d, place, vcpu);
	if (d->port[place].statics_owed)
		add_statics(d, place);
}

static void note_link(struct daemon *d, uint32_t place, long link)
{
	struct port *port = &d->port[place];

	port->link = link == VMNET_UP || link == VMNET_WENT_UP ? VMNET_UP : VMNET_DOWN;
	if (link == VMNET_WENT_UP) {
		add_statics(d, place);
		say(d, place, STDOUT_FILENO, "up%s",
		    ports_is_mute(d, place) ?
			    ", but can send nothing: it has no address, and its source is checked" :
			    "");
	} else if (link == VMNET_WENT_DOWN) {
		say(d, place, STDOUT_FILENO, "down");
	} else if ((link & 0xff) == VMNET_REFUSED) {
		say(d, place, STDOUT_FILENO, "refused: %s", rvif_strreason((int)(link >> 8)));
	}
}

/* Gives the port its new configuration. The switch has let go of the vNIC, or will do so before it
 * attaches the port again, and then takes the new configuration. */
static void renew(struct daemon *d, uint32_t place)
{
	if (d->port[place].renewed)
		d->state->port[place].policy = d->config.port[place - 1].policy;
	d->port[place].renewed = false;
}

/*
 * Handles an attachment that joined without an event. The event may have been lost. Then the
 * attachment may have come long ago, by a ticket that was withdrawn since. If so, it has to come
 * again, which needs the ticket that is in force.
 */
static void joined_unheard(struct daemon *d, uint32_t place, uint64_t attachment)
{
	struct port *port = &d->port[place];

	came(d, place, attachment);
	if (!port->ticket.distrust)
		return;
	port->ticket.distrust = false;
	ports_dismiss(d, place);
}

static void look(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];
	const uint64_t joined = __atomic_load_n(&d->state->port[place].joined, __ATOMIC_ACQUIRE);
	long link;

	if (joined > port->attachment && joined > port->ended)
		joined_unheard(d, place, joined);
	if (port->evict)
		evict(d, place);
	if (!port->broken)
		tell_rest(d, place);
	if (!port->attachment || port->broken)
		renew(d, place);
	if (!port->attachment || port->ended || port->broken)
		return;
	open_or_shut(d, place);
	if (library_call(d, VMNET_LOOK, place, 0, 0, 0, &link) == LIBRARY_DONE) {
		renew(d, place);
		note_link(d, place, link);
	}
}

void ports_look(struct daemon *d)
{
	long value;

	d->owes = false;
	if (d->rings_owed)
		d->rings_owed = library_call(d, VMNET_WAKE, 0, 0, 0, 0, &value) == LIBRARY_LATER;
	for (uint32_t place = 1; place <= d->config.port_count && !d->over; place++)
		look(d, place);
	tickets_look(d);
}

static bool same_policy(const struct rvs_policy *a, const struct rvs_policy *b)
{
	return !memcmp(a->mac, b->mac, sizeof(a->mac)) && a->flags == b->flags &&
	       a->features == b->features && a->max_learned == b->max_learned &&
	       a->mbps == b->mbps && a->vlan == b->vlan &&
	       !memcmp(a->trunk, b->trunk, sizeof(*a) - offsetof(struct rvs_policy, trunk));
}

static bool same_port(const struct port_config *a, const struct port_config *b)
{
	return same_policy(&a->policy, &b->policy) && a->static_count == b->static_count &&
	       !memcmp(a->statics, b->statics, a->static_count * sizeof(a->statics[0]));
}

static void change(struct daemon *d, uint32_t place, const struct port_config *new,
		   const uint8_t ticket[ELISA_TICKET_SIZE])
{
	struct port_config *old = &d->config.port[place - 1];

	if (tickets_change(d, place, ticket))
		say(d, place, STDOUT_FILENO,
		    "another ticket; the VM that came by the old one has to go");
	strcpy(old->ticket_file, new->ticket_file);
	strcpy(old->uplink, new->uplink);
	if (same_port(old, new))
		return;
	say(d, place, STDOUT_FILENO, "new configuration");
	d->port[place].renewed = true;
	old->policy = new->policy;
	memcpy(old->statics, new->statics, sizeof(old->statics));
	old->static_count = new->static_count;
}

/* Removes a port. The VM at the place, if any, goes as if its ticket had been withdrawn. */
static void remove_port(struct daemon *d, uint32_t place)
{
	say(d, place, STDOUT_FILENO, "removed");
	d->port[place].renewed = false;
	d->port[place].emptied = true;
	captures_end(&d->captures, place);
	tickets_close(d, place);
	memset(&d->config.port[place - 1], 0, sizeof(d->config.port[place - 1]));
}

/* Adds a port. If the earlier port of the place has not gone yet, the new one waits for that. */
static void add_port(struct daemon *d, uint32_t place, const struct port_config *new,
		     const uint8_t ticket[ELISA_TICKET_SIZE])
{
	struct port *port = &d->port[place];

	d->config.port[place - 1] = *new;
	port->closed = false;
	port->renewed = true;
	tickets_change(d, place, ticket);
	say(d, place, STDOUT_FILENO, "added");
}

void ports_reconfigure(struct daemon *d, const struct config *config, const struct tickets *tickets)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++) {
		const struct port_config *new = &config->port[place - 1];
		const uint8_t *ticket = tickets->of[place - 1];
		const char *old_name = d->config.port[place - 1].name;
		const bool was = *old_name, is = new->name[0];

		if (was && (!is || strcmp(old_name, new->name)))
			remove_port(d, place);
		if (is && !config_has(&d->config, place))
			add_port(d, place, new, ticket);
		else if (is)
			change(d, place, new, ticket);
	}
	ports_look(d); /* goes down */
	ports_look(d); /* comes up */
}
