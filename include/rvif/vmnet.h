/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmnet: the calls of a guest to a switch that runs in its ELISA sub context (elisa-vmnet). The
 * guest's vNIC is the memory that the guest has donated. The guest chooses the arguments, but the
 * host tells the switch which attachment calls. librvif-elisa makes these calls.
 */
#ifndef RVIF_VMNET_H
#define RVIF_VMNET_H

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the calls below. Both sides must have the same one. */
#define VMNET_VERSION 1

/* The first argument of a call. Negative results of VMNET_JOIN and VMNET_FORWARD are enum
 * vmnet_error or, below 0x100, the switch's own. */
enum vmnet_op {
	/* Asks the switch to serve the guest's vNIC, which is everything that the guest has
	 * donated, from its start on. The second argument is VMNET_VERSION. Returns 0. */
	VMNET_JOIN,
	/*
	 * Moves what is posted in a transmit queue, the second argument. Returns the number of
	 * descriptors that are left. With VMNET_HOLD beside the queue, frames for a receiver
	 * without room stay, too, and the result has VMNET_HOLD. The driver then calls again,
	 * without VMNET_HOLD when it has waited long enough.
	 */
	VMNET_FORWARD,
	/* Tells the manager that the driver went up or down. The manager looks soon. Returns 0. */
	VMNET_CHANGED,
	VMNET_OPS_OF_GUESTS,
};

#define VMNET_HOLD (1L << 30)

enum vmnet_error {
	VMNET_BAD_OP = 0x100,
	VMNET_NOT_SERVED,     /* the port is not, or not any more, this attachment's: join, and
			       * wait */
	VMNET_STOPPED,	      /* an earlier call of this vCPU was aborted: wait for the manager */
	VMNET_TOO_MANY_VCPUS, /* only the first vCPUs of a guest may call */
	VMNET_NOTHING_DONATED,
	VMNET_OTHER_VERSION, /* the switch's version << 16 is added */
};

#ifdef __cplusplus
}
#endif

#endif
