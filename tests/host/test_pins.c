// SPDX-License-Identifier: Apache-2.0
/*
 * Pages that the host holds of a VMM. It must hold each folio once, with all its pages, within the
 * grant's limit and RLIMIT_MEMLOCK. It must hold nothing longer than its owner lives, or than it is
 * of use.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "host.h"

#define ROOT   0x7654000ULL
#define RW     (ELISA_PROT_READ | ELISA_PROT_WRITE)
#define LIMIT  200
#define FOLIO  64  /* pages */
#define FIRST  128 /* page of the first large folio; the second one follows */
#define PLACES (1ULL << 30)

static struct elisa_hc_page page;
static u32 id;

/* Both VMs have two large folios; the export has 3 pages of others. */
static int start(void **state)
{
	(void)state;
	host_start();
	for (int m = 0; m < MACHINES; m++)
		for (u32 i = 0; i < 2 * FOLIO; i++) {
			struct page *first = &machines[m].mm.pages[FIRST + i / FOLIO * FOLIO];

			machines[m].mm.pages[FIRST + i].head = first;
			first->folio_pages = FOLIO;
		}
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop*", LIMIT);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop*", LIMIT);
	id = host_publish("shop");
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

static s64 held(int machine)
{
	s64 pages = atomic64_read(&machines[machine].mm.pinned_vm);

	if (host_vcpu(machine) && host_vm(machine)->vmm)
		assert_int_equal(host_vm(machine)->vmm->held, pages);
	return pages;
}

/* @count pages of the VM's memory from number @first on, at @offset. */
static int map(u64 offset, u32 count, u32 first)
{
	request_map(&page, id, offset, count, RW);
	for (u32 i = 0; i < count; i++)
		page.map.gpa[i] = GPA(first + i);
	return host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page);
}

static void unmap(u64 offset, u64 count)
{
	memset(&page, 0, sizeof(page));
	page.unmap.id = id;
	page.unmap.offset = offset;
	page.unmap.count = count;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_UNMAP, &page), 0);
}

static void refused(int r, u32 why, u64 value)
{
	assert_int_equal(r, -EDQUOT);
	assert_int_equal(machines[MANAGER].why, why);
	assert_int_equal(machines[MANAGER].value, value);
}

static void a_folio_counts_once_with_all_its_pages(void **state)
{
	(void)state;
	assert_int_equal(held(MANAGER), 3);
	assert_int_equal(map(0x100000, 1, FIRST + 5), 0);
	assert_int_equal(held(MANAGER), 3 + FOLIO);
	assert_int_equal(map(0x200000, 3, FIRST + 7), 0);
	assert_int_equal(map(0x300000, 1, FIRST + 5), 0);
	assert_int_equal(held(MANAGER), 3 + FOLIO);
	assert_int_equal(map(0x400000, 2, FIRST + FOLIO - 1), 0);
	assert_int_equal(held(MANAGER), 3 + 2 * FOLIO);
	unmap(0x200000, 3);
	unmap(0x100000, 1);
	assert_int_equal(held(MANAGER), 3 + 2 * FOLIO);
	unmap(0x400000, 2);
	assert_int_equal(held(MANAGER), 3 + FOLIO);
	unmap(0x300000, 1);
	assert_int_equal(held(MANAGER), 3);
}

static void the_limit_is_about_what_is_held(void **state)
{
	(void)state;
	assert_int_equal(map(0x100000, LIMIT - FOLIO - 3, 300), 0);
	assert_int_equal(map(0x200000, 1, FIRST), 0);
	assert_int_equal(held(MANAGER), LIMIT);
	refused(map(0x300000, 1, FIRST + FOLIO), ELISA_WHY_QUOTA, LIMIT);
	unmap(0x200000, 1);
	assert_int_equal(map(0x200000, 1, 600), 0);
	/* one page of the folio's is too many */
	refused(map(0x300000, 1, FIRST), ELISA_WHY_QUOTA, LIMIT);
	refused(map(0x300000, 3, FIRST - 2), ELISA_WHY_QUOTA, LIMIT);
	assert_int_equal(held(MANAGER), LIMIT - FOLIO + 1);
}

