/* SPDX-License-Identifier: Apache-2.0 */
/* Guests that give any numbers, change their buffers all the time, and call all at once. */
#include <pthread.h>
#include <time.h>
#include "kv.h"

static struct elisa_result call(int who, enum kv_op op, uint64_t key_length, long key, long value,
				long length, long number, long meta)
{
	return elisa_test_call(guest[who], 0, KV_CALL(op, SHARED, key_length), key, value, length,
			       number, meta);
}

/* Each number where each other may be: nothing faults, and the store stays whole. */
static void any_numbers(void **state)
{
	static const long numbers[] = {
		0,	 1,	   24,	      250,	 251, EXCHANGE - 1, EXCHANGE, EXCHANGE + 1,
		1 << 20, 1l << 32, INT64_MAX, INT64_MIN, -1,  -4096};
	const size_t count = sizeof(numbers) / sizeof(numbers[0]);

	(void)state;
	kv_set(1, "theirs", "unharmed");
	memset(elisa_test_exchange(guest[0]), 'k', EXCHANGE);
	for (size_t i = 0; i < count * count * count * count; i++) {
		const long a = numbers[i % count], b = numbers[i / count % count];
		const long c = numbers[i / count / count % count];
		const long d = numbers[i / count / count / count];
		const enum kv_op op = (enum kv_op)(i % 23);
		const struct elisa_result result = call(0, op, (uint64_t)d, a, b, c, d, a);

		if (op == KV_FLUSH)
			kv_set(1, "theirs", "unharmed");
		if (op == KV_FLUSH || op == KV_DELETE)
			kv_set(1, "k", "what keys of one byte lead to");
		assert_int_equal(result.error, 0);
		if (!op || op >= KV_OPS)
			assert_int_equal(result.value, -EINVAL);
	}
	kv_must_be(1, "theirs", "unharmed");
	kv_must_be_sound();
}

/* A reply that begins in the exchange buffer and has room behind its end: not one byte of it. */
static void a_reply_over_the_end(void **state)
{
	static const enum kv_op ops[] = {KV_GET, KV_GET_TOUCH, KV_GET_PIECE, KV_INCREMENT,
					 KV_DECREMENT};
	const long room = 1024;

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		for (long over = 1; over <= room; over += 31) {
			const long value = EXCHANGE - room + over;
			struct elisa_result result;

			assert_true(kv_set(0, "k", "7") > 0);
			result = call(0, ops[i], 1, KEY, value, room, 1, 0);
			assert_int_equal(result.error, 0);
			assert_int_equal(result.value, -EFAULT);
		}
	assert_int_equal(call(0, KV_GET, 1, KEY, EXCHANGE - room, room, 0, 0).value, 1);
}

static void no_such_caller(void **state)
{
	struct elisa_test_attachment *other;

	(void)state;
	assert_int_equal(elisa_test_attach(test, PLACES, 4096, &other), 0);
	assert_int_equal(
		elisa_test_call(other, 0, KV_CALL(KV_GET, SHARED, 1), 0, 0, 64, 0, 0).value,
		-ENODEV);
	elisa_test_detach(other);
	assert_int_equal(elisa_test_attach(test, ELISA_NO_PLACE, 4096, &other), 0);
	assert_int_equal(elisa_test_call(other, 0, KV_CALL(KV_SET, SHARED, 1), 0, 0, 4, 0, 0).value,
			 -ENODEV);
	assert_int_equal(
		elisa_test_call(guest[0], VCPUS, KV_CALL(KV_GET, SHARED, 1), 0, 0, 64, 0, 0).value,
		-ENODEV);
}

