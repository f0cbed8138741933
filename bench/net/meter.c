// SPDX-License-Identifier: Apache-2.0
/*
 * Runs on the host beside the guests of netbench: measures what their traffic costs the whole host.
 * Reads the sender's marks on standard input. Between "begin" and "end" it takes the time that the
 * CPUs were not idle, by the scheduler's account, and KVM's exits. Under Bochs that time is a
 * number of instructions. Windows without traffic are the zero line. It prints the medians of the
 * others, for each size and batch, and fails if a frame was lost or changed.
 *
 *   net_meter FIFO    a line goes to FIFO, if a process reads it, when a sender is done
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "../host_cost.h"

#define MAX_SAMPLES 100
#define MAX_RESULTS 32

struct sample {
	unsigned int size, batch, batches, sent, received, bad;
	unsigned long own, in_calls;
	struct host_cost cost;
};

struct result {
	char net[32];
	unsigned int size, batch;
	double insns, rep_bytes; /* for each packet */
};

static struct sample samples[MAX_SAMPLES];
static unsigned int sample_count, result_count;
static bool lost_some;
static struct result results[MAX_RESULTS];
static bool fast_strings;

/* ------------------------------------------------------------------------------ the host */

static bool has_fast_strings(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= !strncmp(line, "flags", 5) && strstr(line, " erms");
	if (file)
		fclose(file);
	return found;
}

/* --------------------------------------------------------------------------- the figures */

enum what {
	BUSY,
	EXITS, /* without the host's interrupts */
	INTERRUPTS,
	IN_CALLS, /* in DPDK's functions, in both guests */
};

/* Returns the cost of one batch, which is the time between two sleeps. */
static double per_batch(const struct sample *sample, enum what what)
{
	const struct host_cost *f = &sample->cost;

	switch (what) {
	case BUSY:
		return f->busy * host_cost_tsc_per_ns() / sample->batches;
	case EXITS:
		return (f->exits - f->interrupts) / sample->batches;
	case INTERRUPTS:
		return f->interrupts / sample->batches;
	case IN_CALLS:
		return (double)sample->in_calls;
	}
	return 0;
}

/* Returns the spread of all windows of this size and batch. */
static struct spread spread_of(unsigned int size, unsigned int batch, enum what what)
{
	double values[MAX_SAMPLES];
	unsigned int count = 0;

	for (unsigned int i = 0; i < sample_count; i++)
		if (samples[i].size == size && samples[i].batch == batch)
			values[count++] = per_batch(&samples[i], what);
	return count ? spread(values, count) : (struct spread){0};
}

/*
 * Returns how many bytes of a frame are copied by REP MOVSB; the TSC of Bochs counts each of them.
 * The switch makes one such copy, from 512 bytes on. vhost makes two, as the kernel's copies from
 * and to user space. The kernel uses REP MOVSB only if it trusts the CPU's fast strings, which the
 * CPUs of Bochs do not promise.
 */
static double rep_bytes(const char *net, unsigned int size)
{
	if (strcmp(net, "virtio") != 0)
		return size >= 512 ? size : 0;
	return fast_strings && size >= 64 ? 2 * size : 0;
}

static void compare_with_virtio(const struct result *elisa)
{
	for (unsigned int i = 0; i < result_count; i++) {
		const struct result *other = &results[i];

		if (!strcmp(other->net, "virtio") && other->size == elisa->size &&
		    other->batch == elisa->batch)
			printf("result ratio=virtio/%s size=%u batch=%u insns=%.2f "
			       "insns_without_rep_bytes=%.2f\n",
			       elisa->net, elisa->size, elisa->batch, other->insns / elisa->insns,
			       (other->insns - other->rep_bytes) /
				       (elisa->insns - elisa->rep_bytes));
	}
}

static void report_one(const char *net, const struct sample *first)
{
	const double frames = first->batch;
	struct spread zero = spread_of(0, 0, BUSY);
	struct spread all = spread_of(first->size, first->batch, BUSY);
	double exits =
		spread_of(first->size, first->batch, EXITS).median - spread_of(0, 0, EXITS).median;
	double interrupts = spread_of(first->size, first->batch, INTERRUPTS).median -
			    spread_of(0, 0, INTERRUPTS).median;
	unsigned int sent = 0, received = 0, bad = 0;
	double in_calls = spread_of(first->size, first->batch, IN_CALLS).median;
	struct result *result = &results[result_count];

	if (result_count == MAX_RESULTS)
		return;
	for (unsigned int i = 0; i < sample_count; i++)
		if (samples[i].size == first->size && samples[i].batch == first->batch) {
			sent += samples[i].sent;
			received += samples[i].received;
			bad += samples[i].bad;
		}
	lost_some |= sent != received || bad;
	*result = (struct result){
		.size = first->size,
		.batch = first->batch,
		.insns = (all.median - zero.median) / frames - (double)first->own,
		.rep_bytes = rep_bytes(net, first->size),
	};
	snprintf(result->net, sizeof(result->net), "%s", net);
	printf("result net=%s size=%u batch=%u insns_per_packet=%.0f exits_per_packet=%.4f lost=%u "
	       "bad=%u sent=%u min=%.0f max=%.0f own=%lu in_calls=%.0f "
	       "rep_bytes=%.0f interrupts_per_packet=%.4f\n",
	       net, first->size, first->batch, result->insns, exits / frames, sent - received - bad,
	       bad, sent, (all.min - zero.median) / frames - (double)first->own,
	       (all.max - zero.median) / frames - (double)first->own, first->own, in_calls / frames,
	       result->rep_bytes, interrupts / frames);
	result_count++;
	if (strcmp(net, "virtio") != 0)
		compare_with_virtio(result);
}

static void report(const char *net)
{
	struct spread zero = spread_of(0, 0, BUSY);

	printf("net=%s without traffic: %.0f instructions between two batches (%.0f to %.0f), "
	       "%.2f exits, "
	       "%.4f instructions a ns\n",
	       net, zero.median, zero.min, zero.max, spread_of(0, 0, EXITS).median,
	       host_cost_tsc_per_ns());
	for (unsigned int i = 0; i < sample_count; i++) {
		bool first = samples[i].batch != 0;

		for (unsigned int k = 0; k < i; k++)
			first &= samples[k].size != samples[i].size ||
				 samples[k].batch != samples[i].batch;
		if (first)
			report_one(net, &samples[i]);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct host_cost begin = {0}, end = {0};
	struct sample s = {0};
	char line[128], net[32] = "";

	if (argc != 2) {
		fprintf(stderr, "usage: net_meter FIFO <MARKS\n");
		return 2;
	}
	fast_strings = has_fast_strings();
	host_cost_start();
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "begin\n")) {
			begin = host_cost_now();
		} else if (!strcmp(line, "end\n")) {
			end = host_cost_now();
		} else if (sscanf(line, "net %31s", net) == 1) {
			continue;
		} else if (!strcmp(line, "measure\n")) {
			sample_count = 0;
		} else if (!strcmp(line, "done\n")) {
			report(net);
			host_cost_tell(argv[1]);
		} else if (sscanf(line, "window %u %u %u %u %u %u %lu %lu", &s.size, &s.batch,
				  &s.batches, &s.sent, &s.received, &s.bad, &s.own,
				  &s.in_calls) == 8 &&
			   s.batches && sample_count < MAX_SAMPLES) {
			s.cost = host_cost_between(&begin, &end);
			samples[sample_count++] = s;
		}
	}
	return result_count && !lost_some ? 0 : 1;
}
