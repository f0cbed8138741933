// SPDX-License-Identifier: Apache-2.0
/*
 * What the host module refuses, by hypercall, with its errno, reason and value; and that a refused
 * request changes nothing: all memory, pins and references are back at the end of each test.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "host.h"

#define ROOT 0x7654000ULL
#define RX   (ELISA_PROT_READ | ELISA_PROT_EXEC)
#define RW   (ELISA_PROT_READ | ELISA_PROT_WRITE)

static struct elisa_hc_page page;

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop*", 40);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop*", 300);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

static void expect(int machine, u32 call, int error, u32 why, u64 value)
{
	int r = host_call(machine, call, &page);

	if (r != error || machines[machine].why != why || machines[machine].value != value)
		fail_msg("call %u: %d why %u value %llx, not %d %u %llx", call, r,
			 machines[machine].why, machines[machine].value, error, why, value);
}

static u32 create(const char *name)
{
	request_export(&page, name);
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, 0, ELISA_OK, 0);
	return page.export_.id;
}

static void refuse_name(const char *name, u64 length)
{
	request_export(&page, "");
	for (u32 i = 0; i < ELISA_NAME_SIZE && name[i]; i++)
		page.export_.name[i] = name[i];
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_NAME, length);
}

static void malformed_names(void **state)
{
	static const char bad[] = "/\\ \t\n\"'`$;&|<>()[]{}*?!@#%^+=~,:\x01\x1b\x7f";
	char name[ELISA_NAME_SIZE + 1];

	(void)state;
	refuse_name("", 0);
	for (unsigned int i = 0; bad[i]; i++) {
		snprintf(name, sizeof(name), "shop%c", bad[i]);
		refuse_name(name, 5);
	}
	memset(name, 's', ELISA_NAME_SIZE);
	name[ELISA_NAME_SIZE] = 0;
	refuse_name(name, ELISA_NAME_SIZE);
	/* something after the end */
	request_export(&page, "shop");
	page.export_.name[ELISA_NAME_SIZE - 1] = 'x';
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_NAME, 4);
	memset(name, 0, sizeof(name));
	memset(name, 'z', ELISA_NAME_SIZE - 1);
	memcpy(name, "shop._-", 7);
	create(name);
}

/* ABI: [A-Za-z0-9._-]+; no letter of any 8-bit character set. */
static void names_are_ascii(void **state)
{
	char name[] = "shop?";

	(void)state;
	for (unsigned int c = 0x80; c < 0x100; c++) {
		name[4] = (char)c;
		refuse_name(name, 5);
	}
}

static void exports_refused(void **state)
{
	(void)state;
	request_export(&page, "shop");
	page.export_.flags = 8;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, 8);
	request_export(&page, "shop");
	page.export_.suspend_us = 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, 1);
	request_export(&page, "shop");
	page.export_.suspend_us = elisa_max_suspend_us + 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EDQUOT, ELISA_WHY_QUOTA, elisa_max_suspend_us);
	request_export(&page, "shop");
	page.export_.flags = ELISA_EXPORT_PRIVATE;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, ELISA_EXPORT_PRIVATE);
	request_export(&page, "shop");
	page.export_.ticket[31] = 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, 0);
	request_export(&page, "shop");
	page.export_.limit_us = elisa_max_limit_us + 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EDQUOT, ELISA_WHY_QUOTA, elisa_max_limit_us);
	request_export(&page, "other");
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EPERM, ELISA_WHY_NO_GRANT, 0);
	request_export(&page, "shop");
	expect(GUEST, ELISA_HC_EXPORT_CREATE, -EPERM, ELISA_WHY_NO_GRANT, 0);
	create("shop");
	request_export(&page, "shop");
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EEXIST, ELISA_WHY_NAME_TAKEN, 0);
	for (u32 i = 1; i < ELISA_EXPORTS_PER_VM; i++) {
		char name[32];

		snprintf(name, sizeof(name), "shop%u", i);
		create(name);
	}
	request_export(&page, "shop-last");
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EDQUOT, ELISA_WHY_QUOTA, ELISA_EXPORTS_PER_VM);
}

static void refuse_map(u32 id, u64 offset, u32 count, u32 prot, int error, u32 why, u64 value)
{
	request_map(&page, id, offset, count, prot);
	expect(MANAGER, ELISA_HC_EXPORT_MAP, error, why, value);
}

