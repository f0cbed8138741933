/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index, with blocks and a hash, as a table uses them: a reader without a lock sees an entry as
 * it was or as it is, whole, at whatever instruction a writer comes or stops.
 */
#include <string.h>
#include "sub.h"

enum {
	PUT, /* key a1 has value a2 */
	GET, /* is it whole? the value */
	REMOVE,
	BUCKETS = 4,
	SIZE = 5 * 4096,
	WORDS = 6,
};

struct item {
	uint64_t key;
	uint64_t value[WORDS]; /* all the same */
};

static struct sub_callers callers;
static struct {
	struct elisa_change change;
	struct elisa_pool pool;
	struct elisa_index index;
	struct elisa_bucket bucket[BUCKETS] __attribute__((aligned(64)));
	uint64_t memory[SIZE / 8] __attribute__((aligned(64)));
} object;

static uint64_t hash_of(uint64_t key)
{
	return elisa_hash(&key, sizeof(key), 0x1234567);
}

static elisa_ref find(struct elisa_find *at, uint64_t key)
{
	elisa_ref block = elisa_find(at, &object.index, hash_of(key));

	while (block && ((struct item *)elisa_pool_at(&object.pool, block))->key != key)
		block = elisa_find_next(at);
	return block;
}

static int put(uint64_t key, uint64_t value)
{
	struct elisa_find at;
	struct item *item;
	elisa_ref block, old;
	const int error = elisa_pool_alloc(&object.pool, &object.change, 0, sizeof(*item), &block);

	if (error)
		return error;
	item = elisa_pool_at(&object.pool, block);
	item->key = key;
	for (int i = 0; i < WORDS; i++)
		((volatile struct item *)item)->value[i] = value;
	old = find(&at, key);
	if (!old)
		return elisa_index_add(&object.index, &object.change, hash_of(key), block);
	elisa_index_replace(&at, &object.change, block);
	return elisa_pool_free(&object.pool, &object.change, old);
}

static int remove_(uint64_t key)
{
	struct elisa_find at;
	const elisa_ref old = find(&at, key);

	if (!old)
		return -ENOENT;
	elisa_index_replace(&at, &object.change, 0);
	return elisa_pool_free(&object.pool, &object.change, old);
}

/* What the block has, if it is the key's. 1: it is, 0: another's, -EAGAIN: it changed meanwhile. */
static int look(const struct elisa_find *at, elisa_ref block, uint64_t key, struct item *item)
{
	struct elisa_view view;

	if (elisa_view_open(&object.pool, block, &view) || view.size != sizeof(*item))
		return -EAGAIN;
	elisa_copy(item, view.data, sizeof(*item));
	if (!elisa_find_same(at, &view))
		return -EAGAIN;
	return item->key == key;
}

static long get(uint64_t key)
{
	struct elisa_find at;
	struct item item;
	int found;

again:
	for (elisa_ref block = elisa_find(&at, &object.index, hash_of(key)); block;
	     block = elisa_find_next(&at)) {
		found = look(&at, block, key, &item);
		if (found < 0)
			goto again;
		if (!found)
			continue;
		for (int i = 1; i < WORDS; i++)
			if (item.value[i] != item.value[0])
				return -EILSEQ;
		return (long)item.value[0];
	}
	return -ENOENT;
}

static long function(long op, long a1, long a2, long a3, long a4, long a5)
{
	struct elisa_caller me;
	long error = elisa_enter(&callers.table, &me), committed;

	(void)a3, (void)a4, (void)a5;
	if (error || op == GET)
		return error ? error : get((uint64_t)a1);
	error = elisa_change_begin(&object.change, &me);
	if (error)
		return error;
	error = op == PUT ? put((uint64_t)a1, (uint64_t)a2) : remove_((uint64_t)a1);
	if (error) {
		elisa_change_cancel(&object.change);
		return error;
	}
	committed = elisa_change_commit(&object.change);
	return committed;
}

static int start(void **state)
{
	(void)state;
	memset(&object, 0, sizeof(object));
	sub_start(&callers, function, &object, sizeof(object));
	assert_int_equal(elisa_pool_init(&object.pool, object.memory, SIZE, 12, 1, NULL), 0);
	assert_int_equal(elisa_index_init(&object.index, object.bucket, BUCKETS), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sub_end();
	return 0;
}

static uint64_t entries(void)
{
	uint64_t n = 0;

	for (int i = 0; i < BUCKETS; i++)
		for (uint32_t j = 0; j < ELISA_INDEX_WAYS; j++)
			n += object.bucket[i].slot[j] != 0;
	return n;
}

static void whole(void)
{
	const char *wrong = elisa_pool_check(&object.pool);
	const long value = sub_call(1, GET, 5, 0);

	if (wrong)
		fail_msg("%s", wrong);
	assert_int_equal(elisa_pool_used(&object.pool, 0), entries() * 80);
	assert_true(value == -ENOENT || (value >= 10 && value < 20));
}

static void writers_abandoned(void **state)
{
	(void)state;
	assert_true(sub_abandon((struct sub_call){PUT, 5, 11}, (struct sub_call){PUT, 5, 12},
				whole) > 300);
	sub_abandon((struct sub_call){PUT, 5, 13}, (struct sub_call){PUT, 5, 14}, whole);
	sub_abandon((struct sub_call){PUT, 5, 15}, (struct sub_call){REMOVE, 5, 0}, whole);
	sub_abandon((struct sub_call){REMOVE, 5, 0}, (struct sub_call){PUT, 5, 16}, whole);
}

static long now_op, now_value;

static void write_now(void *unused)
{
	(void)unused;
	assert_int_equal(sub_call(0, now_op, 5, now_value), 0);
}

/* Twice, so that the block that was being read is filled in again, with another value each time. */
static void write_much(void *unused)
{
	static long values;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		now_value = 10 + values++ % 9;
		write_now(NULL);
	}
}

