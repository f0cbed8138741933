/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ports of the switch: which attachment has one, by the host's events; whether it is attached,
 * by looking at its vNIC. All that touches a vNIC's memory is done by calls, in the sub context.
 */
#include <string.h>
#include <unistd.h>
#include <rvif/driver.h>
#include "daemon.h"
#include "output.h"

int ports_manage(struct daemon *d, long op, long a1, long a2, long a3, long a4, long *value)
{
	struct elisa_result result = elisa_call_general(d->own, op, a1, a2, a3, a4, 0);

	*value = result.value;
	if (!result.error)
		return 0;
	output_print(STDERR_FILENO, "elisa-vmnet: operation %ld of port %ld: %s\n", op, a1,
		     elisa_call_strerror(result.error));
	return -1;
}

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

/* They go when the port is detached, so they are added each time it comes up. */
static void add_statics(struct daemon *d, uint32_t place)
{
	const struct port_config *config = &d->config.port[place - 1];
	long value;

	for (uint32_t i = 0; i < config->static_count; i++)
		if (ports_manage(d, VMNET_STATIC, place, mac_word(config->statics[i]), 1, 0,
				 &value) ||
		    value)
			say(d, place, STDERR_FILENO, "static address %u: %s", i + 1,
			    why_static(-value));
}

/* ------------------------------------------------------------------- what VMs owe each other
 *
 * A call that stops in a delivery holds a receive queue of another port until it is ended. The
 * port of the caller pays, never the one whose queue it was, nor others that waited for it.
 *
 * With a ticket, what is owed is of the ticket's owner: it is the same VM that comes back, and no
 * other one can have the port. Without, the host does not tell which VM an attachment is of. Then
 * the attachment pays while it lives, and after an eviction all VMs that come to such ports wait.
 * A place is no measure there: one VM could close place after place to the others.
 */

static bool has_owner(const struct daemon *d, uint32_t place)
{
	return d->config.port[place - 1].ticket_file[0];
}

/* Whose evictions decide how long a VM that comes to this place is kept out. */
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

/* An attachment that is gone already is what was wanted; its event comes. */
static void evict(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (!elisa_evict(d->export_, port->attachment) ||
	    elisa_error_why(d->elisa, NULL) == ELISA_WHY_NO_ATTACHMENT)
		port->evict = false;
	else
		say(d, place, STDERR_FILENO, "%s", elisa_error(d->elisa));
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
 * A fault is none of the switch's: the host says so, too, of a call whose event its full queue had
 * no room for, and a VM decides how full that is.
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

/* What an attachment without an owner leaves unpaid, the next ones at the door do not pay; but too
 * many that leave in time are as bad as one that stays. */
static void settle(struct daemon *d, uint32_t place, long held)
{
	struct port *port = &d->port[place];

	for (long i = 0; i < held; i++)
		account_charge(&port->account, ACCOUNT_BREAK, d->now);
	if (has_owner(d, place))
		return;
	if (port->account.owed && account_charge(&d->newcomers, port->account.owed, d->now))
		account_keep_out(&d->newcomers, d->now);
	port->account = (struct account){.owed = 0};
}

void ports_forgive(struct daemon *d)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		account_forgive(&d->port[place].account, d->now);
	account_forgive(&d->newcomers, d->now);
}

/* ------------------------------------------------------------------------ attachments and links */

static void gone(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];
	long held = 0;

	ports_manage(d, VMNET_GONE, place, (long)port->attachment, 0, 0, &held);
	say(d, place, STDOUT_FILENO, "attachment %llu is gone",
	    (unsigned long long)port->attachment);
	settle(d, place, held);
	port->attachment = 0;
	port->link = VMNET_DOWN;
	port->waits = port->evict = false;
	d->rings_owed = true;
}

static void came(struct daemon *d, uint32_t place, uint64_t attachment)
{
	struct port *port = &d->port[place];
	uint32_t out;

	if (port->attachment == attachment)
		return;
	if (port->attachment)
		gone(d, place); /* its event was lost */
	port->attachment = attachment;
	out = account_out(door(d, place), d->now);
	port->waits = out;
	if (out)
		say(d, place, STDOUT_FILENO, "attachment %llu; not served for %u s",
		    (unsigned long long)attachment, out);
	else
		say(d, place, STDOUT_FILENO, "attachment %llu", (unsigned long long)attachment);
}

