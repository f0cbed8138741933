// SPDX-License-Identifier: Apache-2.0
/* Doorbells: which interrupts a VM may choose, and which VMs a ring reaches. */
#include <setjmp.h>
#include <cmocka.h>

#include "host.h"

#define ROOT   0x7654000ULL
#define PLACES (1ULL << 30)

static u32 id;

static int set_gsi(int machine, u32 gsi)
{
	struct elisa_hc_page page = {.doorbell = {.gsi = gsi}};

	return host_call(machine, ELISA_HC_DOORBELL, &page);
}

static struct eh_export *export_(void)
{
	return list_entry(eh_exports.next, struct eh_export, all);
}

/* An export with four places; the guest has the first one. */
static int start(void **state)
{
	struct elisa_hc_page page;

	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	id = host_publish("bell");
	page = (struct elisa_hc_page){
		.places = {.id = id, .count = 4, .offset = PLACES, .size = 1}};
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &page), 0);
	assert_int_equal(set_gsi(MANAGER, 7), 0);
	assert_int_equal(set_gsi(GUEST, 5), 0);
	assert_true(host_attach("bell", ROOT, 0) >= 0);
	shim_run_work();
	memset(machines[MANAGER].edges, 0, sizeof(machines[MANAGER].edges));
	memset(machines[GUEST].edges, 0, sizeof(machines[GUEST].edges));
	return 0;
}

static int end(void **state)
{
	(void)state;
	shim_run_work();
	host_end();
	return 0;
}

static void ring(u64 place, long edges)
{
	machines[GUEST].edges[5] = 0;
	eh_ring_place(export_(), place);
	shim_run_work();
	assert_int_equal(machines[GUEST].edges[5], edges);
}

static void interrupts(void **state)
{
	struct elisa_hc_page page = {.doorbell = {.gsi = 5, .pad = 1}};

	(void)state;
	assert_int_equal(set_gsi(GUEST, 24), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_DOORBELL);
	assert_int_equal(machines[GUEST].value, 24);
	assert_int_equal(host_call(GUEST, ELISA_HC_DOORBELL, &page), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_FIELD);
	ring(0, 1);
	/* one that is told again rings no more than others do, a new one once */
	machines[GUEST].edges[5] = 0;
	assert_int_equal(set_gsi(GUEST, 5), 0);
	shim_run_work();
	assert_int_equal(machines[GUEST].edges[5], 0);
	assert_int_equal(set_gsi(GUEST, 6), 0);
	shim_run_work();
	assert_int_equal(machines[GUEST].edges[6], 1);
	assert_int_equal(set_gsi(GUEST, ELISA_NO_DOORBELL), 0);
	ring(0, 0);
}

static void whom(void **state)
{
	static const u64 nobody[] = {1, 3, 4, 255, 256, 0xffffffffull, 1ull << 32, ~0ull};

	(void)state;
	ring(0, 1);
	for (u32 i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
		ring(nobody[i], 0);
	/* many rings before an answer make one interrupt */
	for (int i = 0; i < 10; i++)
		eh_ring_place(export_(), 0);
	ring(0, 1);
	assert_int_equal(machines[MANAGER].edges[7], 0);
}

#define BURST 16

/* A VM gets no more than so many interrupts at once, and others do not wait for that. */
static void often(void **state)
{
	struct machine *m = machines;
	int i;

	(void)state;
	shim_tick = 1;
	for (i = 0; i < BURST + 1 && m[GUEST].edges[5] == i; i++) {
		eh_ring_place(export_(), 0);
		shim_run_work();
	}
	assert_in_range(m[GUEST].edges[5], BURST / 2, BURST);
	/* the last one had to wait, and that time is over */
	i = m[GUEST].edges[5];
	eh_ring_place(export_(), 0);
	eh_bell_ring(host_vm(MANAGER)->bell);
	shim_run_work();
	assert_int_equal(m[GUEST].edges[5], i + 1);
	assert_int_equal(m[MANAGER].edges[7], 1);
	/* one for all that rang meanwhile */
	host_settle();
	assert_int_equal(m[GUEST].edges[5], i + 1);
	shim_tick = 100000;
}

/* Rings are expensive: the VMM may have connected the interrupt to thousands of vCPUs. */
static void dear(void **state)
{
	int i;

	(void)state;
	shim_tick = 1;
	interrupt_takes = 1000000;
	for (i = 0; i < 8; i++) {
		eh_ring_place(export_(), 0);
		shim_run_work();
	}
	interrupt_takes = 0;
	shim_tick = 100000;
	/* two at once, then the timer comes between */
	assert_in_range(machines[GUEST].edges[5], 2, 5);
}

/* A VM ends while a ring is pending, and the work item runs afterwards. */
static void ends_first(void **state)
{
	(void)state;
	eh_ring_place(export_(), 0);
	eh_vcpu_gone(&machines[GUEST].vcpu);
	shim_run_work();
	assert_int_equal(machines[GUEST].edges[5], 0);
	/* ... or with the timer set: end() finds nothing left */
	eh_bell_ring(host_vm(MANAGER)->bell);
	shim_tick = 1;
	for (int i = 0; i < BURST; i++) {
		shim_run_work();
		eh_bell_ring(host_vm(MANAGER)->bell);
	}
	shim_tick = 100000;
	eh_vcpu_gone(&machines[MANAGER].vcpu);
}

static void dying(void **state)
{
	(void)state;
	machines[GUEST].dying = true;
	ring(0, 0);
	machines[GUEST].dying = false;
	ring(0, 1);
}

static void a_new_driver(void **state)
{
	struct elisa_hc_page page = {0};

	(void)state;
	assert_int_equal(host_call(GUEST, ELISA_HC_RESET, &page), 0);
	shim_run_work();
	memset(machines[GUEST].edges, 0, sizeof(machines[GUEST].edges));
	assert_true(host_attach("bell", ROOT, 0) >= 0);
	ring(0, 0);
}

static void revoked(void **state)
{
	struct elisa_hc_page page = {.destroy = {.id = id}};

	(void)state;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &page), 0);
	shim_run_work();
	assert_int_equal(machines[GUEST].edges[5], 1);
}

/*
 * A manager hears of the first event in its queue, then when it has taken all and there is another.
 */
static void events(void **state)
{
	struct elisa_hc_page page = {0};

	(void)state;
	while (!host_call(MANAGER, ELISA_HC_EVENTS, &page) && page.events.count)
		;
	assert_true(host_attach("bell", 2 * ROOT, 0) >= 0);
	assert_true(host_attach("bell", 3 * ROOT, 0) >= 0);
	shim_run_work();
	assert_int_equal(machines[MANAGER].edges[7], 1);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EVENTS, &page), 0);
	assert_int_equal(page.events.count, 2);
	assert_true(host_attach("bell", 4 * ROOT, 0) >= 0);
	shim_run_work();
	assert_int_equal(machines[MANAGER].edges[7], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(interrupts, start, end),
		cmocka_unit_test_setup_teardown(whom, start, end),
		cmocka_unit_test_setup_teardown(often, start, end),
		cmocka_unit_test_setup_teardown(dear, start, end),
		cmocka_unit_test_setup_teardown(dying, start, end),
		cmocka_unit_test_setup_teardown(ends_first, start, end),
		cmocka_unit_test_setup_teardown(a_new_driver, start, end),
		cmocka_unit_test_setup_teardown(revoked, start, end),
		cmocka_unit_test_setup_teardown(events, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