static void map(u32 id, u64 offset, u32 count)
{
	request_map(&page, id, offset, count, RX);
	expect(MANAGER, ELISA_HC_EXPORT_MAP, 0, ELISA_OK, 0);
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
	page.map.pad = 7;
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
	refuse_unmap(id, 0x10000, 3, -EINVAL, ELISA_WHY_OVERLAP, 0x10000);
	refuse_unmap(id, 0x11000, 3, -EINVAL, ELISA_WHY_OVERLAP, 0x10000);
	refuse_unmap(id, 0x10000, 5, -EINVAL, ELISA_WHY_OVERLAP, 0x14000);
	refuse_unmap(id, 0x13000, 5, -EINVAL, ELISA_WHY_OVERLAP, 0x10000);
	refuse_unmap(id, 0x18000, 8, -ENOENT, ELISA_WHY_RANGE, 0x18000);
	refuse_unmap(id + 1, 0x10000, 4, -ENOENT, ELISA_WHY_NO_EXPORT, id + 1);
	memset(&page, 0, sizeof(page));
	page.unmap.id = id;
	page.unmap.pad = 1;
	expect(MANAGER, ELISA_HC_EXPORT_UNMAP, -EINVAL, ELISA_WHY_FIELD, 1);
	refuse_unmap(id, 0, ELISA_OBJECT_SIZE / PAGE_SIZE, 0, ELISA_OK, 0);
}

static void publish(u32 id, u64 entry, int error, u32 why, u64 value)
{
	memset(&page, 0, sizeof(page));
	page.publish.id = id;
	page.publish.entry = entry;
	expect(MANAGER, ELISA_HC_EXPORT_PUBLISH, error, why, value);
}

static void entries_refused(void **state)
{
	u32 id = create("shop");

	(void)state;
	publish(id, 0, -EINVAL, ELISA_WHY_ENTRY, 0);
	request_map(&page, id, 0, 2, RW);
	expect(MANAGER, ELISA_HC_EXPORT_MAP, 0, ELISA_OK, 0);
	map(id, 0x2000, 2);
	publish(id, 0x1fff, -EINVAL, ELISA_WHY_ENTRY, 0x1fff);
	publish(id, 0x4000, -EINVAL, ELISA_WHY_ENTRY, 0x4000);
	publish(id, ~0ULL, -EINVAL, ELISA_WHY_ENTRY, ~0ULL);
	publish(id + 1, 0x2000, -ENOENT, ELISA_WHY_NO_EXPORT, id + 1);
	memset(&page, 0, sizeof(page));
	page.publish.id = id;
	page.publish.pad = 5;
	expect(MANAGER, ELISA_HC_EXPORT_PUBLISH, -EINVAL, ELISA_WHY_FIELD, 5);
	publish(id, 0x3fff, 0, ELISA_OK, 0);
	publish(id, 0x3fff, -EBUSY, ELISA_WHY_PUBLISHED, id);
}

/* A poisoned export is published again, but not with another entry than attachments have. */
static void poison_keeps_the_entry(void **state)
{
	u32 id = host_publish("shop");
	struct elisa_export *export = list_entry(elisa_exports.next, struct elisa_export, all);

	(void)state;
	export->poisoned = true;
	publish(id, 0x20, -EINVAL, ELISA_WHY_ENTRY, 0x20);
	publish(id, 0x10, 0, ELISA_OK, 0);
	assert_false(export->poisoned);
}

static void others_exports_are_unknown(void **state)
{
	u32 id = host_publish("shop");

	(void)state;
	host_grant(GUEST, ELISA_GRANT_EXPORT, "*", 0);
	request_map(&page, id, 0x100000, 1, RX);
	expect(GUEST, ELISA_HC_EXPORT_MAP, -ENOENT, ELISA_WHY_NO_EXPORT, id);
	memset(&page, 0, sizeof(page));
	page.unmap.id = id;
	expect(GUEST, ELISA_HC_EXPORT_UNMAP, -ENOENT, ELISA_WHY_NO_EXPORT, id);
	expect(GUEST, ELISA_HC_EXPORT_PUBLISH, -ENOENT, ELISA_WHY_NO_EXPORT, id);
	expect(GUEST, ELISA_HC_EXPORT_DESTROY, -ENOENT, ELISA_WHY_NO_EXPORT, id);
	expect(GUEST, ELISA_HC_RESET, 0, ELISA_OK, 0);
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
}