static long got;

static void read_now(void *unused)
{
	(void)unused;
	got = sub_call(1, GET, 5, 0);
	assert_true(got >= 10 && got < 20);
}

static void writers_beside_a_reader(void **state)
{
	uint32_t n;

	(void)state;
	now_op = PUT;
	now_value = 19;
	write_now(NULL);
	for (n = 1; elisa_step_once(read_now, n, write_much, NULL); n++)
		;
	assert_true(n > 100);
}

static void reader_beside(void *unused, uint32_t n)
{
	(void)n;
	read_now(unused);
}

static void a_reader_beside_a_writer(void **state)
{
	(void)state;
	now_op = PUT;
	for (now_value = 10; now_value < 14; now_value++)
		if (now_value == 10)
			write_now(NULL);
		else
			assert_true(elisa_step_each(write_now, NULL, 0, reader_beside, NULL) > 300);
}

/* A reader that has found an entry of a slab that gets blocks of another size. */
static void the_slab_becomes_another(void *unused)
{
	struct elisa_caller me;
	elisa_ref block;

	(void)unused;
	now_op = REMOVE;
	write_now(NULL);
	elisa_enter_manager(&callers.table, &me);
	assert_int_equal(elisa_change_begin(&object.change, &me), 0);
	assert_int_equal(elisa_pool_alloc(&object.pool, &object.change, 0, 2000, &block), 0);
	memset(elisa_pool_at(&object.pool, block), 0xfe, 2000);
	assert_int_equal(elisa_change_commit(&object.change), 0);
	assert_int_equal(elisa_change_begin(&object.change, &me), 0);
	assert_int_equal(elisa_pool_free(&object.pool, &object.change, block), 0);
	assert_int_equal(elisa_change_commit(&object.change), 0);
}

static void read_or_not(void *unused)
{
	(void)unused;
	got = sub_call(1, GET, 5, 0);
	assert_true(got == 10 || got == -ENOENT);
}

static void slabs_change_beside_a_reader(void **state)
{
	uint32_t n = 0;

	(void)state;
	do {
		now_op = PUT;
		now_value = 10;
		write_now(NULL);
		n += 7;
	} while (elisa_step_once(read_or_not, n, the_slab_becomes_another, NULL));
	assert_true(n > 100);
}

static void many_keys(void **state)
{
	uint64_t put_ = 0;

	(void)state;
	assert_int_equal(elisa_index_init(&object.index, object.bucket, 3), -EINVAL);
	assert_int_equal(elisa_index_init(&object.index, object.bucket, 0), -EINVAL);
	for (long key = 1; key <= 64; key++) {
		const long error = sub_call(0, PUT, key, key * 3);

		assert_true(!error || error == -ENOSPC);
		put_ += !error;
		if (key == BUCKETS * ELISA_INDEX_WAYS / 2)
			assert_int_equal(put_,
					 key); /* half of the slots can be had, with any luck */
	}
	assert_in_range(put_, BUCKETS * ELISA_INDEX_WAYS * 3 / 4, BUCKETS * ELISA_INDEX_WAYS);
	assert_int_equal(entries(), put_);
	assert_int_equal(elisa_pool_used(&object.pool, 0), put_ * 80);
	for (long key = 1; key <= 64; key++) {
		const long value = sub_call(1, GET, key, 0);

		assert_true(value == key * 3 || value == -ENOENT);
		put_ -= value > 0;
		assert_int_equal(sub_call(0, REMOVE, key, 0), value > 0 ? 0 : -ENOENT);
		assert_int_equal(sub_call(1, GET, key, 0), -ENOENT);
	}
	assert_int_equal(put_, 0);
	assert_int_equal(elisa_pool_used(&object.pool, 0), 0);
	/* of one bucket */
	assert_int_equal(elisa_index_init(&object.index, object.bucket, 1), 0);
	assert_int_equal(sub_call(0, PUT, 1, 2), 0);
	assert_int_equal(sub_call(0, GET, 1, 0), 2);
}

static void hashes(void **state)
{
	uint8_t bytes[40] = {0};
	uint64_t seen[400], n = 0;

	(void)state;
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		seen[n++] = elisa_hash(bytes, length, 1);
		seen[n++] = elisa_hash(bytes, length, 2);
		for (size_t i = 0; i < length; i += 5) {
			bytes[i] = 1;
			seen[n] = elisa_hash(bytes, length, 1);
			bytes[i] = 0;
			assert_in_range(__builtin_popcountll(seen[n] ^ seen[n - i / 5 - 2]), 8, 56);
			n++;
		}
	}
	for (uint64_t i = 0; i < n; i++)
		for (uint64_t j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writers_abandoned, start, end),
		cmocka_unit_test_setup_teardown(writers_beside_a_reader, start, end),
		cmocka_unit_test_setup_teardown(a_reader_beside_a_writer, start, end),
		cmocka_unit_test_setup_teardown(slabs_change_beside_a_reader, start, end),
		cmocka_unit_test_setup_teardown(many_keys, start, end),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
