/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of elisa-kv: what is written is read, under another configuration as well, and a file
 * with any byte changed is not used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "output.h"
#include "snapshot.h"

static struct daemon d;
static char folder[] = "/tmp/kv-snapshot-XXXXXX";

static void make_store(void)
{
	struct kv_space_config space[MAX_SPACES];
	const struct kv_config sizes = {.places = d.config.place_count,
					.vcpus = 2,
					.spaces = d.config.space_count,
					.space = space,
					.secret = 7,
					.first_cas = 1};

	for (uint32_t i = 0; i < d.config.space_count; i++)
		space[i] = (struct kv_space_config){d.config.space[i].mib << 20, 256};
	d.size = kv_store_size(&sizes);
	d.store = mmap(NULL, d.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(d.store, MAP_FAILED);
	assert_int_equal(kv_store_init(d.store, &sizes), 0);
	kv_store_time(d.store, 50);
	guests_allow(&d);
}

static void new_store(void)
{
	munmap(d.store, d.size);
	make_store();
}

static void add_space(const char *name)
{
	strcpy(d.config.space[d.config.space_count].name, name);
	d.config.space[d.config.space_count++].mib = 4;
}

static void add_place(const char *name)
{
	struct place_config *place = &d.config.place[d.config.place_count++];

	memset(place, 0, sizeof(*place));
	strcpy(place->name, name);
	for (uint32_t i = 0; i < MAX_SPACES; i++)
		place->share[i] = (struct share_config){
			.rights = KV_MAY_READ | KV_MAY_WRITE, .mib = 4, .items = UINT64_MAX};
}

static int start(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	snprintf(d.config.snapshot, sizeof(d.config.snapshot), "%s/snapshot", folder);
	unlink(d.config.snapshot);
	add_space("one");
	add_space("two");
	add_place("a");
	add_place("b");
	make_store();
	return 0;
}

static int end(void **state)
{
	(void)state;
	munmap(d.store, d.size);
	return 0;
}

static int store(uint32_t space, uint32_t place, const char *key, const void *value, size_t length,
		 uint32_t ttl)
{
	char copy[KV_KEY_MAX];
	const struct kv_record record = {.place = place,
					 .flags = 5,
					 .ttl = ttl,
					 .key_length = (uint32_t)strlen(key),
					 .length = (uint32_t)length,
					 .key = (uint8_t *)strcpy(copy, key),
					 .value = (uint8_t *)(uintptr_t)value};

	return kv_manager_put(d.store, space, &record);
}

#define ALL_SLOTS (1ull << 32) /* more than a space has */

/* The item of a key, or false. */
static bool find(uint32_t space, const char *key, struct kv_record *record)
{
	uint64_t cursor = 0, slots = ALL_SLOTS;

	while (kv_manager_next(d.store, space, &cursor, &slots, d.buffer, record))
		if (record->key_length == strlen(key) &&
		    !memcmp(record->key, key, record->key_length))
			return true;
	return false;
}

static void must_be(uint32_t space, uint32_t place, const char *key, const void *value,
		    size_t length)
{
	struct kv_record record;

	assert_true(find(space, key, &record));
	assert_int_equal(record.place, place);
	assert_int_equal(record.flags, 5);
	assert_int_equal(record.length, length);
	assert_memory_equal(record.value, value, length);
}

static uint32_t count_items(uint32_t space)
{
	struct kv_record record;
	uint64_t cursor = 0, slots = ALL_SLOTS;
	uint32_t count = 0;

	while (kv_manager_next(d.store, space, &cursor, &slots, d.buffer, &record))
		count++;
	return count;
}

static void written_and_read(void **state)
{
	static uint8_t large[KV_VALUE_MAX];
	struct kv_record record;
	struct stat is;

	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 7 + i / 255);
	assert_int_equal(store(0, 0, "key", "value", 5, 0), 0);
	assert_int_equal(store(0, 1, "empty", "", 0, 1000), 0);
	assert_int_equal(store(1, 1, "key", large, sizeof(large), 0), 0);
	assert_int_equal(snapshot_whole(&d), 0);
	assert_int_equal(stat(d.config.snapshot, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0600);
	new_store();
	assert_int_equal(load_snapshot(&d), 0);
	must_be(0, 0, "key", "value", 5);
	must_be(0, 1, "empty", "", 0);
	must_be(1, 1, "key", large, sizeof(large));
	assert_true(find(0, "empty", &record));
	assert_in_range(record.ttl, 990, 1001);
	assert_true(find(0, "key", &record));
	assert_int_equal(record.ttl, KV_TTL_NEVER);
	assert_int_equal(count_items(0) + count_items(1), 3);
}

static void no_file(void **state)
{
	(void)state;
	assert_int_equal(load_snapshot(&d), 0);
	assert_int_equal(count_items(0), 0);
}

/* In steps, with guests that store meanwhile: what was there all the time is in it. */
static void in_steps(void **state)
{
	static uint8_t value[100000];
	char key[16];
	int steps = 0;

	(void)state;
	d.config.space[0].mib = 32;
	d.config.place[0].share[0].mib = 32;
	new_store();
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		assert_int_equal(store(0, 0, key, value, sizeof(value), 0), 0);
	}
	assert_int_equal(snapshot_begin(&d), 0);
	while (d.snapshot.to) {
		assert_int_equal(snapshot_step(&d), 0);
		snprintf(key, sizeof(key), "new %d", steps++);
		assert_int_equal(store(0, 0, key, value, 10, 0), 0);
	}
	assert_in_range(steps, 4, 10);
	assert_int_equal(d.snapshots, 1);
	new_store();
	assert_int_equal(load_snapshot(&d), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		must_be(0, 0, key, value, sizeof(value));
	}
}

