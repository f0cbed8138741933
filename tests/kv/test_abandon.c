/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each operation is stopped for ever after each of its instructions. Every time the store must go
 * on: others' calls work at once, what the call was about is as before or as afterwards, no cell is
 * lost. Twice: when the manager knows, and when the stopped caller's own next call is the first to
 * know.
 */
#include "kv.h"
#include "upload.h"

enum {
	LARGE = 8000 /* more cells than one change takes */
};

/* What the call is about. NULL: it is not there. */
struct about {
	const char *key, *before, *after;
	uint32_t every; /* looks at each instruction of so many */
	int may_go;	/* eviction may take it */
	int keeps;	/* an upload that is to stay */
};

static struct about about;
static char text[3][LARGE + 1];

/* A text that is as long. */
static const char *long_text(int number, size_t length)
{
	for (size_t i = 0; i < length; i++)
		text[number][i] = (char)('a' + (i * 7 + (size_t)number) % 26);
	text[number][length] = 0;
	return text[number];
}

static int is(const char *expected, const char *value, long length)
{
	if (!expected)
		return length == -ENOENT;
	return length == (long)strlen(expected) && !memcmp(value, expected, (size_t)length);
}

static void must_be_whole(void)
{
	static char value[LARGE + 64];
	struct kv_item item;
	const long length = kv_see(1, SHARED, about.key, &item, value, sizeof(value));

	assert_true(is(about.before, value, length) || is(about.after, value, length) ||
		    (about.may_go && length == -ENOENT));
}

/* What the dead caller had taken is free again. */
static void nothing_is_held(void)
{
	const struct kv_call call = {.store = tested, .space = kv_space(tested, SHARED)};

	for (uint32_t i = 0; i < kv_uploads(tested); i++)
		assert_true(!kv_upload_number(call.space, i)->owner || about.keeps);
}

static void stopped(void *unused, uint32_t n, int told)
{
	(void)unused;
	if (n % about.every)
		return;
	if (told)
		nothing_is_held();
	/* another guest changes something, or the caller that is gone */
	assert_true(kv_set(told, told ? "other" : "third", "x") > 0);
	if (told)
		nothing_is_held();
	must_be_whole();
	kv_must_be_sound();
}

static long run(enum kv_op op, const char *key, const char *value, size_t length, uint64_t number,
		long meta)
{
	char *buffer = elisa_test_exchange(guest[0]);
	const size_t key_length = key ? strlen(key) : 0;
	const long argument[6] = {
		KV_CALL(op, SHARED, key_length), KEY, VALUE, (long)length, (long)number, meta};
	struct elisa_result result;
	long steps;

	if (key)
		memcpy(buffer + KEY, key, key_length);
	if (value)
		memcpy(buffer + VALUE, value, length);
	steps = elisa_test_abandon(guest[0], 0, argument, stopped, NULL, &result);
	assert_int_equal(result.error, 0);
	print_message("  %ld instructions, looked at each of %u\n", steps, about.every);
	must_be_whole();
	kv_must_be_sound();
	return result.value;
}

/* One whose value is a text, and which succeeds. */
static void abandon(enum kv_op op, const char *key, const char *value)
{
	assert_true(run(op, key, value, strlen(value), 0, 0) > 0);
}

static void start_about(const char *before, const char *after)
{
	about = (struct about){.key = "key", .before = before, .after = after, .every = 1};
}

static void small_values(void **state)
{
	const char *longer = long_text(0, 300);

	(void)state;
	start_about(NULL, "first");
	abandon(KV_SET, "key", "first");
	start_about("first", longer);
	abandon(KV_SET, "key", longer);
	start_about(longer, "third");
	kv_set(1, "key", longer); /* another guest's */
	abandon(KV_REPLACE, "key", "third");
	start_about("third", "third and fourth");
	abandon(KV_APPEND, "key", " and fourth");
	start_about("third and fourth", "not third and fourth");
	abandon(KV_PREPEND, "key", "not ");
	start_about("not third and fourth", "7");
	abandon(KV_SET, "key", "7");
	start_about("7", "12");
	assert_int_equal(run(KV_INCREMENT, "key", NULL, 100, 5, 0), 2);
	start_about("12", "8");
	assert_int_equal(run(KV_DECREMENT, "key", NULL, 100, 4, 0), 1);
}

static void what_changes_no_value(void **state)
{
	(void)state;
	kv_set(0, "key", "here");
	start_about("here", "here");
	assert_int_equal(run(KV_GET, "key", NULL, 100, 0, 0), 4);
	assert_int_equal(run(KV_TOUCH, "key", NULL, 0, 0, KV_META(0, 10)), 0);
	assert_int_equal(run(KV_GET_TOUCH, "key", NULL, 100, 0, KV_META(0, 10)), 4);
	assert_int_equal(run(KV_STATISTICS, NULL, NULL, 1000, 0, 0), KV_STATS);
	start_about("here", NULL);
	assert_int_equal(run(KV_DELETE, "key", NULL, 0, 0, 0), 0);
	kv_set(1, "key", "here");
	kv_set(0, "key two", "here");
	assert_int_equal(run(KV_FLUSH, NULL, NULL, 0, 0, 0), 0);
}

/* The quota is used up: something of the guest's own goes first. */
static void evicting(void **state)
{
	char key[16];

	(void)state;
	kv_store_quota(tested, 0, SHARED, 8 * 128, 8);
	for (int i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "old-%d", i);
		kv_set(0, key, "x");
		kv_must_be(1, i % 2 ? key : "old-0", "x");
	}
	start_about(NULL, "new");
	about.may_go = 1;
	abandon(KV_SET, "key", "new");
	start_about("new", long_text(0, 300));
	about.may_go = 1;
	abandon(KV_SET, "key", long_text(0, 300));
}

