/* SPDX-License-Identifier: Apache-2.0 */
/* What work of guests costs the whole host; host_cost.h says how it is measured. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>
#include "host_cost.h"

static double start_ns, start_tsc;

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

void host_cost_start(void)
{
	start_ns = now_ns();
	start_tsc = (double)__rdtsc();
}

double host_cost_tsc_per_ns(void)
{
	return ((double)__rdtsc() - start_tsc) / (now_ns() - start_ns);
}

static double busy(void)
{
	FILE *file = fopen("/proc/schedstat", "re");
	double sum = 0;
	char line[512];
	uint64_t ns;

	if (!file)
		fprintf(stderr, "cannot read /proc/schedstat\n");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %" SCNu64, &ns) == 1)
			sum += (double)ns;
	if (file)
		fclose(file);
	return sum;
}

static double of_kvm(const char *name)
{
	char path[64];
	double value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s", name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%lf", &value) != 1)
		fprintf(stderr, "cannot read %s\n", path);
	if (file)
		fclose(file);
	return value;
}

struct host_cost host_cost_now(void)
{
	return (struct host_cost){busy(), of_kvm("exits"), of_kvm("irq_exits")};
}

struct host_cost host_cost_between(const struct host_cost *begin, const struct host_cost *end)
{
	return (struct host_cost){
		end->busy - begin->busy,
		end->exits - begin->exits,
		end->interrupts - begin->interrupts,
	};
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct spread spread(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return (struct spread){values[0], (values[(count - 1) / 2] + values[count / 2]) / 2,
			       values[count - 1]};
}

void host_cost_tell(const char *fifo)
{
	int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "done\n", 5) != 5)
			fprintf(stderr, "cannot write to %s\n", fifo);
		close(fd);
	}
}
