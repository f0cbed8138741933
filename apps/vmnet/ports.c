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

#define MAX_STALLS 8

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

static const char *name_of(const struct daemon *d, uint32_t place)
{
	return d->config.port[place - 1].name;
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
			output_print(STDERR_FILENO, "elisa-vmnet: port %s: static address %u: %s\n",
				     config->name, i + 1, why_static(-value));
}

static void gone(struct daemon *d, uint32_t place)
{
	long value;

	ports_manage(d, VMNET_GONE, place, (long)d->port[place].attachment, 0, 0, &value);
	output_print(STDOUT_FILENO, "port %s: attachment %llu is gone\n", name_of(d, place),
		     (unsigned long long)d->port[place].attachment);
	d->port[place] = (struct port){.link = VMNET_DOWN};
	d->rings_owed = true;
}

static void came(struct daemon *d, uint32_t place, uint64_t attachment)
{
	if (d->port[place].attachment == attachment)
		return;
	if (d->port[place].attachment)
		gone(d, place); /* its event was lost */
	d->port[place].attachment = attachment;
	output_print(STDOUT_FILENO, "port %s: attachment %llu\n", name_of(d, place),
		     (unsigned long long)attachment);
}

/*
 * The host ends a call that its VMM does not run, and the queues that it held are free again. A VMM
 * that does so again and again still takes a part of the other ports' time: it has to go.
 */
static void stalled(struct daemon *d, uint32_t place)
{
	struct port *port = &d->port[place];

	if (++port->stalls <= MAX_STALLS)
		return;
	port->stalls = 0;
	output_print(
		STDERR_FILENO,
		"elisa-vmnet: port %s: %u calls were stopped while they held queues; evicted\n",
		name_of(d, place), MAX_STALLS + 1);
	if (elisa_evict(d->export_, port->attachment))
		output_print(STDERR_FILENO, "elisa-vmnet: port %s: %s\n", name_of(d, place),
			     elisa_error(d->elisa));
}

void ports_forgive(struct daemon *d)
{
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		if (d->port[place].stalls)
			d->port[place].stalls--;
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
		output_print(STDOUT_FILENO,
			     "port %s: a call was aborted (%s); it held %ld queues\n",
			     name_of(d, place), elisa_call_strerror((long)event->value), value);
		if (event->value == ELISA_CALL_TIMEOUT && value > 0)
			stalled(d, place);
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
		if (ports_manage(d, VMNET_LOOK, place, 0, 0, 0, &link))
			return -1;
		if (link == VMNET_WENT_UP) {
			add_statics(d, place);
			output_print(STDOUT_FILENO, "port %s: up%s\n", name_of(d, place),
				     ports_is_mute(d, place) ?
					     ", but can send nothing: it has no address, and its "
					     "source is checked" :
					     "");
		} else if (link == VMNET_WENT_DOWN) {
			output_print(STDOUT_FILENO, "port %s: down\n", name_of(d, place));
		} else if ((link & 0xff) == VMNET_REFUSED) {
			output_print(STDOUT_FILENO, "port %s: refused: %s\n", name_of(d, place),
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
		struct vmnet_port *shared = &d->state->port[place];

		if (same_port(old, new))
			continue;
		output_print(STDOUT_FILENO, "port %s: new configuration\n", old->name);
		__atomic_store_n(&shared->enabled, 0, __ATOMIC_RELAXED);
		ports_look(d);
		old->policy = shared->policy = new->policy;
		memcpy(old->statics, new->statics, sizeof(old->statics));
		old->static_count = new->static_count;
		__atomic_store_n(&shared->enabled, 1, __ATOMIC_RELEASE);
	}
	ports_look(d);
}
