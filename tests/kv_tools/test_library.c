/* SPDX-License-Identifier: Apache-2.0 */
/* libelisa-kv on a store in this process: each function, threads, and what goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <elisa/kv.h>
#include "native_elisa.h"

#define MEMORY (16u << 20)

static struct elisa_kv *kv;
static uint8_t large[ELISA_KV_VALUE_MAX + 1], got[ELISA_KV_VALUE_MAX];

static int start(void **state)
{
	(void)state;
	assert_int_equal(native_start(MEMORY), 0);
	assert_int_equal(elisa_kv_open(NULL, &kv), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(elisa_kv_close(kv), 0);
	kv = NULL;
	native_end();
	return 0;
}

static int put(enum elisa_kv_mode mode, const char *key, const char *value, uint64_t cas,
	       uint64_t *new_cas)
{
	const struct elisa_kv_change it = {.key = key,
					   .key_length = strlen(key),
					   .value = value,
					   .length = strlen(value),
					   .mode = mode,
					   .flags = 7,
					   .cas = cas};

	return elisa_kv_put(kv, &it, new_cas);
}

static void must_be(const char *key, const char *value)
{
	char is[200];
	struct elisa_kv_item item;

	assert_int_equal(elisa_kv_get(kv, key, strlen(key), is, sizeof(is), &item), 0);
	assert_int_equal(item.length, strlen(value));
	assert_memory_equal(is, value, item.length);
}

static void says(const char *text)
{
	if (!strstr(elisa_kv_error(), text))
		fail_msg("'%s' does not say '%s'", elisa_kv_error(), text);
}

/* ------------------------------------------------------------------------------- functions */

static void reading(void **state)
{
	struct elisa_kv_item item;
	char value[8];

	(void)state;
	assert_int_equal(elisa_kv_get(kv, "a", 1, value, 8, &item), -ENOENT);
	says("no item");
	assert_int_equal(put(ELISA_KV_SET, "a", "value", 0, NULL), 0);
	assert_int_equal(elisa_kv_get(kv, "a", 1, value, 8, &item), 0);
	assert_memory_equal(value, "value", 5);
	assert_int_equal(item.length, 5);
	assert_int_equal(item.flags, 7);
	assert_int_equal(item.ttl, ELISA_KV_FOREVER);
	assert_true(item.cas);
	assert_int_equal(elisa_kv_get(kv, "a", 1, value, 5, NULL), 0);
	assert_int_equal(elisa_kv_get(kv, "a", 1, NULL, 0, &item), 0);
	assert_int_equal(item.length, 5);
	item.length = 0;
	assert_int_equal(elisa_kv_get(kv, "a", 1, value, 4, &item), -EMSGSIZE);
	assert_int_equal(item.length, 5);
	says("longer than the room");
	assert_int_equal(elisa_kv_get_and_touch(kv, "a", 1, 50, value, 8, &item), 0);
	assert_int_equal(item.ttl, 50);
	assert_int_equal(elisa_kv_touch(kv, "a", 1, 70), 0);
	assert_int_equal(elisa_kv_get(kv, "a", 1, value, 8, &item), 0);
	assert_int_equal(item.ttl, 70);
	kv_store_time(native.store, 172);
	assert_int_equal(elisa_kv_get(kv, "a", 1, value, 8, &item), -ENOENT);
	assert_int_equal(elisa_kv_touch(kv, "a", 1, 70), -ENOENT);
}

enum {
	MANY = 150
};

static char many_keys[MANY][16];

static void want(struct elisa_kv_wanted *wanted)
{
	for (int i = 0; i < MANY; i++) {
		snprintf(many_keys[i], sizeof(many_keys[i]), "key %d", i);
		wanted[i] = (struct elisa_kv_wanted){.key = many_keys[i],
						     .key_length = strlen(many_keys[i])};
	}
}

