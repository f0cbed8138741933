/* SPDX-License-Identifier: Apache-2.0 */
/* What enum rvs_drop is called in reports. For tools: the switch itself has no pointers to relocate. */
#ifndef RVS_DROP_NAMES_H
#define RVS_DROP_NAMES_H

#include "rvs.h"

static const char *const rvs_drop_names[RVS_DROPS] = {
	[RVS_DROP_BAD_DESC] = "bad_desc",
	[RVS_DROP_BAD_LENGTH] = "bad_length",
	[RVS_DROP_BAD_CHAIN] = "bad_chain",
	[RVS_DROP_BAD_OFFLOAD] = "bad_offload",
	[RVS_DROP_BAD_SOURCE] = "bad_source",
	[RVS_DROP_SPOOFED] = "spoofed",
	[RVS_DROP_SAME_PORT] = "same_port",
	[RVS_DROP_NO_RECEIVER] = "no_receiver",
	[RVS_DROP_DETACHED] = "detached",
	[RVS_DROP_BUSY] = "busy",
	[RVS_DROP_FULL] = "full",
	[RVS_DROP_TOO_LONG] = "too_long",
	[RVS_DROP_NO_GSO] = "no_gso",
	[RVS_DROP_BAD_BUFFER] = "bad_buffer",
	[RVS_DROP_ABANDONED] = "abandoned",
};

#endif
