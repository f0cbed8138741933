// SPDX-License-Identifier: Apache-2.0
/*
 * The EPT that host/tables/table.c builds.
 *
 * Each context must map what it needs with the right rights, and nothing else. No page-table root
 * but the process's own may lead to a gate. Each allocation may fail, and all memory must be freed.
 * The tests run for guests with four and with five levels of paging. Argument: the processor's
 * number of physical address bits.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "host.h"
#include "walk.h"

#define ROOT 0x7654000ULL
#define RW   (EPT_READ | EPT_WRITE)
#define RX   (EPT_READ | EPT_EXEC)

static struct reaches found;
static u32 levels;

static int start(void **state)
{
	(void)state;
	host_start();
	if (levels == 5)
		machines[GUEST].vcpu.arch.cr4 |= X86_CR4_LA57;
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "strict", 0);
	host_grant(MANAGER, ELISA_GRANT_EXPORT | ELISA_GRANT_TRUSTED_MANAGER, "trusted", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

static struct eh_context *context(u32 slot)
{
	struct eh_context *c = host_vcpu(GUEST)->slots[slot];

	assert_non_null(c);
	return c;
}

/* Removes one page from what was found: it is there, is this one, with these rights. */
static void take(u64 gpa, const void *page, u64 rights)
{
	for (unsigned int i = 0; i < found.count; i++)
		if (found.at[i].from == gpa) {
			assert_true(!page || found.at[i].to == __pa(page));
			assert_int_equal(found.at[i].rights, rights);
			found.at[i] = found.at[--found.count];
			return;
		}
	fail_msg("guest-physical %llx is not mapped", gpa);
}

static void take_apt(struct eh_context *c, u64 base)
{
	take(c->attachment->root, NULL, EPT_READ);
	for (u32 i = EH_APT_PDPT; i < eh_apt_pages(levels); i++)
		take(base + EH_GPA_APT + i * PAGE_SIZE, NULL, EPT_READ);
}

static void check_gate(struct eh_context *c, enum eh_where where)
{
	u64 base = eh_root_limit();

	ept_enumerate(c->eptp[where], &found);
	take_apt(c, base);
	take(base + EH_GPA_CODE, NULL, EPT_EXEC);
	take(base + EH_GPA_LIST, c->vcpu->list, RW);
	take(base + EH_GPA_DATA, c->data, RW);
	assert_int_equal(found.count, 0);
}

static void check_sub(struct eh_context *c)
{
	struct eh_attachment *a = c->attachment;
	u64 base = eh_root_limit();
	struct eh_run *mapping;
	u32 i;

	ept_enumerate(c->eptp[EH_IN_SUB], &found);
	take_apt(c, base);
	take(base + EH_GPA_CODE, a->sub_stub, RX);
	for (i = 0; i < ELISA_STACK_PAGES; i++)
		take(base + EH_GPA_STACK + i * PAGE_SIZE, c->stack[i], RW);
	for (i = 0; i < a->exchange_pages; i++)
		take(base + EH_GPA_EXCHANGE_LEAF + i * PAGE_SIZE, a->exchange->pages[i]->data, RW);
	take(base + EH_GPA_SELF, c->self, EPT_READ);
	if (a->mode == ELISA_MODE_TRUSTED)
		take(base + EH_GPA_LIST, c->vcpu->list, RW);
	list_for_each_entry(mapping, &a->export->mappings, node)
		for (i = 0; i < mapping->count; i++)
			take(base + EH_GPA_OBJECT + mapping->offset + i * PAGE_SIZE,
			     mapping->pages[i]->data, ept_rights(mapping->prot));
	assert_int_equal(found.count, 0);
}

static void check_context(struct eh_context *c)
{
	check_gate(c, EH_IN_GATE_IN);
	check_gate(c, EH_IN_GATE_OUT);
	check_sub(c);
}

static void contexts_map_exactly_what_they_must(void **state)
{
	static const u32 exchange[] = {0, 1, ELISA_EXCHANGE_MAX_PAGES};

	(void)state;
	host_publish("strict");
	host_publish("trusted");
	for (u32 i = 0; i < 3; i++) {
		u64 root = i ? ROOT + i * GIB : PAGE_SIZE;

		assert_int_equal(host_attach("strict", root, exchange[i]), 0);
		assert_int_equal(host_attach("trusted", root, exchange[i]), 0);
		check_context(context(2 * i));
		check_context(context(2 * i + 1));
		assert_int_equal(context(2 * i)->attachment->mode, ELISA_MODE_STRICT);
		assert_int_equal(context(2 * i + 1)->attachment->mode, ELISA_MODE_TRUSTED);
	}
}

