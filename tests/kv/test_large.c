/* SPDX-License-Identifier: Apache-2.0 */
/* Values that take more than one change, or more than one call. */
#include "kv.h"

enum {
	LARGE = 15000, /* of the exchange buffer's 16384 */
	PIECE = 3000
};

static uint8_t pattern[100000];

static uint8_t *bytes(uint32_t seed)
{
	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
	return pattern;
}

static long set(int who, const char *key, uint32_t seed, size_t length)
{
	return kv_do(who, KV_SET, SHARED, key, bytes(seed), length, 0, 0);
}

/* The value is that of the seed, piece by piece. */
static void must_be(int who, const char *key, uint32_t seed, size_t length)
{
	const char *buffer = elisa_test_exchange(guest[who]);
	struct kv_item item;
	size_t at = 0;

	bytes(seed);
	assert_int_equal(kv_do(who, KV_GET, SHARED, key, NULL, sizeof(item), 0, 0), length);
	memcpy(&item, buffer + VALUE, sizeof(item));
	while (at < length) {
		const long part = kv_do(who, KV_GET_PIECE, SHARED, key, NULL, sizeof(item) + PIECE,
					item.cas, (long)at);

		assert_true(part > 0);
		assert_memory_equal(buffer + VALUE + sizeof(item), pattern + at, part);
		at += (size_t)part;
	}
	assert_int_equal(at, length);
}

static long begin(int who, const char *key, size_t length)
{
	return kv_do(who, KV_UPLOAD, SHARED, key, NULL, length, 0, KV_META(5, 0));
}

static long piece(int who, long handle, size_t offset, const void *from, size_t length)
{
	char *buffer = elisa_test_exchange(guest[who]);

	memcpy(buffer + VALUE, from, length);
	return elisa_test_call(guest[who], 0, KV_CALL(KV_UPLOAD_PIECE, SHARED, 0), (long)offset,
			       VALUE, (long)length, handle, 0)
		.value;
}

static long end(int who, long handle, enum kv_op op, uint64_t cas)
{
	return elisa_test_call(guest[who], 0, KV_CALL(KV_UPLOAD_END, SHARED, 0), 0, (long)cas, op,
			       handle, 0)
		.value;
}

static long cancel(int who, long handle)
{
	return kv_do(who, KV_UPLOAD_CANCEL, SHARED, NULL, NULL, 0, (uint64_t)handle, 0);
}

static void in_one_call(void **state)
{
	long cas;

	(void)state;
	cas = set(0, "large", 1, LARGE);
	assert_true(cas > 0);
	must_be(1, "large", 1, LARGE);
	kv_must_be_sound();
	assert_true(set(1, "large", 2, LARGE - 17) > cas);
	must_be(0, "large", 2, LARGE - 17);
	kv_must_be_sound();
	assert_int_equal(kv_do(0, KV_GET_PIECE, SHARED, "large", NULL, 100, (uint64_t)cas, 0),
			 -ESTALE);
	assert_int_equal(kv_do(0, KV_ADD, SHARED, "large", bytes(3), LARGE, 0, 0), -EEXIST);
	assert_int_equal(kv_do(0, KV_SET, SHARED, "large", bytes(3), LARGE, 7, 0), -ESTALE);
	kv_must_be_sound();
}

static void joining(void **state)
{
	(void)state;
	assert_true(set(0, "large", 1, 7000) > 0);
	bytes(1);
	assert_true(kv_do(1, KV_APPEND, SHARED, "large", pattern + 7000, 9000, 0, 0) > 0);
	must_be(0, "large", 1, 16000);
	kv_must_be_sound();
	assert_true(kv_do(0, KV_SET, SHARED, "large", pattern + 9000, 7000, 0, 0) > 0);
	assert_true(kv_do(1, KV_PREPEND, SHARED, "large", pattern, 9000, 0, 0) > 0);
	must_be(0, "large", 1, 16000);
	kv_must_be_sound();
}

