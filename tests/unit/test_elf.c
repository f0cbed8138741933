/* SPDX-License-Identifier: Apache-2.0 */
/* The loader of shared objects: good ones run where they were put, hostile ones are refused. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "test.h"
#include <elisa/extra.h>
#include "../../lib/extra/elf_image.h"
#include "fake.h"

static struct fake fake;
static struct elisa *handle;
static struct elisa_export *export_;
static char path[4096];

static const char *object(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s.so", getenv("ELISA_TEST_OBJECTS"), name);
	return path;
}

static uint8_t *read_object(const char *name, size_t *size)
{
	int fd = open(object(name), O_RDONLY);
	uint8_t *data = malloc(1 << 20);
	ssize_t got;

	assert_true(fd >= 0);
	got = read(fd, data, 1 << 20);
	assert_true(got > 0);
	close(fd);
	*size = (size_t)got;
	return data;
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	if (fake_open(&fake, &handle) < 0)
		return -1;
	return elisa_export_create(handle, "table", 0, 0, &export_);
}

static int teardown(void **state)
{
	(void)state;
	fake.error = 0;
	return elisa_export_destroy(export_) < 0 ? -1 : elisa_close(handle);
}

/* The image at the address it was relocated to, as a sub context would see it. */
static uint8_t *place(const char *name, struct elf_image *image)
{
	uint8_t *base = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[256] = "";
	size_t size;
	uint8_t *data = read_object(name, &size);

	assert_true(base != MAP_FAILED);
	if (elf_image_create(image, data, size, (uintptr_t)base, text, sizeof(text)) < 0)
		fail_msg("%s", text);
	free(data);
	assert_true(image->size <= 1 << 20);
	mprotect(base, image->size, PROT_READ | PROT_WRITE);
	memcpy(base, image->memory, image->size);
	for (size_t page = 0; page < image->size / 4096; page++)
		mprotect(base + page * 4096, 4096,
			 (image->prot[page] & ELISA_PROT_READ ? PROT_READ : 0) |
				 (image->prot[page] & ELISA_PROT_WRITE ? PROT_WRITE : 0) |
				 (image->prot[page] & ELISA_PROT_EXEC ? PROT_EXEC : 0));
	return base;
}

static void runs(const char *name)
{
	struct elf_image image;
	uint8_t *base = place(name, &image);
	const struct elf_symbol *symbol = elf_image_symbol(&image, "entry_function");
	long (*function)(long, long);
	uint8_t *address;

	assert_non_null(symbol);
	assert_int_equal(image.prot[symbol->at / 4096], ELISA_PROT_READ | ELISA_PROT_EXEC);
	address = base + symbol->at;
	memcpy(&function, &address, sizeof(function));
	assert_int_equal(function(2, 3), 5 + 41 + 'c');
	assert_int_equal(function(2, 3), 5 + 43 + 'c');

	symbol = elf_image_symbol(&image, "counter");
	assert_int_equal(*(long *)(base + symbol->at), 43);
	assert_int_equal(symbol->size, sizeof(long));
	assert_int_equal(image.prot[symbol->at / 4096], ELISA_PROT_READ | ELISA_PROT_WRITE);
	symbol = elf_image_symbol(&image, "text");
	assert_int_equal(image.prot[symbol->at / 4096], ELISA_PROT_READ);
	symbol = elf_image_symbol(&image, "pointer"); /* relocated, then constant */
	assert_int_equal(image.prot[symbol->at / 4096], ELISA_PROT_READ);
	munmap(base, 1 << 20);
	elf_image_destroy(&image);
}

static void an_object_runs(void **state)
{
	(void)state;
	runs("good");
}

static void old_hash_table_is_read(void **state)
{
	(void)state;
	runs("sysv_hash");
}

static void load_maps_every_page_once(void **state)
{
	struct elisa_extra_image *image;
	uint64_t at = 0x10000, total = 0, offset = 0;

	(void)state;
	assert_int_equal(elisa_extra_load(export_, object("good"), at, &image), 0);
	assert_true(fake.maps >= 4 && fake.maps <= 16);
	for (unsigned int i = 0; i < fake.maps; i++) {
		assert_true(fake.map[i].offset >= at + total);
		assert_int_equal(fake.map[i].offset % 4096, 0);
		assert_int_equal(fake.map[i].address % 4096, 0);
		assert_true(fake.map[i].prot == 1 || fake.map[i].prot == 3 ||
			    fake.map[i].prot == 5);
		total = fake.map[i].offset - at + fake.map[i].length;
	}
	assert_int_equal(total, elisa_extra_size(image));
	assert_int_equal(elisa_extra_symbol(image, "counter", &offset), 0);
	assert_true(offset >= at && offset < at + total);
	assert_int_equal(*(long *)elisa_extra_address(image, "counter"), 40);
	*(long *)elisa_extra_address(image, "counter") = 50;
	assert_int_equal(elisa_extra_symbol(image, "no_such", &offset), -ENOENT);
	assert_non_null(strstr(elisa_error(handle), "'no_such'"));
	assert_null(elisa_extra_address(image, "no_such"));
	assert_null(elisa_extra_address(image, NULL));
	elisa_extra_unload(image);
}

