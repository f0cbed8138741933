/* SPDX-License-Identifier: Apache-2.0 */
/* What an uplink counts, as reports show it. */
#include <stdio.h>
#include <string.h>
#include "counters.h"
#include "internal.h"
#include "uplink.h"

struct counter {
	const char *direction, *name, *help;
	size_t offset; /* of a uint64_t in struct uplink */
};

#define COUNTER(way, counted, text) \
	{.direction = #way,         \
	 .name = #counted,          \
	 .help = text,              \
	 .offset = offsetof(struct uplink, way.counted)},

static const struct counter counters[] = {UPLINK_COUNTER_LIST(COUNTER)};

#define COUNTERS (sizeof(counters) / sizeof(*counters))

static const char *const states[] =
	{[UPLINK_GONE] = "gone", [UPLINK_DOWN] = "down", [UPLINK_UP] = "up"};

static uint64_t value_of(const struct uplink *u, const struct counter *counter)
{
	return __atomic_load_n(
		(const uint64_t *)(const void *)((const uint8_t *)u + counter->offset),
		__ATOMIC_RELAXED);
}

void uplink_report(json_object *port, const struct uplink *u)
{
	json_object *object = json_object_new_object(), *way = NULL;
	const char *direction = "";

	json_object_object_add(object, "interface", json_object_new_string(u->name));
	json_object_object_add(object, "state", json_object_new_string(states[u->state]));
	for (size_t i = 0; i < COUNTERS; i++) {
		if (strcmp(direction, counters[i].direction)) {
			direction = counters[i].direction;
			way = json_object_new_object();
			json_object_object_add(object, direction, way);
		}
		json_object_object_add(way, counters[i].name,
				       json_object_new_uint64(value_of(u, &counters[i])));
	}
	json_object_object_add(port, "uplink", object);
}

void uplink_print(FILE *to, const struct uplink *u)
{
	fprintf(to, "  uplink %s: %s", u->name, states[u->state]);
	for (size_t i = 0; i < COUNTERS; i++)
		fprintf(to, " %s_%s=%llu", counters[i].direction, counters[i].name,
			(unsigned long long)value_of(u, &counters[i]));
	fputc('\n', to);
}

static void print_counter(FILE *to, const struct see *see, const struct counter *counter,
			  const struct uplink *(*of)(const void *owner, uint32_t port))
{
	fprintf(to, "# TYPE uplink_%s_%s counter\n# HELP uplink_%s_%s Of the port: %s.\n",
		counter->direction, counter->name, counter->direction, counter->name,
		counter->help);
	for (uint32_t port = see->first; port < see->first + see->count; port++) {
		const struct uplink *u = of(see->owner, port);

		if (!u)
			continue;
		fprintf(to, "uplink_%s_%s_total", counter->direction, counter->name);
		see_label(to, see, port);
		fprintf(to, "} %llu\n", (unsigned long long)value_of(u, counter));
	}
}

void uplink_metrics(FILE *to, const struct see *see,
		    const struct uplink *(*of)(const void *owner, uint32_t port))
{
	for (size_t i = 0; i < COUNTERS; i++)
		print_counter(to, see, &counters[i], of);
	fputs("# TYPE uplink_up gauge\n# HELP uplink_up Is the interface there and up?\n", to);
	for (uint32_t port = see->first; port < see->first + see->count; port++) {
		const struct uplink *u = of(see->owner, port);

		if (!u)
			continue;
		fputs("uplink_up", to);
		see_label(to, see, port);
		fprintf(to, "} %d\n", u->state == UPLINK_UP);
	}
}
