/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the switch has counted: as JSON in a file, and such a file as a table. The counters are in the
 * manager's own memory, so that reading them costs no call and disturbs nobody.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <rvs_drop_names.h>
#include <unistd.h>
#include "daemon.h"

static void add(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static json_object *port_report(const struct daemon *d, uint32_t place)
{
	json_object *port = json_object_new_object(), *drops = json_object_new_object();
	struct rvs_stats stats = {0};

	rvs_port_stats(d->rvs, place, &stats);
	json_object_object_add(port, "name",
			       json_object_new_string(d->config.port[place - 1].name));
	add(port, "attachment", d->port[place].attachment);
	json_object_object_add(port, "link",
			       json_object_new_boolean(d->port[place].link == VMNET_UP));
	add(port, "sent", stats.frames);
	add(port, "sent_bytes", stats.bytes);
	add(port, "delivered", stats.delivered);
	add(port, "received", stats.rx_frames);
	add(port, "received_bytes", stats.rx_bytes);
	add(port, "missed", stats.rx_missed);
	for (int reason = 0; reason < RVS_DROPS; reason++)
		if (stats.drops[reason])
			add(drops, rvs_drop_names[reason], stats.drops[reason]);
	json_object_object_add(port, "drops", drops);
	return port;
}

int report_write(const struct daemon *d, const char *file)
{
	json_object *root = json_object_new_object(), *ports = json_object_new_array();
	char temporary[300];
	int error;

	snprintf(temporary, sizeof(temporary), "%s.new", file);
	json_object_object_add(root, "export", json_object_new_string(d->config.export_name));
	add(root, "lost_events", d->lost_events);
	for (uint32_t place = 1; place <= d->config.port_count; place++)
		json_object_array_add(ports, port_report(d, place));
	json_object_object_add(root, "ports", ports);
	error = json_object_to_file(temporary, root) || rename(temporary, file);
	json_object_put(root);
	if (!error)
		return 0;
	fprintf(stderr, "elisa-vmnet: %s: %s\n", file, strerror(errno));
	return -1;
}

static uint64_t number(json_object *port, const char *key)
{
	return json_object_get_uint64(json_object_object_get(port, key));
}

int report_show(const char *file)
{
	json_object *root = json_object_from_file(file), *ports;

	if (!root) {
		fprintf(stderr, "elisa-vmnet: %s\n", json_util_get_last_err());
		return -1;
	}
	ports = json_object_object_get(root, "ports");
	printf("%-16s %-4s %12s %12s %12s  %s\n", "port", "link", "sent", "received", "missed",
	       "drops");
	for (size_t i = 0; i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i);
		json_object *drops = json_object_object_get(port, "drops");

		printf("%-16s %-4s %12llu %12llu %12llu ",
		       json_object_get_string(json_object_object_get(port, "name")),
		       json_object_get_boolean(json_object_object_get(port, "link")) ? "up" :
										       "down",
		       (unsigned long long)number(port, "sent"),
		       (unsigned long long)number(port, "received"),
		       (unsigned long long)number(port, "missed"));
		json_object_object_foreach(drops, reason, count)
			printf(" %s=%s", reason, json_object_get_string(count));
		putchar('\n');
	}
	json_object_put(root);
	return 0;
}
