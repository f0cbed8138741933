// SPDX-License-Identifier: Apache-2.0
/*
 * Grants: which ones the host refuses, and what ends with a grant or with its VMM. The host must
 * keep nothing of a VM without a grant.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

static void grants_refused(void **state)
{
	struct elisa_host_grant good = {.pid = 100, .rights = ELISA_GRANT_EXPORT, .name = "a"};
	struct elisa_host_grant grant;

	(void)state;
	grant = good, grant.rights = 0;
	assert_int_equal(eh_grant_add(&grant), -EINVAL);
	grant = good, grant.rights |= ELISA_GRANT_RIGHTS + 1;
	assert_int_equal(eh_grant_add(&grant), -EINVAL);
	grant = good, grant.rights = ELISA_GRANT_TRUSTED_MANAGER;
	assert_int_equal(eh_grant_add(&grant), -EINVAL);
	grant = good, grant.pad = 1;
	assert_int_equal(eh_grant_add(&grant), -EINVAL);
	grant = good, grant.name[0] = 0;
	assert_int_equal(eh_grant_add(&grant), -EINVAL);
	grant = good, memset(grant.name, 'a', sizeof(grant.name));
	assert_int_equal(eh_grant_add(&grant), -EINVAL);
	grant = good, grant.pid = 99;
	assert_int_equal(eh_grant_add(&grant), -ESRCH);
}

static void a_grant_that_goes_takes_all_with_it(void **state)
{
	u32 manager, guest;

	(void)state;
	manager = host_grant(MANAGER, ELISA_GRANT_EXPORT, "temporary", 0);
	guest = host_grant(GUEST, ELISA_GRANT_ATTACH, "temporary", 0);
	host_publish("temporary");
	assert_int_equal(host_attach("temporary", ROOT, 2), 0);
	assert_int_equal(eh_grant_remove(guest), 0);
	assert_null(host_vm(GUEST)->slots[0]->export);
	assert_int_equal(eh_grant_remove(manager), 0);
	assert_true(list_empty(&eh_exports));
	assert_int_equal(eh_grant_remove(manager), -ENOENT);
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
	assert_true(list_empty(&eh_exports));
	assert_null(host_vm(GUEST)->slots[0]->export);
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
		assert_true(list_empty(&eh_vms));
	}
	memset(&page, 0, sizeof(page));
	page.hello.abi = ELISA_ABI_VERSION;
	expect(GUEST, ELISA_HC_HELLO, 0, ELISA_OK, 0);
	assert_int_equal(page.hello.flags & (ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH), 0);
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
	assert_int_equal(eh_grant_remove(id), 0);
	page.doorbell = (struct elisa_hc_doorbell){6, 0};
	expect(GUEST, ELISA_HC_DOORBELL, -EPERM, ELISA_WHY_NO_GRANT, 0);
	page.doorbell = (struct elisa_hc_doorbell){ELISA_NO_DOORBELL, 0};
	expect(GUEST, ELISA_HC_DOORBELL, 0, ELISA_OK, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, requests_start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(grants_refused),
		TEST(a_grant_that_goes_takes_all_with_it),
		TEST(a_vmm_that_ends_takes_all_with_it),
		cmocka_unit_test_setup_teardown(nothing_is_made_for_the_ungranted, start_ungranted,
						requests_end),
		cmocka_unit_test_setup_teardown(no_doorbell_without_a_grant, start_ungranted,
						requests_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