/* Roots below the contexts' own GiBs, and in another entry of the PML4. */
static void with_control_by_mode_the_supervisor_executes_nothing(void **state)
{
	u64 allowed = 0, other = ROOT;

	(void)state;
	shim_vmcs[SECONDARY_VM_EXEC_CONTROL] |= SECONDARY_EXEC_MODE_BASED_EPT_EXEC;
	host_publish("strict");
	host_publish("trusted");
	assert_int_equal(host_attach("strict", eh_root_limit() - PAGE_SIZE, 1), 0);
	assert_int_equal(host_attach("trusted", other, 1), 0);
	for (u32 slot = 0; slot < 2; slot++)
		for (int where = 0; where < EH_ROOTS; where++) {
			ept_enumerate(context(slot)->eptp[where], &found);
			for (unsigned int i = 0; i < found.count; i++) {
				assert_int_equal(found.at[i].rights & EPT_EXEC_KERNEL, 0);
				allowed += !!(found.at[i].rights & EPT_EXEC_USER);
			}
		}
	assert_true(allowed >= 2 * EH_ROOTS);
}

/* In all slots, and with roots wherever a guest may have memory. */
static void roots_are_answered_everywhere(void **state)
{
	u64 limit = eh_root_limit();
	u32 slot = 0;

	(void)state;
	host_publish("strict");
	for (u64 root = PAGE_SIZE; root < limit && slot < ELISA_SLOTS / 2; root *= 2, slot++)
		assert_int_equal(host_attach("strict", root, 1), 0);
	for (u64 root = limit - PAGE_SIZE; slot < ELISA_SLOTS; root -= GIB, slot++)
		assert_int_equal(host_attach("strict", root, 0), 0);
	for (slot = 0; slot < ELISA_SLOTS; slot++)
		check_context(context(slot));
}

static u32 export_map(u32 id, u64 offset, u32 count, u32 prot)
{
	struct elisa_hc_page page;

	return host_call(MANAGER, ELISA_HC_EXPORT_MAP, request_map(&page, id, offset, count, prot));
}

static void mapping_reaches_contexts_that_exist(void **state)
{
	struct elisa_hc_page page = {0};
	unsigned long flushes;
	u32 id;

	(void)state;
	id = host_publish("strict");
	assert_int_equal(host_attach("strict", ROOT, 1), 0);
	/* a new page, a new page table, a new page directory; across the end of each */
	assert_int_equal(export_map(id, PAGE_SIZE, 1, ELISA_PROT_READ), 0);
	assert_int_equal(export_map(id, 0x200000 - PAGE_SIZE, 2, ELISA_PROT_READ), 0);
	assert_int_equal(export_map(id, 5 * GIB - PAGE_SIZE, 2, ELISA_PROT_READ | ELISA_PROT_WRITE),
			 0);
	check_context(context(0));

	page.unmap.id = id;
	page.unmap.offset = 0;
	page.unmap.count = ELISA_OBJECT_SIZE / PAGE_SIZE - 2;
	flushes = shim_flushes;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_UNMAP, &page), 0);
	check_context(context(0));
	/* no CPU remembers a page that is let go */
	assert_true(machines[MANAGER].mm.pages[1].unpinned_at > flushes);
	assert_int_equal(machines[MANAGER].mm.pages[1].pins, 0);
	assert_int_equal(machines[MANAGER].mm.pages[2].pins, 1);
}

static void revoked_sub_maps_nothing_of_the_object(void **state)
{
	struct elisa_hc_page page = {0};
	struct eh_context *c;
	unsigned long flushes;

	(void)state;
	page.destroy.id = host_publish("strict");
	assert_int_equal(host_attach("strict", ROOT, 1), 0);
	c = context(0);
	flushes = shim_flushes;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &page), 0);
	assert_true(machines[MANAGER].mm.pages[1].unpinned_at > flushes);
	assert_true(c->revoked && host_vcpu(GUEST)->stale);
	ept_enumerate(c->eptp[EH_IN_SUB], &found);
	for (unsigned int i = 0; i < found.count; i++)
		assert_true(found.at[i].from < eh_root_limit());
	check_gate(c, EH_IN_GATE_IN);
}

/* ---- attackers' roots: the guest's kernel chooses CR3 and then executes VMFUNC */

