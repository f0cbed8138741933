// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that guests donate.
 *
 * The tests check places and their tickets, which page the EPT of each attachment has, and how much
 * a guest may give. All pages must be released, whichever side ends first.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "tables/ept.h"
#include "host.h"
#include "walk.h"

#define ROOT	    0x7654000ULL
#define OTHER_ROOT  0x9876000ULL
#define PLACES	    (1ULL << 30) /* offset in the object area */
#define PLACE_PAGES 600ULL
#define LIMIT	    700 /* pages that the guest's grant allows */

static u32 id;

static int start(void **state)
{
	struct elisa_hc_page page;

	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", LIMIT);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_CREATE, request_export(&page, "shop")),
			 0);
	id = page.export_.id;
	request_map(&page, id, 0, 1, ELISA_PROT_READ | ELISA_PROT_EXEC);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

static int create_places(u32 count, u64 offset, u64 size)
{
	struct elisa_hc_page page = {
		.places = {.id = id, .count = count, .offset = offset, .size = size}};

	return host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &page);
}

static int set_ticket(u32 place, u8 byte)
{
	struct elisa_hc_page page = {.ticket = {.id = id, .place = place}};

	memset(page.ticket.ticket, byte, ELISA_TICKET_SIZE);
	return host_call(MANAGER, ELISA_HC_EXPORT_TICKET, &page);
}

static void publish(void)
{
	struct elisa_hc_page page = {.publish = {.id = id, .entry = 0x10}};

	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PUBLISH, &page), 0);
}

/* Attaches. Returns 0 or the error; *place = the place in the answer. */
static int attach(u64 root, u8 ticket, u32 *slot, u32 *place)
{
	struct elisa_hc_page page;
	int r;

	request_attach(&page, ticket ? "" : "shop", root, 0);
	memset(page.attach.ticket, ticket, ELISA_TICKET_SIZE);
	r = host_call(GUEST, ELISA_HC_ATTACH, &page);
	*slot = page.attach.slot;
	*place = page.attach.place;
	memset(&page, 0, sizeof(page));
	if (!r)
		assert_int_equal(host_call(GUEST, ELISA_HC_VCPU_SYNC, &page), 0);
	return r;
}

static void detach(u32 slot)
{
	struct elisa_hc_page page = {.detach.slot = slot};

	assert_int_equal(host_call(GUEST, ELISA_HC_DETACH, &page), 0);
}

/* Donates @count pages of the guest's memory, from page @first on. */
static int donate(u32 slot, u32 count, u32 first)
{
	struct elisa_hc_page page = {.donate = {.slot = slot, .count = count}};

	for (u32 i = 0; i < count && i < ELISA_HC_DONATE_PAGES; i++)
		page.donate.gpa[i] = GPA(first + i);
	return host_call(GUEST, ELISA_HC_DONATE, &page);
}

static void two_places(void)
{
	assert_int_equal(create_places(2, PLACES, PLACE_PAGES), 0);
	publish();
}

/* Returns the EPT leaf of a slot's sub context for a page of a place. */
static u64 leaf(u32 slot, u32 place, u64 page)
{
	const struct eh_context *c = host_vcpu(GUEST)->slots[slot];
	u64 offset = PLACES + (place * PLACE_PAGES + page) * PAGE_SIZE;

	return ept_find(c->eptp[EH_IN_SUB], eh_root_limit() + EH_GPA_OBJECT + offset);
}

static u64 leaf_of_page(u32 number)
{
	return ept_leaf(__pa(guest_memory(GUEST, GPA(number))), EPT_READ | EPT_WRITE);
}

static const struct elisa_self *self(u32 slot)
{
	const struct eh_context *c = host_vcpu(GUEST)->slots[slot];
	u64 found = ept_find(c->eptp[EH_IN_SUB], eh_root_limit() + EH_GPA_SELF);

	assert_int_equal(found & 7, EPT_READ);
	assert_int_equal(ept_find(c->eptp[EH_IN_GATE_IN], eh_root_limit() + EH_GPA_SELF), 0);
	return __va(found & EPT_ADDRESS);
}

