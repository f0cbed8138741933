/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An uplink of the daemon in a process of its own, for the host lets a process attach to an export
 * once, and the daemon has to. It is the daemon's program with other arguments; it ends when the
 * daemon does.
 */
#ifndef VMNET_UPLINK_PROCESS_H
#define VMNET_UPLINK_PROCESS_H

#include <elisa/abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "seen.h"

struct uplink_process {
	pid_t pid;		  /* 0: there is none */
	struct uplink_seen *seen; /* in memory of both */
};

/* What it is told. */
struct uplink_wish {
	const char *port, *interface;
	uint64_t most_bytes; /* of its vNIC */
	const uint8_t *ticket;
};

/* 0, or -errno. */
int uplink_process_start(struct uplink_process *process, const struct uplink_wish *wish);
/* Tells it to end, or kills it. */
void uplink_process_end(const struct uplink_process *process, bool at_once);
/* Has it ended? Then there is none any more. Does not wait. */
bool uplink_process_has_ended(struct uplink_process *process);

/* In that process: do the arguments of main() say that it is one? Then its whole life, and
 * *status. */
bool uplink_process_is(int argc, char **argv, int *status);

#endif