/* The list as eh_list_reset() and the gates leave it, with default EPTPs as KVM makes them. */
static void fill_list(struct eh_vcpu *vcpu, u64 default_eptp, u64 sub_state)
{
	vcpu->list[0] = default_eptp;
	for (u32 slot = 0; slot < ELISA_SLOTS; slot++) {
		struct eh_context *c = vcpu->slots[slot];

		if (!c)
			continue;
		vcpu->list[ELISA_INDEX_GATE_IN(slot)] = c->eptp[EH_IN_GATE_IN];
		vcpu->list[ELISA_INDEX_GATE_OUT(slot)] = c->eptp[EH_IN_GATE_OUT];
		vcpu->list[ELISA_INDEX_SUB(slot)] = (c->eptp[EH_IN_SUB] & ~0xffULL) | sub_state;
	}
}

/* With this CR3 nothing at all is mapped in a gate: the first fetch after VMFUNC faults. */
static void expect_no_address(struct eh_context *c, enum eh_where where, u64 cr3)
{
	struct space space = ept_space(&c->eptp[where], levels);

	x86_enumerate(&space, cr3, &found);
	if (found.count)
		fail_msg("slot %u context %d cr3 %llx maps %llx", c->attachment->slot, where, cr3,
			 found.at[0].from);
}

/* In how many ways this CR3 leads to the gate's code, the last one in *address. */
static unsigned int ways_to_the_gate(struct eh_context *c, enum eh_where where, u64 cr3, u32 walked,
				     u64 *address)
{
	struct space space = ept_space(&c->eptp[where], walked);
	u64 gpa = eh_root_limit() + EH_GPA_CODE;
	unsigned int ways = 0;

	x86_enumerate(&space, cr3, &found);
	for (unsigned int i = 0; i < found.count; i++)
		if (gpa >= found.at[i].to && gpa - found.at[i].to < found.at[i].size) {
			*address = found.at[i].from;
			ways++;
		}
	return ways;
}

static void expect_gate_at_one_address(struct eh_context *c, enum eh_where where)
{
	u64 code = ELISA_WINDOW_BASE + c->attachment->slot * ELISA_SLOT_SIZE + ELISA_CODE_OFFSET;
	u64 gpa = eh_root_limit() + EH_GPA_CODE, address = 0;

	assert_int_equal(ept_find(c->eptp[where], gpa) & EPT_TABLE, EPT_EXEC);
	assert_int_equal(ways_to_the_gate(c, where, c->attachment->root, levels, &address), 1);
	assert_true(address == code);
}

static void check_attacks(struct eh_context *c, enum eh_where where)
{
	u64 base = eh_root_limit();

	for (u64 gpa = base; gpa < base + 0x100000; gpa += PAGE_SIZE) {
		expect_no_address(c, where, gpa);
		expect_no_address(c, where, gpa + EH_GPA_PRIVATE);
		expect_no_address(c, where, gpa + EH_GPA_EXCHANGE);
		expect_no_address(c, where, gpa + EH_GPA_OBJECT);
	}
	expect_no_address(c, where, 0);
	expect_no_address(c, where, c->attachment->root ^ PAGE_SIZE);
	expect_gate_at_one_address(c, where);
}

/*
 * For each slot and gate: CR3 = each page that the context maps (all tables below the root, the
 * code page, the list with its entries armed and disarmed, the data page) and pages it does not.
 */
static void no_other_root_leads_to_a_gate(void **state)
{
	static const u64 sub_state[] = {ELISA_EPTP_ARMED, ELISA_EPTP_DISARMED};

	(void)state;
	host_publish("strict");
	for (u32 slot = 0; slot < ELISA_SLOTS; slot++)
		assert_int_equal(host_attach("strict", ROOT + slot * PAGE_SIZE, 0), 0);
	for (int s = 0; s < 2; s++) {
		/* 0x5e: with A/D bits, as KVM has it; bit 2 is cleared while a return traps */
		fill_list(host_vcpu(GUEST), 0x12345678905eULL ^ (s ? 4 : 0), sub_state[s]);
		for (u32 slot = 0; slot < ELISA_SLOTS; slot++) {
			check_attacks(context(slot), EH_IN_GATE_IN);
			check_attacks(context(slot), EH_IN_GATE_OUT);
		}
	}
}

/* The entry predicate refuses a vCPU that walks other levels. Nor would it find the gate's code. */
static void other_levels_lead_to_no_gate(void **state)
{
	u64 address;

	(void)state;
	host_publish("strict");
	for (u32 slot = 0; slot < ELISA_SLOTS; slot++) {
		assert_int_equal(host_attach("strict", ROOT + slot * PAGE_SIZE, 0), 0);
		assert_int_equal(context(slot)->attachment->levels, levels);
		for (int where = EH_IN_GATE_IN; where <= EH_IN_GATE_OUT; where++)
			assert_int_equal(ways_to_the_gate(context(slot), where,
							  context(slot)->attachment->root,
							  9 - levels, &address),
					 0);
	}
}

