/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers take no lock: after each instruction of a get, another guest changes all that the get
 * looks at, and then the get runs on. What it tells must be one item's, as it was at some moment of
 * the call.
 */
#include "kv.h"

static const size_t *lengths; /* of the old item, and of the new one */
static int goes;	      /* and is there no new one? */
static struct elisa_result result;

static void set(int who, const char *key, char letter, size_t length)
{
	static char value[8192];

	memset(value, letter, length);
	assert_true(kv_do(who, KV_SET, SHARED, key, value, length, 0, 0) > 0);
}

/* The old item's cells are others' now, many times over. */
static void disturb(void *unused)
{
	char key[16];

	(void)unused;
	if (goes)
		assert_int_equal(kv_do(1, KV_DELETE, SHARED, "key", NULL, 0, 0, 0), 0);
	else
		set(1, "key", 'n', lengths[1]);
	/* first cells become others than first ones, too */
	set(1, "large", 'x', 8000);
	for (int i = 0; i < 6; i++) {
		snprintf(key, sizeof(key), "other-%d", i);
		set(1, key, 'x', 600);
	}
}

static void get(void *unused)
{
	(void)unused;
	result = elisa_test_call(guest[0], 0, KV_CALL(KV_GET, SHARED, 3), KEY, VALUE,
				 EXCHANGE - VALUE, 0, 0);
}

static void must_be_one(void)
{
	const uint8_t *buffer = elisa_test_exchange(guest[0]);
	struct kv_item item;

	if (goes && result.value == -ENOENT)
		return;
	memcpy(&item, buffer + VALUE, sizeof(item));
	buffer += VALUE + sizeof(item);
	if (result.value <= 0)
		fail_msg("the get gave %ld", result.value);
	assert_int_equal(item.length, result.value);
	assert_true((buffer[0] == 'o' && item.length == lengths[0]) ||
		    (buffer[0] == 'n' && item.length == lengths[1] && !goes));
	assert_int_equal(item.flags, 0);
	for (size_t i = 1; i < item.length; i++)
		assert_int_equal(buffer[i], buffer[0]);
}

static void at_each_instruction(const size_t of[2], int it_goes, uint32_t every)
{
	uint32_t n = 1;

	lengths = of;
	goes = it_goes;
	for (;; n += every) {
		int disturbed;

		set(1, "key", 'o', of[0]);
		memcpy(elisa_test_exchange(guest[0]), "key", 3);
		disturbed = elisa_step_once(get, n, disturb, NULL);
		assert_true(disturbed >= 0);
		assert_int_equal(result.error, 0);
		must_be_one();
		kv_do(1, KV_DELETE, SHARED, "key", NULL, 0, 0, 0);
		if (!disturbed)
			break;
	}
	print_message("  %u instructions, disturbed at each of %u\n", n, every);
	assert_true(n > 150);
	kv_must_be_sound();
}

static void small(void **state)
{
	(void)state;
	at_each_instruction((const size_t[2]){64, 64}, 0, 2);
	at_each_instruction((const size_t[2]){64, 50}, 0, 7);
	at_each_instruction((const size_t[2]){64, 700}, 0, 7);
}

static void of_many_cells(void **state)
{
	(void)state;
	at_each_instruction((const size_t[2]){700, 700}, 0, 5);
	at_each_instruction((const size_t[2]){3000, 64}, 0, 29);
}

static void deleted(void **state)
{
	(void)state;
	at_each_instruction((const size_t[2]){64, 64}, 1, 3);
	at_each_instruction((const size_t[2]){3000, 64}, 1, 29);
}

/* ------------------------------------------------------------------------------ an upload */

static long handle, stored;

static void send(void *unused)
{
	(void)unused;
	result = elisa_test_call(guest[0], 0, KV_CALL(KV_UPLOAD_PIECE, SHARED, 0), 0, VALUE, 600,
				 handle, 0);
}

/* Another vCPU of the guest wants the upload's room. */
static void want_room(void *unused)
{
	char *buffer = elisa_test_exchange(guest[0]);

	(void)unused;
	memcpy(buffer + EXCHANGE - 5, "other", 5);
	stored = elisa_test_call(guest[0], 1, KV_CALL(KV_SET, SHARED, 5), EXCHANGE - 5, 8192, 600,
				 0, 0)
			 .value;
}

/* The upload is given up, or it is in use and the other one has no room; never both. */
static void a_piece_while_room_is_wanted(void **state)
{
	char *buffer = elisa_test_exchange(guest[0]), value[601] = "", other[601] = "";
	int disturbed, given_up = 0, refused = 0;

	(void)state;
	memset(value, 'v', 600);
	memset(other, 'o', 600);
	kv_store_quota(tested, 0, SHARED, 7 * 128, 10);
	for (uint32_t n = 1;; n += 5) {
		handle = kv_do(0, KV_UPLOAD, SHARED, "key", NULL, 600, 0, 0);
		assert_true(handle > 0);
		memcpy(buffer + VALUE, value, 600);
		memcpy(buffer + 8192, other, 600);
		disturbed = elisa_step_once(send, n, want_room, NULL);
		assert_true(disturbed >= 0);
		if (!disturbed)
			break;
		if (stored > 0) {
			given_up++;
			kv_must_be(1, "other", other);
			kv_do(1, KV_DELETE, SHARED, "other", NULL, 0, 0, 0);
		} else {
			refused++;
			assert_int_equal(stored, -EDQUOT);
			assert_int_equal(result.value, 0);
			result = elisa_test_call(guest[0], 0, KV_CALL(KV_UPLOAD_END, SHARED, 0), 0,
						 0, KV_SET, handle, 0);
			assert_true(result.value > 0);
			kv_must_be(1, "key", value);
			kv_do(1, KV_DELETE, SHARED, "key", NULL, 0, 0, 0);
		}
		kv_must_be_sound();
	}
	assert_true(given_up > 5);
	assert_true(refused > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(small, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(of_many_cells, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(deleted, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(a_piece_while_room_is_wanted, kv_usual, kv_end),
	};

	return cmocka_run_group_tests_name("kv race", tests, NULL, NULL);
}