static void attach(int error, u32 why, u64 value)
{
	expect(GUEST, ELISA_HC_ATTACH, error, why, value);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
}

static void refuse_root(u64 root)
{
	request_attach(&page, "shop", root, 0);
	attach(-EINVAL, ELISA_WHY_ROOT, root);
}

static void refuse_selectors(u16 cs, u16 ss)
{
	request_attach(&page, "shop", ROOT, 0);
	page.attach.user_cs = cs;
	page.attach.user_ss = ss;
	attach(-EINVAL, ELISA_WHY_SELECTOR, (u32)cs << 16 | ss);
}

static void attach_requests_refused(void **state)
{
	u32 id;

	(void)state;
	request_attach(&page, "shop", ROOT, 0);
	attach(-ENOENT, ELISA_WHY_NO_EXPORT, 0);
	request_attach(&page, "other", ROOT, 0);
	attach(-EPERM, ELISA_WHY_NO_GRANT, 0);
	id = create("shop");
	request_attach(&page, "shop", ROOT, 0);
	attach(-EAGAIN, ELISA_WHY_NOT_PUBLISHED, id);
	map(id, 0, 1);
	publish(id, 0, 0, ELISA_OK, 0);

	refuse_root(0);
	refuse_root(ROOT + 8);
	refuse_root(elisa_root_limit());
	refuse_root(elisa_root_limit() + PAGE_SIZE);
	refuse_root(1ULL << 52);
	refuse_root(-PAGE_SIZE);
	refuse_selectors(0x30, 0x2b);
	refuse_selectors(0x33, 0x28);
	refuse_selectors(0x32, 0x2b);
	refuse_selectors(3, 0x2b);
	refuse_selectors(0x33, 3);
	refuse_selectors(0x37, 0x2b); /* local descriptor table */
	request_attach(&page, "shop", ROOT, 0);
	page.attach.flags = 2;
	attach(-EINVAL, ELISA_WHY_FIELD, 2);
	request_attach(&page, "shop", ROOT, ELISA_EXCHANGE_MAX_PAGES + 1);
	attach(-EINVAL, ELISA_WHY_FIELD, ELISA_EXCHANGE_MAX_PAGES + 1);
	request_attach(&page, "shop", ROOT, ~0u);
	attach(-EINVAL, ELISA_WHY_FIELD, ~0u);
	request_attach(&page, "", ROOT, 0);
	memset(page.attach.name, 's', ELISA_NAME_SIZE);
	attach(-EINVAL, ELISA_WHY_NAME, ELISA_NAME_SIZE);
	request_attach(&page, "shop", ROOT, 0);
	page.attach.ticket[0] = 1;
	attach(-ENOENT, ELISA_WHY_NO_EXPORT, 0);
	request_attach(&page, "shop", ROOT, 3);
	page.attach.exchange[1] = GPA(READ_ONLY);
	attach(-EROFS, ELISA_WHY_READ_ONLY, GPA(READ_ONLY));
	request_attach(&page, "shop", ROOT, 0);
	cpu_leaks = true;
	attach(-EOPNOTSUPP, ELISA_WHY_CPU_BUG, 0);
	cpu_leaks = false;
	cpu_has_tsx = true;
	request_attach(&page, "shop", ROOT, 0);
	attach(-EOPNOTSUPP, ELISA_WHY_TSX, 0);
	cpu_has_tsx = false;
	machines[GUEST].vcpu.arch.cr4 |= X86_CR4_PCIDE;
	request_attach(&page, "shop", ROOT, 0);
	attach(-EOPNOTSUPP, ELISA_WHY_PCID, machines[GUEST].vcpu.arch.cr4);
	request_attach(&page, "shop", ROOT, 0);
	expect(MANAGER, ELISA_HC_ATTACH, -EPERM, ELISA_WHY_NO_GRANT, 0);
}

