/* SPDX-License-Identifier: Apache-2.0 */
/* How driver and switch sleep that map the same memory: with futexes in it. */
#ifndef RVIF_SLEEP_H
#define RVIF_SLEEP_H

#include <rvif/driver.h>

/* rvif_transport.wait: on completed of the queue; the switch's owner wakes it. */
int rvif_futex_wait(struct rvif_vnic *vnic, uint32_t queue, uint32_t seen, uint32_t timeout_us);
/* rvif_transport.kick: the switch sleeps on one word for all queues. */
int rvif_futex_kick(struct rvif_vnic *vnic, uint32_t queue);

#endif
