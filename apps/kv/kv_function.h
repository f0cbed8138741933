/* SPDX-License-Identifier: Apache-2.0 */
/* The function's two symbols, for its manager and for tests. */
#ifndef KV_FUNCTION_H
#define KV_FUNCTION_H

#include "store/call.h"

/* From this variable to the store, in the object area; by the manager, before it publishes. */
extern int64_t kv_store_distance;

long entry_function(long what, long key, long value, long length, long number, long meta);

#endif
