/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: what a port's policy lets through. All frames come by here, those of the short way
 * (run.h) and those of the long one (take.c), and nothing else decides it. What is asked about was
 * read once, so that the answer holds for what is delivered, whatever the sender's memory holds by
 * then.
 */
#ifndef RVS_ADMIT_H
#define RVS_ADMIT_H

#include "internal.h"

/* admit.c: may frame n go on, of which all is set but its VLAN? RVS_GOOD, or why not. Sets the
 * VLAN; a tag of it makes the frame a special one. The table learns its source if it may. */
uint32_t rvs_admit(struct rvs_sender *s, uint32_t n);

/* admit.c: may frame n, which no port is known for, go to all others of its VLAN? */
uint32_t rvs_admit_flood(struct rvs_sender *s, uint32_t n);

/* admit.c: may frame n leave at this port? RVS_GOOD, or why not; *tag: with its VLAN's tag. The
 * lock of a receive queue of the port is held, else the answer is a guess: a port may come back
 * with another policy. */
uint32_t rvs_admit_exit(const struct rvs_sender *s, uint32_t n, const struct rvs_port *to,
			uint32_t *tag);

#endif