/* Every third one is missing, one is large. */
static void reading_many(void **state)
{
	static struct elisa_kv_wanted wanted[MANY];
	size_t done = 0;

	(void)state;
	want(wanted);
	for (int i = 0; i < MANY; i++) {
		const struct elisa_kv_change it = {.key = many_keys[i],
						   .key_length = strlen(many_keys[i]),
						   .value = i == 100 ? (char *)large : many_keys[i],
						   .length = i == 100 ? 40000 : (size_t)i % 6,
						   .flags = (uint32_t)i};

		if (i % 3)
			assert_int_equal(elisa_kv_put(kv, &it, NULL), 0);
	}
	native.calls = 0;
	while (done < MANY) {
		const int more =
			elisa_kv_get_many(kv, wanted + done, MANY - done, got, sizeof(got));

		assert_true(more > 0);
		for (size_t i = done; i < done + (size_t)more; i++) {
			assert_true(!wanted[i].value == !(i % 3));
			if (!wanted[i].value)
				continue;
			assert_int_equal(wanted[i].item.flags, i);
			assert_true(wanted[i].item.cas);
			assert_int_equal(wanted[i].item.length, i == 100 ? 40000 : i % 6);
			assert_memory_equal(wanted[i].value,
					    i == 100 ? (char *)large : many_keys[i],
					    wanted[i].item.length);
		}
		done += (size_t)more;
	}
	/* 64 keys, and 36, then the large one in four, then the others */
	assert_int_equal(native.calls, 1 + 1 + 1 + 3 + 1);
	assert_int_equal(elisa_kv_get_many(kv, wanted, 0, got, sizeof(got)), 0);
}

static void reading_many_with_little_room(void **state)
{
	struct elisa_kv_wanted wanted[MANY];
	char key[251] = {0};

	(void)state;
	want(wanted);
	assert_int_equal(put(ELISA_KV_SET, "key 0", "12345", 0, NULL), 0);
	assert_int_equal(put(ELISA_KV_SET, "key 2", "678", 0, NULL), 0);
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 8), 4);
	assert_memory_equal(wanted[0].value, "12345", 5);
	assert_null(wanted[1].value);
	assert_memory_equal(wanted[2].value, "678", 3);
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 7), 2);
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 4), -EMSGSIZE);
	assert_int_equal(wanted[0].item.length, 5);
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 0), -EMSGSIZE);
	wanted[3] = (struct elisa_kv_wanted){.key = key, .key_length = 251};
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 8), -EINVAL);
	says("a key of 251 bytes");
	/* long keys: not all of them fit at their place */
	for (int i = 0; i < MANY; i++)
		wanted[i] = (struct elisa_kv_wanted){.key = key, .key_length = 250};
	assert_int_equal(elisa_kv_get_many(kv, wanted, MANY, got, 8), 4096 / 258);
	native.answer = -EACCES;
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 8), -EACCES);
	native.answer = 0;
	native.late_error = ELISA_CALL_TIMEOUT;
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 8), 4);
	native.call_error = ELISA_CALL_NOT_ATTACHED;
	assert_int_equal(elisa_kv_get_many(kv, wanted, 4, got, 8), 4);
}

static void fill(uint8_t *exchange, size_t size)
{
	memset(exchange, 0xff, size);
}

/* A store that is not what it says: its numbers lead nowhere. */
static void a_hostile_store(void **state)
{
	struct elisa_kv_wanted wanted[MANY];

	(void)state;
	want(wanted);
	native.claim = 3;
	assert_int_equal(elisa_kv_get_many(kv, wanted, 2, got, 8), -EIO);
	says("3 items for 2 keys");
	native.claim = 1l << 40;
	assert_int_equal(elisa_kv_get_many(kv, wanted, 2, got, sizeof(got)), -EIO);
	native.behind = fill;
	native.claim = 2;
	assert_int_equal(elisa_kv_get_many(kv, wanted, 2, got, SIZE_MAX), -EIO);
	says("a value of 4294967295 bytes");
}

