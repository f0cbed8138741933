/* SPDX-License-Identifier: Apache-2.0 */
/* What each operation does. */
#include "kv.h"

static void get_set_delete(void **state)
{
	struct kv_item item;
	char value[64];
	long cas;

	(void)state;
	assert_int_equal(kv_see(0, SHARED, "a", &item, value, 64), -ENOENT);
	cas = kv_do(0, KV_SET, SHARED, "a", "one", 3, 0, KV_META(7, 0));
	assert_true(cas > 1000);
	assert_int_equal(kv_see(1, SHARED, "a", &item, value, 64), 3);
	assert_memory_equal(value, "one", 3);
	assert_int_equal(item.cas, cas);
	assert_int_equal(item.flags, 7);
	assert_int_equal(item.ttl, KV_TTL_NEVER);
	assert_true(kv_set(1, "a", "two, which is longer") > cas);
	kv_must_be(0, "a", "two, which is longer");
	assert_true(kv_set(1, "b", "") > 0);
	kv_must_be(0, "b", "");
	kv_must_be_sound();
	assert_int_equal(kv_do(0, KV_DELETE, SHARED, "a", NULL, 0, 0, 0), 0);
	assert_int_equal(kv_do(0, KV_DELETE, SHARED, "a", NULL, 0, 0, 0), -ENOENT);
	assert_int_equal(kv_see(0, SHARED, "a", &item, value, 64), -ENOENT);
	kv_must_be_sound();
}

static void lengths(void **state)
{
	char key[252], value[4096], seen[4096];
	struct kv_item item;

	(void)state;
	for (size_t k = 1; k <= 250; k += k < 90 || k > 180 ? 1 : 30)
		for (size_t v = 0; v < 700; v += v < 30 ? 1 : 83) {
			memset(key, 'k', sizeof(key));
			key[k] = 0;
			for (size_t i = 0; i < v; i++)
				value[i] = (char)(i * 7 + k + v);
			assert_true(kv_do(0, KV_SET, SHARED, key, value, v, 0, 0) > 0);
			assert_int_equal(kv_see(0, SHARED, key, &item, seen, sizeof(seen)), v);
			assert_memory_equal(value, seen, v);
		}
	kv_must_be_sound();
	/* as much as there is room for */
	assert_true(kv_set(0, "x", "0123456789") > 0);
	assert_int_equal(kv_see(0, SHARED, "x", &item, seen, 4), 10);
	assert_memory_equal(seen, "0123", 4);
	assert_int_equal(kv_do(0, KV_GET, SHARED, "x", NULL, 23, 0, 0), -EMSGSIZE);
}

static void conditions(void **state)
{
	long cas;

	(void)state;
	assert_int_equal(kv_text(0, KV_REPLACE, "a", "1"), -ENOENT);
	assert_int_equal(kv_text(0, KV_APPEND, "a", "1"), -ENOENT);
	assert_int_equal(kv_text(0, KV_PREPEND, "a", "1"), -ENOENT);
	assert_int_equal(kv_do(0, KV_SET, SHARED, "a", "1", 1, 5, 0), -ENOENT);
	assert_true(kv_text(0, KV_ADD, "a", "1") > 0);
	assert_int_equal(kv_text(0, KV_ADD, "a", "2"), -EEXIST);
	cas = kv_text(0, KV_REPLACE, "a", "2");
	assert_true(cas > 0);
	assert_int_equal(kv_do(0, KV_SET, SHARED, "a", "3", 1, (uint64_t)cas + 1, 0), -ESTALE);
	kv_must_be(0, "a", "2");
	assert_true(kv_do(0, KV_SET, SHARED, "a", "3", 1, (uint64_t)cas, 0) > cas);
	assert_int_equal(kv_do(0, KV_DELETE, SHARED, "a", NULL, 0, (uint64_t)cas, 0), -ESTALE);
	kv_must_be(0, "a", "3");
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CAS_HITS), 1);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CAS_BADVAL), 1);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CAS_MISSES), 1);
	kv_must_be_sound();
}

