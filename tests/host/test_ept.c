// SPDX-License-Identifier: Apache-2.0
/*
 * The page tables of the gate and sub contexts (host/tables/ept.h), walked as a CPU does, for all
 * slots and sizes of physical addresses: the window leads where it must, and nothing else is
 * mapped. What an attacker's page-table root makes of them is shown with the real EPT in
 * test_table.c.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "walk.h"

static struct reaches found;

struct apt {
	u64 page[EH_APT_PAGES][512];
	u64 base, root;
};

static const u64 *table(const struct space *space, u64 gpa)
{
	const struct apt *apt = space->data;
	u64 n = (gpa - apt->base - EH_GPA_APT) / PAGE_SIZE;

	if (gpa == apt->root)
		return apt->page[EH_APT_ROOT];
	return n >= EH_APT_PDPT && n < eh_apt_pages(space->levels) ? apt->page[n] : NULL;
}

static void expect(u64 virtual, u64 physical, u64 size)
{
	const struct reach *reach = reach_of(&found, virtual);

	assert_non_null(reach);
	assert_true(reach->size == size && reach->rights == EPT_EXEC);
	assert_true(reach->to + (virtual - reach->from) == physical);
}

static void check_slot(struct apt *apt, unsigned int slot, const struct space *space)
{
	u64 window = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE, base = apt->base;
	unsigned int i;

	x86_enumerate(space, apt->root, &found);
	expect(window + ELISA_CODE_OFFSET, base + EH_GPA_CODE, PAGE_SIZE);
	expect(window + ELISA_LIST_OFFSET, base + EH_GPA_LIST, PAGE_SIZE);
	expect(window + ELISA_DATA_OFFSET, base + EH_GPA_DATA, PAGE_SIZE);
	for (i = 0; i < ELISA_STACK_PAGES; i++)
		expect(window + ELISA_STACK_OFFSET + i * PAGE_SIZE,
		       base + EH_GPA_STACK + i * PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < ELISA_EXCHANGE_MAX_PAGES; i++)
		expect(window + ELISA_EXCHANGE_OFFSET + i * PAGE_SIZE,
		       base + EH_GPA_EXCHANGE_LEAF + i * PAGE_SIZE, PAGE_SIZE);
	for (i = 0; i < ELISA_OBJECT_SIZE / GIB; i++) {
		expect(ELISA_OBJECT_BASE + i * GIB, base + EH_GPA_OBJECT + i * GIB, GIB);
		expect(ELISA_OBJECT_BASE + (i + 1) * GIB - PAGE_SIZE,
		       base + EH_GPA_OBJECT + (i + 1) * GIB - PAGE_SIZE, GIB);
	}
	expect(ELISA_SELF_ADDRESS, base + EH_GPA_SELF, PAGE_SIZE);
	/* the enumeration covers all 48 or 57 bits of addresses, so nothing else is mapped */
	assert_int_equal(found.count, 4 + ELISA_STACK_PAGES + ELISA_EXCHANGE_MAX_PAGES +
					      ELISA_OBJECT_SIZE / GIB);
	assert_int_equal(found.faults, 0);
	for (i = 0; i < found.count; i++) {
		assert_true(found.at[i].from >= 1ULL << 32);
		assert_true(found.at[i].to >= base);
		assert_true(found.at[i].to + found.at[i].size <= base + EH_GPA_SPAN);
	}
}

static void check_window(int levels)
{
	static const unsigned int bits[] = {39, 40, 42, 44, 46, 48};
	static struct apt apt;
	u64 *pages[EH_APT_PAGES];

	for (unsigned int b = 0; b < sizeof(bits) / sizeof(*bits); b++)
		for (unsigned int slot = 0; slot < ELISA_SLOTS; slot++) {
			struct space space = {table, &apt, bits[b], levels};

			memset(&apt, 0, sizeof(apt));
			apt.base = eh_gpa_base(bits[b]);
			apt.root = 0x1234000;
			for (unsigned int i = 0; i < EH_APT_PAGES; i++)
				pages[i] = i < eh_apt_pages(levels) ? apt.page[i] : NULL;
			apt_fill(pages, levels, slot, apt.base);
			check_slot(&apt, slot, &space);
		}
}

static void window_leads_where_it_must_and_nowhere_else(void **state)
{
	(void)state;
	check_window(4);
	check_window(5);
}

static void leaves_keep_clear_of_the_first_8_kib(void **state)
{
	static const u64 leaf[] = {EH_GPA_CODE, EH_GPA_LIST, EH_GPA_DATA, EH_GPA_STACK,
				   EH_GPA_EXCHANGE_LEAF};

	(void)state;
	for (unsigned int i = 0; i < sizeof(leaf) / sizeof(*leaf); i++)
		assert_true(leaf[i] % 0x200000 >= 0x2000);
	assert_true(EH_GPA_EXCHANGE_LEAF % 0x200000 + ELISA_EXCHANGE_MAX_PAGES * PAGE_SIZE <=
		    0x200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_leads_where_it_must_and_nowhere_else),
		cmocka_unit_test(leaves_keep_clear_of_the_first_8_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
