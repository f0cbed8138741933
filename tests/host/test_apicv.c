// SPDX-License-Identifier: Apache-2.0
/*
 * The module switches APICv off for a VM while one of the VM's slots is taken, and for no other VM.
 *
 * The failure would be an attached VM with APICv, or a VM that never gets it back.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "host.h"

#define ROOT 0x7654000ULL

static u32 id;

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	id = host_publish("shop");
	host_publish("shed");
	shim_vmcs[SECONDARY_VM_EXEC_CONTROL] |= SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	return 0;
}

static int end(void **state)
{
	(void)state;
	shim_vmcs[SECONDARY_VM_EXEC_CONTROL] &= ~SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	host_end();
	return 0;
}

static void detach(u32 slot)
{
	struct elisa_hc_page page = {.detach = {.slot = slot}};

	assert_int_equal(host_call(GUEST, ELISA_HC_DETACH, &page), 0);
}

static void off_while_attached(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	assert_true(machines[GUEST].apicv_is_off);
	assert_false(machines[MANAGER].apicv_is_off);
	assert_int_equal(host_attach("shed", ROOT, 0), 0);
	assert_int_equal(machines[GUEST].apicv_changes, 1);
	detach(0);
	assert_true(machines[GUEST].apicv_is_off);
	detach(1);
	assert_false(machines[GUEST].apicv_is_off);
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	assert_true(machines[GUEST].apicv_is_off);
	detach(0);
	assert_int_equal(machines[GUEST].apicv_changes, 4);
	assert_int_equal(machines[GUEST].references, 0);
}

/* With enable_apicv=0, the module must not switch APICv on. */
static void off_for_the_host(void **state)
{
	(void)state;
	machines[GUEST].apicv_is_off = true;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	detach(0);
	assert_true(machines[GUEST].apicv_is_off);
	assert_int_equal(machines[GUEST].apicv_changes, 0);
}

static void given_back_after_a_refusal(void **state)
{
	(void)state;
	hooks_refused = -EBUSY;
	assert_int_equal(host_attach("shop", ROOT, 0), -EBUSY);
	hooks_refused = 0;
	assert_int_equal(machines[GUEST].apicv_changes, 2);
	assert_false(machines[GUEST].apicv_is_off);
}

/* A request that fails at once must not change KVM's VM. */
static void untouched_by_a_bad_request(void **state)
{
	struct elisa_hc_page page = {0};

	(void)state;
	request_attach(&page, "shop", ROOT, 1);
	page.attach.exchange[0] = GPA(NO_SLOT);
	assert_true(host_call(GUEST, ELISA_HC_ATTACH, &page) < 0);
	assert_int_equal(machines[GUEST].apicv_changes, 0);
}

/* KVM does not switch APICv off for the module's reason. */
static void refused_if_it_stays(void **state)
{
	(void)state;
	machines[GUEST].apicv_stays = true;
	assert_int_equal(host_attach("shop", ROOT, 0), -EOPNOTSUPP);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_APICV);
	assert_null(host_vm(GUEST)->slots[0]);
}

/* KVM frees the VM, so the module must not switch APICv on again. */
static void not_of_a_vm_that_ends(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	machines[GUEST].dying = true;
	detach(0);
	assert_int_equal(machines[GUEST].apicv_changes, 1);
	machines[GUEST].dying = false;
}

/* The VM attaches again before the work item gets the mutex. */
static void attach_again(void)
{
	assert_int_equal(host_attach("shed", ROOT, 0), 0);
}

static void attached_while_it_is_given_back(void **state)
{
	struct elisa_hc_page page = {.detach = {.slot = 0}};

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	shim_meanwhile = attach_again;
	shim_meanwhile_at = -2; /* at the mutex of the work item */
	assert_int_equal(host_call(GUEST, ELISA_HC_DETACH, &page), 0);
	assert_null(shim_meanwhile);
	assert_true(machines[GUEST].apicv_is_off);
	detach(0);
	assert_false(machines[GUEST].apicv_is_off);
}

/* The export has ended, and its revoked attachment keeps the slot. */
static void given_back_when_the_module_goes(void **state)
{
	struct elisa_hc_page page = {.destroy = {.id = id}};

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &page), 0);
	assert_true(machines[GUEST].apicv_is_off);
	eh_vms_stop();
	assert_false(machines[GUEST].apicv_is_off);
	/* the module must not access KVM's VM from here on, as KVM may have freed it */
	assert_false(host_vm(GUEST)->apicv_inhibited);
}

/* The module must not touch a VM that KVM is about to free, now and later. */
static void left_alone_when_both_go(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	machines[GUEST].dying = true;
	eh_vms_stop();
	assert_int_equal(machines[GUEST].apicv_changes, 1);
	assert_false(host_vm(GUEST)->apicv_inhibited);
	machines[GUEST].dying = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(off_while_attached, start, end),
		cmocka_unit_test_setup_teardown(off_for_the_host, start, end),
		cmocka_unit_test_setup_teardown(given_back_when_the_module_goes, start, end),
		cmocka_unit_test_setup_teardown(left_alone_when_both_go, start, end),
		cmocka_unit_test_setup_teardown(given_back_after_a_refusal, start, end),
		cmocka_unit_test_setup_teardown(untouched_by_a_bad_request, start, end),
		cmocka_unit_test_setup_teardown(refused_if_it_stays, start, end),
		cmocka_unit_test_setup_teardown(not_of_a_vm_that_ends, start, end),
		cmocka_unit_test_setup_teardown(attached_while_it_is_given_back, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