static void joining(void **state)
{
	char value[4096] = {0};
	struct kv_item item;

	(void)state;
	assert_true(kv_do(0, KV_SET, SHARED, "a", "middle", 6, 0, KV_META(9, 50)) > 0);
	assert_true(kv_text(1, KV_APPEND, "a", " end") > 0);
	assert_true(kv_text(1, KV_PREPEND, "a", "begin ") > 0);
	kv_must_be(0, "a", "begin middle end");
	assert_int_equal(kv_see(0, SHARED, "a", &item, value, 100), 16);
	assert_int_equal(item.flags, 9);
	assert_int_equal(item.ttl, 50);
	for (int i = 0; i < 30; i++)
		assert_true(kv_text(i % 2, i % 3 ? KV_APPEND : KV_PREPEND, "a",
				    "0123456789012345678901234567890123456789") > 0);
	assert_int_equal(kv_see(0, SHARED, "a", &item, value, sizeof(value)), 16 + 30 * 40);
	assert_memory_equal(value + 400, "begin middle end01234", 21);
	kv_must_be_sound();
}

static long number(int who, enum kv_op op, uint64_t difference, char text[32])
{
	const long length =
		kv_do(who, op, SHARED, "n", NULL, sizeof(struct kv_item) + 31, difference, 0);

	memcpy(text, (char *)elisa_test_exchange(guest[who]) + VALUE + sizeof(struct kv_item), 31);
	if (length >= 0)
		text[length] = 0;
	return length;
}

static void numbers(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(number(0, KV_INCREMENT, 1, text), -ENOENT);
	kv_set(0, "n", "9");
	assert_int_equal(number(0, KV_INCREMENT, 1, text), 2);
	assert_string_equal(text, "10");
	kv_must_be(0, "n", "10");
	assert_int_equal(number(1, KV_DECREMENT, 3, text), 1);
	assert_string_equal(text, "7");
	assert_int_equal(number(1, KV_DECREMENT, 30, text), 1);
	assert_string_equal(text, "0");
	kv_set(0, "n", "18446744073709551615");
	assert_int_equal(number(0, KV_INCREMENT, 2, text), 1);
	assert_string_equal(text, "1");
	kv_set(0, "n", "18446744073709551616");
	assert_int_equal(number(0, KV_INCREMENT, 2, text), -EDOM);
	kv_set(0, "n", "");
	assert_int_equal(number(0, KV_INCREMENT, 2, text), -EDOM);
	kv_set(0, "n", "12x");
	assert_int_equal(number(0, KV_INCREMENT, 2, text), -EDOM);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_INCR_HITS), 2);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_INCR_MISSES), 1);
	kv_must_be_sound();
}

static void many(void **state)
{
	char *buffer = elisa_test_exchange(guest[0]);
	const struct kv_key_at keys[4] = {{0, 1}, {1, 1}, {2, 1}, {0, 3}};
	struct kv_item item;
	struct elisa_result result;
	long room = 4096;

	(void)state;
	kv_set(0, "a", "the first");
	kv_set(0, "c", "");
	kv_set(0, "abc", "the last one");
	memcpy(buffer, "abc", 3);
	memcpy(buffer + 64, keys, sizeof(keys));
	result = elisa_test_call(guest[0], 0, KV_CALL(KV_GET_MANY, SHARED, 4), 64, VALUE, room, 0,
				 0);
	assert_int_equal(result.value, 4);
	memcpy(&item, buffer + VALUE, sizeof(item));
	assert_int_equal(item.length, 9);
	assert_memory_equal(buffer + VALUE + 24, "the first", 9);
	memcpy(&item, buffer + VALUE + 40, sizeof(item));
	assert_int_equal(item.cas, 0);
	memcpy(&item, buffer + VALUE + 64, sizeof(item));
	assert_int_equal(item.length, 0);
	assert_true(item.cas);
	assert_memory_equal(buffer + VALUE + 88 + 24, "the last one", 12);
	/* not all of them have room */
	result =
		elisa_test_call(guest[0], 0, KV_CALL(KV_GET_MANY, SHARED, 4), 64, VALUE, 100, 0, 0);
	assert_int_equal(result.value, 3);
	result = elisa_test_call(guest[0], 0, KV_CALL(KV_GET_MANY, SHARED, 4), 64, VALUE, 30, 0, 0);
	assert_int_equal(result.value, -EMSGSIZE);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_GET_HITS), 5);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_GET_MISSES), 2);
}