/* A page that is mapped again costs an entry, if no memory. */
static void pins_have_the_same_limit(void **state)
{
	u32 n;

	(void)state;
	for (n = 0; n < LIMIT - 3; n++)
		assert_int_equal(map(0x100000 + n * PAGE_SIZE, 1, FIRST), 0);
	refused(map(0x900000, 1, FIRST), ELISA_WHY_QUOTA, LIMIT);
	assert_int_equal(held(MANAGER), 3 + FOLIO);
}

static void memlock_is_the_processs(void **state)
{
	(void)state;
	shim_may_lock = false;
	shim_memlock = (FOLIO + 2) * PAGE_SIZE;
	refused(map(0x100000, 1, FIRST), ELISA_WHY_MEMLOCK, FOLIO + 2);
	refused(map(0x100000, FOLIO, 300), ELISA_WHY_MEMLOCK, FOLIO + 2);
	assert_int_equal(held(MANAGER), 3);
	shim_memlock += PAGE_SIZE;
	assert_int_equal(map(0x100000, 1, FIRST), 0);
	/* no more is held for another pin of it */
	assert_int_equal(map(0x200000, 1, FIRST + 1), 0);
	shim_may_lock = true;
	assert_int_equal(map(0x300000, 1, 300), 0);
}

static void all_of_a_vmm_count_together(void **state)
{
	struct elisa_hc_page places = {
		.places = {.id = id, .count = 1, .offset = PLACES, .size = 100}};

	(void)state;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &places), 0);
	request_attach(&page, "shop", ROOT, 2);
	page.attach.exchange[0] = GPA(FIRST);
	page.attach.exchange[1] = GPA(FIRST + 1);
	assert_int_equal(host_call(GUEST, ELISA_HC_ATTACH, &page), 0);
	assert_int_equal(held(GUEST), FOLIO);
	memset(&page, 0, sizeof(page));
	page.donate.count = 2;
	page.donate.gpa[0] = GPA(FIRST + 2);
	page.donate.gpa[1] = GPA(300);
	assert_int_equal(host_call(GUEST, ELISA_HC_DONATE, &page), 0);
	assert_int_equal(held(GUEST), FOLIO + 1);
	/* by a grant of its own it may have less, whatever another one allows */
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop", FOLIO);
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "small", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "small", FOLIO + 2);
	host_publish("small");
	assert_int_equal(host_attach("small", ROOT, 2), -EDQUOT);
	assert_int_equal(machines[GUEST].value, FOLIO + 2);
	assert_int_equal(host_attach("small", ROOT, 1), 0);
	assert_int_equal(held(GUEST), FOLIO + 2);
	memset(&page, 0, sizeof(page));
	assert_int_equal(host_call(GUEST, ELISA_HC_DETACH, &page), 0);
	assert_int_equal(held(GUEST), 1);
}

/* ... nor do tables, for all the places in which it was mapped, in one request or in many. */
static void tables_go_with_what_they_mapped(void **state)
{
	struct eh_export *export;
	long before;

	(void)state;
	assert_int_equal(map(0x40000000 - PAGE_SIZE, 2, 300), 0);
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	unmap(0x40000000 - PAGE_SIZE, 2);
	before = shim_live;
	for (u64 n = 1; n < 100; n++) {
		assert_int_equal(map(n * 0x200000 - PAGE_SIZE, 2, 300), 0);
		if (n % 2)
			unmap(n * 0x200000 - PAGE_SIZE, 2);
	}
	unmap(0x200000, 0x40000000 / PAGE_SIZE);
	assert_int_equal(shim_live, before);
	/* one that still maps something stays */
	assert_int_equal(map(0x200000, 1, 300), 0);
	assert_int_equal(map(0x201000, 1, 301), 0);
	unmap(0x200000, 1);
	export = eh_export_of(host_vm(MANAGER), id);
	assert_int_not_equal(eh_export_table_get(export, 0x201000), 0);
	eh_export_put(export);
}