void ports_event(struct daemon *d, const struct elisa_event *event)
{
	uint32_t place = place_of(d, event->attachment);
	long value;

	switch (event->type) {
	case ELISA_EVENT_ATTACH:
		if (event->value < 1 || event->value > d->config.port_count)
			return;
		came(d, (uint32_t)event->value, event->attachment);
		break;
	case ELISA_EVENT_DETACH:
		if (place)
			gone(d, place);
		break;
	case ELISA_EVENT_ABORT:
	case ELISA_EVENT_EVICT:
		d->rings_owed = true;
		if (!place || ports_manage(d, VMNET_ABORTED, place, event->vcpu,
					   (long)event->aborts, (long)event->attachment, &value))
			return;
		say(d, place, STDOUT_FILENO,
		    "a call was aborted (%s); it held %ld receive queues of "
		    "others",
		    elisa_call_strerror((long)event->value), value);
		stopped(d, place, event->value, value);
		break;
	case ELISA_EVENT_LOST:
		d->rings_owed = true;
		d->lost_events += (uint64_t)event->value;
		break;
	}
}

bool ports_is_mute(const struct daemon *d, uint32_t place)
{
	const struct port_config *config = &d->config.port[place - 1];
	struct rvs_port_info info;

	return config->policy.flags & RVS_CHECK_SOURCE && !config->static_count &&
	       !rvs_port_info(d->rvs, place, &info) && !rvif_mac_is_station(info.mac);
}

/* Is it to be served? */
static void open_or_shut(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (port->evict)
		evict(d, place);
	if (port->waits && !port->evict && !account_out(door(d, place), d->now)) {
		port->waits = false;
		say(d, place, STDOUT_FILENO, "is served again");
	}
	__atomic_store_n(&d->state->port[place].enabled, !port->waits && !port->renewed,
			 __ATOMIC_RELEASE);
}

int ports_look(struct daemon *d)
{
	long value;

	if (d->rings_owed && ports_manage(d, VMNET_WAKE, 0, 0, 0, 0, &value))
		return -1;
	d->rings_owed = false;
	for (uint32_t place = 1; place <= d->config.port_count; place++) {
		struct port *port = &d->port[place];
		const uint64_t joined =
			__atomic_load_n(&d->state->port[place].joined, __ATOMIC_ACQUIRE);
		long link;

		if (joined > port->attachment)
			came(d, place, joined); /* the event that said so may have been lost */
		if (!port->attachment)
			continue;
		open_or_shut(d, place);
		if (ports_manage(d, VMNET_LOOK, place, 0, 0, 0, &link))
			return -1;
		if (link == VMNET_WENT_UP) {
			add_statics(d, place);
			say(d, place, STDOUT_FILENO, "up%s",
			    ports_is_mute(d, place) ?
				    ", but can send nothing: it has no address, and its "
				    "source is checked" :
				    "");
		} else if (link == VMNET_WENT_DOWN) {
			say(d, place, STDOUT_FILENO, "down");
		} else if ((link & 0xff) == VMNET_REFUSED) {
			say(d, place, STDOUT_FILENO, "refused: %s",
			    rvif_strreason((int)(link >> 8)));
		}
		port->link = link == VMNET_UP || link == VMNET_WENT_UP ? VMNET_UP : VMNET_DOWN;
	}
	return 0;
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

void ports_reconfigure(struct daemon *d, const struct config *config)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++) {
		struct port_config *old = &d->config.port[place - 1];
		const struct port_config *new = &config->port[place - 1];

		if (same_port(old, new))
			continue;
		say(d, place, STDOUT_FILENO, "new configuration");
		d->port[place].renewed = true;
		ports_look(d);
		old->policy = d->state->port[place].policy = new->policy;
		memcpy(old->statics, new->statics, sizeof(old->statics));
		old->static_count = new->static_count;
		d->port[place].renewed = false;
	}
	ports_look(d);
}
