/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vNIC of a switch that runs in an ELISA sub context (elisa-vmnet). Link with librvif-elisa.
 */
#ifndef RVIF_ELISA_H
#define RVIF_ELISA_H

#include <rvif/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where: the export's name, or the path of a file with a port's ticket, which begins
 * with '/'. open needs /dev/elisa and gives the errors of elisa_open(), elisa_attach()
 * and elisa_donate(), -EINVAL for a file that holds no ticket; announce: -EPROTO if
 * the export is no such switch. kick moves all that is posted in the
 * queue: -ENOTCONN when the manager is gone, -EAGAIN when the switch cannot do it now, -ETIME or
 * -EIO when the call did not come to its end; -EBUSY: see hold_us of the vNIC. One
 * thread at a time a queue; not after fork(). A receiver sleeps until the VM's doorbell rings, or, in a
 * VM without one, looks now and then. reconnect: the errors of open.
 */
extern const struct rvif_transport rvif_over_elisa;

/*
 * Why open, announce or reconnect failed last in this thread: what was wrong with which value, and
 * what to do about it. Valid until one of them fails again in this thread.
 */
const char *rvif_elisa_error(void);

/* What a guest may call, by the first argument. Negative results of both are enum vmnet_error or,
 * below 0x100, the switch's own. */
enum vmnet_op {
	/* My vNIC is all that I have donated, from its start on: serve it. Returns 0. */
	VMNET_JOIN,
	/* Move what is posted in my transmit queue (second argument). Returns descriptors left.
	 * With VMNET_HOLD beside the queue, frames for a receiver that has no room are left, too,
	 * and the result has VMNET_HOLD: my driver calls again, and leaves it out when it has
	 * waited enough. */
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
};

#ifdef __cplusplus
}
#endif

#endif
