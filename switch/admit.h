/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: what a port's policy lets through. All frames come by here, those of the short way (run.h)
 * and those of the long one (take.c), and nothing else decides it. What is asked about was read once, so that
 * the answer holds for what is delivered, whatever the sender's memory holds by then.
 */
#ifndef RVS_ADMIT_H
#define RVS_ADMIT_H

#include "internal.h"

/* admit.c: the same for a source that is not the port's own; the table learns it if it may. */
uint32_t rvs_admit_other(struct rvs_sender *s, uint64_t source);

/* May a frame from this address go on? RVS_GOOD, or why not. */
static inline uint32_t rvs_admit(struct rvs_sender *s, uint64_t source)
{
	if (rvs_likely(source == s->port->own_source))
		return RVS_GOOD;
	return rvs_admit_other(s, source);
}

/* admit.c: may a frame that no port is known for go to all others? dst: its first 6 bytes, rest: the
 * following 8. */
uint32_t rvs_admit_flood(const struct rvs_sender *s, uint64_t dst, uint64_t rest);

#endif
