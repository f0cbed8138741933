/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a configuration cannot change while the daemon runs. Each such key is named with both
 * values, and then nothing of the file is taken: half of a configuration is none.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"

struct comparison {
	const char *file;
	const char *port; /* NULL: of none */
	uint32_t differ;
};

static void differs(struct comparison *c, const char *key, const char *is, const char *new)
{
	c->differ++;
	output_print(STDERR_FILENO,
		     "elisa-vmnet: %s: %s%s%s\"%s\" needs a restart to become %s; it is %s\n",
		     c->file, c->port ? "port " : "", c->port ? c->port : "", c->port ? ": " : "",
		     key, *new ? new : "none", *is ? is : "none");
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

static void compare_ports(struct comparison *c, const struct config *is, const struct config *new)
{
	if (is->port_count != new->port_count) {
		compare_numbers(c, "ports", is->port_count, new->port_count);
		return;
	}
	for (uint32_t i = 0; i < is->port_count; i++) {
		c->port = is->port[i].name;
		compare_texts(c, "name", is->port[i].name, new->port[i].name);
	}
	c->port = NULL;
}

bool reload_is_possible(const struct daemon *d, const struct config *new, const char *file)
{
	const struct config *is = &d->config;
	const uint32_t vlans = config_vlans(new);
	struct comparison c = {.file = file};

	compare_texts(&c, "export", is->export_name, new->export_name);
	compare_numbers(&c, "queues", is->queues, new->queues);
	compare_numbers(&c, "port_mib", is->port_mib, new->port_mib);
	compare_numbers(&c, "open_ports_per_vm", is->open_ports_per_vm, new->open_ports_per_vm);
	compare_numbers(&c, "max_age", is->max_age, new->max_age);
	compare_numbers(&c, "limit_us", is->limit_us, new->limit_us);
	compare_numbers(&c, "suspend_us", is->suspend_us, new->suspend_us);
	compare_ports(&c, is, new);
	if (vlans > d->vlans) {
		c.differ++;
		output_print(STDERR_FILENO,
			     "elisa-vmnet: %s: %u VLANs, more than the %u that there is room for; "
			     "restart it for more\n",
			     file, vlans, d->vlans);
	}
	if (c.differ)
		output_print(STDERR_FILENO, "elisa-vmnet: %s: nothing of it was taken\n", file);
	return !c.differ;
}
