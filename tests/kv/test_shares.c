/* SPDX-License-Identifier: Apache-2.0 */
/* Rights, quotas and eviction: what a guest can get from others, and what it cannot. */
#include "kv.h"

enum {
	CELL = 128
};

/* Keys of a guest's own, from number `from` on. */
static void fill(int who, int from, int count)
{
	char key[32];

	for (int i = from; i < from + count; i++) {
		snprintf(key, sizeof(key), "%d-%d", who, i);
		assert_true(kv_set(who, key, "a value that fits in") > 0);
	}
}

/* How many of them are there. reads: does the look count as a read? */
static int there(int who, int from, int count)
{
	char key[32], value[64];
	struct kv_item item;
	int found = 0;

	for (int i = from; i < from + count; i++) {
		snprintf(key, sizeof(key), "%d-%d", who, i);
		found += kv_see(who, SHARED, key, &item, value, sizeof(value)) >= 0;
	}
	return found;
}

static void rights(void **state)
{
	struct kv_item item;
	char value[64];

	(void)state;
	assert_true(kv_do(1, KV_SET, PRIVATE, "secret", "x", 1, 0, 0) > 0);
	for (int op = KV_GET; op < KV_OPS; op++) {
		assert_int_equal(kv_do(0, op, PRIVATE, "secret", NULL, 64, 1, 0), -EACCES);
		assert_int_equal(kv_do(2, op, PRIVATE, "secret", NULL, 64, 1, 0), -EACCES);
	}
	/* a private space's key is not the shared one's */
	assert_int_equal(kv_see(0, SHARED, "secret", &item, value, 64), -ENOENT);
	assert_int_equal(kv_do(1, KV_FLUSH, PRIVATE, NULL, NULL, 0, 0, 0), -EACCES);
	kv_store_rights(tested, 0, SHARED, KV_MAY_READ);
	kv_set(1, "n", "1");
	assert_int_equal(kv_see(0, SHARED, "n", &item, value, 64), 1);
	assert_int_equal(kv_set(0, "n", "2"), -EACCES);
	assert_int_equal(kv_do(0, KV_INCREMENT, SHARED, "n", NULL, 64, 1, 0), -EACCES);
	assert_int_equal(kv_do(0, KV_GET_TOUCH, SHARED, "n", NULL, 64, 0, 0), -EACCES);
	kv_store_rights(tested, 0, SHARED, KV_MAY_WRITE);
	assert_true(kv_set(0, "n", "2") > 0);
	assert_int_equal(kv_see(0, SHARED, "n", &item, value, 64), -EACCES);
	assert_int_equal(kv_do(0, KV_INCREMENT, SHARED, "n", NULL, 64, 1, 0), -EACCES);
	assert_int_equal(kv_do(0, KV_GET, 2, "n", NULL, 64, 1, 0), -EINVAL);
	kv_must_be_sound();
}

static void own_items_only(void **state)
{
	(void)state;
	kv_store_rights(tested, 0, SHARED, KV_MAY_READ | KV_MAY_OWN);
	kv_set(1, "theirs", "1");
	assert_true(kv_text(0, KV_ADD, "mine", "1") > 0);
	assert_true(kv_set(0, "mine", "2") > 0);
	assert_int_equal(kv_set(0, "theirs", "2"), -EPERM);
	assert_int_equal(kv_text(0, KV_APPEND, "theirs", "2"), -EPERM);
	assert_int_equal(kv_do(0, KV_INCREMENT, SHARED, "theirs", NULL, 64, 1, 0), -EPERM);
	assert_int_equal(kv_do(0, KV_TOUCH, SHARED, "theirs", NULL, 0, 0, 1), -EPERM);
	assert_int_equal(kv_do(0, KV_DELETE, SHARED, "theirs", NULL, 0, 0, 0), -EPERM);
	kv_must_be(0, "theirs", "1");
	assert_int_equal(kv_do(0, KV_DELETE, SHARED, "mine", NULL, 0, 0, 0), 0);
	kv_must_be_sound();
}

static void a_quota_of_bytes(void **state)
{
	(void)state;
	kv_store_quota(tested, 0, SHARED, 100 * CELL + 5, 1000);
	fill(1, 0, 100);
	fill(0, 0, 1000);
	assert_int_equal(there(0, 900, 100), 100);
	assert_int_equal(there(0, 0, 900), 0);
	assert_int_equal(there(1, 0, 100), 100);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_BYTES), 100 * CELL);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_BYTES_LIMIT), 100 * CELL);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_EVICTIONS), 900);
	/* lowered: what is too much goes with the next one */
	kv_store_quota(tested, 0, SHARED, 10 * CELL, 1000);
	fill(0, 2000, 1);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_ITEMS), 10);
	assert_int_equal(kv_do(0, KV_SET, SHARED, "x", NULL, 2000, 0, 0), -EDQUOT);
	kv_store_quota(tested, 0, SHARED, 0, 1000);
	assert_int_equal(kv_set(0, "y", ""), -EDQUOT);
	assert_int_equal(there(0, 2000, 1), 1);
	kv_must_be_sound();
}

static void a_quota_of_items(void **state)
{
	(void)state;
	kv_store_quota(tested, 0, SHARED, UINT64_MAX, 7);
	fill(0, 0, 50);
	assert_int_equal(there(0, 43, 7), 7);
	assert_int_equal(there(0, 0, 43), 0);
	kv_must_be_sound();
}

/* An item is its last writer's. */
static void who_pays(void **state)
{
	(void)state;
	kv_set(0, "x", "1");
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_ITEMS), 1);
	kv_set(1, "x", "2");
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_ITEMS), 0);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_BYTES), 0);
	assert_int_equal(kv_stat_of(1, SHARED, KV_STAT_OWN_ITEMS), 1);
	kv_must_be_sound();
}