static void pointers_hold_the_object_areas_address(void **state)
{
	struct elisa_extra_image *image;
	uint64_t offset;

	(void)state;
	assert_int_equal(elisa_extra_load(export_, object("good"), 0x10000, &image), 0);
	assert_int_equal(elisa_extra_symbol(image, "counter", &offset), 0);
	assert_int_equal(*(uint64_t *)elisa_extra_address(image, "pointer"),
			 ELISA_OBJECT_BASE + offset);
	elisa_extra_unload(image);
}

static void publish_needs_a_function(void **state)
{
	struct elisa_extra_image *image;
	uint64_t offset;

	(void)state;
	assert_int_equal(elisa_extra_load(export_, object("good"), 0, &image), 0);
	assert_int_equal(elisa_extra_publish(image, "counter"), -EINVAL);
	assert_int_equal(elisa_extra_publish(image, "no_such"), -ENOENT);
	assert_int_equal(elisa_extra_publish(NULL, "entry_function"), -EINVAL);
	assert_int_equal(elisa_extra_publish(image, "entry_function"), 0);
	assert_int_equal(elisa_extra_symbol(image, "entry_function", &offset), 0);
	assert_int_equal(fake.last.publish.entry, offset);
	elisa_extra_unload(image);
}

static void a_failed_map_leaves_nothing(void **state)
{
	struct elisa_extra_image *image;

	(void)state;
	fake.error = EDQUOT;
	fake.why = ELISA_WHY_QUOTA;
	fake.value = 1;
	fake.fail_at = fake.requests + 3;
	assert_int_equal(elisa_extra_load(export_, object("good"), 0, &image), -EDQUOT);
	assert_null(image);
	assert_int_equal(fake.maps, 2);
	assert_int_equal(fake.unmaps, 2);
	assert_non_null(strstr(elisa_error(handle), "limit"));
}

static void refused(const char *name, const char *because)
{
	struct elisa_extra_image *image;

	assert_int_equal(elisa_extra_load(export_, object(name), 0, &image), -ENOEXEC);
	assert_null(image);
	if (!strstr(elisa_error(handle), because))
		fail_msg("'%s' does not contain '%s'", elisa_error(handle), because);
	assert_int_equal(fake.maps, 0);
}

static void undefined_symbols_are_named(void **state)
{
	(void)state;
	refused("undefined", "'not_there' is undefined");
}

static void stack_protector_is_explained(void **state)
{
	(void)state;
	refused("protector", "-fno-stack-protector");
}

static void thread_local_is_refused(void **state)
{
	(void)state;
	refused("tls", "thread-local");
	refused("tls_extern", "thread-local");
}

static void ifunc_is_refused(void **state)
{
	(void)state;
	refused("ifunc", "IFUNC");
}

static void constructors_are_refused(void **state)
{
	(void)state;
	refused("constructor", "constructors (.init_array, 0x");
	refused("init", "constructors (.init, 0x");
	/* the start files of an object that is linked with a C library */
	refused("ordinary", "link it with -nostdlib");
}

static void memory_functions_are_to_be_had(void **state)
{
	(void)state;
	refused("memory", "'memcpy' is undefined; link the object with -lelisa-function");
}

static void general_registers_are_checked(void **state)
{
	struct elisa_extra_image *image;

	(void)state;
	assert_int_equal(elisa_extra_load(export_, object("vector"), 0, &image), 0);
	elisa_extra_unload(image);
	assert_int_equal(elisa_export_destroy(export_), 0);
	assert_int_equal(
		elisa_export_create(handle, "table", ELISA_EXPORT_GENERAL_REGS, 0, &export_), 0);
	fake.maps = 0;
	refused("vector", "uses vector or x87 registers (features 0x9)");
	refused("good", "-Wa,-mx86-used-note=yes");
	assert_int_equal(elisa_extra_load(export_, object("general"), 0, &image), 0);
	elisa_extra_unload(image);
}

static void writable_code_is_refused(void **state)
{
	(void)state;
	refused("wx", "writable and executable");
	refused("shared_page", "writable and executable");
}

