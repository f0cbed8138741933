/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table's code in the sub context. A call may end for ever at any instruction. So each
 * operation is one change (<elisa/sub/change.h>), which has happened as a whole or not at all.
 * Reading takes no lock.
 *
 * What a guest chose is checked once. Lengths are arguments, which no guest can change any more,
 * and the key is copied before it is looked at. A value is only bytes, which are copied between the
 * exchange buffer and a block.
 */
#include "object.h"

struct table table;

/* The key that the caller looks for. */
struct key {
	uint64_t hash;
	uint32_t length;
	uint8_t bytes[TABLE_KEY_MAX];
};

static long read_key(struct key *key, uint64_t offset, uint64_t length)
{
	if (!length || length > TABLE_KEY_MAX)
		return -EINVAL;
	if (elisa_copy_in(key->bytes, offset, length))
		return -EFAULT;
	key->length = (uint32_t)length;
	key->hash = elisa_hash(key->bytes, length, table.secret);
	return 0;
}

static int same_key(const struct table_item *item, uint32_t size, const struct key *key)
{
	return size >= TABLE_ITEM_HEAD + key->length && item->key_length == key->length &&
	       !__builtin_memcmp(item->bytes, key->bytes, key->length);
}

/* ------------------------------------------------------------------------ without the lock */

/*
 * Copies the entry that was found to the caller. Returns 1: done, with *result. Returns 0: the
 * entry has another key. Returns -EAGAIN: the entry has changed meanwhile, so what was read and
 * copied is void.
 */
static int try_entry(const struct elisa_find *find, elisa_ref block, const struct key *key,
		     uint64_t offset, uint64_t room, long *result)
{
	const struct table_item *item;
	struct elisa_view view;
	uint64_t length = 0;
	int found;

	if (elisa_view_open(&table.pool, block, &view))
		return -EAGAIN;
	item = view.data;
	found = same_key(item, view.size, key);
	if (found) {
		length = view.size - TABLE_ITEM_HEAD - key->length;
		*result = (long)length;
		if (elisa_copy_out(offset, item->bytes + key->length,
				   length < room ? length : room))
			*result = -EFAULT;
	}
	return elisa_find_same(find, &view) ? found : -EAGAIN;
}

static long get(const struct key *key, uint64_t offset, uint64_t room)
{
	struct elisa_find find;
	elisa_ref block;
	long result;

	for (uint32_t tries = 0; tries < 100; tries++) {
		int found = 0;

		for (block = elisa_find(&find, &table.index, key->hash); block;
		     block = elisa_find_next(&find)) {
			found = try_entry(&find, block, key, offset, room, &result);
			if (found)
				break;
		}
		if (found >= 0)
			return found ? result : -ENOENT;
	}
	return -EBUSY;
}

/* ---------------------------------------------------------------------- with a change begun */

static elisa_ref lookup(struct elisa_find *find, const struct key *key)
{
	elisa_ref block = elisa_find(find, &table.index, key->hash);

	while (block && !same_key(elisa_pool_at(&table.pool, block),
				  elisa_pool_size(&table.pool, block), key))
		block = elisa_find_next(find);
	return block;
}

static int may_change(elisa_ref block)
{
	const struct table_item *item = elisa_pool_at(&table.pool, block);

	return item->place == elisa_self_place();
}

static long put(const struct key *key, uint64_t offset, uint64_t length)
{
	const uint32_t place = elisa_self_place();
	struct elisa_find find;
	struct table_item *item;
	elisa_ref block, old = lookup(&find, key);
	long error;

	if (length > TABLE_VALUE_MAX)
		return -EINVAL;
	if (old && !may_change(old))
		return -EPERM;
	error = elisa_pool_alloc(&table.pool, &table.change, place,
				 (uint32_t)(TABLE_ITEM_HEAD + key->length + length), &block);
	if (error)
		return error;
	item = elisa_pool_at(&table.pool, block);
	item->place = place;
	item->key_length = key->length;
	elisa_copy(item->bytes, key->bytes, key->length);
	if (elisa_copy_in(item->bytes + key->length, offset, length))
		return -EFAULT;
	if (!old)
		return elisa_index_add(&table.index, &table.change, key->hash, block);
	elisa_index_replace(&find, &table.change, block);
	return elisa_pool_free(&table.pool, &table.change, old);
}

static long delete (const struct key *key)
{
	struct elisa_find find;
	const elisa_ref old = lookup(&find, key);

	if (!old)
		return -ENOENT;
	if (!may_change(old))
		return -EPERM;
	elisa_index_replace(&find, &table.change, 0);
	return elisa_pool_free(&table.pool, &table.change, old);
}

static long change(const struct elisa_caller *me, long op, const struct key *key, uint64_t offset,
		   uint64_t length)
{
	long error = elisa_change_begin(&table.change, me);

	if (error)
		return error;
	error = op == TABLE_PUT ? put(key, offset, length) : delete (key);
	if (!error)
		return elisa_change_commit(&table.change);
	elisa_change_cancel(&table.change);
	return error;
}

long entry_function(long op, long key_offset, long key_length, long offset, long length, long a5);

long entry_function(long op, long key_offset, long key_length, long offset, long length, long a5)
{
	struct elisa_caller me;
	struct key key;
	long error = elisa_enter(&table.callers, &me);

	(void)a5;
	if (error)
		return error;
	if (op == TABLE_USED)
		return (long)elisa_pool_used(&table.pool, elisa_self_place());
	error = read_key(&key, (uint64_t)key_offset, (uint64_t)key_length);
	if (error)
		return error;
	switch (op) {
	case TABLE_GET:
		return get(&key, (uint64_t)offset, (uint64_t)length);
	case TABLE_PUT:
	case TABLE_DELETE:
		return change(&me, op, &key, (uint64_t)offset, (uint64_t)length);
	}
	return -EINVAL;
}