static void slots_and_exchange_quota(void **state)
{
	(void)state;
	host_publish("shop");
	assert_int_equal(host_attach("shop", ROOT, 200), 0);
	request_attach(&page, "shop", ROOT, 0);
	expect(GUEST, ELISA_HC_ATTACH, -EEXIST, ELISA_WHY_ATTACHED, 0);
	request_attach(&page, "shop", ROOT + PAGE_SIZE, 101);
	expect(GUEST, ELISA_HC_ATTACH, -EDQUOT, ELISA_WHY_QUOTA, 300);
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 100), 0);
	for (u32 slot = 2; slot < ELISA_SLOTS; slot++)
		assert_int_equal(host_attach("shop", ROOT + slot * PAGE_SIZE, 0), 0);
	request_attach(&page, "shop", ROOT + 0x40000000, 0);
	expect(GUEST, ELISA_HC_ATTACH, -ENOSPC, ELISA_WHY_NO_SLOT, ELISA_SLOTS);
	memset(&page, 0, sizeof(page));
	page.detach.slot = ELISA_SLOTS;
	expect(GUEST, ELISA_HC_DETACH, -ENOENT, ELISA_WHY_NO_ATTACHMENT, ELISA_SLOTS);
	page.detach.slot = 7;
	expect(GUEST, ELISA_HC_DETACH, 0, ELISA_OK, 0);
	expect(GUEST, ELISA_HC_DETACH, -ENOENT, ELISA_WHY_NO_ATTACHMENT, 7);
	expect(MANAGER, ELISA_HC_DETACH, -ENOENT, ELISA_WHY_NO_ATTACHMENT, 7);
	request_attach(&page, "shop", ROOT + 0x40000000, 0);
	expect(GUEST, ELISA_HC_ATTACH, 0, ELISA_OK, 0);
	assert_int_equal(page.attach.slot, 7);
}

/* A ticket finds a private export, and only its own; the name is the one that is granted. */
static void tickets(void **state)
{
	u32 id;

	(void)state;
	request_export(&page, "shop");
	page.export_.flags = ELISA_EXPORT_PRIVATE;
	memset(page.export_.ticket, 0x5a, ELISA_TICKET_SIZE);
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, 0, ELISA_OK, 0);
	id = page.export_.id;
	map(id, 0, 1);
	publish(id, 0, 0, ELISA_OK, 0);
	request_attach(&page, "shop", ROOT, 0);
	attach(-ENOENT, ELISA_WHY_NO_EXPORT, 0);
	for (int i = 0; i < ELISA_TICKET_SIZE; i++) {
		request_attach(&page, "shop", ROOT, 0);
		memset(page.attach.ticket, 0x5a, ELISA_TICKET_SIZE);
		page.attach.ticket[i] ^= 1;
		attach(-ENOENT, ELISA_WHY_NO_EXPORT, 0);
	}
	request_attach(&page, "", ROOT, 0);
	memset(page.attach.ticket, 0x5a, ELISA_TICKET_SIZE);
	attach(0, ELISA_OK, 0);
}

static void a_grant_that_goes_takes_all_with_it(void **state)
{
	u32 manager, guest;

	(void)state;
	manager = host_grant(MANAGER, ELISA_GRANT_EXPORT, "temporary", 0);
	guest = host_grant(GUEST, ELISA_GRANT_ATTACH, "temporary", 0);
	host_publish("temporary");
	assert_int_equal(host_attach("temporary", ROOT, 2), 0);
	assert_int_equal(elisa_grant_remove(guest), 0);
	assert_null(host_vm(GUEST)->slots[0]->export);
	assert_int_equal(elisa_grant_remove(manager), 0);
	assert_true(list_empty(&elisa_exports));
	assert_int_equal(elisa_grant_remove(manager), -ENOENT);
	request_attach(&page, "temporary", ROOT, 0);
	expect(GUEST, ELISA_HC_ATTACH, -EPERM, ELISA_WHY_NO_GRANT, 0);
}

/* Its VM may live on in another process, which was granted nothing. */
static void a_vmm_that_ends_takes_all_with_it(void **state)
{
	(void)state;
	host_publish("shop");
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	shim_exit_mmap(&machines[MANAGER].mm);
	shim_run_work();
	assert_true(list_empty(&elisa_exports));
	assert_null(host_vm(GUEST)->slots[0]->export);
}

