/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmnet: the calls of a guest to a switch that runs in its ELISA sub context (elisa-vmnet). The
 * guest's vNIC is the memory that it has donated. The guest chooses the arguments; the host tells
 * the switch which attachment calls. librvif-elisa makes these calls.
 */
#ifndef RVIF_VMNET_H
#define RVIF_VMNET_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of the calls below. Both sides have to have the same one. */
#define VMNET_VERSION 1

/* By the first argument. Negative results of VMNET_JOIN and VMNET_FORWARD are enum vmnet_error or,
 * below 0x100, the switch's own. */
enum vmnet_op {
	/* My vNIC is all that I have donated, from its start on: serve it. The second argument is
	 * VMNET_VERSION. Returns 0. */
	VMNET_JOIN,
	/* Move what is posted in my transmit queue (second argument). Returns descriptors left.
	 * With VMNET_HOLD beside the queue, frames for a receiver without room stay, too, and the
	 * result has VMNET_HOLD. My driver then calls again, without VMNET_HOLD when it has waited
	 * long enough. */
	VMNET_FORWARD,
	/* My driver went up or down: the manager looks soon. Returns 0. */
	VMNET_CHANGED,
	VMNET_OPS_OF_GUESTS,
};

#define VMNET_HOLD (1L << 30)

enum vmnet_error {
	VMNET_BAD_OP = 0x100,
	VMNET_NOT_SERVED,     /* the port is not, or not any more, this attachment's: join, wait */
	VMNET_STOPPED,	      /* an earlier call of this vCPU was aborted: wait for the manager */
	VMNET_TOO_MANY_VCPUS, /* only the first ones of a guest may call */
	VMNET_NOTHING_DONATED,
	VMNET_OTHER_VERSION, /* + the switch's version << 16 */
};

#ifdef __cplusplus
}
#endif

#endif
