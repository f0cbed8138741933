/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tutorial's application in this process: what it does, and that no guest can harm another's
 * entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <elisa/sub_test.h>
#include "manager.h"
#include "../../lib/sub/pool.h"

#define VALUE 256 /* offset in the exchange buffer */

long entry_function(long op, long key_offset, long key_length, long offset, long length, long a5);

static struct elisa_test *test;
static struct elisa_test_attachment *guest[2];

static void on_event(void *unused, const struct elisa_event *event)
{
	(void)unused;
	elisa_callers_event(&table.callers, event);
}

static int start(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	assert_int_equal(table_init(&table, 12345), 0);
	assert_int_equal(elisa_test_new(entry_function, &test), 0);
	assert_int_equal(elisa_test_memory(test, &table, sizeof(table)), 0);
	elisa_test_manager(test, on_event, NULL);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(elisa_test_attach(test, i, ELISA_PAGE_SIZE, &guest[i]), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	elisa_test_free(test);
	return 0;
}

static long call(int who, long op, const char *key, const char *value)
{
	char *buffer = elisa_test_exchange(guest[who]);
	struct elisa_result result;

	strcpy(buffer, key);
	strcpy(buffer + VALUE, value);
	result = elisa_test_call(guest[who], 0, op, 0, (long)strlen(key), VALUE,
				 (long)strlen(value), 0);
	assert_int_equal(result.error, 0);
	return result.value;
}

static long get(int who, const char *key, char value[64])
{
	char *buffer = elisa_test_exchange(guest[who]);
	struct elisa_result result;

	strcpy(buffer, key);
	result = elisa_test_call(guest[who], 1, TABLE_GET, 0, (long)strlen(key), VALUE, 63, 0);
	assert_int_equal(result.error, 0);
	if (result.value >= 0) {
		memcpy(value, buffer + VALUE, (size_t)result.value);
		value[result.value] = 0;
	}
	return result.value;
}

static void must_be(int who, const char *key, const char *value)
{
	char is[64];

	assert_int_equal(get(who, key, is), strlen(value));
	assert_string_equal(is, value);
}

/* Pool and index agree: each block is an entry of its key, and of nothing else. */
static void check(void)
{
	const char *wrong = elisa_pool_check(&table.pool);
	uint64_t bytes = 0, used = 0;

	if (wrong)
		fail_msg("%s", wrong);
	for (uint32_t i = 0; i < TABLE_PLACES; i++)
		used += elisa_pool_used(&table.pool, i);
	for (uint32_t i = 0; i < TABLE_BUCKETS * ELISA_INDEX_WAYS; i++) {
		const uint64_t slot = table.bucket[i / ELISA_INDEX_WAYS].slot[i % ELISA_INDEX_WAYS];
		const struct table_item *item = elisa_pool_at(&table.pool, (elisa_ref)slot);

		if (!slot)
			continue;
		assert_int_equal(slot >> 32,
				 elisa_hash(item->bytes, item->key_length, table.secret) >> 32);
		bytes += pool_class_size(
			(uint32_t)pool_slab(&table.pool,
					    ((uint32_t)slot - 1) >> (TABLE_SLAB_SHIFT - 4))
				->size_class);
	}
	assert_int_equal(used, bytes);
}

static void put_get_delete(void **state)
{
	char value[64];

	(void)state;
	assert_int_equal(get(0, "a", value), -ENOENT);
	assert_int_equal(call(0, TABLE_PUT, "a", "one"), 0);
	assert_int_equal(call(0, TABLE_PUT, "", "one"), -EINVAL);
	must_be(0, "a", "one");
	must_be(1, "a", "one");
	assert_int_equal(call(0, TABLE_PUT, "a", "two, which is longer"), 0);
	assert_int_equal(call(0, TABLE_PUT, "b", ""), 0);
	must_be(1, "a", "two, which is longer");
	must_be(1, "b", "");
	check();
	assert_int_equal(call(0, TABLE_DELETE, "a", ""), 0);
	assert_int_equal(call(0, TABLE_DELETE, "a", ""), -ENOENT);
	assert_int_equal(get(1, "a", value), -ENOENT);
	check();
	assert_int_equal(call(0, 99, "a", ""), -EINVAL);
}

static void an_entry_has_an_owner(void **state)
{
	(void)state;
	assert_int_equal(call(0, TABLE_PUT, "mine", "1"), 0);
	assert_int_equal(call(1, TABLE_PUT, "mine", "2"), -EPERM);
	assert_int_equal(call(1, TABLE_DELETE, "mine", ""), -EPERM);
	must_be(1, "mine", "1");
}

static void shares(void **state)
{
	char key[32];
	long result, n = 0;

	(void)state;
	do {
		snprintf(key, sizeof(key), "key-%ld", n++);
		result = call(0, TABLE_PUT, key, "some bytes of a value that is not that short");
	} while (!result);
	assert_int_equal(result, -EDQUOT);
	assert_true(n > 10);
	assert_in_range(call(0, TABLE_USED, "", ""), TABLE_SHARE - 200, TABLE_SHARE);
	assert_int_equal(call(1, TABLE_USED, "", ""), 0);
	assert_int_equal(call(1, TABLE_PUT, "another guest's", "1"), 0);
	check();
}

/* Offsets and lengths of a guest's choice. */
static void outside(void **state)
{
	static const long numbers[] = {0,    1,	    249,      250,	  251,	     3000,
				       3001, 4095,  4096,     4097,	  INT64_MAX, INT64_MIN,
				       -1,   -4096, 1l << 32, -(1l << 32)};
	const size_t count = sizeof(numbers) / sizeof(numbers[0]);

	(void)state;
	for (size_t i = 0; i < count * count * count * count; i++) {
		const long a = numbers[i % count], b = numbers[i / count % count];
		const long c = numbers[i / count / count % count];
		const long d = numbers[i / count / count / count];
		const struct elisa_result result =
			elisa_test_call(guest[0], 0, (long)(i % 3), a, b, c, d, 0);

		assert_int_equal(result.error, 0);
		if (b < 1 || b > TABLE_KEY_MAX)
			assert_int_equal(result.value, -EINVAL);
		else if (a < 0 || a > (long)ELISA_PAGE_SIZE - b)
			assert_int_equal(result.value, -EFAULT);
		else if (i % 3 == TABLE_PUT && (d < 0 || d > TABLE_VALUE_MAX))
			assert_int_equal(result.value, -EINVAL);
	}
	check();
}

/* ------------------------------------------------------------------------------ stopped */

static const char *before, *after;

/* The entry is as before or as afterwards; and the table goes on. */
static void stopped(void *unused, uint32_t n, int told)
{
	char value[64];
	long length;

	(void)unused;
	(void)n;
	/* the caller that is gone, or another one, changes something */
	assert_int_equal(call(told, TABLE_PUT, told ? "other" : "third", "x"), 0);
	length = get(1, "key", value);
	if (length == -ENOENT)
		assert_true(!before || !after);
	else
		assert_true((before && !strcmp(value, before)) || (after && !strcmp(value, after)));
	check();
}

static void abandoned(long op, const char *was, const char *is)
{
	char *buffer = elisa_test_exchange(guest[0]);
	const long argument[6] = {op, 0, 3, VALUE, is ? (long)strlen(is) : 0};
	struct elisa_result result;

	before = was;
	after = is;
	strcpy(buffer, "key");
	strcpy(buffer + VALUE, is ? is : "");
	assert_true(elisa_test_abandon(guest[0], 0, argument, stopped, NULL, &result) > 200);
	assert_int_equal(result.error, 0);
	assert_int_equal(result.value, 0);
	check();
}

static void stopped_at_each_instruction(void **state)
{
	(void)state;
	abandoned(TABLE_PUT, NULL, "first");
	abandoned(TABLE_PUT, "first", "second");
	abandoned(TABLE_DELETE, "second", NULL);
}

/* ------------------------------------------------------------------------------ hostile */

static void a_buffer_that_changes(void **state)
{
	uint64_t before_, done = 0;

	(void)state;
	assert_int_equal(call(1, TABLE_PUT, "quiet", "unharmed"), 0);
	before_ = elisa_pool_used(&table.pool, 1);
	assert_int_equal(elisa_test_hostile(guest[0], 1), 0);
	/* where the other thread does not get the processor, for longer */
	for (long i = 0; i < 20000 || (done <= 100 && i < 5000000); i++) {
		const struct elisa_result result = elisa_test_call(
			guest[0], 0, i / 7 % 3, i % 64, 1 + i % 3, i * 7 % 4096, i * 13 % 300, 0);

		assert_int_equal(result.error, 0);
		done += result.value >= 0;
	}
	assert_int_equal(elisa_test_hostile(guest[0], 0), 0);
	assert_true(done > 100);
	assert_int_equal(elisa_pool_used(&table.pool, 1), before_);
	must_be(1, "quiet", "unharmed");
	check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(put_get_delete, start, end),
		cmocka_unit_test_setup_teardown(an_entry_has_an_owner, start, end),
		cmocka_unit_test_setup_teardown(shares, start, end),
		cmocka_unit_test_setup_teardown(outside, start, end),
		cmocka_unit_test_setup_teardown(stopped_at_each_instruction, start, end),
		cmocka_unit_test_setup_teardown(a_buffer_that_changes, start, end),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