static void in_pieces(void **state)
{
	const size_t length = 30000;
	long handle = begin(0, "large", length), cas;

	(void)state;
	assert_true(handle > 0);
	kv_must_be_sound();
	bytes(4);
	for (size_t at = 0; at < length; at += 3000)
		assert_int_equal(piece(0, handle, at, pattern + at, 3000), 0);
	assert_int_equal(piece(0, handle, length, pattern, 1), -EINVAL);
	assert_int_equal(piece(0, handle, SIZE_MAX, pattern, 1), -EINVAL);
	/* once more, and not in their order */
	for (size_t at = length; at; at -= 1000)
		assert_int_equal(piece(0, handle, at - 1000, pattern + at - 1000, 1000), 0);
	assert_int_equal(kv_do(0, KV_GET, SHARED, "large", NULL, 100, 0, 0), -ENOENT);
	assert_int_equal(end(1, handle, KV_SET, 0), -EBADF);
	assert_int_equal(end(0, handle, KV_APPEND, 0), -EINVAL);
	cas = end(0, handle, KV_SET, 0);
	assert_true(cas > 0);
	must_be(1, "large", 4, length);
	assert_int_equal(end(0, handle, KV_SET, 0), -EBADF);
	kv_must_be_sound();
	handle = begin(1, "large", 20);
	assert_int_equal(piece(1, handle, 0, "01234567890123456789", 20), 0);
	assert_true(end(1, handle, KV_REPLACE, (uint64_t)cas) > cas);
	kv_must_be(0, "large", "01234567890123456789");
	handle = begin(1, "large", 20);
	assert_int_equal(piece(1, handle, 0, "01234567890123456789", 20), 0);
	assert_int_equal(end(1, handle, KV_ADD, 0), -EEXIST);
	assert_int_equal(cancel(1, handle), -EBADF);
	handle = begin(1, "large", 20000);
	assert_int_equal(cancel(1, handle), 0);
	kv_must_be_sound();
}

/* What cells have in them is another's: nothing of it is ever told. */
static void old_bytes(void **state)
{
	static char secret[3000], seen[16000];
	struct kv_item item;
	long handle;

	(void)state;
	memset(secret, 'S', sizeof(secret));
	for (int i = 0; i < 40; i++)
		assert_true(kv_do(1, KV_SET, SHARED, "secret", secret, sizeof(secret), 0, 0) > 0);
	for (int i = 0; i < 100; i++) {
		char key[16];

		snprintf(key, sizeof(key), "secret-%d", i);
		kv_do(1, KV_SET, SHARED, key, secret, 500, 0, 0);
		kv_do(1, KV_DELETE, SHARED, key, NULL, 0, 0, 0);
	}
	assert_int_equal(kv_do(1, KV_DELETE, SHARED, "secret", NULL, 0, 0, 0), 0);
	memset(elisa_test_exchange(guest[0]), 0, EXCHANGE);
	handle = begin(0, "x", 10000);
	assert_int_equal(end(0, handle, KV_SET, 0), -ENODATA);
	assert_int_equal(piece(0, handle, 1, "x", 1), -EINVAL);
	assert_int_equal(piece(0, handle, 0, "0123456789", 10), 0);
	assert_int_equal(piece(0, handle, 11, "x", 1), -EINVAL);
	assert_int_equal(end(0, handle, KV_SET, 0), -ENODATA);
	assert_int_equal(piece(0, handle, 9, "9", 1), 0);
	assert_int_equal(end(0, handle, KV_SET, 0), -ENODATA);
	assert_int_equal(kv_do(0, KV_GET, SHARED, "x", NULL, 4000, 0, 0), -ENOENT);
	assert_int_equal(cancel(0, handle), 0);
	/* replies have nothing behind what they say */
	kv_set(0, "y", "1");
	assert_int_equal(kv_see(0, SHARED, "y", &item, seen, sizeof(seen)), 1);
	assert_int_equal(item.unused, 0);
	assert_true(kv_text(0, KV_APPEND, "y", "2") > 0);
	assert_int_equal(kv_do(0, KV_INCREMENT, SHARED, "y", NULL, 4000, 1, 0), 2);
	assert_null(memchr(elisa_test_exchange(guest[0]), 'S', EXCHANGE));
	kv_must_be_sound();
}

