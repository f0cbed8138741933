/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What work of guests costs the whole host, as programs on the host measure it: the time that the
 * CPUs were not idle, by the scheduler's account, and KVM's exits. Under Bochs, that time is a
 * number of instructions; host_cost_tsc_per_ns() gives the factor.
 */
#ifndef ELISA_BENCH_HOST_COST_H
#define ELISA_BENCH_HOST_COST_H

struct host_cost {
	double busy; /* ns */
	double exits;
	double interrupts; /* those exits that were the host's interrupts */
};

/* To be called before the other functions. */
void host_cost_start(void);
/* Returns the cost up to now. What cannot be read is 0, with a message on standard error. */
struct host_cost host_cost_now(void);
struct host_cost host_cost_between(const struct host_cost *begin, const struct host_cost *end);
/* Returns how many ticks of the TSC are a nanosecond of the kernel's clocks. */
double host_cost_tsc_per_ns(void);

struct spread {
	double min, median, max;
};

/* Returns the spread of `count` values, at least one. Sorts them. */
struct spread spread(double *values, unsigned int count);

/*
 * Writes a line to the FIFO if a process reads it. A job waits for the end of a measurement by
 * that: if it polled, its polls would be measured.
 */
void host_cost_tell(const char *fifo);

#endif