static void other_files_are_refused(void **state)
{
	struct elisa_extra_image *image;

	(void)state;
	assert_int_equal(elisa_extra_load(export_, "/nonexistent", 0, &image), -ENOENT);
	assert_int_equal(elisa_extra_load(export_, "/", 0, &image), -EINVAL);
	assert_int_equal(elisa_extra_load(export_, "/dev/zero", 0, &image), -EINVAL);
	assert_int_equal(elisa_extra_load(export_, "/etc/passwd", 0, &image), -ENOEXEC);
	assert_int_equal(elisa_extra_load(export_, NULL, 0, &image), -EINVAL);
	assert_int_equal(elisa_extra_load(NULL, "/", 0, &image), -EINVAL);
	assert_int_equal(elisa_extra_load(export_, "/", 0, NULL), -EINVAL);
	assert_int_equal(elisa_extra_load(export_, object("good"), 12, &image), -EINVAL);
	assert_int_equal(elisa_extra_load(export_, object("good"), ELISA_OBJECT_SIZE, &image),
			 -EINVAL);
	/* Its last page would lie outside of the object area. */
	assert_int_equal(elisa_extra_load(export_, object("good"), ELISA_OBJECT_SIZE - 4096,
					  &image),
			 -EINVAL);
	assert_int_equal(elisa_extra_load_memory(export_, "", 0, 0, &image), -ENOEXEC);
}

/* Whatever the bytes are: no crash (the sanitizers watch), and no page that is W and X. */
static void try(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	struct elf_image image;
	char text[256] = "";

	memcpy(exact, data, size);
	if (elf_image_create(&image, exact, size, ELISA_OBJECT_BASE, text, sizeof(text)) < 0) {
		assert_true(strlen(text) > 10);
		assert_non_null(strchr(text, ';'));
	} else {
		for (size_t page = 0; page < image.size / 4096; page++)
			assert_true((image.prot[page] & 6) != 6);
		for (size_t i = 0; i < image.symbol_count; i++)
			assert_true(image.symbols[i].at < image.size &&
				    image.symbols[i].size <= image.size - image.symbols[i].at);
		elf_image_destroy(&image);
	}
	free(exact);
}

static void truncated_at_every_byte(void **state)
{
	size_t size;
	uint8_t *data = read_object("good", &size);

	(void)state;
	for (size_t length = 0; length < size && length < 20000; length++)
		try(data, length);
	free(data);
}

/* Each field of the headers and of the dynamic section, with values that overflow. */
static void every_header_byte_changed(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	size_t size;
	uint8_t *data = read_object("good", &size);
	Elf64_Ehdr header;
	size_t end;

	(void)state;
	memcpy(&header, data, sizeof(header));
	end = header.e_phoff + (size_t)header.e_phnum * header.e_phentsize;
	for (size_t at = 0; at < end; at++) {
		uint8_t kept = data[at];

		for (size_t i = 0; i < COUNT_OF(values); i++) {
			data[at] = values[i];
			try(data, size);
		}
		data[at] = kept;
	}
	free(data);
}

static void every_number_made_extreme(void **state)
{
	static const uint64_t values[] = {0,	     1,		 0xfff,	    INT64_MAX,
					  INT64_MIN, UINT64_MAX, 1ULL << 32};
	size_t size;
	uint8_t *data = read_object("good", &size);

	(void)state;
	for (size_t at = 0; at + 8 <= size; at += 8) {
		uint64_t kept;

		memcpy(&kept, data + at, 8);
		for (size_t i = 0; i < COUNT_OF(values); i++) {
			memcpy(data + at, &values[i], 8);
			try(data, size);
		}
		memcpy(data + at, &kept, 8);
	}
	free(data);
}

static void random_changes(void **state)
{
	size_t size;
	uint8_t *data = read_object("good", &size);
	uint8_t *changed = malloc(size);
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		memcpy(changed, data, size);
		for (int i = 0; i < 8; i++)
			changed[(size_t)rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
		try(changed, size);
	}
	free(changed);
	free(data);
}

static void a_huge_image_is_refused(void **state)
{
	size_t size;
	uint8_t *data = read_object("good", &size);
	struct elf_image image;
	char text[256] = "";
	Elf64_Phdr segment;
	Elf64_Ehdr header;

	(void)state;
	memcpy(&header, data, sizeof(header));
	memcpy(&segment, data + header.e_phoff, sizeof(segment));
	assert_int_equal(segment.p_type, PT_LOAD);
	segment.p_memsz = (1ULL << 30);
	memcpy(data + header.e_phoff, &segment, sizeof(segment));
	assert_int_equal(elf_image_create(&image, data, size, 0, text, sizeof(text)), -EFBIG);
	free(data);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_object_runs),
		TEST(old_hash_table_is_read),
		TEST(load_maps_every_page_once),
		TEST(pointers_hold_the_object_areas_address),
		TEST(publish_needs_a_function),
		TEST(a_failed_map_leaves_nothing),
		TEST(undefined_symbols_are_named),
		TEST(stack_protector_is_explained),
		TEST(thread_local_is_refused),
		TEST(ifunc_is_refused),
		TEST(constructors_are_refused),
		TEST(memory_functions_are_to_be_had),
		TEST(general_registers_are_checked),
		TEST(writable_code_is_refused),
		TEST(other_files_are_refused),
		TEST(truncated_at_every_byte),
		TEST(every_header_byte_changed),
		TEST(every_number_made_extreme),
		TEST(random_changes),
		TEST(a_huge_image_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