/* More than a place may have: the oldest goes. And all go with the attachment. */
static void forgotten(void **state)
{
	long handle[KV_UPLOADS + 1];

	(void)state;
	for (size_t i = 0; i <= KV_UPLOADS; i++) {
		handle[i] = begin(0, "x", 5000);
		assert_true(handle[i] > 0);
	}
	assert_int_equal(cancel(0, handle[0]), -EBADF);
	assert_int_equal(cancel(0, handle[1]), 0);
	kv_must_be_sound();
	assert_true(kv_stat_of(0, SHARED, KV_STAT_OWN_BYTES) > 15000);
	elisa_test_detach(guest[0]);
	kv_must_be_sound();
	assert_int_equal(elisa_test_attach(test, 0, EXCHANGE, &guest[0]), 0);
	assert_int_equal(kv_stat_of(0, SHARED, KV_STAT_OWN_BYTES), 0);
	assert_int_equal(cancel(0, handle[2]), -EBADF);
}

/* What is forgotten keeps neither the quota nor the space from its own place. */
static void forgotten_and_in_the_way(void **state)
{
	long handle[4];

	(void)state;
	kv_store_quota(tested, 0, SHARED, 100 * 128, 1000);
	for (size_t i = 0; i < 2; i++) {
		handle[i] = begin(0, "x", 5000);
		assert_true(handle[i] > 0);
	}
	/* the oldest one, and no more than that */
	assert_true(set(0, "y", 1, 3000) > 0);
	assert_int_equal(piece(0, handle[0], 0, pattern, 1), -EBADF);
	assert_int_equal(piece(0, handle[1], 0, pattern, 1), 0);
	kv_must_be_sound();
	/* items go first */
	handle[2] = begin(0, "x", 5000);
	assert_true(handle[2] > 0);
	assert_int_equal(kv_do(0, KV_GET, SHARED, "y", NULL, 100, 0, 0), -ENOENT);
	assert_int_equal(piece(0, handle[1], 0, pattern, 1), 0);
	handle[3] = begin(0, "x", 9000);
	assert_true(handle[3] > 0);
	assert_int_equal(cancel(0, handle[1]), -EBADF);
	assert_int_equal(cancel(0, handle[2]), -EBADF);
	assert_int_equal(cancel(0, handle[3]), 0);
	kv_must_be_sound();
	/* the same of the space; and another place does not get at it */
	kv_store_quota(tested, 0, SHARED, UINT64_MAX, 1000);
	for (size_t i = 0; i < 4; i++) {
		handle[i] = begin(0, "x", 13900);
		assert_true(handle[i] > 0);
	}
	assert_int_equal(set(1, "z", 1, 3000), -ENOSPC);
	assert_int_equal(piece(0, handle[0], 0, pattern, 1), 0);
	assert_true(set(0, "z", 1, 3000) > 0);
	assert_int_equal(cancel(0, handle[0]), -EBADF);
	assert_int_equal(cancel(0, handle[1]), 0);
	kv_must_be_sound();
}

static void too_large(void **state)
{
	(void)state;
	assert_int_equal(begin(0, "x", KV_VALUE_MAX + 1), -EFBIG);
	assert_int_equal(begin(0, "x", KV_VALUE_MAX), -EDQUOT);
	assert_int_equal(kv_do(1, KV_SET, PRIVATE, "x", bytes(1), 8000, 0, 0), -EDQUOT);
	/* all that is in the way goes */
	assert_true(set(0, "a", 1, 15000) > 0);
	assert_true(set(0, "b", 1, 15000) > 0);
	assert_true(set(0, "c", 1, 15000) > 0);
	assert_true(set(1, "d", 1, 14000) > 0);
	assert_true(begin(1, "e", 40000) > 0);
	kv_must_be_sound();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_one_call, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(joining, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(in_pieces, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(old_bytes, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(forgotten, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(forgotten_and_in_the_way, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(too_large, kv_usual, kv_end),
	};

	return cmocka_run_group_tests_name("kv large values", tests, NULL, NULL);
}