/* ---- the end of a VMM, whose VM another process keeps */

static void nothing_outlives_a_manager(void **state)
{
	(void)state;
	assert_int_equal(map(0x100000, 1, FIRST), 0);
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	shim_exit_mmap(&machines[MANAGER].mm);
	/* before the work has run, its grants are worth nothing */
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_CREATE, request_export(&page, "shop2")),
			 -EPERM);
	host_settle();
	assert_int_equal(held(MANAGER), 0);
	assert_true(list_empty(&eh_exports));
	assert_null(host_vm(GUEST)->slots[0]->export);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_CREATE, request_export(&page, "shop3")),
			 -EPERM);
}

static void nothing_outlives_a_guest(void **state)
{
	struct elisa_hc_page places = {
		.places = {.id = id, .count = 1, .offset = PLACES, .size = 100}};
	struct eh_vcpu *vcpu;

	(void)state;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &places), 0);
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	memset(&page, 0, sizeof(page));
	page.donate.count = 1;
	page.donate.gpa[0] = GPA(300);
	assert_int_equal(host_call(GUEST, ELISA_HC_DONATE, &page), 0);
	/* in a call when its thread is killed, and attached to something that has gone */
	vcpu = host_vcpu(GUEST);
	vcpu->vmfunc = EH_VMFUNC_CLOSED;
	vcpu->phase = EH_INSIDE;
	vcpu->entries = 5;
	assert_int_equal(held(GUEST), 3);
	shim_exit_mmap(&machines[GUEST].mm);
	host_settle();
	assert_int_equal(held(GUEST), 0);
	assert_int_equal(hooks_armed, 0);
	assert_null(vcpu->list);
	assert_true(bitmap_empty(vcpu->used, ELISA_SLOTS));
	assert_null(host_vm(GUEST)->slots[0]);
	/* the manager does not notice */
	assert_int_equal(held(MANAGER), 3);
	assert_false(list_empty(&eh_exports));
	assert_int_equal(host_attach("shop", ROOT, 2), -EPERM);
}

static void grants_end_with_their_vmm(void **state)
{
	struct eh_grant *grant;
	unsigned int count = 0;

	(void)state;
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "other", 0);
	shim_exit_mmap(&machines[MANAGER].mm);
	host_settle();
	list_for_each_entry(grant, &eh_grants, all) {
		assert_ptr_equal(grant->vmm->mm, &machines[GUEST].mm);
		count++;
	}
	assert_int_equal(count, 1);
}

/* ---- what is of no use any more */

static void exchange_pages_are_let_go_when_revoked(void **state)
{
	struct elisa_hc_page destroy = {.destroy.id = id};
	unsigned long flushes;

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	assert_int_equal(held(GUEST), 2);
	flushes = shim_flushes;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &destroy), 0);
	assert_int_equal(held(GUEST), 0);
	/* GPA(600): of request_attach() */
	assert_true(machines[GUEST].mm.pages[600].unpinned_at > flushes);
	memset(&page, 0, sizeof(page));
	assert_int_equal(host_call(GUEST, ELISA_HC_DETACH, &page), 0);
}

/* One attachment alone: here nothing but its own revocation makes the CPUs leave its contexts. */
static void exchange_pages_are_let_go_when_evicted(void **state)
{
	struct elisa_hc_page evict = {.evict = {.id = id, .attachment = 1}};
	unsigned long flushes;

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	flushes = shim_flushes;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EVICT, &evict), 0);
	assert_int_equal(held(GUEST), 0);
	assert_true(machines[GUEST].mm.pages[600].unpinned_at > flushes);
	memset(&page, 0, sizeof(page));
	assert_int_equal(host_call(GUEST, ELISA_HC_DETACH, &page), 0);
}

