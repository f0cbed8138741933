/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table's memory: what the function and the manager's process agree on. It is a variable of the
 * function's object, so it lies in the object area. Guests reach it through the function only.
 */
#ifndef TABLE_OBJECT_H
#define TABLE_OBJECT_H

#include <stddef.h>
#include <elisa/sub.h>
#include "table.h"

#define TABLE_PLACES 16 /* guests at a time */
#define TABLE_VCPUS  8	/* vCPUs of each that may call */
#ifndef TABLE_MEMORY	/* a test makes it smaller */
#define TABLE_BUCKETS	 4096
#define TABLE_MEMORY	 (8u << 20)
#define TABLE_SLAB_SHIFT 16
#endif
#define TABLE_SHARE (TABLE_MEMORY / TABLE_PLACES) /* bytes that a place may use */

/* A block of the pool. The value lies behind the key, up to the end of the bytes that were asked
 * for. */
struct table_item {
	uint32_t place;
	uint32_t key_length;
	uint8_t bytes[TABLE_KEY_MAX + TABLE_VALUE_MAX];
};
#define TABLE_ITEM_HEAD offsetof(struct table_item, bytes)

struct table {
	struct elisa_callers callers;
	struct elisa_caller_record record[ELISA_CALLER_RECORDS(TABLE_PLACES, TABLE_VCPUS)]
		__attribute__((aligned(64)));
	struct elisa_change change; /* protects pool and index */
	struct elisa_pool pool;
	struct elisa_index index;
	uint64_t secret; /* for the hash */
	struct elisa_bucket bucket[TABLE_BUCKETS] __attribute__((aligned(64)));
	uint8_t memory[TABLE_MEMORY] __attribute__((aligned(64)));
};

extern struct table table;

#endif