/* The space is full: the largest gives, and only up to the other's quota. */
static void overcommitted(void **state)
{
	(void)state;
	kv_store_quota(tested, 1, SHARED, 50 * CELL, 1000);
	fill(0, 0, 12);
	fill(2, 0, 500);
	fill(1, 0, 2000);
	assert_int_equal(there(0, 0, 12), 12);
	assert_int_equal(kv_stat_of(2, SHARED, KV_STAT_OWN_ITEMS), 500 - 50);
	assert_int_equal(kv_stat_of(1, SHARED, KV_STAT_OWN_ITEMS), 50);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_BYTES), 512 * CELL);
	kv_must_be_sound();
}

/* What is read stays, also when many others are stored and never read. */
static void a_scan(void **state)
{
	(void)state;
	kv_store_quota(tested, 0, SHARED, 100 * CELL, 1000);
	fill(0, 0, 20);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(there(0, 0, 20), 20);
		fill(0, 100 + 50 * i, 50);
	}
	assert_int_equal(there(0, 0, 20), 20);
	kv_must_be_sound();
}

/* All are read all the time: some go nevertheless. */
static void nothing_is_spared_for_ever(void **state)
{
	(void)state;
	kv_store_quota(tested, 0, SHARED, 60 * CELL, 1000);
	for (int i = 0; i < 300; i++) {
		fill(0, i, 1);
		there(0, 0, i + 1);
	}
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_ITEMS), 60);
	kv_must_be_sound();
}

static void expired_ones_go_first(void **state)
{
	char key[32];

	(void)state;
	kv_store_quota(tested, 0, SHARED, 40 * CELL, 1000);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "short-%d", i);
		kv_do(0, KV_SET, SHARED, key, "x", 1, 0, KV_META(0, 1));
	}
	fill(0, 0, 20);
	kv_store_time(tested, 1000);
	fill(0, 20, 20);
	assert_int_equal(there(0, 0, 40), 40);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_RECLAIMED), 20);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_EVICTIONS), 0);
	kv_must_be_sound();
}

/* Counts are an attachment's: the next tenant of the place is told nothing of the last one's. */
static void the_next_tenant(void **state)
{
	const uint64_t first = elisa_test_number(guest[0]);
	uint64_t all[KV_STATS];

	(void)state;
	fill(0, 0, 10);
	there(0, 0, 12);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CMD_SET), 10);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_GET_MISSES), 2);
	elisa_test_detach(guest[0]);
	/* the manager has not heard of the new one yet */
	elisa_test_manager(test, NULL, NULL);
	assert_int_equal(elisa_test_attach(test, 0, EXCHANGE, &guest[0]), 0);
	assert_true(elisa_test_number(guest[0]) > first);
	there(0, 0, 3);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CMD_GET), 0);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CMD_SET), 0);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_ITEMS), 10);
	kv_manager_event(tested, &(struct elisa_event){.type = ELISA_EVENT_ATTACH,
						       .attachment = elisa_test_number(guest[0]),
						       .value = 0});
	there(0, 0, 4);
	fill(0, 20, 1);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CMD_GET), 4);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_CMD_SET), 1);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_GET_MISSES), 0);
	/* the manager's report has all */
	kv_statistics(tested, kv_space(tested, SHARED), 0, KV_MANAGER, all);
	assert_int_equal(all[KV_STAT_CMD_GET], 12 + 3 + 4);
	assert_int_equal(all[KV_STAT_CMD_SET], 11);
}

/* A snapshot, put into an empty store. */
static void a_snapshot(void **state)
{
	uint8_t *buffer = malloc(KV_RECORD_MAX), *kept = malloc(100 * 64);
	struct kv_record record, all[100];
	uint64_t cursor = 0, slots = 7;
	int count = 0, waits = 0, next;

	(void)state;
	fill(0, 0, 30);
	fill(1, 0, 29);
	kv_do(2, KV_SET, SHARED, "timed", "12345", 5, 0, KV_META(77, 100));
	kv_do(2, KV_SET, SHARED, "dead", "12345", 5, 0, KV_META(77, KV_TTL_PAST));
	while ((next = kv_manager_next(tested, SHARED, &cursor, &slots, buffer, &record))) {
		if (next < 0) {
			assert_int_equal(next, -EAGAIN);
			assert_int_equal(slots, 0);
			slots = 7;
			waits++;
			continue;
		}
		assert_int_equal(next, 1);
		assert_true(count < 100);
		all[count] = record;
		all[count].key = kept + count * 64;
		all[count].value = kept + count * 64 + 16;
		memcpy(all[count].key, record.key, record.key_length);
		memcpy(all[count].value, record.value, record.length);
		count++;
	}
	assert_int_equal(count, 60);
	assert_true(waits > 60 / 7);
	kv_end(NULL);
	kv_usual(NULL);
	for (int i = 0; i < count; i++)
		assert_int_equal(kv_manager_put(tested, SHARED, &all[i]), 0);
	assert_int_equal(there(0, 0, 40), 30);
	assert_int_equal(there(1, 0, 40), 29);
	kv_must_be(0, "timed", "12345");
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_ITEMS), 30);
	assert_int_equal(kv_stat_of(2, SHARED, KV_STAT_OWN_ITEMS), 1);
	kv_must_be_sound();
	free(buffer);
	free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rights, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(own_items_only, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(a_quota_of_bytes, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(a_quota_of_items, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(who_pays, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(overcommitted, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(a_scan, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(nothing_is_spared_for_ever, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(expired_ones_go_first, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(the_next_tenant, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(a_snapshot, kv_usual, kv_end),
	};

	return cmocka_run_group_tests_name("kv shares", tests, NULL, NULL);
}
