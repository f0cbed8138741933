/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs on the host beside VMs in which kv_load runs: measures what an operation on a store costs
 * the whole host. Reads kv_load's marks on standard input, and takes the host's cost of each
 * window. When a store is done, prints the medians, each beside that of the first store. Fails if a
 * value was wrong.
 *
 *   kv_meter FIFO    a line goes to FIFO, if a process reads it, when a store is done
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "../host_cost.h"

#define NAME	    16
#define SAMPLES_MAX 64
#define RESULTS_MAX 64

struct sample {
	char op[NAME];
	unsigned int size, ops, bad;
	unsigned long long own;
	struct host_cost cost;
};

struct result {
	char store[NAME], op[NAME];
	unsigned int size;
	double insns;
};

static struct sample samples[SAMPLES_MAX];
static struct result results[RESULTS_MAX];
static unsigned int sample_count, result_count;
static bool wrong;

enum what {
	BUSY,
	EXITS, /* without the host's interrupts */
	OWN,
};

/* Returns the cost of a whole window; for OWN, of an operation. */
static double cost(const struct sample *sample, enum what what)
{
	switch (what) {
	case BUSY:
		return sample->cost.busy * host_cost_tsc_per_ns();
	case EXITS:
		return sample->cost.exits - sample->cost.interrupts;
	case OWN:
		return (double)sample->own;
	}
	return 0;
}

static struct spread spread_of(const char *op, unsigned int size, enum what what)
{
	double values[SAMPLES_MAX];
	unsigned int count = 0;

	for (unsigned int i = 0; i < sample_count; i++)
		if (!strcmp(samples[i].op, op) && samples[i].size == size)
			values[count++] = cost(&samples[i], what);
	return count ? spread(values, count) : (struct spread){0};
}

static void compare_with_first(const struct result *with)
{
	for (unsigned int i = 0; i < result_count; i++) {
		const struct result *other = &results[i];

		if (!strcmp(other->store, results[0].store) && other != with &&
		    !strcmp(other->op, with->op) && other->size == with->size)
			printf("result ratio=%s/%s op=%s size=%u insns=%.2f\n", other->store,
			       with->store, with->op, with->size, other->insns / with->insns);
	}
}

static void report_one(const char *store, const struct sample *first)
{
	const struct spread zero = spread_of("nothing", 0, BUSY);
	const struct spread all = spread_of(first->op, first->size, BUSY);
	const double exits = spread_of(first->op, first->size, EXITS).median -
			     spread_of("nothing", 0, EXITS).median;
	struct result *result = &results[result_count];

	if (result_count == RESULTS_MAX)
		return;
	*result = (struct result){.size = first->size,
				  .insns = (all.median - zero.median) / first->ops};
	memccpy(result->store, store, 0, NAME);
	memcpy(result->op, first->op, NAME);
	printf("result kv=%s op=%s size=%u insns=%.0f exits=%.4f min=%.0f max=%.0f own=%.0f "
	       "ops=%u\n",
	       store, first->op, first->size, result->insns, exits / first->ops,
	       (all.min - zero.median) / first->ops, (all.max - zero.median) / first->ops,
	       spread_of(first->op, first->size, OWN).median, first->ops);
	compare_with_first(result);
	result_count++;
}

/* Reports each operation and size once: samples come in turns. */
static void report(const char *store)
{
	for (unsigned int i = 0; i < sample_count; i++) {
		bool first = strcmp(samples[i].op, "nothing") != 0;

		wrong |= samples[i].bad != 0;
		if (samples[i].bad)
			printf("%u values were wrong: %s, %u bytes\n", samples[i].bad,
			       samples[i].op, samples[i].size);
		for (unsigned int k = 0; k < i; k++)
			first &= strcmp(samples[k].op, samples[i].op) != 0 ||
				 samples[k].size != samples[i].size;
		if (first)
			report_one(store, &samples[i]);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct host_cost begin = {0}, end = {0};
	struct sample s = {0};
	char store[NAME] = "", line[128];

	if (argc != 2) {
		fprintf(stderr, "usage: kv_meter FIFO <MARKS\n");
		return 2;
	}
	host_cost_start();
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "begin\n")) {
			begin = host_cost_now();
		} else if (!strcmp(line, "end\n")) {
			end = host_cost_now();
		} else if (sscanf(line, "store %15s", store) == 1) {
			sample_count = 0;
		} else if (!strcmp(line, "done\n")) {
			report(store);
			host_cost_tell(argv[1]);
		} else if (sscanf(line, "window %15s %u %u %u %llu", s.op, &s.size, &s.ops, &s.bad,
				  &s.own) == 5 &&
			   s.ops && sample_count < SAMPLES_MAX) {
			s.cost = host_cost_between(&begin, &end);
			samples[sample_count++] = s;
		}
	}
	return result_count && !wrong ? 0 : 1;
}
