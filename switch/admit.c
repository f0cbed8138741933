/* SPDX-License-Identifier: Apache-2.0 */
/* Admission of what is not the common case; see admit.h. */
#include "admit.h"

uint32_t rvs_admit_other(struct rvs_sender *s, uint64_t source)
{
	if ((source & RVS_GROUP_BIT) || !source)
		return RVS_DROP_BAD_SOURCE;
	if (!rvs_source(s->rvs, s->port_number, source, s->now))
		return RVS_DROP_SPOOFED;
	return RVS_GOOD;
}

/* IEEE 802.1Q, 8.6.3: a bridge does not forward these; 802.3, 31B and 57B: pause frames (MAC
 * control) and slow protocols are for the other end of a cable. The type is at the end of rest. */
uint32_t rvs_admit_flood(const struct rvs_sender *s, uint64_t dst, uint64_t rest)
{
	const uint32_t type = (uint32_t)(rest >> 48), last = dst >> 40 & 0xf;

	if (type == RVS_TYPE_MAC_CONTROL || type == RVS_TYPE_SLOW)
		return RVS_DROP_LINK_LOCAL;
	if ((dst & RVS_LINK_LOCAL_MASK) != RVS_LINK_LOCAL)
		return RVS_GOOD;
	return s->port->flags & RVS_FORWARD_LINK_LOCAL && last != 1 && last != 2 ?
		       RVS_GOOD :
		       RVS_DROP_LINK_LOCAL;
}
