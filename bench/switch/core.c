/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the switch costs: nanoseconds for each packet, for filling descriptors, forwarding and
 * draining. It is compared with a bare copy of the same bytes between the same buffers in the same
 * run. Medians of repeats that take turns. It must never count a packet that did not arrive. On a
 * machine with other work, --instructions counts what rvs_forward() runs instead, one by one: that
 * is the same each time.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <rvif/driver.h>
#include <rvs/rvs.h>
#include "count.h"
#include "options.h"

enum {
	RING = 256,
	BUFFER = 2048,
	STRIDE = 2368, /* between buffers, as in a DPDK pool; 2048 would use few cache sets */
	MAX_PORTS = 512,
	MAX_REPEATS = 101,
	IMIX = 0, /* used as a size */
};

struct station {
	struct rvif_vnic vnic;
	struct rvif_ring tx, rx;
	uint32_t sent; /* frames; varies size and receiver */
};

struct setup {
	uint32_t size, batch, active, idle, threads;
};

static struct rvs *rvs;
static struct station stations[MAX_PORTS];
static const struct setup *now;
static struct options {
	bool quick;
	bool counting;
	uint32_t repeats, milliseconds;
} options = {.repeats = 15, .milliseconds = 4};

static void fail(const char *what, int value)
{
	fprintf(stderr, "bench: %s (%d)\n", what, value);
	exit(1);
}

/* Returns the thread's own time, if the clock has that: other programs may use the CPU, too. */
static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void set_mac(uint8_t *mac, uint32_t port)
{
	memcpy(mac, (uint8_t[]){2, 0, 0, 0, (uint8_t)(port >> 8), (uint8_t)port}, 6);
}

/* Returns the size of frame i: 64, 576 and 1514 bytes, mixed 7 : 4 : 1. */
static inline uint32_t frame_size(uint32_t i)
{
	static const uint16_t imix[16] = {64,  576, 64, 64,  1514, 64, 576, 64,
					  576, 64,  64, 576, 64,   64, 576, 64};

	return now->size == IMIX ? imix[i & 15] : now->size;
}

static const char *size_name(char *to, size_t room)
{
	if (now->size == IMIX)
		return "imix";
	snprintf(to, room, "%u", now->size);
	return to;
}

/* Returns the receiver of a station's frame i: all other stations in turn. */
static inline uint32_t receiver(uint32_t from, uint32_t i)
{
	return now->active == 2 ? 1 - from : (from + 1 + i % (now->active - 1)) % now->active;
}

static inline uint32_t tx_buffer(const struct station *station, uint32_t i)
{
	return station->vnic.layout.buffers + (i % RING) * STRIDE;
}

static inline uint32_t rx_buffer(const struct station *station, uint32_t i)
{
	return station->vnic.layout.buffers + (RING + i % RING) * STRIDE;
}

static void attach(uint32_t port, uint32_t ring)
{
	struct station *station = &stations[port];
	struct rvif_config config = {
		.tx_queues = 1,
		.rx_queues = 1,
		.tx_ring = ring,
		.rx_ring = ring,
		.buffer_size = BUFFER,
		.max_frame = 1514,
	};
	const struct rvs_policy policy = {.flags = RVS_CHECK_SOURCE};
	int error;

	set_mac(config.mac, port);
	if (rvif_configure(&config, 2ull * ring * STRIDE))
		fail("configuration", 0);
	error = rvif_open(&station->vnic, &rvif_private_memory, "", &config);
	if (error)
		fail("no memory for a vNIC", error);
	rvif_start(&station->vnic);
	rvif_tx_ring_init(&station->tx, &station->vnic, 0);
	rvif_rx_ring_init(&station->rx, &station->vnic, 0);
	error = rvs_port_attach(rvs, port, station->vnic.region, config.region_size, &policy);
	if (error)
		fail(rvif_strreason(-error), error);
}

