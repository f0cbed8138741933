/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a snapshot: a head, the names of spaces and places, items, and an end with a sum of
 * everything before it. Numbers have this machine's byte order. It is the manager's own file, but
 * it may be damaged, so it is read with care.
 */
#ifndef KV_SNAPSHOT_H
#define KV_SNAPSHOT_H

#include <stdint.h>
#include "daemon.h"

#define SNAPSHOT_MAGIC "elisakv1"
#define SNAPSHOT_END   UINT32_MAX /* in place of a space */

struct snapshot_head {
	char magic[8];
	uint64_t time; /* seconds since 1970 */
	uint32_t spaces, places;
};

/* The key and the value follow it. */
struct snapshot_item {
	uint32_t space, place, flags, ttl, key_length, length;
};

/* The end follows an item with the space SNAPSHOT_END and 0 in all other fields. */
struct snapshot_end {
	uint64_t items, sum;
};

#endif
