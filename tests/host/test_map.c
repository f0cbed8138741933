// SPDX-License-Identifier: Apache-2.0
/*
 * Which pages a manager may map into an export and unmap: the range of the object, the memory, and
 * the number of pages.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

static void refuse_map(u32 id, u64 offset, u32 count, u32 prot, int error, u32 why, u64 value)
{
	request_map(&page, id, offset, count, prot);
	expect(MANAGER, ELISA_HC_EXPORT_MAP, error, why, value);
}

static void ranges_refused(void **state)
{
	const u64 size = ELISA_OBJECT_SIZE;
	u32 id = create("shop");

	(void)state;
	refuse_map(id, 0, 0, RX, -EINVAL, ELISA_WHY_NO_PAGES, 0);
	refuse_map(id, 1, 1, RX, -EINVAL, ELISA_WHY_RANGE, 1);
	refuse_map(id, size, 1, RX, -EINVAL, ELISA_WHY_RANGE, size);
	refuse_map(id, size - PAGE_SIZE, 2, RX, -EINVAL, ELISA_WHY_RANGE, size - PAGE_SIZE);
	refuse_map(id, -PAGE_SIZE, 1, RX, -EINVAL, ELISA_WHY_RANGE, -PAGE_SIZE);
	refuse_map(id, -PAGE_SIZE, 2, RX, -EINVAL, ELISA_WHY_RANGE, -PAGE_SIZE);
	refuse_map(id, 1ULL << 63, 1, RX, -EINVAL, ELISA_WHY_RANGE, 1ULL << 63);
	refuse_map(id, 0, ELISA_HC_MAP_PAGES + 1, RX, -EINVAL, ELISA_WHY_FIELD,
		   ELISA_HC_MAP_PAGES + 1);
	refuse_map(id, 0, ~0u, RX, -EINVAL, ELISA_WHY_FIELD, ~0u);
	for (u32 prot = 0; prot < 16; prot++)
		if (prot != ELISA_PROT_READ && prot != RW && prot != RX)
			refuse_map(id, 0, 1, prot, -EINVAL, ELISA_WHY_PROT, prot);
	refuse_map(id, 0, 1, RX | 0x80000000, -EINVAL, ELISA_WHY_PROT, RX | 0x80000000);
	request_map(&page, id, 0, 1, RX);
	page.map.order = 7;
	expect(MANAGER, ELISA_HC_EXPORT_MAP, -EINVAL, ELISA_WHY_FIELD, 7);
	refuse_map(id + 1, 0, 1, RX, -ENOENT, ELISA_WHY_NO_EXPORT, id + 1);
	request_map(&page, id, 0, 1, RX);
	expect(GUEST, ELISA_HC_EXPORT_MAP, -EPERM, ELISA_WHY_NO_GRANT, 0);
}

static void overlaps_refused(void **state)
{
	u32 id = create("shop");

	(void)state;
	map(id, 0x10000, 4);
	for (u64 offset = 0xd000; offset <= 0x13000; offset += PAGE_SIZE)
		refuse_map(id, offset, 4, RX, -EEXIST, ELISA_WHY_OVERLAP, offset);
	refuse_map(id, 0xf000, 6, RX, -EEXIST, ELISA_WHY_OVERLAP, 0xf000);
	refuse_map(id, 0x11000, 1, RX, -EEXIST, ELISA_WHY_OVERLAP, 0x11000);
	map(id, 0xc000, 4);
	map(id, 0x14000, 4);
}

static void quota_to_the_page(void **state)
{
	u32 id = create("shop");

	(void)state;
	refuse_map(id, 0, 41, RX, -EDQUOT, ELISA_WHY_QUOTA, 40);
	map(id, 0, 39);
	refuse_map(id, 0x100000, 2, RX, -EDQUOT, ELISA_WHY_QUOTA, 40);
	map(id, 0x100000, 1);
	refuse_map(id, 0x200000, 1, RX, -EDQUOT, ELISA_WHY_QUOTA, 40);
	/* it is the VM's, not the export's */
	refuse_map(create("shop2"), 0, 1, RX, -EDQUOT, ELISA_WHY_QUOTA, 40);
	page.unmap.id = id;
	page.unmap.pad = 0;
	page.unmap.offset = 0x100000;
	page.unmap.count = 1;
	expect(MANAGER, ELISA_HC_EXPORT_UNMAP, 0, ELISA_OK, 0);
	map(id, 0x300000, 1);
}

