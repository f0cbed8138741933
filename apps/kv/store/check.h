/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: checks that a store is consistent. */
#ifndef KV_CHECK_H
#define KV_CHECK_H

#include "store.h"

/*
 * Checks that each cell is free, an item's or an upload's, and that each count is right. Nothing
 * else may run, and no change may be half made. Returns what is wrong, or NULL.
 */
const char *kv_check(const struct kv_store *store);

#endif
