/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include "kv.h"

struct elisa_test *test;
struct kv_store *tested;
struct elisa_test_attachment *guest[PLACES];
static uint64_t size;

static void on_event(void *unused, const struct elisa_event *event)
{
	(void)unused;
	kv_manager_event(tested, event);
	assert_int_equal(kv_manager_reclaim(tested), 0);
}

void kv_start(struct sizes sizes)
{
	const struct kv_space_config space[2] = {
		{.memory = sizes.cells * sizes.cell_size, .cell_size = sizes.cell_size},
		{.memory = sizes.private_cells * sizes.cell_size, .cell_size = sizes.cell_size}};
	const struct kv_config config = {.places = PLACES,
					 .vcpus = VCPUS,
					 .spaces = 2,
					 .space = space,
					 .secret = 12345,
					 .first_cas = 1000};

	size = kv_store_size(&config);
	assert_true(size);
	tested = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(tested, MAP_FAILED);
	assert_int_equal(kv_store_init(tested, &config), 0);
	kv_store_time(tested, 100);
	kv_store_distance = (intptr_t)tested - (intptr_t)&kv_store_distance;
	assert_int_equal(elisa_test_new(entry_function, &test), 0);
	assert_int_equal(elisa_test_memory(test, tested, size), 0);
	elisa_test_manager(test, on_event, NULL);
	for (uint32_t i = 0; i < PLACES; i++) {
		kv_store_rights(tested, i, SHARED, KV_MAY_READ | KV_MAY_WRITE | KV_MAY_FLUSH);
		kv_store_quota(tested, i, SHARED, UINT64_MAX, UINT64_MAX);
		assert_int_equal(elisa_test_attach(test, i, EXCHANGE, &guest[i]), 0);
	}
	kv_store_rights(tested, 1, PRIVATE, KV_MAY_READ | KV_MAY_WRITE);
	kv_store_quota(tested, 1, PRIVATE, UINT64_MAX, UINT64_MAX);
}

int kv_usual(void **state)
{
	(void)state;
	kv_start((struct sizes){.cells = 512, .private_cells = 64, .cell_size = 128});
	return 0;
}

int kv_end(void **state)
{
	(void)state;
	elisa_test_free(test);
	munmap(tested, size);
	return 0;
}

long kv_do(int who, enum kv_op op, int space, const char *key, const void *value, size_t length,
	   uint64_t number, long meta)
{
	char *buffer = elisa_test_exchange(guest[who]);
	const size_t key_length = key ? strlen(key) : 0;
	struct elisa_result result;

	if (key)
		memcpy(buffer + KEY, key, key_length);
	if (value)
		memcpy(buffer + VALUE, value, length);
	result = elisa_test_call(guest[who], 0, KV_CALL(op, space, key_length), KEY, VALUE,
				 (long)length, (long)number, meta);
	assert_int_equal(result.error, 0);
	return result.value;
}

long kv_text(int who, enum kv_op op, const char *key, const char *value)
{
	return kv_do(who, op, SHARED, key, value, strlen(value), 0, 0);
}

long kv_set(int who, const char *key, const char *value)
{
	return kv_text(who, KV_SET, key, value);
}

long kv_see(int who, int space, const char *key, struct kv_item *item, void *value, size_t room)
{
	const char *buffer = elisa_test_exchange(guest[who]);
	const long length =
		kv_do(who, KV_GET, space, key, NULL, sizeof(struct kv_item) + room, 0, 0);

	memcpy(item, buffer + VALUE, sizeof(*item));
	if (length > 0)
		memcpy(value, buffer + VALUE + sizeof(*item),
		       (size_t)length < room ? (size_t)length : room);
	return length;
}

void kv_must_be(int who, const char *key, const char *text)
{
	char value[4096];
	struct kv_item item;

	assert_int_equal(kv_see(who, SHARED, key, &item, value, sizeof(value) - 1), strlen(text));
	assert_int_equal(item.length, strlen(text));
	assert_memory_equal(value, text, strlen(text));
}

void kv_must_be_sound(void)
{
	const char *wrong = kv_check(tested);

	if (wrong)
		fail_msg("%s", wrong);
}

uint64_t kv_stat_of(int who, int space, enum kv_stat stat)
{
	uint64_t all[KV_STATS];

	assert_int_equal(kv_do(who, KV_STATISTICS, space, NULL, NULL, sizeof(all), 0, 0), KV_STATS);
	memcpy(all, (char *)elisa_test_exchange(guest[who]) + VALUE, sizeof(all));
	return all[stat];
}
