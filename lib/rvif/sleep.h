/* SPDX-License-Identifier: Apache-2.0 */
/* How a driver and a switch that map the same memory sleep: with futexes in that memory. */
#ifndef RVIF_SLEEP_H
#define RVIF_SLEEP_H

#include <rvif/driver.h>

/* For rvif_transport.wait: sleeps on `completed` of the receive queue, which the switch's owner
 * wakes. */
int rvif_futex_wait(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen, uint32_t timeout_us);
/* For rvif_transport.kick: wakes the switch, which sleeps on one word for all queues. */
int rvif_futex_kick(struct rvif_vnic *vnic, uint32_t queue);

#endif
