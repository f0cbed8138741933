/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cannot change in a configuration while the daemon runs. Each such key is named with both
 * values, and then nothing of the file is applied, because half of a configuration is none. Ports
 * come and go by their names.
 */
#include <stdio.h>
#include <string.h>
#include "complain.h"
#include "daemon.h"

struct comparison {
	const char *file;
	uint32_t differ;
};

static void differs(struct comparison *c, const char *key, const char *is, const char *new)
{
	c->differ++;
	complain("%s: \"%s\" needs a restart to become %s; it is %s", c->file, key, new, is);
}

static void compare_numbers(struct comparison *c, const char *key, uint32_t is, uint32_t new)
{
	char of_is[16], of_new[16];

	if (is == new)
		return;
	snprintf(of_is, sizeof(of_is), "%u", is);
	snprintf(of_new, sizeof(of_new), "%u", new);
	differs(c, key, of_is, of_new);
}

static void compare_texts(struct comparison *c, const char *key, const char *is, const char *new)
{
	if (strcmp(is, new))
		differs(c, key, is, new);
}

bool reload_has_room(const struct daemon *d, const struct config *new)
{
	const uint32_t vlans = config_vlans(new);

	if (vlans <= d->vlans)
		return true;
	complain("%u VLANs, more than the %u that there is room for; restart it for more", vlans,
		 d->vlans);
	return false;
}

bool reload_is_possible(const struct daemon *d, const struct config *new, const char *file)
{
	const struct config *is = &d->config;
	struct comparison c = {.file = file};

	compare_texts(&c, "export", is->export_name, new->export_name);
	compare_numbers(&c, "queues", is->queues, new->queues);
	compare_numbers(&c, "port_mib", is->port_mib, new->port_mib);
	compare_numbers(&c, "max_ports", is->max_ports, new->max_ports);
	compare_numbers(&c, "open_ports_per_vm", is->open_ports_per_vm, new->open_ports_per_vm);
	compare_numbers(&c, "max_age", is->max_age, new->max_age);
	compare_numbers(&c, "limit_us", is->limit_us, new->limit_us);
	compare_numbers(&c, "suspend_us", is->suspend_us, new->suspend_us);
	if (new->port_count > is->port_count) {
		complain(
			"%s: %u ports, more than the %u that there is room for; restart it for more",
			file, new->port_count, is->port_count);
		c.differ++;
	}
	c.differ += !reload_has_room(d, new);
	if (c.differ)
		complain("%s: nothing of it was taken", file);
	return !c.differ;
}

/* Tells whether a port can have the place at once. After a port was removed, its place is free once
 * its VM has gone and its ticket is withdrawn. */
static bool is_free(const struct daemon *d, uint32_t place)
{
	return !config_has(&d->config, place) && !d->port[place].attachment &&
	       !d->port[place].ended && !tickets_is_changing(d, place);
}

/* Returns a place that no port has taken: one that is free at once, or else one that will be; 0:
 * none. */
static uint32_t best_place(const struct daemon *d, const struct port_config *taken)
{
	uint32_t later = 0;

	for (uint32_t place = 1; place <= d->config.port_count; place++) {
		if (taken[place - 1].name[0])
			continue;
		if (is_free(d, place))
			return place;
		later = place;
	}
	return later;
}

uint32_t reload_place(const struct daemon *d)
{
	return best_place(d, d->config.port);
}

void reload_arrange(const struct daemon *d, struct config *new)
{
	const struct config *is = &d->config;
	struct port_config port[MAX_PORTS];
	uint32_t place;

	memset(port, 0, sizeof(port));
	for (uint32_t i = 0; i < new->port_count; i++) {
		place = config_place(is, new->port[i].name);
		if (!place)
			continue;
		port[place - 1] = new->port[i];
		new->port[i].name[0] = 0;
	}
	for (uint32_t i = 0; i < new->port_count; i++)
		if (new->port[i].name[0])
			port[best_place(d, port) - 1] = new->port[i];
	memcpy(new->port, port, sizeof(port));
	new->port_count = is->port_count;
}