static void changing(void **state)
{
	uint64_t cas, next;

	(void)state;
	assert_int_equal(put(ELISA_KV_REPLACE, "a", "1", 0, NULL), -ENOENT);
	assert_int_equal(put(ELISA_KV_APPEND, "a", "1", 0, NULL), -ENOENT);
	assert_int_equal(put(ELISA_KV_ADD, "a", "1", 0, &cas), 0);
	assert_int_equal(put(ELISA_KV_ADD, "a", "1", 0, NULL), -EEXIST);
	says("already");
	assert_int_equal(put(ELISA_KV_REPLACE, "a", "2", 0, NULL), 0);
	assert_int_equal(put(ELISA_KV_SET, "a", "3", cas, NULL), -ESTALE);
	assert_int_equal(put(ELISA_KV_SET, "b", "3", cas, NULL), -ENOENT);
	assert_int_equal(put(ELISA_KV_SET, "a", "3", 0, &cas), 0);
	assert_int_equal(put(ELISA_KV_SET, "a", "4", cas, &next), 0);
	assert_int_not_equal(cas, next);
	assert_int_equal(put(ELISA_KV_APPEND, "a", "5", 0, NULL), 0);
	assert_int_equal(put(ELISA_KV_PREPEND, "a", "3", 0, &cas), 0);
	must_be("a", "345");
	assert_int_equal(elisa_kv_delete(kv, "a", 1, next), -ESTALE);
	assert_int_equal(elisa_kv_delete(kv, "a", 1, cas), 0);
	assert_int_equal(elisa_kv_delete(kv, "a", 1, 0), -ENOENT);
	assert_int_equal(put(ELISA_KV_SET, "empty", "", 0, NULL), 0);
	must_be("empty", "");
	assert_int_equal(elisa_kv_flush(kv), 0);
	assert_int_equal(elisa_kv_get(kv, "empty", 5, NULL, 0, NULL), -ENOENT);
}

static void numbers(void **state)
{
	struct elisa_kv_item item;
	uint64_t number;

	(void)state;
	assert_int_equal(elisa_kv_increment(kv, "n", 1, 1, &number, NULL), -ENOENT);
	assert_int_equal(put(ELISA_KV_SET, "n", "10", 0, NULL), 0);
	assert_int_equal(elisa_kv_increment(kv, "n", 1, 5, &number, &item), 0);
	assert_int_equal(number, 15);
	assert_int_equal(item.length, 2);
	assert_int_equal(item.flags, 7);
	assert_int_equal(elisa_kv_decrement(kv, "n", 1, 16, &number, NULL), 0);
	assert_int_equal(number, 0);
	assert_int_equal(elisa_kv_increment(kv, "n", 1, UINT64_MAX, &number, NULL), 0);
	assert_true(number == UINT64_MAX);
	must_be("n", "18446744073709551615");
	assert_int_equal(elisa_kv_increment(kv, "n", 1, 3, NULL, NULL), 0);
	must_be("n", "2");
	assert_int_equal(put(ELISA_KV_SET, "n", "x", 0, NULL), 0);
	assert_int_equal(elisa_kv_increment(kv, "n", 1, 5, &number, NULL), -EDOM);
	says("no decimal number");
}

static void wrong_arguments(void **state)
{
	const struct elisa_kv_options spaces = {.space = 256}, flags = {.flags = 6};
	const struct elisa_kv_options threads = {.threads = 65};
	struct elisa_kv_change it = {.key = "a", .key_length = 1, .mode = (enum elisa_kv_mode)9};
	struct elisa_kv *none = kv;
	char key[251] = {0};

	(void)state;
	assert_int_equal(elisa_kv_open(&spaces, &none), -EINVAL);
	assert_null(none);
	says("name space 256");
	assert_int_equal(elisa_kv_open(&flags, &none), -EINVAL);
	says("0x6 are unknown");
	assert_int_equal(elisa_kv_open(&threads, &none), -EINVAL);
	says("65 threads");
	assert_int_equal(elisa_kv_put(kv, &it, NULL), -EINVAL);
	says("mode 9");
	it.mode = ELISA_KV_SET;
	it.value = large;
	it.length = ELISA_KV_VALUE_MAX + 1;
	assert_int_equal(elisa_kv_put(kv, &it, NULL), -EFBIG);
	says("1048576");
	assert_int_equal(elisa_kv_get(kv, key, 251, NULL, 0, NULL), -EINVAL);
	says("a key of 251 bytes");
	assert_int_equal(elisa_kv_get(kv, key, 0, NULL, 0, NULL), -EINVAL);
	assert_int_equal(elisa_kv_get(kv, key, 250, NULL, 0, NULL), -ENOENT);
}