static void all_attachments_see_it(void **state)
{
	u32 a, b, place_a, place_b;

	(void)state;
	two_places();
	assert_int_equal(attach(ROOT, 0, &a, &place_a), 0);
	assert_int_equal(attach(OTHER_ROOT, 0, &b, &place_b), 0);
	assert_int_equal(place_a, 0);
	assert_int_equal(place_b, 1);
	assert_int_equal(donate(a, 3, 10), 0);
	assert_int_equal(donate(b, 2, 20), 0);
	assert_int_equal(donate(a, 1, 13), 0);
	for (u32 slot = 0; slot < 2; slot++) {
		for (u32 i = 0; i < 4; i++)
			assert_int_equal(leaf(slot, 0, i), leaf_of_page(10 + i));
		assert_int_equal(leaf(slot, 0, 4), 0);
		assert_int_equal(leaf(slot, 1, 0), leaf_of_page(20));
		assert_int_equal(leaf(slot, 1, 1), leaf_of_page(21));
		assert_int_equal(leaf(slot, 1, 2), 0);
	}
	assert_int_equal(self(a)->place, 0);
	assert_int_equal(self(a)->donated, 4 * PAGE_SIZE);
	assert_int_equal(self(b)->place, 1);
	assert_int_equal(self(b)->donated, 2 * PAGE_SIZE);
	assert_int_equal(self(b)->attachment, 2);
	assert_int_equal(self(b)->vcpu, 0);
	assert_int_equal(self(b)->aborts, 0);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 6);
}

static void a_sink_takes_its_place(void **state)
{
	unsigned long flushes;
	u32 a, b, place;
	u64 sink;

	(void)state;
	two_places();
	attach(ROOT, 0, &a, &place);
	attach(OTHER_ROOT, 0, &b, &place);
	assert_int_equal(donate(a, 3, 10), 0);
	flushes = shim_flushes;
	detach(a);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
	/* the second flush counts: the first is for the donor's own contexts */
	assert_true(machines[GUEST].mm.pages[10].unpinned_at > flushes + 1);
	sink = leaf(b, 0, 0);
	assert_int_equal(sink & 7, EPT_READ | EPT_WRITE);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(leaf(b, 0, i), sink);
		assert_int_not_equal(sink, leaf_of_page(10 + i));
	}
	assert_int_equal(leaf(b, 0, 3), 0);
	/* the next attachment at this place starts with no donation */
	assert_int_equal(attach(ROOT, 0, &a, &place), 0);
	assert_int_equal(place, 0);
	assert_int_equal(self(a)->donated, 0);
	/* CPUs that cache translations to the sink must forget them */
	flushes = shim_flushes;
	assert_int_equal(donate(a, 1, 30), 0);
	assert_true(shim_flushes > flushes);
	assert_int_equal(leaf(b, 0, 0), leaf_of_page(30));
	assert_int_equal(leaf(b, 0, 1), sink);
}

static void the_export_goes_first(void **state)
{
	struct elisa_hc_page page = {.destroy.id = id};
	u32 a, place;

	(void)state;
	two_places();
	attach(ROOT, 0, &a, &place);
	assert_int_equal(donate(a, 3, 10), 0);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &page), 0);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
	assert_int_equal(donate(a, 1, 10), -ENOENT);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_NO_ATTACHMENT);
}

static void the_grant_goes_first(void **state)
{
	u32 a, b, place, other;

	(void)state;
	two_places();
	other = host_grant(GUEST, ELISA_GRANT_ATTACH, "sh*", LIMIT);
	attach(ROOT, 0, &a, &place);
	attach(OTHER_ROOT, 0, &b, &place);
	assert_int_equal(donate(a, 3, 10), 0);
	assert_int_equal(donate(b, 3, 20), 0);
	for (u32 grant = other - 1; grant <= other; grant++) /* the manager keeps its own */
		eh_grant_remove(grant);
	/* the work item of the VM unpins the pages */
	shim_run_work();
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
}

