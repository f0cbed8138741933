/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rvs-pktgen's life: the vNIC, the switch, the command, the results. It must leave no file behind,
 * however it ends but by SIGKILL.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "output.h"
#include "pktgen.h"
#include "signals.h"

#define LAST_WORDS_MS 1000 /* after a signal: for a reader to take the results */

volatile sig_atomic_t stop;

static void on_stop(int signal)
{
	(void)signal;
	stop = 1;
}

/* 0, or 1 after a message. */
static int generate(struct pktgen *p)
{
	int error;

	p->samples = calloc(MAX_SAMPLES, sizeof(*p->samples));
	if (!p->samples) {
		output_print(STDERR_FILENO, "rvs-pktgen: no memory\n");
		return 1;
	}
	memcpy(p->mac, p->options.mac, sizeof(p->mac));
	error = vnic_open(p) < 0;
	if (!error) {
		error = vnic_wait_for_switch(p) < 0;
		if (!error && !stop)
			run_command(p);
		vnic_close(p);
	}
	free(p->samples);
	return error;
}

int main(int argc, char **argv)
{
	static struct pktgen p;
	int status, error;

	if (output_open(program.name))
		return 1;
	if (!read_command_line(&p.options, argc, argv, &status))
		return status;
	signals_catch(on_stop);
	status = generate(&p);
	/* No file is left behind any more: the results wait for their
	 * reader until a signal comes. */
	signals_catch(SIG_DFL);
	error = output_close(stop ? LAST_WORDS_MS : -1);
	return status || (error && error != -ETIMEDOUT);
}
