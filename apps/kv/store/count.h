/* SPDX-License-Identifier: Apache-2.0 */
/* How results are counted, under memcached's names. */
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

/* statistics.c: counts the result of any operation but a get. */
void kv_count_result(const struct kv_call *call, enum kv_op op, long result);

#endif