static void refuse_page(u32 id, u64 gpa, int error, u32 why)
{
	request_map(&page, id, 0, 3, RX);
	page.map.gpa[2] = gpa;
	expect(MANAGER, ELISA_HC_EXPORT_MAP, error, why, gpa);
	assert_int_equal(atomic64_read(&machines[MANAGER].mm.pinned_vm), 0);
}

static void memory_refused(void **state)
{
	u32 id = create("shop");

	(void)state;
	refuse_page(id, GPA(READ_ONLY), -EROFS, ELISA_WHY_READ_ONLY);
	refuse_page(id, GPA(DIRTY_LOG), -EBUSY, ELISA_WHY_DIRTY_LOG);
	refuse_page(id, GPA(NO_SLOT), -EFAULT, ELISA_WHY_NOT_RAM);
	refuse_page(id, GPA(INTERNAL), -EFAULT, ELISA_WHY_NOT_RAM);
	refuse_page(id, GPA(FILE_BACKED), -EINVAL, ELISA_WHY_FILE_BACKED);
	refuse_page(id, GPA(DEVICE), -EINVAL, ELISA_WHY_FILE_BACKED);
	refuse_page(id, GPA(DEVICE_FILE), -EINVAL, ELISA_WHY_FILE_BACKED);
	refuse_page(id, GPA(GUEST_MEMFD), -EINVAL, ELISA_WHY_FILE_BACKED);
	refuse_page(id, GPA(UNPINNABLE), -EFAULT, ELISA_WHY_PIN);
	refuse_page(id, 0, -EFAULT, ELISA_WHY_NOT_RAM);
	refuse_page(id, -PAGE_SIZE, -EFAULT, ELISA_WHY_NOT_RAM);
	refuse_page(id, GPA(3) + 1, -EINVAL, ELISA_WHY_RANGE);
	request_map(&page, id, 0, 1, RX);
	page.map.gpa[0] = GPA(TMPFS);
	expect(MANAGER, ELISA_HC_EXPORT_MAP, 0, ELISA_OK, 0);
}

static void refuse_unmap(u32 id, u64 offset, u64 count, int error, u32 why, u64 value)
{
	memset(&page, 0, sizeof(page));
	page.unmap.id = id;
	page.unmap.offset = offset;
	page.unmap.count = count;
	expect(MANAGER, ELISA_HC_EXPORT_UNMAP, error, why, value);
}

static void unmapping_refused(void **state)
{
	u32 id = create("shop");

	(void)state;
	map(id, 0x10000, 4);
	map(id, 0x14000, 4);
	refuse_unmap(id, 0x10000, 0, -EINVAL, ELISA_WHY_NO_PAGES, 0);
	refuse_unmap(id, 0x10001, 1, -EINVAL, ELISA_WHY_RANGE, 0x10001);
	refuse_unmap(id, 0x10000, ~0ULL, -EINVAL, ELISA_WHY_RANGE, 0x10000);
	refuse_unmap(id, 0x10000, 1ULL << 52, -EINVAL, ELISA_WHY_RANGE, 0x10000);
	refuse_unmap(id, 0x18000, 8, -ENOENT, ELISA_WHY_RANGE, 0x18000);
	refuse_unmap(id + 1, 0x10000, 4, -ENOENT, ELISA_WHY_NO_EXPORT, id + 1);
	memset(&page, 0, sizeof(page));
	page.unmap.id = id;
	page.unmap.pad = 1;
	expect(MANAGER, ELISA_HC_EXPORT_UNMAP, -EINVAL, ELISA_WHY_FIELD, 1);
	refuse_unmap(id, 0, ELISA_OBJECT_SIZE / PAGE_SIZE, 0, ELISA_OK, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, requests_start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ranges_refused), TEST(overlaps_refused),  TEST(quota_to_the_page),
		TEST(memory_refused), TEST(unmapping_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
