/* SPDX-License-Identifier: Apache-2.0 */
/* What results count as, under memcached's names. */
#ifndef KV_COUNT_H
#define KV_COUNT_H

#include "call.h"

static inline long kv_count_get(const struct kv_call *call, long result)
{
	if (__builtin_expect(result >= 0, 1))
		kv_count(call, KV_STAT_GET_HITS);
	else if (result == -ENOENT)
		kv_count(call, KV_STAT_GET_MISSES);
	return result;
}

/* statistics.c: of all but gets. */
void kv_count_result(const struct kv_call *call, enum kv_op op, long result);

#endif
