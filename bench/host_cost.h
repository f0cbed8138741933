/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What work of guests costs the whole host, as programs on the host take it: the time that the CPUs
 * were not idle, by the scheduler's account, and KVM's exits. Under Bochs that time is a number of
 * instructions, which host_cost_tsc_per_ns() turns it into.
 */
#ifndef ELISA_BENCH_HOST_COST_H
#define ELISA_BENCH_HOST_COST_H

struct host_cost {
	double busy; /* ns */
	double exits;
	double interrupts; /* those of the exits that were the host's interrupts */
};

/* Before any other. */
void host_cost_start(void);
/* Up to now. What cannot be read is 0, and said on standard error. */
struct host_cost host_cost_now(void);
struct host_cost host_cost_between(const struct host_cost *begin, const struct host_cost *end);
/* The kernel's clocks are the TSC divided by this. */
double host_cost_tsc_per_ns(void);

struct spread {
	double min, median, max;
};

/* Of count values, at least one; they are sorted. */
struct spread spread(double *values, unsigned int count);

/*
 * Writes a line to the FIFO if a process reads it. A job that waits for the end of a measurement
 * waits for that: if it looked for it every now and then, its looks would be measured.
 */
void host_cost_tell(const char *fifo);

#endif
