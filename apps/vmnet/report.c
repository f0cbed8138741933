/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the switch has counted: as JSON in a file, and such a file as a table. The counters are in
 * the manager's own memory, so that reading them costs no call and disturbs no guest.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"
#include "port_stats.h"
#include "see.h"

#define MOST_MIB 64 /* of a report */

static void add(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static const char *name_of(const void *daemon, uint32_t place)
{
	const struct daemon *d = daemon;

	return place && place <= d->config.port_count ? d->config.port[place - 1].name : "";
}

/* What the daemon counts of each port, beside the switch. */
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
	};
	const struct daemon *d = see->owner;

	for (int i = 0; i < 3; i++) {
		fprintf(to, "# TYPE %s %s\n# HELP %s %s\n", metrics[i].name, metrics[i].type,
			metrics[i].name, metrics[i].help);
		for (uint32_t place = 1; place <= d->config.port_count; place++) {
			const struct port *port = &d->port[place];
			const uint64_t values[] = {port->stalls, port->evictions,
						   ports_out(d, place)};

			fprintf(to, "%s%s", metrics[i].name, metrics[i].suffix);
			see_label(to, see, place);
			fprintf(to, "} %llu\n", (unsigned long long)values[i]);
		}
	}
}

static struct see see_of(const struct daemon *d)
{
	return (struct see){.rvs = d->rvs,
			    .first = 1,
			    .count = d->config.port_count,
			    .name = name_of,
			    .more = print_more,
			    .owner = d};
}

static json_object *port_report(const struct daemon *d, uint32_t place)
{
	json_object *port = json_object_new_object();
	const struct see see = see_of(d);
	struct rvs_stats stats = {0};

	/* until it is served, what the switch has is of the one before */
	if (!d->port[place].attachment ||
	    d->state->port[place].serving == d->port[place].attachment)
		rvs_port_stats(d->rvs, place, &stats);
	json_object_object_add(port, "name",
			       json_object_new_string(d->config.port[place - 1].name));
	port_stats_add_vlans(port, &d->config.port[place - 1].policy);
	add(port, "attachment", d->port[place].attachment);
	json_object_object_add(port, "link",
			       json_object_new_boolean(d->port[place].link == VMNET_UP));
	json_object_object_add(port, "broken", json_object_new_boolean(d->port[place].broken));
	add(port, "stalls", d->port[place].stalls);
	add(port, "evictions", d->port[place].evictions);
	add(port, "kept_out", ports_out(d, place));
	port_stats_add(port, &stats);
	json_object_object_add(port, "queues", see_queues(&see, place));
	return port;
}

int report_write(const struct daemon *d, const char *file)
{
	const struct see see = see_of(d);
	json_object *root = json_object_new_object(), *ports = json_object_new_array();
	char temporary[300];
	int error;

	snprintf(temporary, sizeof(temporary), "%s.new", file);
	json_object_object_add(root, "export", json_object_new_string(d->config.export_name));
	add(root, "lost_events", d->lost_events);
	add(root, "failures", d->failures);
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		json_object_array_add(ports, port_report(d, place));
	json_object_object_add(root, "ports", ports);
	json_object_object_add(root, "table", see_table(&see, d->state->now));
	error = json_object_to_file(temporary, root) || rename(temporary, file);
	json_object_put(root);
	if (!error)
		return 0;
	output_print(STDERR_FILENO, "elisa-vmnet: %s: %s\n", file, strerror(errno));
	return -1;
}

int report_metrics(const struct daemon *d, const char *file)
{
	const struct see see = see_of(d);

	if (!see_metrics(&see, file))
		return 0;
	output_print(STDERR_FILENO, "elisa-vmnet: %s: %s\n", file, strerror(errno));
	return -1;
}

static uint64_t number(json_object *port, const char *key)
{
	return json_object_get_uint64(json_object_object_get(port, key));
}

static void show_port(FILE *to, json_object *port)
{
	json_object *drops = json_object_object_get(port, "drops");

	fprintf(to, "%-16s %-4s %12llu %12llu %12llu ",
		json_object_get_string(json_object_object_get(port, "name")),
		number(port, "kept_out")				      ? "out" :
		json_object_get_boolean(json_object_object_get(port, "link")) ? "up" :
										"down",
		(unsigned long long)number(port, "sent"),
		(unsigned long long)number(port, "received"),
		(unsigned long long)number(port, "missed"));
	json_object_object_foreach(drops, reason, count)
		fprintf(to, " %s=%s", reason, json_object_get_string(count));
	fputc('\n', to);
}

/* Addresses and where they are, if the report has them. */
static void show_table(FILE *to, json_object *table)
{
	if (!json_object_is_type(table, json_type_array) || !json_object_array_length(table))
		return;
	fprintf(to, "\n%-18s %5s %-16s %s\n", "address", "vlan", "port", "heard");
	for (size_t i = 0; i < json_object_array_length(table); i++) {
		json_object *entry = json_object_array_get_idx(table, i), *age;

		if (!json_object_is_type(entry, json_type_object))
			continue;
		age = json_object_object_get(entry, "age");
		fprintf(to, "%-18s %5llu %-16s %s%s\n",
			json_object_get_string(json_object_object_get(entry, "mac")),
			(unsigned long long)number(entry, "vlan"),
			json_object_get_string(json_object_object_get(entry, "port")),
			age ? json_object_get_string(age) : "static", age ? " s ago" : "");
	}
}

static bool is_port(json_object *port)
{
	return json_object_is_type(port, json_type_object) &&
	       json_object_is_type(json_object_object_get(port, "name"), json_type_string) &&
	       json_object_is_type(json_object_object_get(port, "drops"), json_type_object);
}

/* NULL, or its list of ports is none. */
static json_object *ports_of(json_object *root)
{
	json_object *ports = json_object_is_type(root, json_type_object) ?
				     json_object_object_get(root, "ports") :
				     NULL;

	if (!json_object_is_type(ports, json_type_array))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(ports); i++)
		if (!is_port(json_object_array_get_idx(ports, i)))
			return NULL;
	return ports;
}

int report_show(const char *file)
{
	json_object *root = config_parse(file, MOST_MIB), *ports = ports_of(root);
	char *text = NULL;
	size_t size;
	FILE *to;

	if (!root)
		return -1;
	if (!ports) {
		output_print(STDERR_FILENO, "elisa-vmnet: %s: it is no report of elisa-vmnet\n",
			     file);
		json_object_put(root);
		return -1;
	}
	to = open_memstream(&text, &size);
	if (!to)
		return -1;
	fprintf(to, "%-16s %-4s %12s %12s %12s  %s\n", "port", "link", "sent", "received", "missed",
		"drops");
	for (size_t i = 0; i < json_object_array_length(ports); i++)
		show_port(to, json_object_array_get_idx(ports, i));
	show_table(to, json_object_object_get(root, "table"));
	fclose(to);
	output_text(STDOUT_FILENO, text);
	json_object_put(root);
	return 0;
}
