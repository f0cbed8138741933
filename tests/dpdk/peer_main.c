// SPDX-License-Identifier: Apache-2.0
/*
 * The switch as a process beside dpdk-testpmd: forwards between the files that are named until SIGTERM,
 * then says what it counted, one line a port. Each line can be added up by a script; it must not drop
 * a number.
 */
#include "peer.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sched.h>

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

int main(int argc, char **argv)
{
	struct peer peer;

	if (argc < 2 || argc - 1 > PEER_PORTS) {
		fprintf(stderr, "usage: test_dpdk_peer FILE... (up to %d)\n", PEER_PORTS);
		return 2;
	}
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	if (peer_open(&peer, (const char *const *)argv + 1, (unsigned int)argc - 1))
		return 1;
	for (unsigned int round = 0; !stopped; round++) {
		if (!(round & 255))
			peer_control(&peer);
		if (!peer_forward(&peer))
			sched_yield();
	}
	for (unsigned int i = 0; i < peer.count; i++) {
		struct rvs_stats stats;
		uint64_t drops = 0;

		peer_stats(&peer, i, &stats);
		for (unsigned int k = 0; k < RVS_DROPS; k++)
			drops += stats.drops[k];
		printf("peer port=%u frames=%" PRIu64 " copies=%" PRIu64 " delivered=%" PRIu64
		       " drops=%" PRIu64 " full=%" PRIu64 " rx_frames=%" PRIu64 " missed=%" PRIu64
		       "\n",
		       i, stats.frames, stats.copies, stats.delivered, drops,
		       stats.drops[RVS_DROP_FULL], stats.rx_frames, stats.rx_missed);
	}
	peer_close(&peer);
	return 0;
}
