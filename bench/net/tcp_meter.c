// SPDX-License-Identifier: Apache-2.0
/*
 * On the host beside the guests of bench/net/tcp.sh: what TCP and a ping cost all of the host. The
 * sending guest writes marks, which are this program's standard input. Between "begin" and "end"
 * the program takes the time that the CPUs were not idle, and KVM's exits (host_cost.h).
 *
 * A process's start, a connection's beginning and its end cost the same whatever is sent. So each
 * kind is measured with few units and with many, and the difference counts. Pings take time in
 * which the guests' own timers go on: a window of sleep of the same length is subtracted.
 *
 *   net_tcp_meter FIFO    a line goes to FIFO, if a process reads it, at "done"
 *
 * Marks: "net NAME MODE", "begin", "end KIND UNITS", "report", "done". KIND is tcp (UNITS are
 * MiB), ping (round trips) or idle (round trips that would take as long).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "../host_cost.h"

#define MAX_WINDOWS 16 /* of a kind, with few units and with many */
#define MAX_RESULTS 16

enum kind {
	TCP,
	PING,
	IDLE,
	KINDS,
};

static const char *const kind_names[KINDS] = {"tcp", "ping", "idle"};

struct window {
	unsigned int units;
	struct host_cost cost;
};

struct result {
	char mode[32];
	enum kind kind;
	double insns; /* a unit, through virtio */
};

static struct window windows[KINDS][MAX_WINDOWS];
static unsigned int window_count[KINDS];
static struct result virtio[MAX_RESULTS];
static unsigned int virtio_count, result_count;
static bool incomplete;

static double insns_of(const struct window *window)
{
	return window->cost.busy * host_cost_tsc_per_ns();
}

static double exits_of(const struct window *window)
{
	return window->cost.exits - window->cost.interrupts;
}

/* The median of the idle windows, for one round trip's time. */
static double idle(double (*of)(const struct window *))
{
	double values[MAX_WINDOWS];
	const unsigned int count = window_count[IDLE];

	for (unsigned int i = 0; i < count; i++)
		values[i] = of(&windows[IDLE][i]) / windows[IDLE][i].units;
	return count ? spread(values, count).median : 0;
}

/* Windows alternate: few units, then many. What the units between them cost, each. */
static struct spread a_unit(enum kind kind, double (*of)(const struct window *))
{
	const double zero = kind == PING ? idle(of) : 0;
	double values[MAX_WINDOWS];
	unsigned int count = 0;

	for (unsigned int i = 0; i + 1 < window_count[kind]; i += 2) {
		const struct window *few = &windows[kind][i], *many = few + 1;

		if (many->units > few->units)
			values[count++] = (of(many) - of(few)) / (many->units - few->units) - zero;
	}
	if (!count) {
		incomplete = true;
		return (struct spread){0};
	}
	return spread(values, count);
}

static void compare_with_virtio(const char *net, const char *mode, enum kind kind, double insns)
{
	for (unsigned int i = 0; i < virtio_count; i++)
		if (virtio[i].kind == kind && !strcmp(virtio[i].mode, mode))
			printf("result ratio=virtio/%s mode=%s kind=%s insns=%.2f\n", net, mode,
			       kind_names[kind], virtio[i].insns / insns);
}

static void report_kind(const char *net, const char *mode, enum kind kind)
{
	const struct spread insns = a_unit(kind, insns_of), exits = a_unit(kind, exits_of);

	printf("result net=%s mode=%s kind=%s insns=%.0f min=%.0f max=%.0f exits=%.2f unit=%s\n",
	       net, mode, kind_names[kind], insns.median, insns.min, insns.max, exits.median,
	       kind == TCP ? "MiB" : "round_trip");
	result_count++;
	if (strcmp(net, "virtio") != 0) {
		compare_with_virtio(net, mode, kind, insns.median);
	} else if (virtio_count < MAX_RESULTS) {
		struct result *result = &virtio[virtio_count++];

		*result = (struct result){.kind = kind, .insns = insns.median};
		snprintf(result->mode, sizeof(result->mode), "%s", mode);
	}
}

static void report(const char *net, const char *mode)
{
	report_kind(net, mode, TCP);
	report_kind(net, mode, PING);
	fflush(stdout);
	memset(window_count, 0, sizeof(window_count));
}

static void add(const char *name, unsigned int units, struct host_cost cost)
{
	for (enum kind kind = 0; kind < KINDS; kind++)
		if (!strcmp(name, kind_names[kind]) && units && window_count[kind] < MAX_WINDOWS)
			windows[kind][window_count[kind]++] =
				(struct window){.units = units, .cost = cost};
}

int main(int argc, char **argv)
{
	struct host_cost begin = {0}, end;
	char line[128], net[32] = "", mode[32] = "", kind[32];
	unsigned int units;

	if (argc != 2) {
		fprintf(stderr, "usage: net_tcp_meter FIFO <MARKS\n");
		return 2;
	}
	host_cost_start();
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "begin\n")) {
			begin = host_cost_now();
		} else if (sscanf(line, "end %31s %u", kind, &units) == 2) {
			end = host_cost_now();
			add(kind, units, host_cost_between(&begin, &end));
		} else if (sscanf(line, "net %31s %31s", net, mode) == 2) {
			memset(window_count, 0, sizeof(window_count));
		} else if (!strcmp(line, "report\n")) {
			report(net, mode);
		} else if (!strcmp(line, "done\n")) {
			host_cost_tell(argv[1]);
		}
	}
	return result_count && !incomplete ? 0 : 1;
}
