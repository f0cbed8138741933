/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is visible of an uplink, also for another process, in memory that both map: its state and
 * its counters. Each word has one writer, and may be read at any time.
 */
#ifndef UPLINK_SEEN_H
#define UPLINK_SEEN_H

#include <stdint.h>

/*
 * Direction ("in": from the interface to the switch), name, meaning. In reports, a counter is in
 * the object of its direction. In OpenMetrics, it is uplink_IN_NAME.
 */
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

enum uplink_state {
	UPLINK_GONE, /* there is no such interface, or it cannot be used */
	UPLINK_DOWN,
	UPLINK_UP,
	UPLINK_STATES,
};

/* The thread of each direction writes its counters. Only `missed`, which the kernel counts, is
 * written by the owner's thread. */
struct uplink_counts {
	uint64_t frames, bytes, gso;
	uint64_t dropped_length;
	/* direction in */
	uint64_t missed, dropped_offload, dropped_closed;
	/* direction out */
	uint64_t dropped_bad, dropped_down, dropped_busy, dropped_refused;
} __attribute__((aligned(128)));

struct uplink_seen {
	struct uplink_counts in, out;
	uint32_t state; /* enum uplink_state */
};

#endif
