/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' loop: what a round of each does, at which rate it sends, and when it is over. */
#include <math.h>
#include "pktgen.h"

static void count_frame(struct pktgen *p, const struct test_frame *frame, uint32_t length)
{
	p->received++;
	p->bytes += length;
	if (frame->magic != TEST_MAGIC) {
		p->foreign++;
		return;
	}
	if (frame->run == p->last_run && frame->sequence <= p->last)
		p->disordered++;
	else if (frame->run == p->last_run)
		p->lost += frame->sequence - p->last - 1;
	p->last = frame->sequence;
	p->last_run = frame->run;
}

/*
 * Of n frames, those that are due by --rate: frame i at i / rate. A batch that fills within a
 * millisecond goes whole.
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

static uint64_t frames_done(const struct pktgen *p)
{
	return p->options.command == TX ? p->sent : p->received;
}

static bool is_done(const struct pktgen *p, double elapsed)
{
	if (stop)
		return true;
	if (p->options.count > 0 && (double)frames_done(p) >= p->options.count)
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

/* What was posted is still to be fetched. */
static void drain_tx(struct pktgen *p)
{
	for (int i = 0; i < 1000 && tx_room(p, RING) * buffers_of_frame(p) < RING; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

void run_command(struct pktgen *p)
{
	const enum command command = p->options.command;
	const double interval = p->options.interval, start = monotonic();
	double last = start, now = start;
	uint64_t frames_before = 0, bytes_before = 0;

	p->run = nanoseconds();
	for (uint32_t rounds = 0; !is_done(p, now - start); rounds++) {
		const uint64_t frames = frames_done(p);

		work(p, start);
		if (rounds % 16)
			continue;
		now = monotonic();
		if (command == PING || interval <= 0 || now - last < interval)
			continue;
		print_rates(p, now - last, frames - frames_before, p->bytes - bytes_before, false);
		last = now;
		frames_before = frames;
		bytes_before = p->bytes;
	}
	if (command == TX)
		drain_tx(p);
	if (command == PING)
		print_latency(p);
	else
		print_rates(p, monotonic() - start, frames_done(p), p->bytes, true);
}