/* A reload gives snapshots another name: one that is under way has the old one. */
static void renamed_meanwhile(void **state)
{
	static uint8_t value[1 << 20];
	char key[16], first[MAX_PATH];

	(void)state;
	d.config.space[0].mib = 32;
	d.config.place[0].share[0].mib = 32;
	new_store();
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		assert_int_equal(store(0, 0, key, value, sizeof(value), 0), 0);
	}
	strcpy(first, d.config.snapshot);
	assert_int_equal(snapshot_begin(&d), 0);
	assert_int_equal(snapshot_step(&d), 0);
	assert_non_null(d.snapshot.to);
	strcat(d.config.snapshot, "-other");
	while (d.snapshot.to)
		assert_int_equal(snapshot_step(&d), 0);
	assert_int_equal(access(d.config.snapshot, F_OK), -1);
	strcpy(d.config.snapshot, first);
	new_store();
	assert_int_equal(load_snapshot(&d), 0);
	assert_int_equal(count_items(0), 10);
}

static bool is_folder_synced; /* with the snapshot's name in it */

int fsync(int fd)
{
	char name[MAX_PATH + 4];
	struct stat is;

	snprintf(name, sizeof(name), "%s.new", d.config.snapshot);
	if (!fstat(fd, &is) && S_ISDIR(is.st_mode))
		is_folder_synced = !access(d.config.snapshot, F_OK) && access(name, F_OK);
	return (int)syscall(SYS_fsync, fd);
}

/* It is there after a crash: its bytes before its name, and then its name. */
static void reaches_the_disk(void **state)
{
	(void)state;
	is_folder_synced = false;
	assert_int_equal(snapshot_whole(&d), 0);
	assert_true(is_folder_synced);
}

static void another_configuration(void **state)
{
	(void)state;
	assert_int_equal(store(0, 0, "of a", "1", 1, 0), 0);
	assert_int_equal(store(0, 1, "of b", "2", 1, 0), 0);
	assert_int_equal(store(1, 1, "of b in two", "3", 1, 0), 0);
	assert_int_equal(snapshot_whole(&d), 0);
	/* "a" is gone, "b" and both spaces have other numbers */
	d.config.place_count = d.config.space_count = 0;
	add_space("new");
	add_space("two");
	add_space("one");
	add_place("c");
	add_place("new");
	add_place("b");
	new_store();
	assert_int_equal(load_snapshot(&d), 0);
	must_be(2, 2, "of b", "2", 1);
	must_be(1, 2, "of b in two", "3", 1);
	assert_int_equal(count_items(2), 1);
	assert_int_equal(count_items(0), 0);
	/* a place that may store nothing any more */
	d.config.place[2].share[2].rights = KV_MAY_READ;
	new_store();
	assert_int_equal(load_snapshot(&d), 0);
	assert_int_equal(count_items(2), 0);
	assert_int_equal(count_items(1), 1);
}