/* All that are attached get an interrupt for it: once, whoever aborts how many calls. */
static void poison_is_spread_once(void **state)
{
	struct elisa_export *export;
	unsigned long before;

	(void)state;
	host_publish("shop");
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	export = list_entry(elisa_exports.next, struct elisa_export, all);
	export->poisoned = export->poison_is_new = true;
	elisa_export_was_poisoned();
	before = shim_flushes;
	shim_run_work();
	assert_int_equal(shim_flushes, before + 1);
	/* another export's */
	elisa_export_was_poisoned();
	shim_run_work();
	assert_int_equal(shim_flushes, before + 1);
}

static void grants_refused(void **state)
{
	struct elisa_host_grant good = {.pid = 100, .rights = ELISA_GRANT_EXPORT, .name = "a"};
	struct elisa_host_grant grant;

	(void)state;
	grant = good, grant.rights = 0;
	assert_int_equal(elisa_grant_add(&grant), -EINVAL);
	grant = good, grant.rights |= 16;
	assert_int_equal(elisa_grant_add(&grant), -EINVAL);
	grant = good, grant.rights = ELISA_GRANT_TRUSTED_MANAGER;
	assert_int_equal(elisa_grant_add(&grant), -EINVAL);
	grant = good, grant.pad = 1;
	assert_int_equal(elisa_grant_add(&grant), -EINVAL);
	grant = good, grant.name[0] = 0;
	assert_int_equal(elisa_grant_add(&grant), -EINVAL);
	grant = good, memset(grant.name, 'a', sizeof(grant.name));
	assert_int_equal(elisa_grant_add(&grant), -EINVAL);
	grant = good, grant.pid = 99;
	assert_int_equal(elisa_grant_add(&grant), -ESRCH);
}

/* ---- the call itself */

static int raw_call(u64 gpa)
{
	struct kvm_vcpu *vcpu = &machines[MANAGER].vcpu;

	current = &shim_tasks[MANAGER];
	vcpu->arch.regs[VCPU_REGS_RCX] = gpa;
	elisa_hypercall(vcpu, ELISA_HC_MAGIC);
	return (int)vcpu->arch.regs[VCPU_REGS_RCX];
}

static void calls_refused(void **state)
{
	(void)state;
	assert_int_equal(raw_call(GPA(0) + 8), -EINVAL);
	assert_int_equal(raw_call(0), -EFAULT);
	assert_int_equal(raw_call(-PAGE_SIZE), -EFAULT);
	assert_int_equal(raw_call(GPA(NO_SLOT)), -EFAULT);
	assert_int_equal(raw_call(GPA(INTERNAL)), -EFAULT);
	shim_vmcs[GUEST_SS_AR_BYTES] = 0xf3;
	assert_int_equal(raw_call(GPA(0)), -EPERM);
	shim_vmcs[GUEST_SS_AR_BYTES] = 0;
	shim_fail_after = 0;
	assert_int_equal(raw_call(GPA(0)), -ENOMEM);
	shim_fail_after = -1;
	memset(&page, 0, sizeof(page));
	expect(MANAGER, 0, -ENOSYS, ELISA_WHY_CALL, 0);
	expect(MANAGER, ELISA_HC_COUNT, -ENOSYS, ELISA_WHY_CALL, ELISA_HC_COUNT);
	expect(MANAGER, ~0u, -ENOSYS, ELISA_WHY_CALL, ~0u);
	page.hello.abi = 2;
	expect(MANAGER, ELISA_HC_HELLO, -EPROTO, ELISA_WHY_ABI, ELISA_ABI_VERSION);
	page.hello.abi = ELISA_ABI_VERSION;
	expect(MANAGER, ELISA_HC_HELLO, 0, ELISA_OK, 0);
	assert_int_equal(page.hello.flags, ELISA_HELLO_MAY_EXPORT);
	assert_int_equal(page.hello.root_limit, elisa_root_limit());
}

/* What the VMM gave read-only, its firmware for example, no hypercall writes. */
static void answers_do_not_go_to_read_only_memory(void **state)
{
	u8 *memory = guest_memory(MANAGER, GPA(READ_ONLY));

	(void)state;
	assert_int_not_equal(raw_call(GPA(READ_ONLY)), 0);
	assert_null(memchr_inv(memory, 0, PAGE_SIZE));
}

