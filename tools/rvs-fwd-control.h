/* SPDX-License-Identifier: Apache-2.0 */
/* What rvs-fwd answers at its socket: requests to capture a vNIC (captures.h), from root and the
 * user that runs it. */
#ifndef RVS_FWD_CONTROL_H
#define RVS_FWD_CONTROL_H

#include "captures.h"
#include "control.h"

struct fwd_control {
	struct control socket;
	struct captures captures;
	/* The number of the vNIC with this path, or -1. */
	int (*port)(const char *path);
	double now; /* of this round */
};

/* 0, or -1 after a message. */
int fwd_control_open(struct fwd_control *control, const char *path);

#endif
