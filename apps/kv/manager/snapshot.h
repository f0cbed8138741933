/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a snapshot: a head, the names of spaces and places, items, an end with a sum of all
 * before it. Numbers are of this machine's order. It is the manager's own file, and is read
 * nevertheless as one that may be damaged.
 */
#ifndef KV_SNAPSHOT_H
#define KV_SNAPSHOT_H

#include <stdint.h>
#include "daemon.h"

#define SNAPSHOT_MAGIC "elisakv1"
#define SNAPSHOT_END   UINT32_MAX /* instead of a space */

struct snapshot_head {
	char magic[8];
	uint64_t time; /* seconds since 1970 */
	uint32_t spaces, places;
};

/* Key and value follow. */
struct snapshot_item {
	uint32_t space, place, flags, ttl, key_length, length;
};

/* Behind an item whose space is SNAPSHOT_END and that is 0 otherwise. */
struct snapshot_end {
	uint64_t items, sum;
};

#endif
