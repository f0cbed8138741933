/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and the forwarding table for operators; see see.h. */
#include <stdio.h>
#include "metrics.h"
#include "port_stats.h"
#include "see.h"
#include "utf8.h"

#define ENTRIES 64
#define DUMPS	16 /* reads of ENTRIES entries in a part */

/* -------------------------------------------------------------------------------------- JSON */

static bool is_counted(const struct see *see, uint32_t port)
{
	return !see->counted || see->counted(see->owner, port);
}

static uint32_t queues_of(const struct see *see, uint32_t port)
{
	struct rvs_port_info info;

	if (!is_counted(see, port) || rvs_port_info(see->rvs, port, &info) || !info.attached)
		return 0;
	return info.tx_queues > info.rx_queues ? info.tx_queues : info.rx_queues;
}

json_object *see_queues(const struct see *see, uint32_t port)
{
	json_object *list = json_object_new_array();
	const uint32_t queues = queues_of(see, port);

	for (uint32_t queue = 0; queue < queues; queue++) {
		json_object *object = json_object_new_object();
		struct rvs_stats stats = {0};

		rvs_queue_stats(see->rvs, port, queue, &stats);
		port_stats_add(object, &stats);
		json_object_array_add(list, object);
	}
	return list;
}

static json_object *entry_as_json(const struct see *see, const struct rvs_entry *entry,
				  uint32_t now)
{
	json_object *object = json_object_new_object();
	const int32_t age = (int32_t)(now - entry->heard);
	const char *name = see->name(see->owner, entry->port);
	char mac[MAC_TEXT_SIZE];

	mac_text(entry->mac, mac);
	json_object_object_add(object, "mac", json_object_new_string(mac));
	json_object_object_add(object, "port", utf8_json(name ? name : ""));
	if (entry->vlan)
		json_object_object_add(object, "vlan", json_object_new_int(entry->vlan));
	json_object_object_add(object, "static", json_object_new_boolean(entry->is_static));
	if (!entry->is_static)
		json_object_object_add(object, "age", json_object_new_int(age > 0 ? age : 0));
	return object;
}

/* Adds entries to the list. Returns false if these were the last ones. */
static bool add_entries(const struct see *see, uint32_t now, uint64_t *position, json_object *list)
{
	struct rvs_entry entries[ENTRIES];
	const int count = rvs_table_dump(see->rvs, position, entries, ENTRIES);

	for (int i = 0; i < count; i++)
		json_object_array_add(list, entry_as_json(see, &entries[i], now));
	return count >= 0;
}

json_object *see_table_part(const struct see *see, uint32_t now, uint64_t *position)
{
	json_object *list = json_object_new_array();
	bool more = true;

	for (int dump = 0; more && dump < DUMPS; dump++)
		more = add_entries(see, now, position, list);
	if (!more)
		*position = 0;
	return list;
}

json_object *see_table(const struct see *see, uint32_t now)
{
	json_object *list = json_object_new_array();
	uint64_t position = 0;

	while (add_entries(see, now, &position, list))
		;
	return list;
}

/* ------------------------------------------------------------------------------- OpenMetrics */

void see_label(FILE *to, const struct see *see, uint32_t port)
{
	json_object *name = utf8_json(see->name(see->owner, port));

	fputs("{port=\"", to);
	metrics_value(to, json_object_get_string(name));
	fputc('"', to);
	json_object_put(name);
}

static bool has(const struct see *see, uint32_t port)
{
	return see->name(see->owner, port);
}

static void print_counter(FILE *to, const struct see *see, const struct port_counter *counter)
{
	fprintf(to, "# TYPE %s counter\n# HELP %s %s\n", counter->metric, counter->metric,
		counter->help);
	for (uint32_t port = see->first; port < see->first + see->count; port++) {
		const uint32_t queues = has(see, port) ? queues_of(see, port) : 0;

		for (uint32_t queue = 0; queue < queues; queue++) {
			struct rvs_stats stats = {0};

			rvs_queue_stats(see->rvs, port, queue, &stats);
			fprintf(to, "%s_total", counter->metric);
			see_label(to, see, port);
			fprintf(to, ",queue=\"%u\"} %llu\n", queue,
				(unsigned long long)port_counter_of(counter, &stats));
		}
	}
}

static void print_drops(FILE *to, const struct see *see)
{
	fputs("# TYPE rvs_dropped_frames counter\n"
	      "# HELP rvs_dropped_frames Frames of the port that were not delivered, by reason.\n",
	      to);
	for (uint32_t port = see->first; port < see->first + see->count; port++) {
		struct rvs_stats stats = {0};

		if (!has(see, port))
			continue;
		if (is_counted(see, port))
			rvs_port_stats(see->rvs, port, &stats);
		for (uint32_t reason = RVS_GOOD + 1; reason < RVS_DROPS; reason++) {
			fputs("rvs_dropped_frames_total", to);
			see_label(to, see, port);
			fprintf(to, ",reason=\"%s\"} %llu\n", port_drop_name(reason),
				(unsigned long long)stats.drops[reason]);
		}
	}
}

static void print_gauges(FILE *to, const struct see *see)
{
	static const char *const head[] = {
		"# TYPE rvs_port_up gauge\n# HELP rvs_port_up Is the port's driver served?\n",
		"# TYPE rvs_learned_addresses gauge\n"
		"# HELP rvs_learned_addresses Addresses that the port has taught.\n"};

	for (int gauge = 0; gauge < 2; gauge++) {
		fputs(head[gauge], to);
		for (uint32_t port = see->first; port < see->first + see->count; port++) {
			struct rvs_port_info info = {.attached = 0};

			if (!has(see, port))
				continue;
			if (is_counted(see, port))
				rvs_port_info(see->rvs, port, &info);
			fputs(gauge ? "rvs_learned_addresses" : "rvs_port_up", to);
			see_label(to, see, port);
			fprintf(to, "} %u\n", gauge ? info.learned : !!info.attached);
		}
	}
}

void see_print(const struct see *see, FILE *to)
{
	for (size_t i = 0; i < PORT_COUNTERS; i++)
		print_counter(to, see, &port_counters[i]);
	print_drops(to, see);
	print_gauges(to, see);
	if (see->more)
		see->more(to, see);
	fputs("# EOF\n", to);
}

static void print(const void *see, FILE *to)
{
	see_print(see, to);
}

int see_metrics(const struct see *see, const char *file)
{
	return metrics_write(file, print, see);
}