static void prepare(uint32_t port)
{
	struct station *station = &stations[port];

	for (uint32_t i = 0; i < RING; i++) {
		uint8_t *frame = station->vnic.region + tx_buffer(station, i);

		memset(frame, (int)i, BUFFER);
		set_mac(frame, receiver(port, i));
		set_mac(frame + 6, port);
		memset(station->vnic.region + rx_buffer(station, i), 0, BUFFER);
		rvif_ring_desc(&station->rx, i)->offset = rx_buffer(station, i);
	}
	station->sent = 0;
	station->rx.posted = RING;
	rvif_ring_publish(&station->rx);
}

static void set_up(const struct setup *setup)
{
	const struct rvs_config config = {.ports = MAX_PORTS,
					  .senders = 2,
					  .queues = 1,
					  .buckets = 1024,
					  .max_age = 300,
					  .seed = 1};
	uint64_t size = rvs_size(&config);

	now = setup;
	rvs = aligned_alloc(4096, (size + 4095) & ~4095ull);
	if (!rvs || rvs_init(rvs, size, &config))
		fail("no memory for the switch", 0);
	for (uint32_t port = 0; port < setup->active; port++) {
		attach(port, RING);
		prepare(port);
	}
}

static void add_idle(void)
{
	for (uint32_t port = now->active; port < now->active + now->idle; port++)
		attach(port, RVIF_MIN_RING);
}

static void remove_idle(void)
{
	for (uint32_t port = now->active; port < now->active + now->idle; port++) {
		if (rvs_port_detach(rvs, port))
			fail("detaching failed", (int)port);
		rvif_close(&stations[port].vnic);
	}
}

static void tear_down(void)
{
	for (uint32_t port = 0; port < now->active; port++)
		rvif_close(&stations[port].vnic);
	free(rvs);
}

/* ---------------------------------------------------------------------- one batch of packets */

/* Drains a receiver. Slot i of the ring always stands for the same buffer, so posting it again is
 * moving the index. */
static inline uint32_t drain(struct station *station)
{
	struct rvif_ring *rx = &station->rx;
	const uint32_t ready = rvif_ring_completed(rx), end = rx->reaped + ready;
	uint32_t bytes = 0;

	if (!ready)
		return 0;
	for (uint32_t i = rx->reaped; i != end; i++)
		bytes += rvif_ring_desc(rx, i)->length;
	if (bytes < 64 * ready)
		fail("frames are too short", (int)bytes);
	rx->reaped = end;
	rx->posted += ready;
	rvif_ring_publish(rx);
	return ready;
}

static inline void fill(struct station *station, uint32_t batch)
{
	struct rvif_ring *tx = &station->tx;

	const uint32_t first = tx->posted, sent = station->sent;

	tx->reaped += rvif_ring_completed(tx);
	for (uint32_t i = 0; i < batch; i++)
		rvif_desc_set(rvif_ring_desc(tx, first + i), tx_buffer(station, first + i),
			      (uint16_t)frame_size(sent + i), 0);
	station->sent = sent + batch;
	tx->posted = first + batch;
	rvif_ring_publish(tx);
}

/* Moves a batch of one sender to its receivers, with this forwarding function. Returns how many
 * frames arrived. */
static inline uint64_t move_batch(uint32_t from, __typeof__(rvs_forward) *forward)
{
	const uint32_t batch = now->batch, first = stations[from].tx.posted;
	const uint32_t receivers = now->active - 1 < batch ? now->active - 1 : batch;
	struct rvs_result result;
	uint64_t arrived = 0;

	fill(&stations[from], batch);
	if (forward(rvs, 0, from, 0, batch, 0, &result) || result.delivered != batch)
		fail("not all delivered", (int)result.delivered);
	for (uint32_t i = 0; i < receivers; i++)
		arrived += drain(&stations[receiver(from, (first + i) % RING)]);
	return arrived;
}

static uint64_t switch_batch(uint32_t from)
{
	return move_batch(from, rvs_forward);
}