static void statistics(void **state)
{
	struct elisa_kv_statistic all[ELISA_KV_STATISTICS];
	uint64_t gets = 0;
	int count;

	(void)state;
	elisa_kv_get(kv, "a", 1, NULL, 0, NULL);
	count = elisa_kv_statistics(kv, all, ELISA_KV_STATISTICS);
	assert_int_equal(count, KV_STATS);
	for (int i = 0; i < count; i++)
		if (!strcmp(all[i].name, "cmd_get"))
			gets = all[i].value;
	assert_int_equal(gets, 1);
	assert_int_equal(elisa_kv_statistics(kv, all, 1), 1);
}

static void name_spaces(void **state)
{
	struct elisa_kv *first = kv, *second;
	const struct elisa_kv_options options = {.space = 1, .store = "other", .threads = 1};
	const struct elisa_kv_options none = {.space = 2};

	(void)state;
	assert_int_equal(elisa_kv_open(&options, &second), 0);
	assert_string_equal(native.name, "other");
	assert_int_equal(put(ELISA_KV_SET, "a", "first", 0, NULL), 0);
	kv = second;
	assert_int_equal(elisa_kv_get(kv, "a", 1, NULL, 0, NULL), -ENOENT);
	assert_int_equal(put(ELISA_KV_SET, "a", "second", 0, NULL), 0);
	must_be("a", "second");
	kv = first;
	must_be("a", "first");
	assert_int_equal(elisa_kv_close(second), 0);
	assert_int_equal(elisa_kv_open(&none, &second), 0);
	assert_int_equal(elisa_kv_get(second, "a", 1, NULL, 0, NULL), -EINVAL);
	says("name space 2");
	assert_int_equal(elisa_kv_close(second), 0);
	assert_int_equal(elisa_kv_close(NULL), 0);
}

/* ---------------------------------------------------------------------------------- large */

static int put_large(enum elisa_kv_mode mode, size_t length, uint64_t cas)
{
	const struct elisa_kv_change it = {.key = "large",
					   .key_length = 5,
					   .value = large,
					   .length = length,
					   .mode = mode,
					   .flags = 3,
					   .ttl = 1000,
					   .cas = cas};

	return elisa_kv_put(kv, &it, NULL);
}

static void large_values(void **state)
{
	static const size_t lengths[] = {16104, 16105, 16128, 16129, 40000, ELISA_KV_VALUE_MAX};
	struct elisa_kv_item item;

	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		assert_int_equal(put_large(ELISA_KV_SET, lengths[i], 0), 0);
		memset(got, 0, sizeof(got));
		assert_int_equal(elisa_kv_get(kv, "large", 5, got, sizeof(got), &item), 0);
		assert_int_equal(item.length, lengths[i]);
		assert_memory_equal(got, large, lengths[i]);
		assert_int_equal(item.ttl, 1000);
		assert_int_equal(elisa_kv_get(kv, "large", 5, got, lengths[i] - 1, &item),
				 -EMSGSIZE);
	}
	assert_int_equal(put_large(ELISA_KV_ADD, 40000, 0), -EEXIST);
	assert_int_equal(put_large(ELISA_KV_SET, 40000, item.cas + 1), -ESTALE);
	assert_int_equal(put_large(ELISA_KV_SET, 40000, item.cas), 0);
	assert_int_equal(elisa_kv_delete(kv, "large", 5, 0), 0);
	assert_int_equal(put_large(ELISA_KV_REPLACE, 40000, 0), -ENOENT);
}