static void large_values(void **state)
{
	const char *first = long_text(0, LARGE), *second = long_text(1, LARGE - 5);

	(void)state;
	start_about(NULL, first);
	about.every = 3;
	abandon(KV_SET, "key", first);
	start_about(first, second);
	about.every = 7;
	abandon(KV_SET, "key", second);
	start_about(second, second);
	about.every = 31;
	assert_int_equal(run(KV_ADD, "key", first, LARGE, 0, 0), -EEXIST);
	start_about(long_text(1, LARGE - 700), long_text(2, LARGE));
	memcpy(text[2], text[1], LARGE - 700);
	kv_set(0, "key", about.before);
	about.every = 7;
	abandon(KV_APPEND, "key", about.after + LARGE - 700);
}

static void pieces(void **state)
{
	const char *value = long_text(0, LARGE);
	long handle;

	(void)state;
	start_about(NULL, NULL);
	about.keeps = 1;
	handle = run(KV_UPLOAD, "key", NULL, LARGE, 0, 0);
	assert_true(handle > 0);
	/* the first half, then the second one */
	for (long at = 0; at < LARGE; at += LARGE / 2) {
		char *buffer = elisa_test_exchange(guest[0]);
		const long argument[6] = {KV_CALL(KV_UPLOAD_PIECE, SHARED, 0), at, VALUE, LARGE / 2,
					  handle};
		struct elisa_result result;

		memcpy(buffer + VALUE, value + at, LARGE / 2);
		assert_true(elisa_test_abandon(guest[0], 0, argument, stopped, NULL, &result) > 0);
		assert_int_equal(result.value, 0);
	}
	start_about(NULL, value);
	about.keeps = 1;
	{
		const long argument[6] = {KV_CALL(KV_UPLOAD_END, SHARED, 0), 0, 0, KV_SET, handle};
		struct elisa_result result;

		assert_true(elisa_test_abandon(guest[0], 0, argument, stopped, NULL, &result) > 0);
		assert_true(result.value > 0);
	}
	must_be_whole();
	about.before = value;
	handle = kv_do(0, KV_UPLOAD, SHARED, "key", NULL, LARGE, 0, 0);
	assert_int_equal(run(KV_UPLOAD_CANCEL, NULL, NULL, 0, (uint64_t)handle, 0), 0);
	about.keeps = 0;
	nothing_is_held();
}

/* The quota is used up by uploads that are forgotten: the oldest one goes first. */
static void giving_up(void **state)
{
	(void)state;
	kv_store_quota(tested, 0, SHARED, 12 * 128, 8);
	for (int i = 0; i < 2; i++)
		assert_true(kv_do(0, KV_UPLOAD, SHARED, "key", NULL, 600, 0, 0) > 0);
	start_about(NULL, "new");
	about.may_go = about.keeps = 1;
	abandon(KV_SET, "key", "new");
	start_about("new", "new");
	about.may_go = about.keeps = 1;
	assert_true(run(KV_UPLOAD, "key", NULL, 1000, 0, 0) > 0);
}

/* ------------------------------------------------------------------------------ twice */

/* And one that would repair is stopped, too. */
static void second_stopped(void *unused, uint32_t n, int told)
{
	(void)unused;
	if (n % 13 || !told)
		return;
	assert_true(kv_set(2, "last", "x") > 0);
	must_be_whole();
	kv_must_be_sound();
}

static void first_stopped(void *unused, uint32_t n, int told)
{
	char *buffer = elisa_test_exchange(guest[1]);
	const long argument[6] = {KV_CALL(KV_SET, SHARED, 6), KEY, VALUE, 5};

	(void)unused;
	if (n % about.every || !told)
		return;
	memcpy(buffer + KEY, "second", 6);
	memcpy(buffer + VALUE, "value", 5);
	assert_true(elisa_test_abandon(guest[1], 0, argument, second_stopped, NULL, NULL) > 100);
	must_be_whole();
	kv_must_be_sound();
}

static void the_one_that_repairs(void **state)
{
	char *buffer = elisa_test_exchange(guest[0]);
	const long argument[6] = {KV_CALL(KV_SET, SHARED, 3), KEY, VALUE, 5};
	struct elisa_result result;

	(void)state;
	kv_set(0, "key", "before");
	start_about("before", "after");
	about.every = 11;
	memcpy(buffer + KEY, "key", 3);
	memcpy(buffer + VALUE, "after", 5);
	assert_true(elisa_test_abandon(guest[0], 0, argument, first_stopped, NULL, &result) > 200);
	assert_true(result.value > 0);
}

static int small_store(void **state)
{
	(void)state;
	kv_start((struct sizes){.cells = 260, .private_cells = 1, .cell_size = 128});
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(small_values, small_store, kv_end),
		cmocka_unit_test_setup_teardown(what_changes_no_value, small_store, kv_end),
		cmocka_unit_test_setup_teardown(evicting, small_store, kv_end),
		cmocka_unit_test_setup_teardown(large_values, small_store, kv_end),
		cmocka_unit_test_setup_teardown(pieces, small_store, kv_end),
		cmocka_unit_test_setup_teardown(giving_up, small_store, kv_end),
		cmocka_unit_test_setup_teardown(the_one_that_repairs, small_store, kv_end),
	};

	return cmocka_run_group_tests_name("kv abandoned", tests, NULL, NULL);
}
