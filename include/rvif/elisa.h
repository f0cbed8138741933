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
 * The transport over ELISA. @where is the export's name, or the path of a file with a port's
 * ticket. A path begins with '/'.
 * - open needs /dev/elisa. It gives the errors of elisa_open(), elisa_attach() and elisa_donate(),
 *   and -EINVAL for a file that holds no ticket.
 * - announce gives -EPROTO if the export is no switch of elisa-vmnet, or one of another version.
 * - kick moves everything that is posted in the queue. It gives -ENOTCONN when the manager is gone,
 *   and -EAGAIN when the switch cannot do it now. It gives -ETIME or -EIO when the host ended the
 *   call. For -EBUSY see hold_us of the vNIC.
 * - reconnect gives the errors of open.
 * Only one thread at a time may use a queue, and none after fork(). A receiver sleeps until the
 * VM's doorbell rings. In a VM without a doorbell it polls now and then.
 */
extern const struct rvif_transport rvif_over_elisa;

/*
 * Says why open, announce or reconnect failed last in this thread: what was wrong with which value,
 * and what to do about it. The text is valid until one of them fails again in this thread.
 */
const char *rvif_elisa_error(void);

#ifdef __cplusplus
}
#endif

#endif
