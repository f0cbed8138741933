/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs-pktgen's life: the vNIC, the switch, the command, the results. It must leave no file behind,
 * however it ends, except by SIGKILL.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "output.h"
#include "pktgen.h"
#include "signals.h"

#define LAST_WORDS_MS 1000 /* how long a reader may take for the results after a signal */

volatile sig_atomic_t stop;

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

/* Sets a thread's share of what is to be sent. */
static void share(struct options *options, uint32_t queue)
{
	const double queues = options->queues, count = options->count;

	options->rate /= queues;
	if (options->command == TX && count > 0)
		options->count = floor(count / queues) + (queue < fmod(count, queues));
}

/* Returns 0, or 1 after a message. */
static int generate(const struct options *options)
{
	struct pktgen *all = calloc(options->queues, sizeof(*all));
	static struct rvif_vnic vnic;
	int error;

	if (all)
		all->samples = calloc(MAX_SAMPLES, sizeof(*all->samples));
	if (!all || !all->samples) {
		output_print(STDERR_FILENO, "rvs-pktgen: no memory\n");
		free(all);
		return 1;
	}
	for (uint32_t queue = 0; queue < options->queues; queue++) {
		struct pktgen *p = &all[queue];

		p->options = *options;
		share(&p->options, queue);
		p->vnic = &vnic;
		p->queue = queue;
		p->all = all;
		memcpy(p->mac, options->mac, sizeof(p->mac));
	}
	error = vnic_open(all) < 0;
	if (!error) {
		error = vnic_wait_for_switch(all) < 0;
		for (uint32_t queue = 1; queue < options->queues; queue++)
			memcpy(all[queue].mac, all->mac, sizeof(all->mac));
		if (!error && !stop)
			error = run_command(all) < 0;
		vnic_close(all);
	}
	free(all->samples);
	free(all);
	return error;
}

int main(int argc, char **argv)
{
	static struct options options;
	int status, error;

	if (output_open(program.name))
		return 1;
	if (!read_command_line(&options, argc, argv, &status))
		return status;
	signals_catch(on_stop);
	status = generate(&options);
	/* the vNIC's file is removed by now, so the results may wait for their reader until a
	 * signal comes */
	signals_catch(SIG_DFL);
	error = output_close(stop ? LAST_WORDS_MS : -1);
	return status || (error && error != -ETIMEDOUT);
}
