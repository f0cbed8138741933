/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an operation may store an item where another one is, or none. */
#ifndef KV_RULES_H
#define KV_RULES_H

#include "items.h"

/* Begun: may the place change what was found? 0 or -EPERM. */
int kv_may_change(const struct kv_call *call, const struct kv_found *found);

/*
 * Begun: 0, or an error of exchange.h. op: KV_SET to KV_DECREMENT. cas: the number that the item
 * must have, or 0. Counts what memcached counts.
 */
int kv_may_store(const struct kv_call *call, enum kv_op op, uint64_t cas,
		 const struct kv_found *found);

#endif