/* Copies the same bytes between the same buffers, and does nothing else. */
static uint64_t copy_batch(uint32_t from)
{
	struct station *station = &stations[from];

	for (uint32_t i = 0; i < now->batch; i++) {
		uint32_t at = station->tx.posted++;
		struct station *to = &stations[receiver(from, at % RING)];

		memcpy(to->vnic.region + rx_buffer(to, to->rx.posted++),
		       station->vnic.region + tx_buffer(station, at), frame_size(station->sent++));
		/* so that the compiler cannot leave the copy out */
		__asm__ volatile("" ::: "memory");
	}
	return now->batch;
}

/* Returns nanoseconds for each packet, over some milliseconds. */
static double run(uint64_t (*batch)(uint32_t))
{
	struct station before[64];
	const uint32_t senders = now->active == 2 ? 1 : now->active;
	uint64_t packets = 0;
	double start, end;

	const uint32_t rounds = 256 * 4 / now->batch + 4;

	memcpy(before, stations, now->active * sizeof(before[0]));
	/* each ring once or more, to bring back what other measurements took from the caches */
	for (uint32_t i = 0, from = 0; i < 2 * RING / now->batch * senders; i++) {
		batch(from);
		from = from + 1 == senders ? 0 : from + 1;
	}
	start = seconds(CLOCK_THREAD_CPUTIME_ID);
	do {
		for (uint32_t i = 0, from = 0; i < rounds; i++) {
			packets += batch(from);
			from = from + 1 == senders ? 0 : from + 1;
		}
		end = seconds(CLOCK_THREAD_CPUTIME_ID);
	} while (end - start < options.milliseconds * 1e-3);
	if (batch == copy_batch)
		memcpy(stations, before, now->active * sizeof(before[0]));
	return (end - start) * 1e9 / (double)packets;
}

/* ------------------------------------------------------------------------- two senders at once */

static atomic_int go, stop;

struct worker {
	pthread_t thread;
	uint32_t port;
	uint64_t sent;
	_Atomic uint64_t arrived;
	struct worker *peer;
};

static void drain_own(struct worker *worker)
{
	uint32_t n = drain(&stations[worker->port]);

	if (n)
		atomic_fetch_add_explicit(&worker->arrived, n, memory_order_relaxed);
}

/* Sends from its own port and drains it. Waits while the other port has no room for a batch. */
static void *work(void *argument)
{
	struct worker *worker = argument;
	struct rvs_result result;

	while (!atomic_load(&go))
		__builtin_ia32_pause();
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		const uint64_t out = worker->sent - atomic_load_explicit(&worker->peer->arrived,
									 memory_order_relaxed);

		drain_own(worker);
		if (out + now->batch > RING) {
			sched_yield();
			continue;
		}
		fill(&stations[worker->port], now->batch);
		rvs_forward(rvs, worker->port, worker->port, 0, now->batch, 0, &result);
		worker->sent += result.delivered;
	}
	return NULL;
}

static double run_threads(void)
{
	const struct timespec nap = {.tv_nsec = 4 * options.milliseconds * 1000000l};
	struct worker workers[2] = {{.port = 0, .peer = &workers[1]},
				    {.port = 1, .peer = &workers[0]}};
	uint64_t arrived = 0;
	double start, time;

	atomic_store(&go, 0);
	atomic_store(&stop, 0);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			fail("no thread", 0);
	start = seconds(CLOCK_MONOTONIC);
	atomic_store(&go, 1);
	nanosleep(&nap, NULL);
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++) {
		pthread_join(workers[i].thread, NULL);
		arrived += workers[i].arrived;
	}
	time = seconds(CLOCK_MONOTONIC) - start;
	for (int i = 0; i < 2; i++) /* so that the next round begins with empty queues */
		drain(&stations[i]);
	return time * 1e9 / (double)arrived;
}

/* ------------------------------------------------------------------------------ instructions */

static int counted_forward(struct rvs *sw, uint32_t sender, uint32_t port, uint32_t queue,
			   uint32_t budget, uint32_t time, struct rvs_result *result)
{
	int error;

	count_begin();
	error = rvs_forward(sw, sender, port, queue, budget, time, result);
	count_end();
	return error;
}

