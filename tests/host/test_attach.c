// SPDX-License-Identifier: Apache-2.0
/*
 * Attach requests: which ones the host refuses, slots, exchange pages and tickets. The hooks must
 * be placed only for VMs with an attachment.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

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
	refuse_root(eh_root_limit());
	refuse_root(eh_root_limit() + PAGE_SIZE);
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
	machines[GUEST].vcpu.arch.cr4 ^= X86_CR4_PCIDE | X86_CR4_CET;
	request_attach(&page, "shop", ROOT, 0);
	attach(-EOPNOTSUPP, ELISA_WHY_CET, machines[GUEST].vcpu.arch.cr4);
	machines[GUEST].vcpu.arch.cr4 ^= X86_CR4_CET;
	machines[GUEST].vcpu.arch.pmu.pebs_enable = 1;
	request_attach(&page, "shop", ROOT, 0);
	attach(-EOPNOTSUPP, ELISA_WHY_COUNTERS, machines[GUEST].vcpu.arch.cr4);
	machines[GUEST].vcpu.arch.pmu.pebs_enable = 0;
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

/* A ticket finds its private export, and no other. The grant must match the export's name. */
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

/*
 * The exit-path hooks slow down each VM on the host. A request of a VM without an attachment must
 * not place them.
 */
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

/*
 * An attach request that is invalid must not try to place hooks. If the hooks cannot be placed, the
 * request must leave nothing. SYNC must not wait for hooks.
 */
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
	hooks_refused = -EBUSY;
	request_attach(&page, "shop", ROOT, 1);
	expect(GUEST, ELISA_HC_ATTACH, -EBUSY, ELISA_WHY_HOOK, 0);
	hooks_refused = -ENOMEM;
	request_attach(&page, "shop", ROOT, 1);
	expect(GUEST, ELISA_HC_ATTACH, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	hooks_refused = 0;
	assert_int_equal(hooks_tried, before + 2);
	assert_int_equal(attach_to("shop"), 0);
	assert_int_equal(hooks_armed, 1);
	assert_int_equal(attach_to("shop"), -EEXIST);
	assert_int_equal(hooks_tried, before + 3);
	memset(&page, 0, sizeof(page));
	expect(GUEST, ELISA_HC_VCPU_SYNC, 0, ELISA_OK, 0);
	assert_int_equal(hooks_armed, 2);
	assert_int_equal(hooks_tried, before + 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, requests_start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(attach_requests_refused),	      TEST(slots_and_exchange_quota), TEST(tickets),
		TEST(no_hooks_without_an_attachment), TEST(hooks_come_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
