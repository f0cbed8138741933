/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's socket over a fake manager, for tests of elisa-vmnetctl: two VMs are up, each sent
 * a frame to the other, and the first goes on to send.   control_server SOCKET
 */
#include <signal.h>
#include <unistd.h>
#include "clock.h"
#include "fake_manager.h"
#include "net.h"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* The host's answer to an eviction. */
static void end_of_evicted(void)
{
	if (fake.evicted)
		event(ELISA_EVENT_DETACH, fake.evicted, 0);
	fake.evicted = 0;
}

static void begin(struct net *net)
{
	fake_start(NULL);
	fake_switch(net);
	tickets_begin(fake.daemon, &(struct tickets){0});
	fake.link = VMNET_UP;
	strcpy(fake.daemon->config.export_name, "fake");
	for (uint32_t place = 1; place <= 2; place++) {
		net_add(net, place);
		event(ELISA_EVENT_ATTACH, 10 + place, place);
		fake.daemon->state->port[place].serving = 10 + place;
	}
	net_send(net, 2, 1, 64, 1);
	net_send(net, 1, 2, 64, 1);
}

int main(int argc, char **argv)
{
	struct net *net = net_new();
	struct pollfd polls[CONTROL_POLLS];

	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	begin(net);
	if (argc != 2 || control_open(&fake.daemon->control, argv[1], &(struct rvif_access){0},
				      commands_answer, fake.daemon))
		return 1;
	while (!stop) {
		poll(polls, control_polls(&fake.daemon->control, polls), 10);
		fake.daemon->now = monotonic();
		captures_look(&fake.daemon->captures, fake.daemon->now);
		end_of_evicted();
		net_send(net, 1, 2, 64, 1);
		net_expect(net, 1, 2, 64, 1);
		ports_look(fake.daemon);
		control_serve(&fake.daemon->control, fake.daemon->now);
	}
	control_close(&fake.daemon->control);
	return 0;
}
