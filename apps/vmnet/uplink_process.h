/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An uplink of the daemon, in a process of its own: the host lets a process attach to an export
 * only once, and the daemon itself is attached. The process runs the daemon's program with other
 * arguments, and ends when the daemon does.
 */
#ifndef VMNET_UPLINK_PROCESS_H
#define VMNET_UPLINK_PROCESS_H

#include <elisa/abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "seen.h"

struct uplink_process {
	pid_t pid;		  /* 0: there is no process */
	struct uplink_seen *seen; /* memory that both processes map */
};

/* What the process is told. */
struct uplink_wish {
	const char *port, *interface;
	uint64_t most_bytes; /* limit of its vNIC's memory */
	const uint8_t *ticket;
};

/* Starts the process. Returns 0 or -errno. */
int uplink_process_start(struct uplink_process *process, const struct uplink_wish *wish);
/* Tells the process to end, or kills it. */
void uplink_process_end(const struct uplink_process *process, bool at_once);
/* Tells whether the process has ended. If so, forgets it. Does not wait. */
bool uplink_process_has_ended(struct uplink_process *process);

/* Tells whether main()'s arguments make this process an uplink. If so, it runs the uplink to its
 * end, and *status is the exit status. */
bool uplink_process_is(int argc, char **argv, int *status);

#endif
