/* SPDX-License-Identifier: Apache-2.0 */
/* A forward by single steps of the harness for the code of exports; see step.h. */
#include <elisa/sub_test.h>
#include "step.h"

struct forward {
	struct net *net;
	uint32_t sender, port;
	void (*stopped)(struct net *net, uint32_t n);
	void (*disturb)(void *argument);
	void *argument;
};

static void run(void *context)
{
	const struct forward *forward = context;
	struct net *net = forward->net;

	rvs_forward(net->rvs, forward->sender, forward->port, 0, 1000 | net->budget, net->now,
		    &net->result);
}

static void stopped(void *context, uint32_t n)
{
	const struct forward *forward = context;

	forward->stopped(forward->net, n);
}

static void disturb(void *context)
{
	const struct forward *forward = context;

	forward->disturb(forward->argument);
}

uint32_t step_and_stop(struct net *net, uint32_t sender, uint32_t port,
		       void (*when_stopped)(struct net *net, uint32_t n))
{
	/* the world: the switch, and the vNICs with their drivers' private state */
	struct elisa_step_memory memory[2 + NET_PORTS] = {{net, sizeof(*net)},
							  {net->rvs, net_switch_size()}};
	struct forward forward = {
		.net = net, .sender = sender, .port = port, .stopped = when_stopped};
	size_t count = 2;
	long steps;

	for (uint32_t p = 0; p < NET_PORTS; p++)
		if (net->port[p].open)
			memory[count++] = (struct elisa_step_memory){
				net->port[p].vnic.region, net->port[p].vnic.config.region_size};
	steps = elisa_step_each(run, memory, count, stopped, &forward);
	assert_true(steps > 0);
	return (uint32_t)steps;
}

int step_and_disturb(struct net *net, uint32_t sender, uint32_t port, uint32_t instructions,
		     void (*when_due)(void *argument), void *argument)
{
	struct forward forward = {.net = net,
				  .sender = sender,
				  .port = port,
				  .disturb = when_due,
				  .argument = argument};
	const int came = elisa_step_once(run, instructions, disturb, &forward);

	assert_in_range(came, 0, 1);
	return !came;
}