/* ---- memory that fails */

/* Is there an event of this kind in the manager's queue? */
static bool told(u32 type, u32 export_id, s64 value)
{
	bool found = false;

	memset(&page, 0, sizeof(page));
	assert_int_equal(host_call(MANAGER, ELISA_HC_EVENTS, &page), 0);
	for (u32 i = 0; i < page.events.count; i++)
		found |= page.events.event[i].type == type &&
			 page.events.event[i].export_id == export_id &&
			 page.events.event[i].value == value;
	return found;
}

static void failed_memory_ends_its_export(void **state)
{
	(void)state;
	host_publish("shop2");
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	assert_int_equal(host_attach("shop2", ROOT, 2), 0);
	assert_int_equal(map(0x100000, 8, 300), 0);
	shim_fail_page(&machines[MANAGER].mm.pages[303]);
	host_settle();
	assert_null(eh_export_of(host_vm(MANAGER), id));
	assert_null(host_vm(GUEST)->slots[0]->export);
	assert_non_null(host_vm(GUEST)->slots[1]->export);
	assert_int_equal(held(MANAGER), 3);
	assert_true(told(ELISA_EVENT_MEMORY, id, 0x103000));
}

static void failed_memory_that_is_not_ours(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	shim_fail_page(&machines[MANAGER].mm.pages[300]);
	shim_fail_page(&machines[GUEST].mm.pages[300]);
	host_settle();
	assert_non_null(host_vm(GUEST)->slots[0]->export);
}

static void failed_memory_ends_what_gave_it(void **state)
{
	struct elisa_hc_page places = {
		.places = {.id = id, .count = 2, .offset = PLACES, .size = 100}};

	(void)state;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &places), 0);
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	memset(&page, 0, sizeof(page));
	page.donate.slot = 1;
	page.donate.count = 2;
	page.donate.gpa[0] = GPA(300);
	page.donate.gpa[1] = GPA(301);
	assert_int_equal(host_call(GUEST, ELISA_HC_DONATE, &page), 0);
	shim_fail_page(&machines[GUEST].mm.pages[301]);
	host_settle();
	assert_null(host_vm(GUEST)->slots[1]->export);
	assert_non_null(host_vm(GUEST)->slots[0]->export);
	assert_true(told(ELISA_EVENT_DETACH, id, 0));
	shim_fail_page(&machines[GUEST].mm.pages[601]);
	host_settle();
	assert_null(host_vm(GUEST)->slots[0]->export);
	assert_int_equal(held(GUEST), 0);
}

/* Marked between its pin and its place in a list: a look at that time does not see it. */
static void failed_memory_is_refused(void **state)
{
	(void)state;
	machines[MANAGER].mm.pages[301].hwpoison = true;
	assert_int_equal(map(0x100000, 3, 300), -EHWPOISON);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_PIN);
	assert_int_equal(machines[MANAGER].value, GPA(301));
	assert_int_equal(held(MANAGER), 3);
	machines[GUEST].mm.pages[601].hwpoison = true;
	assert_int_equal(host_attach("shop", ROOT, 2), -EHWPOISON);
	assert_int_equal(machines[GUEST].value, GPA(601));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_folio_counts_once_with_all_its_pages),
		TEST(the_limit_is_about_what_is_held),
		TEST(pins_have_the_same_limit),
		TEST(memlock_is_the_processs),
		TEST(all_of_a_vmm_count_together),
		TEST(tables_go_with_what_they_mapped),
		TEST(nothing_outlives_a_manager),
		TEST(nothing_outlives_a_guest),
		TEST(grants_end_with_their_vmm),
		TEST(exchange_pages_are_let_go_when_revoked),
		TEST(exchange_pages_are_let_go_when_evicted),
		TEST(failed_memory_ends_its_export),
		TEST(failed_memory_that_is_not_ours),
		TEST(failed_memory_ends_what_gave_it),
		TEST(failed_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