static uint64_t own_bytes(void)
{
	struct elisa_kv_statistic all[ELISA_KV_STATISTICS];
	const int count = elisa_kv_statistics(kv, all, ELISA_KV_STATISTICS);

	for (int i = 0; i < count; i++)
		if (!strcmp(all[i].name, "own_bytes"))
			return all[i].value;
	return 0;
}

/* One that fails half-way leaves nothing that counts for the quota. */
static void large_values_that_fail(void **state)
{
	(void)state;
	for (uint32_t calls = 1; calls <= 4; calls++) {
		native.spared = calls; /* the upload's begin, three pieces, its end */
		native.call_error = ELISA_CALL_TIMEOUT;
		assert_int_equal(put_large(ELISA_KV_SET, 40000, 0), -EIO);
		says("half-way");
		assert_int_equal(own_bytes(), 0);
	}
	assert_int_equal(put_large(ELISA_KV_SET, 40000, 0), 0);
	assert_true(own_bytes() > 40000);
}

/* What is joined may be larger than a slot, on both sides. */
static void large_values_joined(void **state)
{
	struct elisa_kv_item item;

	(void)state;
	assert_int_equal(put_large(ELISA_KV_APPEND, 40000, 0), -ENOENT);
	assert_int_equal(put(ELISA_KV_SET, "large", "small", 0, NULL), 0);
	assert_int_equal(put_large(ELISA_KV_APPEND, 40000, 0), 0);
	assert_int_equal(put(ELISA_KV_PREPEND, "large", "first ", 0, NULL), 0);
	assert_int_equal(elisa_kv_get(kv, "large", 5, got, sizeof(got), &item), 0);
	assert_int_equal(item.length, 40011);
	assert_int_equal(item.flags, 7);
	assert_int_equal(item.ttl, ELISA_KV_FOREVER);
	assert_memory_equal(got, "first small", 11);
	assert_memory_equal(got + 11, large, 40000);
	assert_int_equal(put_large(ELISA_KV_PREPEND, 40000, item.cas + 1), -ESTALE);
	assert_int_equal(put_large(ELISA_KV_PREPEND, 40000, item.cas), 0);
	assert_int_equal(elisa_kv_get(kv, "large", 5, got, sizeof(got), &item), 0);
	assert_memory_equal(got, large, 40000);
	assert_memory_equal(got + 40000, "first small", 11);
	assert_int_equal(put_large(ELISA_KV_APPEND, ELISA_KV_VALUE_MAX - 40000, 0), -EFBIG);
}

/* -------------------------------------------------------------------------------- threads */

#define THREADS 8
#define ROUNDS	2000

static void *count_up(void *unused)
{
	static uint32_t numbers;
	const uint32_t me = __atomic_fetch_add(&numbers, 1, __ATOMIC_RELAXED) % THREADS;
	char key[16], value[64], is[64];
	struct elisa_kv_item item;

	(void)unused;
	snprintf(key, sizeof(key), "key %u", me);
	for (int i = 0; i < ROUNDS; i++) {
		const int length = snprintf(value, sizeof(value), "value %d of %u", i, me);
		const struct elisa_kv_change it = {.key = key,
						   .key_length = strlen(key),
						   .value = value,
						   .length = (size_t)length};

		if (elisa_kv_put(kv, &it, NULL) ||
		    elisa_kv_get(kv, key, strlen(key), is, sizeof(is), &item) ||
		    item.length != (size_t)length || memcmp(is, value, item.length) ||
		    elisa_kv_increment(kv, "all", 3, 1, NULL, NULL))
			return strdup(elisa_kv_error());
	}
	return NULL;
}