static void places_of_tickets(void **state)
{
	u32 a, b, place;

	(void)state;
	assert_int_equal(create_places(3, PLACES, PLACE_PAGES), 0);
	assert_int_equal(set_ticket(0, 'a'), 0);
	assert_int_equal(set_ticket(2, 'a'), -EEXIST);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_NAME_TAKEN);
	assert_int_equal(set_ticket(3, 'b'), -EINVAL);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_NO_PLACE);
	publish();
	/* an attachment by name does not get the place of a ticket */
	assert_int_equal(attach(ROOT, 0, &a, &place), 0);
	assert_int_equal(place, 1);
	assert_int_equal(attach(OTHER_ROOT, 'b', &b, &place), -ENOENT);
	assert_int_equal(attach(OTHER_ROOT, 'a', &b, &place), 0);
	assert_int_equal(place, 0);
	assert_int_equal(attach(0x5000, 'a', &b, &place), -EBUSY);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_NO_PLACE);
	assert_int_equal(attach(0x5000, 0, &b, &place), 0);
	assert_int_equal(place, 2);
	assert_int_equal(attach(0x6000, 0, &b, &place), -ENOSPC);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_NO_PLACE);
	/* the manager takes the ticket back */
	detach(1);
	assert_int_equal(set_ticket(0, 0), 0);
	assert_int_equal(attach(OTHER_ROOT, 'a', &b, &place), -ENOENT);
	assert_int_equal(attach(OTHER_ROOT, 0, &b, &place), 0);
	assert_int_equal(place, 0);
}

static void places_of_one_vm(void **state)
{
	struct elisa_hc_page page = {.places = {id, 4, PLACES, PLACE_PAGES, .per_vmm = 1}};
	u32 a, b, place;

	(void)state;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &page), 0);
	assert_int_equal(set_ticket(0, 'a'), 0);
	publish();
	host_grant(MANAGER, ELISA_GRANT_ATTACH, "*", 0);
	assert_int_equal(attach(ROOT, 0, &a, &place), 0);
	assert_int_equal(place, 1);
	assert_int_equal(attach(OTHER_ROOT, 0, &b, &place), -EDQUOT);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_PLACES_PER_VMM);
	assert_int_equal(machines[GUEST].value, 1);
	/* a ticket's place is not counted; another VM has a place of its own */
	assert_int_equal(attach(OTHER_ROOT, 'a', &b, &place), 0);
	assert_int_equal(place, 0);
	request_attach(&page, "shop", ROOT, 0);
	assert_int_equal(host_call(MANAGER, ELISA_HC_ATTACH, &page), 0);
	assert_int_equal(page.attach.place, 2);
	/* a place that was released */
	detach(a);
	assert_int_equal(attach(0x5000, 0, &a, &place), 0);
	assert_int_equal(place, 1);
}

static void no_more_than_there_is(void **state)
{
	u32 a, b, place;

	(void)state;
	two_places();
	attach(ROOT, 0, &a, &place);
	attach(OTHER_ROOT, 0, &b, &place);
	assert_int_equal(donate(a, 0, 0), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_NO_PAGES);
	assert_int_equal(donate(a, ELISA_HC_DONATE_PAGES + 1, 0), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_FIELD);
	assert_int_equal(donate(7, 1, 0), -ENOENT);
	assert_int_equal(donate(~0u, 1, 0), -ENOENT);
	assert_int_equal(donate(a, 448, 0), 0);
	assert_int_equal(donate(a, 153, 448), -ENOSPC);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_RANGE);
	assert_int_equal(machines[GUEST].value, 152);
	assert_int_equal(donate(a, 152, 448), 0);
	/* the grant's limit is for all attachments of the VM */
	assert_int_equal(donate(b, 101, 600), -EDQUOT);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_QUOTA);
	assert_int_equal(machines[GUEST].value, LIMIT);
	assert_int_equal(donate(b, 100, 600), 0);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 700);
}

static void memory_that_is_none(void **state)
{
	static const u32 special[] = {READ_ONLY, NO_SLOT,    INTERNAL,	  FILE_BACKED,
				      DEVICE,	 UNPINNABLE, DEVICE_FILE, RAM_PAGES};
	u32 a, place;

	(void)state;
	two_places();
	attach(ROOT, 0, &a, &place);
	for (size_t i = 0; i < sizeof(special) / sizeof(*special); i++) {
		struct elisa_hc_page page = {.donate = {.slot = a, .count = 2}};

		page.donate.gpa[0] = GPA(1);
		page.donate.gpa[1] = GPA(special[i]);
		assert_true(host_call(GUEST, ELISA_HC_DONATE, &page) < 0);
		assert_int_equal(machines[GUEST].value, GPA(special[i]));
		assert_int_equal(self(a)->donated, 0);
		assert_int_equal(leaf(a, 0, 0), 0);
	}
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
}