/*
 * The data page holds the caller's RSP, 8 bytes that the attacker chooses freely: as a table, its
 * low 7 bytes are in an entry whose bit 0 is clear, and the last one is an entry for address 0.
 */
static void no_saved_rsp_makes_the_data_page_a_table(void **state)
{
	struct eh_context *c;
	u64 data = eh_root_limit() + EH_GPA_DATA;

	(void)state;
	host_publish("strict");
	for (u32 slot = 0; slot < ELISA_SLOTS; slot++)
		assert_int_equal(host_attach("strict", ROOT + slot * PAGE_SIZE, 0), 0);
	for (u32 slot = 0; slot < ELISA_SLOTS; slot++) {
		c = context(slot);
		assert_int_equal(ELISA_RSP_SLOT(slot) % 8, 1);
		for (u64 top = 0; top < 256; top++) {
			const u64 low[] = {0,
					   ~0ULL,
					   data | APT_TABLE,
					   (data | APT_TABLE) >> 8,
					   (data >> 8) | 0xe7,
					   ROOT | 7,
					   0x27,
					   0xe7};

			for (int i = 0; i < 8; i++) {
				u64 rsp = (top << 56) | (low[i] & ~(0xffULL << 56));

				memcpy(c->data + ELISA_RSP_SLOT(slot), &rsp, sizeof(rsp));
				expect_no_address(c, EH_IN_GATE_IN, data);
				expect_no_address(c, EH_IN_GATE_OUT, data);
			}
		}
	}
}

/* ---- failures */

static void failed_allocations_leave_nothing(void **state)
{
	u32 trusted = host_publish("trusted");
	struct elisa_hc_page page;
	struct eh_context *c;
	long before, n;
	int r = -ENOMEM;

	(void)state;
	/* the vCPU's own structures stay */
	memset(&page, 0, sizeof(page));
	host_call(GUEST, ELISA_HC_HELLO, &page);
	for (n = 0, before = shim_live; r; n++) {
		shim_fail_after = n;
		r = host_call(GUEST, ELISA_HC_ATTACH, request_attach(&page, "trusted", ROOT, 2));
		shim_fail_after = -1;
		assert_true(!r || r == -ENOMEM);
		assert_true(!r || shim_live == before);
	}
	assert_true(n > 8);
	r = -ENOMEM;
	for (n = 0, before = shim_live; r; n++) {
		shim_fail_after = n;
		memset(&page, 0, sizeof(page));
		r = host_call(GUEST, ELISA_HC_VCPU_SYNC, &page);
		shim_fail_after = -1;
		assert_true(!r || r == -ENOMEM);
		/* so does its list page */
		assert_true(!r || shim_live <= before + 1);
	}
	assert_true(n > eh_context_pages());
	c = context(0);
	check_context(c);
	/* across a page table and a page directory, undone in the middle */
	for (n = 0, r = -ENOMEM; r; n++) {
		shim_fail_after = n;
		r = export_map(trusted, 9 * GIB - PAGE_SIZE, 2, ELISA_PROT_READ);
		shim_fail_after = -1;
		assert_true(!r || r == -ENOMEM);
		check_context(c);
	}
	assert_true(n > 4);
}

static void failed_slot_leaves_nothing(void **state)
{
	int r = -ENOMEM;
	u32 slot;

	(void)state;
	/* before the first host_start(): the slots' pages are made there */
	eh_tables_init();
	for (slot = 0; slot < 2; slot++, r = -ENOMEM)
		for (long n = 0; r; n++) {
			long before = shim_live;

			shim_fail_after = n;
			r = eh_slot_prepare(slot, slot ? 5 : 4);
			shim_fail_after = -1;
			assert_true(!r || (r == -ENOMEM && shim_live == before));
		}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(int argc, char **argv)
{
	int failed = 0;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failed_slot_leaves_nothing),
		TEST(contexts_map_exactly_what_they_must),
		TEST(with_control_by_mode_the_supervisor_executes_nothing),
		TEST(roots_are_answered_everywhere),
		TEST(mapping_reaches_contexts_that_exist),
		TEST(revoked_sub_maps_nothing_of_the_object),
		TEST(no_other_root_leads_to_a_gate),
		TEST(other_levels_lead_to_no_gate),
		TEST(no_saved_rsp_makes_the_data_page_a_table),
		TEST(failed_allocations_leave_nothing),
	};

	if (argc > 1)
		boot_cpu_data.x86_phys_bits = atoi(argv[1]);
	for (levels = 4; levels <= 5; levels++)
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	return failed;
}