/* More threads than slots: each has its own answers. */
static void threads(void **state)
{
	const struct elisa_kv_options options = {.threads = 3};
	pthread_t thread[THREADS];
	struct elisa_kv *whole = kv;
	char text[32];
	void *failed;

	(void)state;
	assert_int_equal(elisa_kv_open(&options, &kv), 0);
	assert_int_equal(put(ELISA_KV_SET, "all", "0", 0, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count_up, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &failed);
		if (failed)
			fail_msg("a thread: %s", (char *)failed);
	}
	snprintf(text, sizeof(text), "%d", THREADS * ROUNDS);
	must_be("all", text);
	assert_int_equal(elisa_kv_close(kv), 0);
	kv = whole;
}

/* -------------------------------------------------------------------------------- failures */

static void cannot_open(void **state)
{
	struct elisa_kv *none = kv;

	(void)state;
	native.open_error = -ENOENT;
	assert_int_equal(elisa_kv_open(NULL, &none), -ENOENT);
	assert_null(none);
	says("the device failed");
	native.open_error = 0;
	native.attach_error = -EPERM;
	assert_int_equal(elisa_kv_open(NULL, &none), -EPERM);
	says("store \"kv\": the attachment failed");
	native.attach_error = 0;
}

static void tickets(void **state)
{
	static const char *const wrong[] = {"", "0", "xy", "00"};
	struct elisa_kv_options options = {.store = "/tmp/kv-ticket-XXXXXX"};
	struct elisa_kv *other = NULL;
	char path[] = "/tmp/kv-ticket-XXXXXX";
	const int fd = mkstemp(path);

	(void)state;
	options.store = path;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, wrong[i], strlen(wrong[i]), 0), strlen(wrong[i]));
		assert_int_equal(elisa_kv_open(&options, &other), -EINVAL);
		says("64 hexadecimal digits");
	}
	for (int i = 0; i < 32; i++)
		assert_int_equal(pwrite(fd, "aB", 2, 2 * i), 2);
	assert_int_equal(elisa_kv_open(&options, &other), 0);
	assert_int_equal(native.ticket[31], 0xab);
	assert_int_equal(elisa_kv_close(other), 0);
	assert_int_equal(pwrite(fd, "\n", 1, 64), 1);
	assert_int_equal(elisa_kv_open(&options, &other), 0);
	assert_int_equal(elisa_kv_close(other), 0);
	assert_int_equal(pwrite(fd, "\n\n", 2, 64), 2);
	assert_int_equal(elisa_kv_open(&options, &other), -EINVAL);
	close(fd);
	unlink(path);
	assert_int_equal(elisa_kv_open(&options, &other), -ENOENT);
	says(path);
}

static void a_store_that_is_busy(void **state)
{
	(void)state;
	native.answer = -EBUSY;
	native.calls = 0;
	assert_int_equal(elisa_kv_get(kv, "a", 1, NULL, 0, NULL), -EBUSY);
	assert_in_range(native.calls, 100, 2000);
	native.answer = -ENODEV;
	assert_int_equal(elisa_kv_get(kv, "a", 1, NULL, 0, NULL), -ENODEV);
	says("vcpus");
	native.answer = -EACCES;
	assert_int_equal(put(ELISA_KV_SET, "a", "x", 0, NULL), -EACCES);
	says("no right");
	native.answer = 0;
}

/* A change that was stopped may have happened; a read is made again. */
static void calls_that_are_ended(void **state)
{
	(void)state;
	native.late_error = ELISA_CALL_TIMEOUT;
	assert_int_equal(put(ELISA_KV_SET, "a", "x", 0, NULL), -EIO);
	says("half-way");
	must_be("a", "x");
	native.call_error = ELISA_CALL_REVOKED;
	assert_int_equal(put(ELISA_KV_SET, "a", "y", 0, NULL), -EIO);
	says("revoked");
	must_be("a", "x");
	assert_int_equal(native.attached, 2);
	assert_int_equal(native.detached, 1);
	native.call_error = ELISA_CALL_NOT_ATTACHED;
	assert_int_equal(elisa_kv_get(kv, "a", 1, NULL, 0, NULL), 0);
	assert_int_equal(native.attached, 3);
	native.late_error = ELISA_CALL_TIMEOUT;
	must_be("a", "x");
	native.call_error = ELISA_CALL_REVOKED;
	assert_int_equal(elisa_kv_get_and_touch(kv, "a", 1, 50, NULL, 0, NULL), 0);
	assert_int_equal(native.attached, 4);
	native.late_error = ELISA_CALL_FAULT;
	assert_true(own_bytes() > 0);
	/* once more, and not for ever */
	native.call_error = ELISA_CALL_TIMEOUT;
	native.late_error = ELISA_CALL_FAULT;
	assert_int_equal(elisa_kv_get(kv, "a", 1, NULL, 0, NULL), -EIO);
	must_be("a", "x");
}

