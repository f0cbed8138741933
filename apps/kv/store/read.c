/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, without a lock; read.h has the story. */
#include "read.h"

#define TRIES 64

int kv_is_long_key(const struct kv_space *space, struct kv_head *head, const struct kv_key *key)
{
	struct kv_walk walk;

	kv_walk_from(&walk, space, head);
	return kv_walk_same(&walk, key->bytes, key->length);
}

int kv_copy_long_value(const struct kv_space *space, struct kv_head *head, uint64_t skip, void *to,
		       uint64_t bytes)
{
	struct kv_walk walk;

	kv_walk_from(&walk, space, head);
	return kv_walk_skip(&walk, skip) ? -EAGAIN : kv_walk_out(&walk, to, bytes);
}

long kv_read_dead(const struct kv_call *call, uint64_t version)
{
	kv_count(call, version <= kv_load(&call->space->flushed) ? KV_STAT_GET_FLUSHED :
								   KV_STAT_GET_EXPIRED);
	return -ENOENT;
}

static long several_times(const struct kv_call *call, const struct kv_key *key,
			  struct kv_reply reply, struct kv_part part)
{
	for (uint32_t tries = 0; tries < TRIES; tries++) {
		const long result = kv_read_once(call, key, reply, part, 0);

		if (result != KV_AGAIN)
			return result;
	}
	return -EBUSY;
}

long kv_get(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply)
{
	const struct kv_part all = {0, 0};

	return several_times(call, key, reply, all);
}

long kv_get_piece(const struct kv_call *call, const struct kv_key *key, struct kv_reply reply,
		  uint64_t cas, uint32_t offset)
{
	const struct kv_part part = {cas, offset};

	/* no item has the number 0 */
	return cas ? several_times(call, key, reply, part) : -ESTALE;
}
