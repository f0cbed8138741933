// SPDX-License-Identifier: Apache-2.0
/*
 * Exports: their names, flags, limits, entries and owners, and how the host spreads the poison of
 * an export.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

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
	/* bytes after the terminating 0 */
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
	page.export_.flags = 1u << 31; /* the last that will have a meaning */
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, 1u << 31);
	request_export(&page, "shop");
	page.export_.suspend_us = 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, 1);
	request_export(&page, "shop");
	page.export_.suspend_us = eh_max_suspend_us + 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EDQUOT, ELISA_WHY_QUOTA, eh_max_suspend_us);
	request_export(&page, "shop");
	page.export_.flags = ELISA_EXPORT_PRIVATE;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, ELISA_EXPORT_PRIVATE);
	request_export(&page, "shop");
	page.export_.ticket[31] = 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EINVAL, ELISA_WHY_FIELD, 0);
	request_export(&page, "shop");
	page.export_.limit_us = eh_max_limit_us + 1;
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EDQUOT, ELISA_WHY_QUOTA, eh_max_limit_us);
	request_export(&page, "other");
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EPERM, ELISA_WHY_NO_GRANT, 0);
	request_export(&page, "shop");
	expect(GUEST, ELISA_HC_EXPORT_CREATE, -EPERM, ELISA_WHY_NO_GRANT, 0);
	create("shop");
	request_export(&page, "shop");
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EEXIST, ELISA_WHY_NAME_TAKEN, 0);
	for (u32 i = 1; i < EH_EXPORTS_PER_VMM; i++) {
		char name[32];

		snprintf(name, sizeof(name), "shop%u", i);
		create(name);
	}
	request_export(&page, "shop-last");
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EDQUOT, ELISA_WHY_QUOTA, EH_EXPORTS_PER_VMM);
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

/*
 * A poisoned export may be published again, but not with another entry than its attachments have.
 */
static void poison_keeps_the_entry(void **state)
{
	u32 id = host_publish("shop");
	struct eh_export *export = list_entry(eh_exports.next, struct eh_export, all);

	(void)state;
	export->poisoned = true;
	publish(id, 0x20, -EINVAL, ELISA_WHY_ENTRY, 0x20);
	publish(id, 0x10, 0, ELISA_OK, 0);
	assert_false(export->poisoned);
}

/* All attached VMs get one interrupt for a poisoned export, however many calls abort. */
static void poison_is_spread_once(void **state)
{
	struct eh_export *export;
	unsigned long before;

	(void)state;
	host_publish("shop");
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	export = list_entry(eh_exports.next, struct eh_export, all);
	host_vcpu(GUEST)->phase = EH_INSIDE;
	export->poisoned = true;
	eh_export_poisoned(export);
	eh_export_poisoned(export);
	before = shim_flushes;
	shim_run_work();
	assert_int_equal(shim_flushes, before + 1);
	assert_true(host_vcpu(GUEST)->stale);
	host_vcpu(GUEST)->phase = EH_OUTSIDE;
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, requests_start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(malformed_names),
		TEST(names_are_ascii),
		TEST(exports_refused),
		TEST(entries_refused),
		TEST(poison_keeps_the_entry),
		TEST(poison_is_spread_once),
		TEST(others_exports_are_unknown),
		TEST(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
