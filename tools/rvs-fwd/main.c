/* SPDX-License-Identifier: Apache-2.0 */
/* rvs-fwd's start and end: it reads the command line, makes the switch and runs the loop. */
#include "fwd.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include "cut_short.h"
#include "output.h"
#include "service.h"
#include "signals.h"
#include "turns.h"
#include "vlans.h"

enum {
	RECORDS = 4096, /* places of the capture ring, with --control: 8 MiB */
};

volatile sig_atomic_t stop;

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

static uint32_t count_vlans(const struct fwd *fwd)
{
	uint64_t all[VLANS_WORDS] = {0};

	for (uint32_t i = 0; i < fwd->port_count; i++) {
		const struct rvs_policy *of = &fwd->port[i].policy;

		for (uint32_t word = 0; word < VLANS_WORDS; word++)
			all[word] |= of->trunk[word];
		if (of->vlan)
			all[of->vlan / 64] |= 1ull << of->vlan % 64;
	}
	return vlans_count(all);
}

static int make_switch(struct fwd *fwd)
{
	struct rvs_config config = {.ports = fwd->port_count,
				    .senders = 1,
				    .queues = QUEUES,
				    .buckets = 4096,
				    .vlans = count_vlans(fwd),
				    .one_thread = 1,
				    .max_age = (uint32_t)fwd->options.max_age,
				    .records = fwd->options.control ? RECORDS : 0};
	uint64_t size;

	if (getrandom(&config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
		return -errno;
	fwd->rvs = captures_memory(&fwd->captures, 0, &config, &size);
	return fwd->rvs ? rvs_init(fwd->rvs, size, &config) : -ENOMEM;
}

int main(int argc, char **argv)
{
	static struct fwd fwd;
	int status;

	if (output_open(program.name))
		return 1;
	if (!read_command_line(&fwd, argc, argv, &status))
		return status;
	if (make_switch(&fwd)) {
		fputs("rvs-fwd: no memory for the switch\n", stderr);
		return 1;
	}
	if (capture_open(&fwd))
		return output_end(1);
	signals_catch(on_stop);
	cut_short_catch();
	take_short_turns();
	service_ready("rvs-fwd", fwd.options.ready_fd);
	run(&fwd);
	control_close(&fwd.socket);
	return output_end(0);
}
