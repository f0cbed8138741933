/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as tables. */
#include "ctl.h"

#include <rvs/rvs.h>
#include <string.h>
#include "port_stats.h"
#include "show.h"

static void print_row(FILE *to, const char *name, json_object *counters)
{
	fprintf(to, "%-6s", name);
	for (size_t i = 0; i < PORT_COUNTERS; i++)
		fprintf(to, " %15llu",
			(unsigned long long)show_number(counters, port_counters[i].key));
	fputc('\n', to);
}

void print_counters(FILE *to, json_object *port)
{
	json_object *queues = json_object_object_get(port, "queues");
	char name[24];

	fprintf(to, "%-6s", "queue");
	for (size_t i = 0; i < PORT_COUNTERS; i++)
		fprintf(to, " %15s", port_counters[i].key);
	fputc('\n', to);
	print_row(to, "all", port);
	if (!json_object_is_type(queues, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(queues); i++) {
		snprintf(name, sizeof(name), "%zu", i);
		print_row(to, name, json_object_array_get_idx(queues, i));
	}
}

#define DROP_TEXT(name, word, text) {#word, text},

static const char *meaning_of(const char *reason)
{
	static const struct {
		const char *word, *text;
	} reasons[] = {RVS_DROP_LIST(DROP_TEXT)};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (!strcmp(reasons[i].word, reason))
			return reasons[i].text;
	return "";
}

void print_drops(FILE *to, json_object *ports)
{
	fprintf(to, "%-16s %-12s %12s  %s\n", "port", "reason", "frames", "the frame");
	for (size_t i = 0; i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i);
		json_object *drops = json_object_object_get(port, "drops");

		json_object_object_foreach(drops, reason, count)
			fprintf(to, "%-16s %-12s %12llu  %s\n",
				json_object_get_string(json_object_object_get(port, "name")),
				reason, (unsigned long long)json_object_get_uint64(count),
				meaning_of(reason));
	}
}