/* The exit-path hooks cost every VM on the host: a VM without an attachment gets none. */
static void no_hooks_without_an_attachment(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	host_call(MANAGER, ELISA_HC_VCPU_SYNC, &page);
	assert_int_equal(hooks_armed, 0);
}

static int attach_to(const char *name)
{
	return host_call(GUEST, ELISA_HC_ATTACH, request_attach(&page, name, ROOT, 1));
}

/* Nobody tries to hook for an attach that cannot be; what cannot be hooked costs nothing; SYNC waits for no hooks. */
static void hooks_come_last(void **state)
{
	const long before = hooks_tried;
	u32 id;

	(void)state;
	id = create("shop");
	assert_int_equal(attach_to("shop"), -EAGAIN);
	assert_int_equal(attach_to("shop.none"), -ENOENT);
	assert_int_equal(attach_to("other"), -EPERM);
	request_attach(&page, "shop", ROOT, 1);
	page.destroy = (struct elisa_hc_destroy){id, 0};
	expect(MANAGER, ELISA_HC_EXPORT_DESTROY, 0, ELISA_OK, 0);
	host_publish("shop");
	request_attach(&page, "shop", ROOT, 1);
	page.attach.exchange[0] = GPA(DEVICE);
	assert_int_equal(host_call(GUEST, ELISA_HC_ATTACH, &page), -EINVAL);
	assert_int_equal(hooks_tried, before);
	hooks_refused = true;
	request_attach(&page, "shop", ROOT, 1);
	expect(GUEST, ELISA_HC_ATTACH, -EBUSY, ELISA_WHY_HOOK, 0);
	hooks_refused = false;
	assert_int_equal(hooks_tried, before + 1);
	assert_int_equal(attach_to("shop"), 0);
	assert_int_equal(hooks_armed, 1);
	assert_int_equal(attach_to("shop"), -EEXIST);
	assert_int_equal(hooks_tried, before + 2);
	memset(&page, 0, sizeof(page));
	expect(GUEST, ELISA_HC_VCPU_SYNC, 0, ELISA_OK, 0);
	assert_int_equal(hooks_armed, 2);
	assert_int_equal(hooks_tried, before + 2);
}

static void every_allocation_may_fail(void **state)
{
	long n, before;
	u32 id = 0;
	int r = -ENOMEM;

	(void)state;
	for (n = 0; r; n++) {
		request_export(&page, "shop");
		shim_fail_after = n;
		r = host_call(MANAGER, ELISA_HC_EXPORT_CREATE, &page);
		shim_fail_after = -1;
		id = page.export_.id;
		assert_true(!r || r == -ENOMEM);
	}
	for (r = -ENOMEM, n = 0, before = shim_live; r; n++) {
		request_map(&page, id, 0, 3, RX);
		shim_fail_after = n;
		r = host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page);
		shim_fail_after = -1;
		assert_true(!r || r == -ENOMEM);
		/* the tables of the object stay with it */
		assert_true(!r || shim_live <= before + 2);
		assert_true(!r || !atomic64_read(&machines[MANAGER].mm.pinned_vm));
	}
}

/* Calls of a VM until it had to wait, with the clock at @tick ns a call. */
static u32 calls_until_asleep(int machine, u32 call)
{
	u32 n = 0;

	for (shim_slept = 0; !shim_slept && n < 100000; n++) {
		memset(&page, 0, sizeof(page));
		page.hello.abi = ELISA_ABI_VERSION;
		assert_int_equal(host_call(machine, call, &page), 0);
	}
	return n;
}

/* A second's worth at once, then each is waited for; another VM does not wait for it. */
static void calls_are_paid_for(void **state)
{
	(void)state;
	shim_tick = 0;
	host_call(GUEST, ELISA_HC_RESET, &page);
	assert_in_range(calls_until_asleep(GUEST, ELISA_HC_RESET), 990, 1001);
	assert_int_equal(calls_until_asleep(GUEST, ELISA_HC_RESET), 1);
	assert_int_equal(shim_slept, 1000000);
	assert_int_equal(calls_until_asleep(GUEST, ELISA_HC_HELLO), 1);
	assert_int_equal(shim_slept, 20000);
	shim_slept = 0;
	memset(&page, 0, sizeof(page));
	assert_int_equal(host_call(MANAGER, ELISA_HC_RESET, &page), 0);
	assert_int_equal(shim_slept, 0);
	/* no limit */
	elisa_calls_per_second = 0;
	assert_int_equal(host_call(GUEST, ELISA_HC_RESET, &page), 0);
	assert_int_equal(shim_slept, 0);
	elisa_calls_per_second = 1000;
	shim_tick = 100000;
}