/* Each call fails at once until the manager is there again, and attaches then. */
static void a_manager_that_restarts(void **state)
{
	const struct timespec pause = {.tv_nsec = 150000000};
	uint32_t tries = 0;

	(void)state;
	assert_int_equal(put(ELISA_KV_SET, "a", "x", 0, NULL), 0);
	native_end();
	assert_int_equal(put(ELISA_KV_SET, "a", "x", 0, NULL), -ENOTCONN);
	native.attach_error = -ENOENT;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(put(ELISA_KV_SET, "a", "x", 0, NULL), -ENOTCONN);
		tries += strstr(elisa_kv_error(), "the attachment failed") != NULL;
	}
	assert_in_range(tries, 1, 20);
	says("next try");
	assert_int_equal(native_start(MEMORY), 0);
	nanosleep(&pause, NULL);
	assert_int_equal(elisa_kv_get(kv, "a", 1, NULL, 0, NULL), -ENOENT);
	assert_int_equal(put(ELISA_KV_SET, "a", "y", 0, NULL), 0);
	must_be("a", "y");
}

static void *use_all_the_time(void *done)
{
	char value[8];

	while (!__atomic_load_n((int *)done, __ATOMIC_ACQUIRE)) {
		const int error = elisa_kv_get(kv, "a", 1, value, sizeof(value), NULL);

		if (error && error != -ENOENT && error != -ENOTCONN && error != -EIO)
			return strdup(elisa_kv_error());
	}
	return NULL;
}

/* The attachment is given up under threads that call. */
static void revoked_under_threads(void **state)
{
	pthread_t thread[4];
	int done = 0;
	void *failed;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, use_all_the_time, &done), 0);
	for (int i = 0; i < 100; i++) {
		const struct timespec pause = {.tv_nsec = 300000};

		__atomic_store_n(&native.call_error, ELISA_CALL_REVOKED, __ATOMIC_RELAXED);
		nanosleep(&pause, NULL);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &failed);
		if (failed)
			fail_msg("a thread: %s", (char *)failed);
	}
	native.call_error = 0;
	assert_true(native.attached > 5);
	assert_in_range(native.attached - native.detached, 0, 1);
}

static void vector_registers(void **state)
{
	const struct elisa_kv_options options = {.flags = ELISA_KV_TRUST_MANAGER};
	struct elisa_kv *other = kv;

	(void)state;
	native.is_general = 1;
	assert_int_equal(elisa_kv_open(&options, &kv), 0);
	assert_int_equal(put(ELISA_KV_SET, "a", "x", 0, NULL), 0);
	must_be("a", "x");
	assert_int_equal(elisa_kv_close(kv), 0);
	kv = other;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(reading),
		TEST(reading_many),
		TEST(reading_many_with_little_room),
		TEST(a_hostile_store),
		TEST(changing),
		TEST(numbers),
		TEST(wrong_arguments),
		TEST(statistics),
		TEST(name_spaces),
		TEST(large_values),
		TEST(large_values_that_fail),
		TEST(large_values_joined),
		TEST(threads),
		TEST(cannot_open),
		TEST(tickets),
		TEST(a_store_that_is_busy),
		TEST(calls_that_are_ended),
		TEST(a_manager_that_restarts),
		TEST(revoked_under_threads),
		TEST(vector_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