/* Counts a few batches, once all senders have sent. */
static void count(const struct setup *setup)
{
	const uint32_t senders = setup->active == 2 ? 1 : setup->active, counted = 4;
	uint64_t packets = 0, instructions;
	char size[16];

	set_up(setup);
	add_idle();
	for (uint32_t i = 0; i < 2 * RING / setup->batch * senders; i++)
		switch_batch(i % senders);
	instructions = count_steps();
	for (uint32_t i = 0; i < counted; i++)
		packets += move_batch(i % senders, counted_forward);
	instructions = count_steps() - instructions;
	printf("result bench=instructions impl=%s size=%s batch=%u ports=%u per_packet=%.2f\n",
	       BENCH_IMPL, size_name(size, sizeof(size)), setup->batch, setup->active + setup->idle,
	       (double)instructions / (double)packets);
	fflush(stdout);
	remove_idle();
	tear_down();
}

/* ---------------------------------------------------------------------------------- results */

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* alone: the figure without the idle ports, or 0 */
static void print(const char *impl, double ns, double copy, double alone)
{
	char size[16];

	printf("result bench=core impl=%s size=%s batch=%u ports=%u threads=%u ns_per_packet=%.1f "
	       "x_copy=%.2f",
	       impl, size_name(size, sizeof(size)), now->batch, now->active + now->idle,
	       now->threads, ns, ns / copy);
	if (alone > 0)
		printf(" x_without_idle=%.3f", ns / alone);
	putchar('\n');
	fflush(stdout);
}

/* Measures. All variants take turns, so that other load on the machine affects all of them. */
static void measure(const struct setup *setup)
{
	double switched[MAX_REPEATS] = {0}, copied[MAX_REPEATS] = {0}, alone[MAX_REPEATS] = {0};
	double copy;

	set_up(setup);
	run(switch_batch);
	run(copy_batch);
	for (unsigned i = 0; i < options.repeats; i++) {
		copied[i] = run(copy_batch);
		alone[i] = setup->idle ? run(switch_batch) : 0;
		add_idle();
		switched[i] = setup->threads == 1 ? run(switch_batch) : run_threads();
		remove_idle();
	}
	copy = median(copied, options.repeats);
	print(BENCH_IMPL, median(switched, options.repeats), copy, median(alone, options.repeats));
	if (setup->threads == 1)
		print("copy", copy, copy, 0);
	tear_down();
}

static const struct program_option known[] = {
	OPTION_FLAG("quick", quick, "two ports, 64 and 1514 bytes only"),
	OPTION_NUMBER("repeats", "N", "a number of measurements", repeats, 1, MAX_REPEATS,
		      "measurements of which the median counts (default 15)"),
	OPTION_NUMBER("ms", "N", "a number of milliseconds", milliseconds, 1, 1e6,
		      "milliseconds of each (default 4)"),
	OPTION_FLAG("instructions", counting,
		    "count instructions, \"result bench=instructions ...\""),
};

static const struct program program = {
	.name = "bench-switch-core",
	.before = "Usage: bench-switch-core [OPTION]...\n"
		  "\n"
		  "Prints what the switch costs per packet, as lines \"result bench=core ...\".\n"
		  "\n",
	.after = "Exit status: 0 done; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {64, 1514, IMIX}, batches[] = {1, 8, 32, 256};
	static const struct setup shapes[] = {
		{.active = 2, .threads = 1}, {.active = 2, .idle = 256, .threads = 1},
		{.active = 8, .threads = 1}, {.active = 64, .threads = 1},
		{.active = 2, .threads = 2},
	};
	int first, status;

	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first < argc)
		return options_wrong(&program, "'%s' is too much", argv[first]);
	for (size_t shape = 0; shape < (options.quick ? 1 : sizeof(shapes) / sizeof(*shapes));
	     shape++)
		for (size_t size = 0; size < (options.quick ? 2 : 3); size++)
			for (size_t batch = 0; batch < 4; batch++) {
				struct setup setup = shapes[shape];

				setup.size = sizes[size];
				setup.batch = batches[batch];
				if (!options.counting)
					measure(&setup);
				else if (setup.threads == 1)
					count(&setup);
			}
	return 0;
}
