/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' loop: what a round of each command does, at which rate it sends, and when it
 * ends. */
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "output.h"
#include "pktgen.h"

static void count_frame(struct pktgen *p, const struct test_frame *frame, uint32_t length)
{
	const struct test_mark *mark = mark_of(frame, length);
	uint64_t now;

	count(&p->received, 1);
	count(&p->bytes, length);
	if (!mark) {
		count(&p->foreign, 1);
		return;
	}
	sequence_note(&p->sequence, mark->run, mark->sequence);
	if (!mark->sent_ns)
		return;
	now = nanoseconds();
	latency_note(&p->latency, now > mark->sent_ns ? now - mark->sent_ns : 0);
}

/*
 * Returns how many of n frames are due by --rate: frame i is due at i / rate. A batch that fills
 * within a millisecond is sent as a whole.
 */
static uint32_t due(const struct pktgen *p, uint32_t n, double elapsed)
{
	const double rate = p->options.rate, time = p->options.time;
	double total = floor(rate * elapsed) + 1;

	if (rate <= 0)
		return n;
	if (time > 0 && total > ceil(rate * time))
		total = ceil(rate * time);
	if ((double)p->sent + n <= total)
		return n;
	if (total <= (double)p->sent || rate > 1000.0 * p->options.batch)
		return 0;
	return (uint32_t)(total - (double)p->sent);
}

static void send_batch(struct pktgen *p, double start)
{
	uint32_t n = tx_room(p, p->options.batch);

	if (p->options.count > 0 && (double)(p->sent + n) > p->options.count)
		n = (uint32_t)(p->options.count - (double)p->sent);
	n = due(p, n, monotonic() - start);
	for (uint32_t i = 0; i < n; i++)
		put_frame(p, p->sent + 1);
	if (n)
		publish_tx(p);
}

static uint64_t sum(const struct pktgen *all, size_t member)
{
	uint64_t result = 0;

	for (uint32_t queue = 0; queue < all->options.queues; queue++)
		result += __atomic_load_n(
			(const uint64_t *)(const void *)((const char *)&all[queue] + member),
			__ATOMIC_RELAXED);
	return result;
}

/* Returns the number of frames of all threads. */
static uint64_t frames_done(const struct pktgen *p)
{
	return p->options.command == TX ? sum(p->all, offsetof(struct pktgen, sent)) :
					  sum(p->all, offsetof(struct pktgen, received));
}

static bool is_done(const struct pktgen *p, double elapsed)
{
	if (stop || __atomic_load_n(&p->all->over, __ATOMIC_RELAXED))
		return true;
	if (p->options.count > 0 &&
	    (double)(p->options.command == TX ? p->sent : frames_done(p)) >= p->options.count)
		return true;
	return p->options.time > 0 && elapsed >= p->options.time;
}

static void work(struct pktgen *p, double start)
{
	switch (p->options.command) {
	case TX:
		send_batch(p, start);
		take_frames(p, count_frame);
		return;
	case PING:
		ping(p);
		return;
	case RX:
	case PONG:
		if (take_frames(p, p->options.command == RX ? count_frame : answer))
			p->idle = 0;
		else if (++p->idle > 10000)
			sleep_a_little(p);
	}
}

/* Waits until the switch has taken what was posted. */
static void drain_tx(struct pktgen *p)
{
	for (int i = 0; i < 1000 && tx_room(p, RING) * buffers_of_frame(p) < RING; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* Sums up what all threads have counted. The last three are valid only when the threads have
 * ended. */
static void add_up(const struct pktgen *all, struct totals *totals)
{
	*totals = (struct totals){
		.sent = sum(all, offsetof(struct pktgen, sent)),
		.received = sum(all, offsetof(struct pktgen, received)),
		.bytes = sum(all, offsetof(struct pktgen, bytes)),
		.foreign = sum(all, offsetof(struct pktgen, foreign)),
		.lost = sum(all, offsetof(struct pktgen, sequence.lost)),
		.reordered = sum(all, offsetof(struct pktgen, sequence.reordered)),
		.duplicated = sum(all, offsetof(struct pktgen, sequence.duplicated)),
	};
}

/* Runs a queue's part of the command. The first thread prints for all of them. */
static void run_queue(struct pktgen *p)
{
	const double interval = p->options.interval, start = p->all->start;
	const bool prints = !p->queue && p->options.command != PING && interval > 0;
	static struct totals totals;
	double last = start, now = start;
	uint64_t frames_before = 0, bytes_before = 0;

	for (uint32_t rounds = 0; !is_done(p, now - start); rounds++) {
		work(p, start);
		if (rounds % 16)
			continue;
		now = monotonic();
		if (!prints || now - last < interval)
			continue;
		add_up(p, &totals);
		print_rates(p, &totals, now - last, frames_done(p) - frames_before,
			    totals.bytes - bytes_before, false);
		last = now;
		frames_before = frames_done(p);
		bytes_before = totals.bytes;
	}
	if (p->options.command == TX)
		drain_tx(p);
}

static void *run_thread(void *argument)
{
	run_queue(argument);
	return NULL;
}

/* Starts the threads. Only the first thread gets signals. */
static int start_threads(struct pktgen *all)
{
	sigset_t every, before;
	int error = 0;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	for (uint32_t queue = 1; !error && queue < all->options.queues; queue++) {
		error = pthread_create(&all[queue].thread, NULL, run_thread, &all[queue]);
		all[queue].is_running = !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		return 0;
	output_print(STDERR_FILENO, "rvs-pktgen: no thread for a queue: %s\n",
		     strerrordesc_np(error));
	return -1;
}

int run_command(struct pktgen *all)
{
	const enum command command = all->options.command;
	static struct totals totals;
	int error;

	all->start = monotonic();
	for (uint32_t queue = 0; queue < all->options.queues; queue++)
		all[queue].run = (nanoseconds() * MAX_QUEUES + queue) * MAX_FLOWS;
	error = start_threads(all);
	if (!error)
		run_queue(all);
	/* other threads of a sender have a share of their own to send */
	if (error || command != TX)
		__atomic_store_n(&all->over, true, __ATOMIC_RELAXED);
	for (uint32_t queue = 1; queue < all->options.queues; queue++)
		if (all[queue].is_running)
			pthread_join(all[queue].thread, NULL);
	if (error)
		return error;
	if (command == PING) {
		print_latency(all);
		return 0;
	}
	add_up(all, &totals);
	for (uint32_t queue = 0; queue < all->options.queues; queue++)
		latency_add(&totals.latency, &all[queue].latency);
	print_rates(all, &totals, monotonic() - all->start, frames_done(all), totals.bytes, true);
	return 0;
}