static void a_buffer_that_changes(void **state)
{
	uint64_t done = 0;

	(void)state;
	assert_true(kv_set(1, "theirs", "unharmed") > 0);
	assert_int_equal(elisa_test_hostile(guest[0], 1), 0);
	/* where the other thread does not get the processor, for longer */
	for (long i = 0; i < 60000 || (done <= 1000 && i < 5000000); i++) {
		enum kv_op op = (enum kv_op)(i % KV_OPS);
		struct elisa_result result;

		if (op == KV_FLUSH)
			op = KV_SET;
		result = call(0, op, (uint64_t)(1 + i % 11), i % 64, i * 7 % 4096, i * 13 % 9000, i,
			      0);
		assert_int_equal(result.error, 0);
		done += result.value >= 0;
	}
	assert_int_equal(elisa_test_hostile(guest[0], 0), 0);
	assert_true(done > 1000);
	kv_must_be(1, "theirs", "unharmed");
	kv_must_be_sound();
}

/* ------------------------------------------------------------------------------ all at once */

enum {
	KEYS = 12,
	SECONDS = 2
};

static int stop;
static uint64_t reads[PLACES], writes[PLACES], torn;

/* Bytes that say of what length they are, and all of one kind. */
static void make(uint8_t *value, size_t length, uint32_t seed)
{
	memcpy(value, &length, 8);
	for (size_t i = 8; i < length; i++)
		value[i] = (uint8_t)(seed + i);
}

static int is_whole(const uint8_t *value, size_t length)
{
	uint64_t says;

	memcpy(&says, value, 8);
	if (says != length)
		return 0;
	for (size_t i = 9; i < length; i++)
		if (value[i] != (uint8_t)(value[8] + i - 8))
			return 0;
	return 1;
}

static void write_one(int who, uint64_t random)
{
	uint8_t *buffer = elisa_test_exchange(guest[who]);
	/* some of them large; a deleted one's cells become another's */
	const size_t length = 16 + (random >> 8) % (random & 7 ? 600 : 12000);
	const enum kv_op op = (random >> 40) % 5 ? KV_SET : KV_DELETE;

	if (op == KV_SET)
		make(buffer + VALUE, length, (uint32_t)(random >> 32));
	if (call(who, op, 1, KEY, VALUE, (long)length * (op == KV_SET), 0, 0).value >= 0)
		writes[who]++;
}

static void read_one(int who)
{
	uint8_t *buffer = elisa_test_exchange(guest[who]);
	const long length = call(who, KV_GET, 1, KEY, VALUE, EXCHANGE - VALUE, 0, 0).value;

	if (length < 0)
		return;
	reads[who]++;
	if (!is_whole(buffer + VALUE + sizeof(struct kv_item), (size_t)length))
		__atomic_fetch_add(&torn, 1, __ATOMIC_RELAXED);
}

static void *run(void *number)
{
	const int who = (int)(intptr_t)number;
	uint8_t *buffer = elisa_test_exchange(guest[who]);
	uint64_t random = 0x9e3779b97f4a7c15ull * (uint64_t)(who + 1);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		buffer[KEY] = (uint8_t)('a' + (random >> 20) % KEYS);
		if (who == 2 || random % 3)
			read_one(who);
		else
			write_one(who, random);
	}
	return NULL;
}

static void all_at_once(void **state)
{
	pthread_t thread[PLACES];

	(void)state;
	stop = 0;
	for (intptr_t i = 0; i < PLACES; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run, (void *)i), 0);
	nanosleep(&(struct timespec){.tv_sec = SECONDS}, NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < PLACES; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(torn, 0);
	print_message("  reads %lu %lu %lu, writes %lu %lu\n", (unsigned long)reads[0],
		      (unsigned long)reads[1], (unsigned long)reads[2], (unsigned long)writes[0],
		      (unsigned long)writes[1]);
	assert_true(reads[2] && writes[0] && writes[1]);
	kv_must_be_sound();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_numbers, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(a_reply_over_the_end, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(no_such_caller, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(a_buffer_that_changes, kv_usual, kv_end),
		cmocka_unit_test_setup_teardown(all_at_once, kv_usual, kv_end),
	};

	return cmocka_run_group_tests_name("kv hostile", tests, NULL, NULL);
}
