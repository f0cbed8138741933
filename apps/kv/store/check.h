/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: is a store what it says? */
#ifndef KV_CHECK_H
#define KV_CHECK_H

#include "store.h"

/*
 * Each cell is free, an item's or an upload's, and each count is right. Nothing else may run, and
 * no change may be half made. What is wrong, or NULL.
 */
const char *kv_check(const struct kv_store *store);

#endif
