/* SPDX-License-Identifier: Apache-2.0 */
/* Prints rates and round trips, as text or as JSON, an object on each line. */
#include <stdlib.h>
#include <unistd.h>
#include <json-c/json.h>
#include "output.h"
#include "pktgen.h"

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static const double parts[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
static const char *const names[] = {"min", "p50", "p90", "p99", "p99.9", "max"};

static uint64_t percentile(const struct pktgen *p, double part)
{
	return p->sample_count ? p->samples[(uint32_t)(part * (p->sample_count - 1))] : 0;
}

static void print_object(json_object *object)
{
	output_print(STDOUT_FILENO, "%s\n",
		     json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

void print_latency(struct pktgen *p)
{
	json_object *object;

	qsort(p->samples, p->sample_count, sizeof(*p->samples), compare);
	if (!p->options.json) {
		output_print(STDOUT_FILENO, "round trip in ns, %u answers, %llu lost\n",
			     p->sample_count, (unsigned long long)p->unanswered);
		for (int i = 0; i < 6; i++)
			output_print(STDOUT_FILENO, "%-6s %10llu\n", names[i],
				     (unsigned long long)percentile(p, parts[i]));
		return;
	}
	object = json_object_new_object();
	for (int i = 0; i < 6; i++)
		json_object_object_add(object, names[i],
				       json_object_new_uint64(percentile(p, parts[i])));
	json_object_object_add(object, "answers", json_object_new_uint64(p->sample_count));
	json_object_object_add(object, "lost", json_object_new_uint64(p->unanswered));
	print_object(object);
}

/* Returns the one-way times, of frames that say when they were sent. */
static json_object *one_way(const struct latency *latency)
{
	json_object *object = json_object_new_object();

	for (int i = 0; i < 6; i++)
		json_object_object_add(
			object, names[i],
			json_object_new_uint64(latency_percentile(latency, parts[i])));
	json_object_object_add(object, "frames", json_object_new_uint64(latency->frames));
	return object;
}

static void print_one_way(const struct latency *latency)
{
	output_print(STDOUT_FILENO, "on its way in ns, %llu frames\n",
		     (unsigned long long)latency->frames);
	for (int i = 0; i < 6; i++)
		output_print(STDOUT_FILENO, "%-6s %10llu\n", names[i],
			     (unsigned long long)latency_percentile(latency, parts[i]));
}

void print_rates(const struct pktgen *p, const struct totals *totals, double seconds,
		 uint64_t frames, uint64_t bytes, bool is_end)
{
	const double per_second = (double)frames / seconds;
	const double mbps = (double)bytes * 8e-6 / seconds;
	json_object *object;

	if (!p->options.json) {
		output_print(
			STDOUT_FILENO,
			"%s%12.0f frames/s %10.1f Mbit/s  %llu sent, %llu received, %llu lost, "
			"%llu out of order, %llu twice\n",
			is_end ? "total " : "      ", per_second, mbps,
			(unsigned long long)totals->sent, (unsigned long long)totals->received,
			(unsigned long long)totals->lost, (unsigned long long)totals->reordered,
			(unsigned long long)totals->duplicated);
		if (is_end && totals->latency.frames)
			print_one_way(&totals->latency);
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "total", json_object_new_boolean(is_end));
	json_object_object_add(object, "seconds", json_object_new_double(seconds));
	json_object_object_add(object, "frames_per_second", json_object_new_double(per_second));
	json_object_object_add(object, "mbit_per_second", json_object_new_double(mbps));
	json_object_object_add(object, "sent", json_object_new_uint64(totals->sent));
	json_object_object_add(object, "received", json_object_new_uint64(totals->received));
	json_object_object_add(object, "lost", json_object_new_uint64(totals->lost));
	json_object_object_add(object, "disordered",
			       json_object_new_uint64(totals->reordered + totals->duplicated));
	json_object_object_add(object, "reordered", json_object_new_uint64(totals->reordered));
	json_object_object_add(object, "duplicated", json_object_new_uint64(totals->duplicated));
	json_object_object_add(object, "foreign", json_object_new_uint64(totals->foreign));
	if (is_end && totals->latency.frames)
		json_object_object_add(object, "latency_ns", one_way(&totals->latency));
	print_object(object);
}