static void places_that_cannot_be(void **state)
{
	struct elisa_hc_page page;

	(void)state;
	assert_int_equal(create_places(0, PLACES, 1), -EINVAL);
	assert_int_equal(create_places(ELISA_MAX_PLACES + 1, PLACES, 1), -EINVAL);
	assert_int_equal(create_places(2, PLACES, 0), -EINVAL);
	assert_int_equal(create_places(2, PLACES, ~0ULL), -EINVAL);
	assert_int_equal(create_places(2, PLACES, 1ULL << 63), -EINVAL);
	assert_int_equal(create_places(1, PLACES + 1, 1), -EINVAL);
	page = (struct elisa_hc_page){.places = {id, 2, PLACES, 1, .per_vmm = 3}};
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &page), -EINVAL);
	assert_int_equal(machines[MANAGER].value, 3);
	page = (struct elisa_hc_page){.places = {id, 2, PLACES, 1, .pad = 7}};
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &page), -EINVAL);
	assert_int_equal(machines[MANAGER].value, 7);
	assert_int_equal(create_places(2, ELISA_OBJECT_SIZE - PAGE_SIZE, 1), -EINVAL);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_RANGE);
	assert_int_equal(create_places(2, 0, 1), -EEXIST);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_OVERLAP);
	assert_int_equal(create_places(2, PLACES, 1), 0);
	assert_int_equal(create_places(2, PLACES * 2, 1), -EBUSY);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_NO_PLACE);
	/* the manager must not map a page where the guests' memory will be */
	request_map(&page, id, PLACES + PAGE_SIZE, 1, ELISA_PROT_READ | ELISA_PROT_EXEC);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page), -EEXIST);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_OVERLAP);
	request_map(&page, id, PLACES + 2 * PAGE_SIZE, 1, ELISA_PROT_READ | ELISA_PROT_EXEC);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page), 0);
	publish();
	/* another VM must not make places */
	page = (struct elisa_hc_page){
		.places = {.id = id, .count = 1, .offset = PLACES * 3, .size = 1}};
	assert_int_equal(host_call(GUEST, ELISA_HC_EXPORT_PLACES, &page), -ENOENT);
}

static void without_places(void **state)
{
	u32 a, b, place;

	(void)state;
	publish();
	assert_int_equal(attach(ROOT, 0, &a, &place), 0);
	assert_int_equal(place, ELISA_NO_PLACE);
	assert_int_equal(self(a)->place, ELISA_NO_PLACE);
	assert_int_equal(donate(a, 1, 10), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_NO_PLACE);
	/* attachments that come later have places */
	assert_int_equal(create_places(1, PLACES, 1), 0);
	assert_int_equal(donate(a, 1, 10), -EINVAL);
	assert_int_equal(attach(OTHER_ROOT, 0, &b, &place), 0);
	assert_int_equal(place, 0);
	assert_int_equal(donate(b, 1, 10), 0);
}

/* A request that fails for lack of memory leaves nothing pinned or mapped. */
static void every_allocation_may_fail(void **state)
{
	u32 a, place;
	long n;
	int r;

	(void)state;
	for (r = -ENOMEM, n = 0; r; n++) {
		shim_fail_after = n;
		r = create_places(2, PLACES, PLACE_PAGES);
		shim_fail_after = -1;
		assert_true(!r || r == -ENOMEM);
	}
	publish();
	assert_int_equal(attach(ROOT, 0, &a, &place), 0);
	for (r = -ENOMEM, n = 0; r; n++) {
		shim_fail_after = n;
		r = donate(a, 3, 10);
		shim_fail_after = -1;
		assert_true(!r || r == -ENOMEM);
		if (r) {
			assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
			assert_int_equal(self(a)->donated, 0);
		}
	}
	assert_int_equal(leaf(a, 0, 2), leaf_of_page(12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_attachments_see_it, start, end),
		cmocka_unit_test_setup_teardown(a_sink_takes_its_place, start, end),
		cmocka_unit_test_setup_teardown(the_export_goes_first, start, end),
		cmocka_unit_test_setup_teardown(the_grant_goes_first, start, end),
		cmocka_unit_test_setup_teardown(places_of_tickets, start, end),
		cmocka_unit_test_setup_teardown(places_of_one_vm, start, end),
		cmocka_unit_test_setup_teardown(no_more_than_there_is, start, end),
		cmocka_unit_test_setup_teardown(memory_that_is_none, start, end),
		cmocka_unit_test_setup_teardown(places_that_cannot_be, start, end),
		cmocka_unit_test_setup_teardown(without_places, start, end),
		cmocka_unit_test_setup_teardown(every_allocation_may_fail, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