static int start_ungranted(void **state)
{
	(void)state;
	host_start();
	return 0;
}

/* Nothing granted: every call is answered, and nothing is remembered. */
static void nothing_is_made_for_the_ungranted(void **state)
{
	const long before = shim_live;

	(void)state;
	for (u32 call = 0; call < ELISA_HC_COUNT + 2; call++) {
		memset(&page, 0, sizeof(page));
		page.hello.abi = ELISA_ABI_VERSION;
		host_call(GUEST, call, &page);
		assert_int_equal(shim_live, before);
		assert_true(list_empty(&elisa_vms));
	}
	memset(&page, 0, sizeof(page));
	page.hello.abi = ELISA_ABI_VERSION;
	expect(GUEST, ELISA_HC_HELLO, 0, ELISA_OK, 0);
	assert_int_equal(page.hello.flags, 0);
	page.doorbell.gsi = 5;
	expect(GUEST, ELISA_HC_DOORBELL, -EPERM, ELISA_WHY_NO_GRANT, 0);
	request_attach(&page, "shop", ROOT, 1);
	expect(GUEST, ELISA_HC_ATTACH, -EPERM, ELISA_WHY_NO_GRANT, 0);
	page.detach = (struct elisa_hc_detach){3, 0};
	expect(GUEST, ELISA_HC_DETACH, -ENOENT, ELISA_WHY_NO_ATTACHMENT, 3);
	/* the grant may come later */
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop*", 300);
	page.doorbell = (struct elisa_hc_doorbell){5, 0};
	expect(GUEST, ELISA_HC_DOORBELL, 0, ELISA_OK, 0);
	assert_int_equal(machines[GUEST].edges[5], 1);
}

/* A doorbell needs a grant that is still there. */
static void no_doorbell_without_a_grant(void **state)
{
	u32 id = host_grant(GUEST, ELISA_GRANT_ATTACH, "shop*", 300);

	(void)state;
	page.doorbell = (struct elisa_hc_doorbell){5, 0};
	expect(GUEST, ELISA_HC_DOORBELL, 0, ELISA_OK, 0);
	assert_int_equal(elisa_grant_remove(id), 0);
	page.doorbell = (struct elisa_hc_doorbell){6, 0};
	expect(GUEST, ELISA_HC_DOORBELL, -EPERM, ELISA_WHY_NO_GRANT, 0);
	page.doorbell = (struct elisa_hc_doorbell){ELISA_NO_DOORBELL, 0};
	expect(GUEST, ELISA_HC_DOORBELL, 0, ELISA_OK, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(malformed_names),
		TEST(names_are_ascii),
		TEST(exports_refused),
		TEST(ranges_refused),
		TEST(overlaps_refused),
		TEST(quota_to_the_page),
		TEST(memory_refused),
		TEST(unmapping_refused),
		TEST(entries_refused),
		TEST(poison_keeps_the_entry),
		TEST(others_exports_are_unknown),
		TEST(attach_requests_refused),
		TEST(slots_and_exchange_quota),
		TEST(tickets),
		TEST(a_grant_that_goes_takes_all_with_it),
		TEST(a_vmm_that_ends_takes_all_with_it),
		TEST(poison_is_spread_once),
		TEST(grants_refused),
		TEST(calls_refused),
		TEST(answers_do_not_go_to_read_only_memory),
		TEST(no_hooks_without_an_attachment),
		TEST(hooks_come_last),
		TEST(calls_are_paid_for),
		TEST(every_allocation_may_fail),
		cmocka_unit_test_setup_teardown(nothing_is_made_for_the_ungranted, start_ungranted,
						end),
		cmocka_unit_test_setup_teardown(no_doorbell_without_a_grant, start_ungranted, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
