/* SPDX-License-Identifier: Apache-2.0 */
/* elisa-kv's function: its two symbols, for its manager and for tests; and what its files share. */
#ifndef KV_FUNCTION_H
#define KV_FUNCTION_H

#include "store/call.h"

#define KV_SYMBOL __attribute__((visibility("default")))

/* Distance from this variable to the store, in the object area. The manager sets it before it
 * publishes. */
extern KV_SYMBOL int64_t kv_store_distance;

KV_SYMBOL long entry_function(long what, long key, long value, long length, long number, long meta);

/* ------------------------------------------------------------------ between the files */

struct kv_request {
	uint32_t op;
	uint32_t key_length; /* or a count */
	uint64_t key, value, length, number, meta;
};

/* requests.c: tells whether a place with these rights may do the operation. */
int kv_may(uint32_t op, uint32_t rights);

/* requests.c: performs an operation that is allowed. */
long kv_perform(const struct kv_call *call, const struct kv_request *request);

#endif
