/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting, and returning the numbers under memcached's names. The numbers are read one after the
 * other, so they are not from one moment.
 */
#include "count.h"

static void hit_or_miss(const struct kv_call *call, long result, enum kv_stat hits,
			enum kv_stat misses)
{
	if (result >= 0)
		kv_count(call, hits);
	else if (result == -ENOENT)
		kv_count(call, misses);
}

void kv_count_result(const struct kv_call *call, enum kv_op op, long result)
{
	if (result == -EBUSY)
		kv_count(call, KV_STAT_BUSY);
	switch (op) {
	case KV_DELETE:
		hit_or_miss(call, result, KV_STAT_DELETE_HITS, KV_STAT_DELETE_MISSES);
		break;
	case KV_INCREMENT:
		hit_or_miss(call, result, KV_STAT_INCR_HITS, KV_STAT_INCR_MISSES);
		break;
	case KV_DECREMENT:
		hit_or_miss(call, result, KV_STAT_DECR_HITS, KV_STAT_DECR_MISSES);
		break;
	case KV_TOUCH:
	case KV_GET_TOUCH:
		hit_or_miss(call, result, KV_STAT_TOUCH_HITS, KV_STAT_TOUCH_MISSES);
		break;
	case KV_SET:
	case KV_ADD:
	case KV_REPLACE:
	case KV_APPEND:
	case KV_PREPEND:
	case KV_UPLOAD_END:
		kv_count(call, KV_STAT_CMD_SET);
		break;
	case KV_FLUSH:
		kv_count(call, KV_STAT_CMD_FLUSH);
		break;
	default:
		break;
	}
}

/* ------------------------------------------------------------------------------ telling */

/* Adds everything that the place's vCPUs have ever counted. These numbers never fall. */
static void add_counters(const struct kv_store *store, uint32_t place, uint64_t stat[KV_STATS])
{
	const uint32_t vcpus = store->callers.vcpus;

	for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++) {
		const uint64_t *count = kv_counters(store, place * vcpus + vcpu);

		for (uint32_t i = 0; i < KV_STATS; i++)
			stat[i] += kv_load(&count[i]);
	}
}

/* Reduces the numbers to what the attachment has counted. As long as the manager has not begun its
 * counts, they are 0. */
static void take_away(const struct kv_since *since, uint64_t attachment, uint64_t stat[KV_STATS])
{
	const int is_known = __atomic_load_n(&since->attachment, __ATOMIC_ACQUIRE) == attachment;

	for (uint32_t i = 0; i < KV_STATS; i++)
		stat[i] = is_known ? stat[i] - kv_load(&since->count[i]) : 0;
}

void kv_statistics_begin(struct kv_store *store, uint32_t place, uint64_t attachment)
{
	struct kv_since *since = kv_since(store, place);
	uint64_t stat[KV_STATS] = {0};

	add_counters(store, place, stat);
	__atomic_store_n(&since->attachment, 0, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < KV_STATS; i++)
		kv_store_word(&since->count[i], stat[i]);
	__atomic_store_n(&since->attachment, attachment, __ATOMIC_RELEASE);
}

void kv_statistics(const struct kv_store *store, const struct kv_space *space, uint32_t place,
		   uint64_t attachment, uint64_t stat[KV_STATS])
{
	const uint32_t shift = space->cell_shift;
	const struct kv_account *own = kv_account(space, place);

	for (uint32_t i = 0; i < KV_STATS; i++)
		stat[i] = 0;
	add_counters(store, place, stat);
	if (attachment != KV_MANAGER)
		take_away(kv_since(store, place), attachment, stat);
	stat[KV_STAT_CMD_GET] = stat[KV_STAT_GET_HITS] + stat[KV_STAT_GET_MISSES];
	stat[KV_STAT_CMD_TOUCH] = stat[KV_STAT_TOUCH_HITS] + stat[KV_STAT_TOUCH_MISSES];
	for (uint32_t i = 0; i < store->places; i++) {
		const uint64_t used = kv_load(&kv_account(space, i)->used);

		stat[KV_STAT_CURR_ITEMS] += KV_HIGH(used);
		stat[KV_STAT_BYTES] += (uint64_t)KV_LOW(used) << shift;
	}
	stat[KV_STAT_LIMIT_MAXBYTES] = (uint64_t)space->cell_count << shift;
	stat[KV_STAT_OWN_ITEMS] = KV_HIGH(kv_load(&own->used));
	stat[KV_STAT_OWN_BYTES] = (uint64_t)KV_LOW(kv_load(&own->used)) << shift;
	stat[KV_STAT_OWN_ITEMS_LIMIT] = KV_HIGH(kv_load(&own->limit));
	stat[KV_STAT_OWN_BYTES_LIMIT] = (uint64_t)KV_LOW(kv_load(&own->limit)) << shift;
	stat[KV_STAT_TIME] = kv_load(&store->now);
}
