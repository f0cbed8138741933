/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: which frames a port's policy lets through. All frames pass here, those of the short
 * way (run.h) and those of the long way (take.c). No other code decides about policy. The bytes
 * that admission looks at were read once. So its answer holds for the delivered frame, even if the
 * sender changes its memory meanwhile.
 */
#ifndef RVS_ADMIT_H
#define RVS_ADMIT_H

#include "internal.h"

/*
 * admit.c: decides whether frame n may go on. All of the frame is set but its VLAN, which this
 * sets. A tag makes the frame a special one. The table learns the frame's source, if the port may
 * teach it. Returns RVS_GOOD or the reason.
 */
uint32_t rvs_admit(struct rvs_sender *s, uint32_t n);

/* admit.c: decides whether frame n, whose receiver is unknown, may go to all ports of its VLAN. */
uint32_t rvs_admit_flood(struct rvs_sender *s, uint32_t n);

/*
 * admit.c: decides whether frame n may leave at this port, and whether with its VLAN's tag (*tag).
 * Returns RVS_GOOD or the reason. The caller holds the lock of a receive queue of the port. Without
 * it the answer is a guess, because a port may come back with another policy.
 */
uint32_t rvs_admit_exit(const struct rvs_sender *s, uint32_t n, const struct rvs_port *to,
			uint32_t *tag);

#endif
