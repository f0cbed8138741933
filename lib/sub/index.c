/* SPDX-License-Identifier: Apache-2.0 */
/* An index of a fixed size; <elisa/sub/index.h> has the story. */
#include <stddef.h>
#include <elisa/sub/index.h>

/*
 * While the first bucket has at least this many free slots, an entry goes there, so that readers
 * find it in one cache line. Below, it goes into the bucket with more free slots, so that both
 * buckets of a hash are seldom full.
 */
#define KEEP_FREE 3

int elisa_index_init(struct elisa_index *index, struct elisa_bucket *buckets, uint64_t count)
{
	const struct elisa_bucket nothing = {0};

	if (!count || count & (count - 1) || count > 1u << 30)
		return -EINVAL;
	index->buckets = (int64_t)((uintptr_t)buckets - (uintptr_t)index);
	index->mask = count - 1;
	for (uint64_t i = 0; i < count; i++)
		buckets[i] = nothing;
	return 0;
}

/* Returns the first free slot of the bucket, so that readers find the entry soon. *count: the
 * number of its free slots. */
static uint64_t *free_slot(struct elisa_bucket *bucket, struct elisa_change *change,
			   uint32_t *count)
{
	uint64_t *found = NULL;

	*count = 0;
	for (uint32_t i = 0; i < ELISA_INDEX_WAYS; i++)
		if (!bucket->slot[i] && !elisa_change_get(change, &bucket->slot[i])) {
			found = found ? found : &bucket->slot[i];
			++*count;
		}
	return found;
}

int elisa_index_add(struct elisa_index *index, struct elisa_change *change, uint64_t hash,
		    elisa_ref block)
{
	struct elisa_bucket *two[2] = {elisa_index_bucket(index, hash),
				       elisa_index_other(index, hash)};
	uint64_t *slot[2];
	uint32_t count[2];

	for (int i = 0; i < 2; i++)
		slot[i] = free_slot(two[i], change, &count[i]);
	if (!count[0] && !count[1])
		return -ENOSPC;
	elisa_change_set(change, slot[count[0] < KEEP_FREE && count[1] > count[0]],
			 (hash >> 32) << 32 | block);
	return 0;
}

void elisa_index_replace(const struct elisa_find *find, struct elisa_change *change,
			 elisa_ref block)
{
	elisa_change_set(change, find->slot, block ? find->tag << 32 | block : 0);
}
