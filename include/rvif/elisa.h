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
 * thread at a time a queue; not after fork(). A receiver sleeps until the VM's doorbell rings, or,
 * in a VM without one, looks now and then. reconnect: the errors of open.
 */
extern const struct rvif_transport rvif_over_elisa;

/*
 * Why open, announce or reconnect failed last in this thread: what was wrong with which value, and
 * what to do about it. Valid until one of them fails again in this thread.
 */
const char *rvif_elisa_error(void);

#ifdef __cplusplus
}
#endif

#endif
