/* SPDX-License-Identifier: Apache-2.0 */
/* What an uplink counts, as reports show it. */
#include <stdio.h>
#include <string.h>
#include "uplink.h"

struct counter {
	const char *direction, *name, *help;
	size_t offset; /* of a uint64_t in struct uplink_seen */
};

#define COUNTER(way, counted, text) \
	{.direction = #way,         \
	 .name = #counted,          \
	 .help = text,              \
	 .offset = offsetof(struct uplink_seen, way.counted)},

static const struct counter counters[] = {UPLINK_COUNTER_LIST(COUNTER)};

#define COUNTERS (sizeof(counters) / sizeof(*counters))

static const char *state_of(const struct uplink_seen *seen)
{
	static const char *const states[UPLINK_STATES] = {
		[UPLINK_GONE] = "gone", [UPLINK_DOWN] = "down", [UPLINK_UP] = "up"};
	const uint32_t state = __atomic_load_n(&seen->state, __ATOMIC_RELAXED);

	return state < UPLINK_STATES ? states[state] : "gone";
}

static uint64_t value_of(const struct uplink_seen *seen, const struct counter *counter)
{
	return __atomic_load_n(
		(const uint64_t *)(const void *)((const uint8_t *)seen + counter->offset),
		__ATOMIC_RELAXED);
}

void uplink_report(json_object *port, const char *interface, const struct uplink_seen *seen)
{
	json_object *object = json_object_new_object(), *way = NULL;
	const char *direction = "";

	json_object_object_add(object, "interface", json_object_new_string(interface));
	json_object_object_add(object, "state", json_object_new_string(state_of(seen)));
	for (size_t i = 0; i < COUNTERS; i++) {
		if (strcmp(direction, counters[i].direction)) {
			direction = counters[i].direction;
			way = json_object_new_object();
			json_object_object_add(object, direction, way);
		}
		json_object_object_add(way, counters[i].name,
				       json_object_new_uint64(value_of(seen, &counters[i])));
	}
	json_object_object_add(port, "uplink", object);
}

void uplink_print(FILE *to, const char *interface, const struct uplink_seen *seen)
{
	fprintf(to, "  uplink %s: %s", interface, state_of(seen));
	for (size_t i = 0; i < COUNTERS; i++)
		fprintf(to, " %s_%s=%llu", counters[i].direction, counters[i].name,
			(unsigned long long)value_of(seen, &counters[i]));
	fputc('\n', to);
}

static void print_counter(FILE *to, const struct see *see, const struct counter *counter,
			  const struct uplink_seen *(*of)(const void *owner, uint32_t port))
{
	fprintf(to, "# TYPE uplink_%s_%s counter\n# HELP uplink_%s_%s Of the port: %s.\n",
		counter->direction, counter->name, counter->direction, counter->name,
		counter->help);
	for (uint32_t port = see->first; port < see->first + see->count; port++) {
		const struct uplink_seen *seen = of(see->owner, port);

		if (!seen)
			continue;
		fprintf(to, "uplink_%s_%s_total", counter->direction, counter->name);
		see_label(to, see, port);
		fprintf(to, "} %llu\n", (unsigned long long)value_of(seen, counter));
	}
}

void uplink_metrics(FILE *to, const struct see *see,
		    const struct uplink_seen *(*of)(const void *owner, uint32_t port))
{
	for (size_t i = 0; i < COUNTERS; i++)
		print_counter(to, see, &counters[i], of);
	fputs("# TYPE uplink_up gauge\n# HELP uplink_up Is the interface there and up?\n", to);
	for (uint32_t port = see->first; port < see->first + see->count; port++) {
		const struct uplink_seen *seen = of(see->owner, port);

		if (!seen)
			continue;
		fputs("uplink_up", to);
		see_label(to, see, port);
		fprintf(to, "} %d\n", __atomic_load_n(&seen->state, __ATOMIC_RELAXED) == UPLINK_UP);
	}
}
