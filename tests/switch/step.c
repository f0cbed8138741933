/* SPDX-License-Identifier: Apache-2.0 */
/* Single steps by SIGTRAP; see step.h. */
#include <signal.h>
#include <ucontext.h>
#include "step.h"

#define TRAP_FLAG 0x100

static volatile uint32_t steps, disturb_at;
static void (*on_disturb)(void *);
static void *on_disturb_argument;
static void (*on_stop)(struct net *net, uint32_t n);
static struct net *stepped;

/* A copy of the world: the switch, and the vNICs with their drivers' private state. */
struct world {
	struct net net;
	uint8_t *rvs;
	uint8_t *regions;
};

static struct world world;

static void copy_regions(int save)
{
	uint8_t *at = world.regions;

	for (uint32_t port = 0; port < NET_PORTS; port++) {
		const struct rvif_vnic *vnic = &stepped->port[port].vnic;

		if (!stepped->port[port].open)
			continue;
		if (save)
			memcpy(at, vnic->region, vnic->config.region_size);
		else
			memcpy(vnic->region, at, vnic->config.region_size);
		at += vnic->config.region_size;
	}
}

static void save_world(void)
{
	world.net = *stepped;
	memcpy(world.rvs, stepped->rvs, net_switch_size());
	copy_regions(1);
}

static void restore_world(void)
{
	*stepped = world.net;
	memcpy(stepped->rvs, world.rvs, net_switch_size());
	copy_regions(0);
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)signal;
	(void)info;
	steps++;
	if (on_stop) {
		save_world();
		on_stop(stepped, steps);
		restore_world();
	} else if (steps == disturb_at) {
		on_disturb(on_disturb_argument);
		at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG; /* the rest in one go */
	}
}

static void step(struct net *net, uint32_t sender, uint32_t port)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	steps = 0;
	stepped = net;
	__asm__ volatile("sub $128, %%rsp; pushfq; orq %0, (%%rsp); popfq; add $128, %%rsp"
			 :
			 : "i"(TRAP_FLAG)
			 : "memory", "cc");
	rvs_forward(net->rvs, sender, port, 0, 1000, net->now, &net->result);
	__asm__ volatile("sub $128, %%rsp; pushfq; andq %0, (%%rsp); popfq; add $128, %%rsp"
			 :
			 : "i"(~TRAP_FLAG)
			 : "memory", "cc");
}

uint32_t step_and_stop(struct net *net, uint32_t sender, uint32_t port,
		       void (*stopped)(struct net *net, uint32_t n))
{
	size_t size = 0;

	for (uint32_t p = 0; p < NET_PORTS; p++)
		if (net->port[p].open)
			size += net->port[p].vnic.config.region_size;
	world.rvs = malloc(net_switch_size());
	world.regions = malloc(size);
	assert_non_null(world.rvs);
	assert_non_null(world.regions);
	on_stop = stopped;
	step(net, sender, port);
	free(world.rvs);
	free(world.regions);
	return steps;
}

int step_and_disturb(struct net *net, uint32_t sender, uint32_t port, uint32_t instructions,
		     void (*disturb)(void *argument), void *argument)
{
	on_stop = NULL;
	on_disturb = disturb;
	on_disturb_argument = argument;
	disturb_at = instructions;
	step(net, sender, port);
	return steps < instructions;
}
