/* SPDX-License-Identifier: Apache-2.0 */
/* What an uplink counts: direction ("in": from the interface to the switch), name, meaning. In
 * reports a counter is in the object of its direction, in OpenMetrics it is uplink_IN_NAME. */
#ifndef UPLINK_COUNTERS_H
#define UPLINK_COUNTERS_H

/* clang-format off */
#define UPLINK_COUNTER_LIST(COUNTER) \
	COUNTER(in, frames, "from the interface, given to the switch") \
	COUNTER(in, bytes, "of these") \
	COUNTER(in, gso, "of these frames, those of more than a segment") \
	COUNTER(in, missed, "found the kernel's queue full") \
	COUNTER(in, dropped_length, "shorter than 14 bytes or longer than 65535") \
	COUNTER(in, dropped_offload, "with an offload that no port has, as datagrams in one piece") \
	COUNTER(in, dropped_closed, "came while the port was not served") \
	COUNTER(out, frames, "from the switch, given to the interface") \
	COUNTER(out, bytes, "of these") \
	COUNTER(out, gso, "of these frames, those of more than a segment") \
	COUNTER(out, dropped_bad, "what the switch gave was no frame") \
	COUNTER(out, dropped_down, "the interface was down or not there") \
	COUNTER(out, dropped_length, "longer than the interface's MTU") \
	COUNTER(out, dropped_busy, "found the kernel's queue full") \
	COUNTER(out, dropped_refused, "refused by the kernel for another reason")
/* clang-format on */

#endif
