// SPDX-License-Identifier: Apache-2.0
/*
 * Which translations CPUs must forget when an export changes, and which vCPUs the host interrupts:
 * those that are inside, once each.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "host.h"
#include "path/switch.h"

#define ROOT 0x7654000ULL
#define CPU  3

static u32 id;
static struct eh_vcpu *vcpu;

/* As at the end of the entry hook, on @cpu. */
static void enter(int cpu)
{
	unsigned long flags;

	shim_cpu = cpu;
	shim_invepts = shim_invept_all = 0;
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->phase = EH_INSIDE;
	vcpu->entries++;
	eh_forget(vcpu);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
}

static void leave(void)
{
	vcpu->phase = EH_OUTSIDE;
}

static void attach(u32 count)
{
	for (u32 i = 0; i < count; i++)
		assert_int_equal(host_attach("flush", ROOT + i * PAGE_SIZE, 0), 0);
	vcpu = host_vcpu(GUEST);
}

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	id = host_publish("flush");
	return 0;
}

static int end(void **state)
{
	(void)state;
	eh_invept_context = true;
	host_end();
	return 0;
}

static void unmap(void)
{
	struct elisa_hc_page page;

	request_map(&page, id, PAGE_SIZE, 1, ELISA_PROT_READ);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page), 0);
	page = (struct elisa_hc_page){.unmap = {.id = id, .offset = PAGE_SIZE, .count = 1}};
	shim_interrupted = ~0UL;
	shim_flushes = 0;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_UNMAP, &page), 0);
	assert_int_equal(shim_flushes, 1);
}

static bool was_forgotten(u64 eptp)
{
	for (unsigned long i = 0; i < shim_invepts; i++)
		if (shim_invept[i] == eptp)
			return true;
	return false;
}

static void who_is_inside_is_interrupted(void **state)
{
	(void)state;
	attach(ELISA_SLOTS);
	unmap();
	assert_int_equal(shim_interrupted, 0);
	enter(CPU);
	unmap();
	assert_int_equal(shim_interrupted, 1UL << CPU);
	leave();
	unmap();
	assert_int_equal(shim_interrupted, 0);
	enter(CPU + 1);
	unmap();
	assert_int_equal(shim_interrupted, 1UL << (CPU + 1));
}

/* All roots of what changed, before the next entry; nothing of others, and nothing twice. */
static void what_is_forgotten(void **state)
{
	(void)state;
	attach(2);
	enter(CPU);
	assert_int_equal(shim_invept_all, 1);
	leave();
	enter(CPU);
	assert_int_equal(shim_invept_all + shim_invepts, 0);
	unmap();
	leave();
	enter(CPU);
	assert_int_equal(shim_invept_all, 0);
	assert_int_equal(shim_invepts, 2 * EH_ROOTS);
	for (u32 slot = 0; slot < 2; slot++)
		for (int i = 0; i < EH_ROOTS; i++)
			assert_true(was_forgotten(vcpu->slots[slot]->eptp[i]));
	/* a new context's roots, which may have been another's */
	assert_int_equal(host_attach("flush", ROOT + 5 * PAGE_SIZE, 0), 0);
	enter(CPU);
	assert_int_equal(shim_invepts, EH_ROOTS);
	assert_true(was_forgotten(vcpu->slots[2]->eptp[EH_IN_SUB]));
	/* what an older run has left on another CPU */
	leave();
	enter(CPU + 1);
	assert_int_equal(shim_invept_all, 1);
	leave();
	enter(CPU);
	assert_int_equal(shim_invept_all, 1);
}

static void many_are_forgotten_together(void **state)
{
	(void)state;
	attach(9);
	enter(CPU);
	unmap();
	enter(CPU);
	assert_int_equal(shim_invept_all, 1);
	assert_int_equal(shim_invepts, 0);
}

static void without_single_context(void **state)
{
	(void)state;
	eh_invept_context = false;
	attach(1);
	enter(CPU);
	unmap();
	enter(CPU);
	assert_int_equal(shim_invept_all, 1);
	assert_int_equal(shim_invepts, 0);
}

/* One round for all that an export's end or a new driver ends. */
static void ends_are_one_interrupt(void **state)
{
	struct elisa_hc_page page = {0};

	(void)state;
	attach(ELISA_SLOTS);
	enter(CPU);
	shim_flushes = 0;
	assert_int_equal(host_call(GUEST, ELISA_HC_RESET, &page), 0);
	assert_int_equal(shim_flushes, 1);
	assert_int_equal(shim_interrupted, 1UL << CPU);
	leave();
	attach(ELISA_SLOTS);
	enter(CPU);
	page = (struct elisa_hc_page){.destroy = {.id = id}};
	shim_flushes = 0;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &page), 0);
	assert_int_equal(shim_flushes, 1);
	assert_int_equal(shim_interrupted, 1UL << CPU);
	for (u32 slot = 0; slot < ELISA_SLOTS; slot++)
		assert_true(vcpu->slots[slot]->revoked);
	leave();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_is_inside_is_interrupted), TEST(what_is_forgotten),
		TEST(many_are_forgotten_together),  TEST(without_single_context),
		TEST(ends_are_one_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
