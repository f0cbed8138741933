/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: it moves frames, does other work when that is due, and sleeps if no frames come. */
#include "fwd.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "cut_short.h"

enum {
	BURST = 256,
	LOOK_EVERY_US = 2000, /* between looks at files and drivers */
	SLEEP_US = 20000,     /* the longest sleep, if no driver kicks */
	IDLE_ROUNDS = 30,     /* rounds without a frame before the loop sleeps */
	NAP_US = 50,	      /* a sleep while frames may come without a kick */
};

static uint64_t microseconds(double seconds)
{
	return (uint64_t)(seconds * 1e6);
}

/* Forwards a burst of one queue. Returns how many frames were moved. */
static uint32_t forward(struct fwd *fwd, uint32_t number, uint32_t queue, double now)
{
	struct rvif_patience *patience = &fwd->port[number].patience[queue];
	const uint32_t hold =
		fwd->options.hold && rvif_has_patience(patience, microseconds(now)) ? RVS_HOLD : 0;
	struct rvs_result result;

	if (rvs_forward(fwd->rvs, 0, number, queue, BURST | hold, (uint32_t)now, &result))
		return 0;
	if (result.held)
		rvif_wait_on(patience, result.next, result.next + result.pending,
			     microseconds(monotonic()), fwd->options.hold * 1000ull);
	for (uint32_t w = 0; w < result.wakes; w++)
		wake(fwd, result.wake[w].port, result.wake[w].queue);
	if (result.more_wakes)
		wake_all(fwd);
	return result.frames;
}

/*
 * Forwards a burst of each queue. Each round begins with another port, so that ports take turns to
 * use room that a receiver has made. Returns how many frames were moved.
 */
static uint32_t forward_round(struct fwd *fwd, double now)
{
	static uint32_t first;
	uint32_t frames = 0;

	first = first + 1 < fwd->port_count ? first + 1 : 0;
	for (uint32_t k = 0; k < fwd->port_count; k++) {
		const uint32_t i = first + k < fwd->port_count ? first + k :
								 first + k - fwd->port_count;

		for (uint32_t queue = 0; fwd->port[i].attached && queue < fwd->port[i].queues;
		     queue++)
			frames += forward(fwd, i, queue, now);
	}
	return frames;
}

/*
 * Lists the words of all drivers that could kick, with their values before the drivers are asked to
 * kick. Returns how many. The process cannot wait for more than FUTEX_WAITV_MAX.
 */
static uint32_t list_kicks(const struct fwd *fwd, struct futex_waitv *list)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fwd->port_count; i++) {
		struct rvif_header *header = (struct rvif_header *)(void *)fwd->port[i].map.region;

		if (!header)
			continue;
		if (count == FUTEX_WAITV_MAX)
			return count + 1;
		list[count++] = (struct futex_waitv){
			.val = rvif_load(&header->driver.kicks),
			.uaddr = (uintptr_t)&header->driver.kicks,
			.flags = FUTEX_32,
		};
	}
	return count;
}

/* Sleeps until a driver kicks, or other work is due. */
static void sleep_for_kicks(struct fwd *fwd)
{
	const struct timespec nap = {.tv_nsec = NAP_US * 1000};
	struct futex_waitv kicks[FUTEX_WAITV_MAX];
	const uint32_t count = list_kicks(fwd, kicks);
	struct timespec until;

	if (!count || count > FUTEX_WAITV_MAX || rvs_want_kicks(fwd->rvs, 1)) {
		nanosleep(&nap, NULL);
	} else {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += SLEEP_US * 1000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		/* fails if the kernel lacks this call (before 5.16), or if a file was cut short */
		if (syscall(SYS_futex_waitv, kicks, count, 0, &until, CLOCK_MONOTONIC) < 0 &&
		    (errno == ENOSYS || errno == EFAULT))
			nanosleep(&nap, NULL);
	}
	rvs_want_kicks(fwd->rvs, 0);
}

/* Work between rounds, and when it was last done: files, requests, old addresses, reports. */
struct times {
	double began, report, look, age; /* the last times */
	bool ages;			 /* the table ages, a part of it at each look */
};

static void look(struct fwd *fwd, struct times *last, double now)
{
	rvs_refill(fwd->rvs, (uint32_t)(1e6 * (now - last->look)));
	last->look = now;
	if (last->ages)
		last->ages = rvs_table_age(fwd->rvs, (uint32_t)now);
	for (uint32_t i = 0; i < fwd->port_count; i++)
		port_look(fwd, &fwd->port[i], now);
	fwd->now = now;
	control_serve(&fwd->socket, now);
}

static void do_what_is_due(struct fwd *fwd, struct times *last, double now, double look_every)
{
	if (now - last->look > look_every)
		look(fwd, last, now);
	if (now - last->age > 1) {
		last->age = now;
		captures_look(&fwd->captures, now);
		last->ages = true;
		ports_say_left_out(fwd, now);
	}
	if (fwd->options.interval > 0 && now - last->report >= fwd->options.interval) {
		if (!fwd->options.quiet)
			report(fwd, now - last->report);
		if (fwd->options.metrics)
			report_metrics(fwd);
		last->report = now;
	}
}

static void report_at_the_end(struct fwd *fwd, const struct times *last)
{
	if (fwd->options.metrics)
		report_metrics(fwd);
	if (!fwd->options.quiet)
		report(fwd, monotonic() - (fwd->options.interval > 0 ? last->report : last->began));
}

/* Runs the loop. Variables that change are static, because they are used after a jump. */
void run(struct fwd *fwd)
{
	static struct times last;
	static uint32_t idle, rounds;

	last.began = last.report = last.age = monotonic();
	if (sigsetjmp(cut_short, 1)) {
		cut_short_end();
		cut_short_drop(fwd);
		wake_all(fwd);
	}
	cut_short_begin();
	while (!stop) {
		/* the clock costs more than an empty round */
		if (forward_round(fwd, last.look) || fwd->options.poll)
			idle = 0;
		else
			idle++;
		if (++rounds % 64 && idle < IDLE_ROUNDS)
			continue;
		do_what_is_due(fwd, &last, monotonic(),
			       (idle < IDLE_ROUNDS ? LOOK_EVERY_US : SLEEP_US) * 1e-6);
		if (idle >= IDLE_ROUNDS)
			sleep_for_kicks(fwd);
	}
	report_at_the_end(fwd, &last);
	ports_close(fwd);
	cut_short_end();
}
