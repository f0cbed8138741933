/* SPDX-License-Identifier: Apache-2.0 */
/* How a receiver sleeps whose switch maps its memory: with a futex on completed. */
#ifndef RVIF_SLEEP_H
#define RVIF_SLEEP_H

#include <rvif/driver.h>

/* rvif_transport.wait; the switch's owner wakes it. */
int rvif_futex_wait(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen, uint32_t timeout_us);

#endif
