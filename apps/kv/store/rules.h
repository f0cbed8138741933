/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an operation may store an item where there is another one, or none. */
#ifndef KV_RULES_H
#define KV_RULES_H

#include "items.h"

/* Tells whether the place may change what was found. The caller has begun a change. Returns 0 or
 * -EPERM. */
int kv_may_change(const struct kv_call *call, const struct kv_found *found);

/*
 * Tells whether the operation may store. The caller has begun a change. op: KV_SET to KV_DECREMENT.
 * cas: the number that the item must have, or 0. Returns 0, or an error of exchange.h. Counts what
 * memcached counts.
 */
int kv_may_store(const struct kv_call *call, enum kv_op op, uint64_t cas,
		 const struct kv_found *found);

#endif