static void time_to_live(void **state)
{
	struct kv_item item;
	char value[64];

	(void)state;
	kv_do(0, KV_SET, SHARED, "a", "1", 1, 0, KV_META(0, 10));
	kv_do(0, KV_SET, SHARED, "b", "2", 1, 0, KV_META(3, 0));
	kv_do(0, KV_SET, SHARED, "c", "3", 1, 0, KV_META(0, KV_TTL_PAST));
	assert_int_equal(kv_see(0, SHARED, "c", &item, value, 64), -ENOENT);
	kv_store_time(tested, 110);
	assert_int_equal(kv_see(0, SHARED, "a", &item, value, 64), 1);
	kv_store_time(tested, 111);
	assert_int_equal(kv_see(0, SHARED, "a", &item, value, 64), -ENOENT);
	assert_int_equal(kv_text(0, KV_REPLACE, "a", "1"), -ENOENT);
	assert_int_equal(kv_do(0, KV_TOUCH, SHARED, "a", NULL, 0, 0, KV_META(0, 5)), -ENOENT);
	assert_int_equal(kv_do(0, KV_TOUCH, SHARED, "b", NULL, 0, 0, KV_META(0, 5)), 0);
	assert_int_equal(kv_see(0, SHARED, "b", &item, value, 64), 1);
	assert_int_equal(item.ttl, 5);
	assert_int_equal(item.flags, 3);
	assert_int_equal(kv_do(0, KV_GET_TOUCH, SHARED, "b", NULL, 64, 0, KV_META(0, 50)), 1);
	kv_store_time(tested, 160);
	assert_int_equal(kv_see(0, SHARED, "b", &item, value, 64), 1);
	kv_store_time(tested, 170);
	assert_int_equal(kv_do(0, KV_GET_TOUCH, SHARED, "b", NULL, 64, 0, KV_META(0, 50)), -ENOENT);
	assert_true(kv_text(1, KV_ADD, "a", "new") > 0);
	kv_must_be(0, "a", "new");
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_GET_EXPIRED), 3);
	kv_must_be_sound();
}

static void flush(void **state)
{
	struct kv_item item;
	char value[64];
	uint64_t cursor = 0;

	(void)state;
	kv_set(0, "a", "1");
	kv_set(1, "b", "2");
	assert_int_equal(kv_do(0, KV_FLUSH, SHARED, NULL, NULL, 0, 0, 0), 0);
	assert_int_equal(kv_see(0, SHARED, "a", &item, value, 64), -ENOENT);
	assert_true(kv_text(1, KV_ADD, "a", "3") > 0);
	kv_must_be(0, "a", "3");
	kv_must_be_sound();
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CURR_ITEMS), 2);
	assert_int_equal(kv_manager_sweep(tested, SHARED, &cursor, 1 << 20), 1);
	assert_int_equal(cursor, 0);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CURR_ITEMS), 1);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CMD_FLUSH), 1);
	kv_must_be_sound();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(get_set_delete, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(lengths, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(conditions, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(joining, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(numbers, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(many, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(time_to_live, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(flush, kv_usual, kv_end),
	};

	return cmocka_run_group_tests_name("kv operations", tests, NULL, NULL);
}