static FILE *change(long at, int to)
{
	FILE *file = fopen(d.config.snapshot, "r+e");

	assert_non_null(file);
	assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	if (to >= 0)
		fputc(to, file);
	return file;
}

/* An item expires while there is no store. */
static void expired_meanwhile(void **state)
{
	struct snapshot_head head;
	struct kv_record record;
	FILE *file;

	(void)state;
	assert_int_equal(store(0, 0, "short", "1", 1, 50), 0);
	assert_int_equal(store(0, 0, "long", "1", 1, 200), 0);
	d.snapshot = (struct snapshot){0};
	assert_int_equal(snapshot_begin(&d), 0);
	/* written 100 seconds ago: with a sum that is right */
	rewind(d.snapshot.to);
	head = (struct snapshot_head){.magic = SNAPSHOT_MAGIC,
				      .time = (uint64_t)time(NULL) - 100,
				      .spaces = 2,
				      .places = 2};
	fwrite(&head, 1, sizeof(head), d.snapshot.to);
	fseek(d.snapshot.to, 0, SEEK_END);
	d.snapshot.sum = elisa_hash(&head, sizeof(head), 0);
	for (uint32_t i = 0; i < 4; i++)
		d.snapshot.sum =
			elisa_hash(i < 2 ? d.config.space[i].name : d.config.place[i - 2].name,
				   MAX_NAME, d.snapshot.sum);
	while (d.snapshot.to)
		assert_int_equal(snapshot_step(&d), 0);
	new_store();
	assert_int_equal(load_snapshot(&d), 0);
	assert_false(find(0, "short", &record));
	assert_true(find(0, "long", &record));
	assert_in_range(record.ttl, 90, 101);
	file = change(0, -1);
	fclose(file);
}

/* Not one byte may be another, or be missing, or be too much. */
static void damaged(void **state)
{
	struct stat is;
	FILE *file;

	(void)state;
	assert_int_equal(store(0, 0, "key", "value", 5, 0), 0);
	assert_int_equal(snapshot_whole(&d), 0);
	assert_int_equal(stat(d.config.snapshot, &is), 0);
	new_store();
	for (long at = 0; at < is.st_size; at++) {
		int was;

		file = change(at, -1);
		was = getc(file);
		fclose(file);
		fclose(change(at, was ^ 0x41));
		assert_int_equal(load_snapshot(&d), -1);
		fclose(change(at, was));
	}
	assert_int_equal(count_items(0), 0);
	assert_int_equal(load_snapshot(&d), 0);
	file = fopen(d.config.snapshot, "ae");
	fputc(0, file);
	fclose(file);
	assert_int_equal(load_snapshot(&d), -1);
	for (long length = is.st_size - 1; length >= 0; length--) {
		assert_int_equal(truncate(d.config.snapshot, length), 0);
		assert_int_equal(load_snapshot(&d), -1);
	}
}

/* The last good one stays. */
static void cannot_be_written(void **state)
{
	char name[MAX_PATH + 4];

	(void)state;
	assert_int_equal(store(0, 0, "key", "value", 5, 0), 0);
	assert_int_equal(snapshot_whole(&d), 0);
	snprintf(name, sizeof(name), "%s.new", d.config.snapshot);
	assert_int_equal(symlink("/dev/full", name), 0);
	assert_int_equal(store(0, 0, "other", "value", 5, 0), 0);
	assert_int_equal(snapshot_whole(&d), -1);
	unlink(name);
	new_store();
	assert_int_equal(load_snapshot(&d), 0);
	must_be(0, 0, "key", "value", 5);
	assert_int_equal(count_items(0), 1);
	strcpy(d.config.snapshot, "/no/such/folder/snapshot");
	assert_int_equal(snapshot_begin(&d), -1);
	assert_null(d.snapshot.to);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(written_and_read),	     TEST(no_file),	      TEST(in_steps),
		TEST(another_configuration), TEST(expired_meanwhile), TEST(damaged),
		TEST(cannot_be_written),     TEST(renamed_meanwhile), TEST(reaches_the_disk),
	};
	int failed;

	if (!mkdtemp(folder) || output_open("test_snapshot"))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(d.config.snapshot);
	snprintf(d.config.snapshot, sizeof(d.config.snapshot), "%s/snapshot", folder);
	unlink(d.config.snapshot);
	rmdir(folder);
	return failed;
}
