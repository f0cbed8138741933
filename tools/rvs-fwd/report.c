/* SPDX-License-Identifier: Apache-2.0 */
/* Reports the switch's counters: as a table, as JSON, or as a file of OpenMetrics text. */
#include "fwd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "address.h"
#include "clock.h"
#include "output.h"
#include "port_stats.h"
#include "see.h"
#include "utf8.h"

static const char *name_of(const void *owner, uint32_t port)
{
	const struct fwd *fwd = owner;

	return port < fwd->port_count ? fwd->port[port].path : "";
}

static const struct uplink_seen *uplink_of(const void *owner, uint32_t port)
{
	const struct fwd *fwd = owner;

	return fwd->port[port].uplink ? &fwd->port[port].seen : NULL;
}

static void print_uplinks(FILE *to, const struct see *see)
{
	uplink_metrics(to, see, uplink_of);
}

static struct see see_all(const struct fwd *fwd)
{
	return (struct see){.rvs = fwd->rvs,
			    .count = fwd->port_count,
			    .name = name_of,
			    .owner = fwd,
			    .more = fwd->options.uplinks.count ? print_uplinks : NULL};
}

void report_metrics(struct fwd *fwd)
{
	const struct see see = see_all(fwd);

	if (see_metrics(&see, fwd->options.metrics))
		output_print(STDERR_FILENO, "rvs-fwd: %s: %s\n", fwd->options.metrics,
			     strerrordesc_np(errno));
}

static struct json_object *port_as_json(const struct fwd *fwd, const struct port *port,
					const struct rvs_stats *stats, double seconds)
{
	const uint32_t number = port_number(fwd, port);
	const struct see see = see_all(fwd);
	struct json_object *object = json_object_new_object();
	struct rvs_port_info info;
	char mac[MAC_TEXT_SIZE];

	rvs_port_info(fwd->rvs, number, &info);
	mac_text(info.mac, mac);
	json_object_object_add(object, "vnic", utf8_json(port->path));
	json_object_object_add(object, "attached", json_object_new_boolean(port->attached));
	if (port->uplink)
		uplink_report(object, port->path, &port->seen);
	json_object_object_add(object, "mac", json_object_new_string(mac));
	port_stats_add_vlans(object, &port->policy);
	json_object_object_add(object, "learned", json_object_new_uint64(info.learned));
	port_stats_add(object, stats);
	json_object_object_add(object, "queues", see_queues(&see, number));
	port_stats_add_rate(object, "sent_per_second", stats->frames - port->before.frames,
			    seconds);
	port_stats_add_rate(object, "received_per_second",
			    stats->rx_frames - port->before.rx_frames, seconds);
	return object;
}

static void print_port(FILE *to, const struct port *port, const struct rvs_stats *stats,
		       double seconds)
{
	fprintf(to, "%-32s %12.0f %12.0f %12llu %12llu  %llu", port->path,
		(double)(stats->frames - port->before.frames) / seconds,
		(double)(stats->rx_frames - port->before.rx_frames) / seconds,
		(unsigned long long)stats->frames, (unsigned long long)stats->rx_frames,
		(unsigned long long)port_stats_drops(stats));
	port_stats_print_drops(to, stats);
	if (port->uplink)
		uplink_print(to, port->path, &port->seen);
}

static void print_table(const struct fwd *fwd, FILE *to, const struct rvs_stats *stats,
			double seconds)
{
	fprintf(to, "%-32s %12s %12s %12s %12s  %s\n", "vnic", "sent/s", "received/s", "sent",
		"received", "drops");
	for (uint32_t i = 0; i < fwd->port_count; i++)
		print_port(to, &fwd->port[i], &stats[i], seconds);
}

static void print_json(const struct fwd *fwd, FILE *to, const struct rvs_stats *stats,
		       double seconds)
{
	const struct see see = see_all(fwd);
	struct json_object *list = json_object_new_array(), *object = json_object_new_object();

	for (uint32_t i = 0; i < fwd->port_count; i++)
		json_object_array_add(list, port_as_json(fwd, &fwd->port[i], &stats[i], seconds));
	json_object_object_add(object, "seconds", json_object_new_double(seconds));
	json_object_object_add(object, "ports", list);
	json_object_object_add(object, "table", see_table(&see, (uint32_t)monotonic()));
	fprintf(to, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

void report(struct fwd *fwd, double seconds)
{
	static struct rvs_stats stats[MAX_PATHS];
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return;
	for (uint32_t i = 0; i < fwd->port_count; i++)
		rvs_port_stats(fwd->rvs, i, &stats[i]);
	if (fwd->options.json)
		print_json(fwd, to, stats, seconds);
	else
		print_table(fwd, to, stats, seconds);
	fclose(to);
	output_text(STDOUT_FILENO, text);
	for (uint32_t i = 0; i < fwd->port_count; i++)
		fwd->port[i].before = stats[i];
}
