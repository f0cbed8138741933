/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store has counted: as JSON, as OpenMetrics text, and such a JSON file as a table. The
 * numbers are in the manager's own memory, so reading them disturbs no guest.
 */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "daemon.h"
#include "metrics.h"
#include "output.h"
#include "settings.h"

#define MOST_MIB 64 /* limit of a report's size */

enum what {
	count, /* a counter of a place */
	space, /* a number of a space */
	own    /* a number of a place in a space */
};

static const struct {
	const char *name;
	enum what what;
} known[KV_STATS] = {
#define ENTRY(number, text, what_) [KV_STAT_##number] = {text, what_},
	KV_STATS_LIST(ENTRY)
#undef ENTRY
};

static void statistics(const struct daemon *d, uint32_t place, uint32_t of, uint64_t stat[KV_STATS])
{
	kv_statistics(d->store, kv_space(d->store, of), place, KV_MANAGER, stat);
}

static void add(json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static void add_all(json_object *to, enum what what, const uint64_t stat[KV_STATS])
{
	for (uint32_t i = 0; i < KV_STATS; i++)
		if (known[i].what == what)
			add(to, known[i].name, stat[i]);
}

static json_object *space_report(const struct daemon *d, uint32_t of)
{
	json_object *report = json_object_new_object();
	uint64_t stat[KV_STATS];

	statistics(d, 0, of, stat);
	json_object_object_add(report, "name", json_object_new_string(d->config.space[of].name));
	add_all(report, space, stat);
	return report;
}

static json_object *place_report(const struct daemon *d, uint32_t place)
{
	json_object *report = json_object_new_object(), *spaces = json_object_new_object();
	uint64_t stat[KV_STATS];

	json_object_object_add(report, "name", json_object_new_string(d->config.place[place].name));
	add(report, "attachment", d->attachment[place]);
	add(report, "aborts", d->aborts[place]);
	statistics(d, place, 0, stat);
	add_all(report, count, stat);
	for (uint32_t i = 0; i < d->config.space_count; i++) {
		json_object *part;

		if (!d->config.place[place].share[i].rights)
			continue;
		part = json_object_new_object();
		statistics(d, place, i, stat);
		add_all(part, own, stat);
		json_object_object_add(spaces, d->config.space[i].name, part);
	}
	json_object_object_add(report, "spaces", spaces);
	return report;
}

static int failed(const char *file)
{
	output_print(STDERR_FILENO, "elisa-kv: %s: %s\n", file, strerror(errno));
	return -1;
}

/* Makes the name of a file until it is complete. A name that is cut off could be another file's, so
 * that is an error. */
static int new_name(char name[PATH_MAX], const char *file)
{
	if (snprintf(name, PATH_MAX, "%s.new", file) < PATH_MAX)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

int report_write(struct daemon *d, const char *file)
{
	json_object *root, *spaces, *places;
	char temporary[PATH_MAX];
	int error;

	if (new_name(temporary, file))
		return failed(file);
	root = json_object_new_object();
	spaces = json_object_new_array();
	places = json_object_new_array();
	json_object_object_add(root, "export", json_object_new_string(d->config.export_name));
	add(root, "lost_events", d->lost_events);
	add(root, "snapshots", d->snapshots);
	for (uint32_t i = 0; i < d->config.space_count; i++)
		json_object_array_add(spaces, space_report(d, i));
	for (uint32_t i = 0; i < d->config.place_count; i++)
		json_object_array_add(places, place_report(d, i));
	json_object_object_add(root, "spaces", spaces);
	json_object_object_add(root, "places", places);
	error = json_object_to_file(temporary, root) || rename(temporary, file);
	json_object_put(root);
	return error ? failed(file) : 0;
}

/* --------------------------------------------------------------------------------- metrics */

/* Prints a label; the name is any text of a configuration. */
static void label(FILE *to, const char *key, const char *name)
{
	fprintf(to, "%s=\"", key);
	metrics_value(to, name);
	fputc('"', to);
}

static void metric(FILE *to, const struct daemon *d, uint32_t number)
{
	const enum what what = known[number].what;
	const uint32_t places = what == space ? 1 : d->config.place_count;
	const uint32_t spaces = what == count ? 1 : d->config.space_count;
	uint64_t stat[KV_STATS];

	fprintf(to, "# TYPE kv_%s %s\n", known[number].name, what == count ? "counter" : "gauge");
	for (uint32_t place = 0; place < places; place++)
		for (uint32_t of = 0; of < spaces; of++) {
			if (what == own && !d->config.place[place].share[of].rights)
				continue;
			statistics(d, place, of, stat);
			fprintf(to, "kv_%s%s{", known[number].name, what == count ? "_total" : "");
			if (what != space)
				label(to, "place", d->config.place[place].name);
			if (what == own)
				fputc(',', to);
			if (what != count)
				label(to, "space", d->config.space[of].name);
			fprintf(to, "} %llu\n", (unsigned long long)stat[number]);
		}
}

static void aborts(FILE *to, const struct daemon *d)
{
	fputs("# TYPE kv_aborts counter\n"
	      "# HELP kv_aborts Calls that did not come to their end.\n",
	      to);
	for (uint32_t place = 0; place < d->config.place_count; place++) {
		fputs("kv_aborts_total{", to);
		label(to, "place", d->config.place[place].name);
		fprintf(to, "} %llu\n", (unsigned long long)d->aborts[place]);
	}
}

static void all_metrics(const void *daemon, FILE *to)
{
	const struct daemon *d = daemon;

	for (uint32_t i = 0; i < KV_STATS; i++)
		metric(to, d, i);
	aborts(to, d);
	fputs("# EOF\n", to);
}

int report_metrics(struct daemon *d, const char *file)
{
	return metrics_write(file, all_metrics, d) ? failed(file) : 0;
}

/* ----------------------------------------------------------------------------------- table */

static unsigned long long number(json_object *from, const char *key)
{
	return json_object_get_uint64(json_object_object_get(from, key));
}

static const char *name_of(json_object *from)
{
	json_object *name = json_object_is_type(from, json_type_object) ?
				    json_object_object_get(from, "name") :
				    NULL;

	return json_object_is_type(name, json_type_string) ? json_object_get_string(name) : NULL;
}

/* Tells whether it is a list in which each entry has a name. */
static bool is_list(json_object *list)
{
	if (!json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (!name_of(json_object_array_get_idx(list, i)))
			return false;
	return true;
}

static void show(FILE *to, json_object *spaces, json_object *places)
{
	fprintf(to, "%-20s %12s %14s %14s\n", "space", "items", "bytes", "limit");
	for (size_t i = 0; i < json_object_array_length(spaces); i++) {
		json_object *of = json_object_array_get_idx(spaces, i);

		fprintf(to, "%-20s %12llu %14llu %14llu\n", name_of(of), number(of, "curr_items"),
			number(of, "bytes"), number(of, "limit_maxbytes"));
	}
	fprintf(to, "\n%-20s %-4s %12s %12s %12s %10s %8s\n", "place", "", "gets", "hits", "sets",
		"evictions", "aborts");
	for (size_t i = 0; i < json_object_array_length(places); i++) {
		json_object *of = json_object_array_get_idx(places, i);

		fprintf(to, "%-20s %-4s %12llu %12llu %12llu %10llu %8llu\n", name_of(of),
			number(of, "attachment") ? "up" : "down", number(of, "cmd_get"),
			number(of, "get_hits"), number(of, "cmd_set"), number(of, "evictions"),
			number(of, "aborts"));
	}
}

int report_show(const char *file)
{
	const struct settings reading = {.program = "elisa-kv", .file = file};
	json_object *root = settings_read(&reading, MOST_MIB), *spaces, *places;
	char *text = NULL;
	size_t size;
	FILE *to;
	int error = -1;

	if (!root)
		return -1;
	spaces = json_object_object_get(root, "spaces");
	places = json_object_object_get(root, "places");
	if (!is_list(spaces) || !is_list(places)) {
		settings_wrong(&reading, "it is no report of elisa-kv");
	} else {
		to = open_memstream(&text, &size);
		if (to) {
			show(to, spaces, places);
			fclose(to);
			output_text(STDOUT_FILENO, text);
			error = 0;
		}
	}
	json_object_put(root);
	return error;
}
