/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the switch has counted: as JSON, for a file and for replies, and such a file as a table. The
 * counters are in the manager's own memory, so reading them costs no call and disturbs no guest.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"
#include "port_stats.h"
#include "see.h"
#include "settings.h"
#include "show.h"

#define MOST_MIB 64 /* limit of a report's size */

static void add(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static const char *name_of(const void *daemon, uint32_t place)
{
	const struct daemon *d = daemon;

	return place && place <= d->config.port_count && config_has(&d->config, place) ?
		       d->config.port[place - 1].name :
		       NULL;
}

static uint64_t stalls_of(const struct port *port)
{
	return port->emptied ? 0 : port->stalls;
}

static uint64_t evictions_of(const struct port *port)
{
	return port->emptied ? 0 : port->evictions;
}

static const struct uplink_seen *uplink_of(const void *daemon, uint32_t place)
{
	return ((const struct daemon *)daemon)->port[place].uplink.process.seen;
}

/* Prints what the daemon counts for each port, in addition to the switch's counters. */
static void print_more(FILE *to, const struct see *see)
{
	static const struct {
		const char *name, *type, *suffix, *help;
	} metrics[] = {
		{"vmnet_stalls", "counter", "_total",
		 "Calls of the port's VMs that were stopped while they held receive queues of others."},
		{"vmnet_evictions", "counter", "_total", "VMs that were evicted from the port."},
		{"vmnet_kept_out_seconds", "gauge", "",
		 "For how long its VM, which was evicted, is not served yet."},
		{"vmnet_port_closed", "gauge", "", "Was the port closed by an operator?"},
	};
	const struct daemon *d = see->owner;

	for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++) {
		fprintf(to, "# TYPE %s %s\n# HELP %s %s\n", metrics[i].name, metrics[i].type,
			metrics[i].name, metrics[i].help);
		for (uint32_t place = 1; place <= d->config.port_count; place++) {
			const struct port *port = &d->port[place];
			const uint64_t values[] = {stalls_of(port), evictions_of(port),
						   ports_out(d, place), port->closed};

			if (!config_has(&d->config, place))
				continue;

			fprintf(to, "%s%s", metrics[i].name, metrics[i].suffix);
			see_label(to, see, place);
			fprintf(to, "} %llu\n", (unsigned long long)values[i]);
		}
	}
	uplink_metrics(to, see, uplink_of);
}

static bool is_counted(const void *daemon, uint32_t place)
{
	return ports_is_counted(daemon, place);
}

static struct see see_of(const struct daemon *d)
{
	return (struct see){.rvs = d->rvs,
			    .first = 1,
			    .count = d->config.port_count,
			    .name = name_of,
			    .counted = is_counted,
			    .more = print_more,
			    .owner = d};
}

/* Adds the port's address. Until its driver is served, that is the configured address, if any. */
static void add_mac(json_object *port, const struct daemon *d, uint32_t place)
{
	const uint8_t *mac = d->config.port[place - 1].policy.mac;
	struct rvs_port_info info;
	char text[MAC_TEXT_SIZE];

	if (ports_is_counted(d, place) && !rvs_port_info(d->rvs, place, &info) && info.attached)
		mac = info.mac;
	if (!rvif_mac_is_station(mac))
		return;
	mac_text(mac, text);
	json_object_object_add(port, "mac", json_object_new_string(text));
}

json_object *report_port(const struct daemon *d, uint32_t place, bool with_queues)
{
	json_object *port = json_object_new_object();
	const struct see see = see_of(d);
	struct rvs_stats stats = {0};

	if (ports_is_counted(d, place))
		rvs_port_stats(d->rvs, place, &stats);
	json_object_object_add(port, "name",
			       json_object_new_string(d->config.port[place - 1].name));
	add_mac(port, d, place);
	port_stats_add_vlans(port, &d->config.port[place - 1].policy);
	add(port, "attachment", d->port[place].attachment);
	json_object_object_add(port, "link",
			       json_object_new_boolean(d->port[place].link == VMNET_UP));
	json_object_object_add(port, "closed", json_object_new_boolean(d->port[place].closed));
	json_object_object_add(port, "broken", json_object_new_boolean(d->port[place].broken));
	if (d->port[place].uplink.process.seen)
		uplink_report(port, d->port[place].uplink.interface,
			      d->port[place].uplink.process.seen);
	add(port, "stalls", stalls_of(&d->port[place]));
	add(port, "evictions", evictions_of(&d->port[place]));
	add(port, "kept_out", ports_out(d, place));
	port_stats_add(port, &stats);
	if (with_queues)
		json_object_object_add(port, "queues", see_queues(&see, place));
	return port;
}

json_object *report_ports(const struct daemon *d, bool with_queues)
{
	json_object *root = json_object_new_object(), *ports = json_object_new_array();

	json_object_object_add(root, "export", json_object_new_string(d->config.export_name));
	add(root, "lost_events", d->lost_events);
	add(root, "failures", d->failures);
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		if (config_has(&d->config, place))
			json_object_array_add(ports, report_port(d, place, with_queues));
	json_object_object_add(root, "ports", ports);
	return root;
}

json_object *report_table(const struct daemon *d, uint64_t from)
{
	const struct see see = see_of(d);
	json_object *root = json_object_new_object();

	json_object_object_add(root, "table", see_table_part(&see, d->state->now, &from));
	if (from)
		add(root, "next", from);
	return root;
}

int report_write(const struct daemon *d, const char *file)
{
	const struct see see = see_of(d);
	json_object *root = report_ports(d, true);
	char temporary[300];
	int error;

	snprintf(temporary, sizeof(temporary), "%s.new", file);
	json_object_object_add(root, "table", see_table(&see, d->state->now));
	error = json_object_to_file(temporary, root) || rename(temporary, file);
	json_object_put(root);
	if (!error)
		return 0;
	output_print(STDERR_FILENO, "elisa-vmnet: %s: %s\n", file, strerror(errno));
	return -1;
}

json_object *report_metrics_text(const struct daemon *d)
{
	const struct see see = see_of(d);
	json_object *result = NULL;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	see_print(&see, to);
	if (!fclose(to))
		result = json_object_new_string_len(text, (int)size);
	free(text);
	return result;
}

int report_metrics(const struct daemon *d, const char *file)
{
	const struct see see = see_of(d);

	if (!see_metrics(&see, file))
		return 0;
	output_print(STDERR_FILENO, "elisa-vmnet: %s: %s\n", file, strerror(errno));
	return -1;
}

int report_show(const char *file)
{
	const struct settings reading = {.program = "elisa-vmnet", .file = file};
	json_object *root = settings_read(&reading, MOST_MIB), *ports = show_ports_of(root);
	json_object *table = root ? json_object_object_get(root, "table") : NULL;
	char *text = NULL;
	size_t size;
	FILE *to;

	if (!root)
		return -1;
	if (!ports) {
		settings_wrong(&reading, "it is no report of elisa-vmnet");
		json_object_put(root);
		return -1;
	}
	to = open_memstream(&text, &size);
	if (!to)
		return -1;
	show_ports(to, ports);
	if (json_object_is_type(table, json_type_array) && json_object_array_length(table)) {
		fputc('\n', to);
		show_table(to, table);
	}
	fclose(to);
	output_text(STDOUT_FILENO, text);
	json_object_put(root);
	return 0;
}
