// SPDX-License-Identifier: Apache-2.0
/*
 * Another thread ends an object while a request is prepared without a lock.
 *
 * When the request takes the locks, it must notice this, be refused as if it had come later, and
 * leave nothing.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"
#include "tables/ept.h"

#define PLACES (1ULL << 20) /* offset in the object area */

static u32 id, grant;

static void meanwhile(void (*other)(void), long at)
{
	shim_meanwhile = other;
	shim_meanwhile_at = at;
}

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop*", 40);
	grant = host_grant(GUEST, ELISA_GRANT_ATTACH, "shop*", 300);
	id = create("shop");
	map(id, 0, 1);
	memset(&page, 0, sizeof(page));
	page.places = (struct elisa_hc_places){.id = id, .count = 1, .offset = PLACES, .size = 16};
	expect(MANAGER, ELISA_HC_EXPORT_PLACES, 0, ELISA_OK, 0);
	publish(id, 0, 0, ELISA_OK, 0);
	/* the vCPU's own structures */
	memset(&page, 0, sizeof(page));
	host_call(GUEST, ELISA_HC_EVENTS, &page);
	return 0;
}

static void set_ticket(u8 byte)
{
	struct elisa_hc_page set = {.ticket = {.id = id}};

	memset(set.ticket.ticket, byte, ELISA_TICKET_SIZE);
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_TICKET, &set), 0);
}

static void refused(int error, u32 why, u64 value)
{
	expect(GUEST, ELISA_HC_ATTACH, error, why, value);
	assert_null(host_vm(GUEST)->slots[0]);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
	assert_int_equal(hooks_armed, 0);
}

static void take_grant_back(void)
{
	assert_int_equal(eh_grant_remove(grant), 0);
}

static void an_attach_whose_grant_goes(void **state)
{
	(void)state;
	request_attach(&page, "shop", ROOT, 2);
	meanwhile(take_grant_back, 1);
	refused(-EPERM, ELISA_WHY_NO_GRANT, 0);
}

static void destroy(void)
{
	struct elisa_hc_page end = {.destroy = {id, 0}};

	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &end), 0);
}

static void an_attach_whose_export_goes(void **state)
{
	(void)state;
	request_attach(&page, "shop", ROOT, 2);
	meanwhile(destroy, 1);
	refused(-ENOENT, ELISA_WHY_NO_EXPORT, 0);
}

static void other_ticket(void)
{
	set_ticket(6);
}

static void an_attach_whose_ticket_goes(void **state)
{
	(void)state;
	set_ticket(5);
	request_attach(&page, "", ROOT, 2);
	memset(page.attach.ticket, 5, ELISA_TICKET_SIZE);
	meanwhile(other_ticket, 1);
	refused(-ENOENT, ELISA_WHY_NO_EXPORT, 0);
}

static void reset(void)
{
	eh_vm_reset(host_vm(GUEST));
}

static void an_attach_whose_vm_is_reset(void **state)
{
	(void)state;
	request_attach(&page, "shop", ROOT, 2);
	meanwhile(reset, 4);
	refused(-ENOENT, ELISA_WHY_NO_ATTACHMENT, 0);
}

static void attach_once_more(void)
{
	struct elisa_hc_page other;

	assert_int_equal(host_call(GUEST, ELISA_HC_ATTACH,
				   request_attach(&other, "shop", ROOT + PAGE_SIZE, 1)),
			 -ENOSPC);
	assert_int_equal(host_call(GUEST, ELISA_HC_ATTACH,
				   request_attach(&other, "shop.open", ROOT + PAGE_SIZE, 1)),
			 0);
}

/* An attachment that comes while a RESET waits for CPUs is none of those that the RESET ends. */
static void an_attach_in_a_reset(void **state)
{
	u32 open = create("shop.open");

	(void)state;
	map(open, 0, 1);
	publish(open, 0, 0, ELISA_OK, 0);
	assert_int_equal(host_attach("shop", ROOT, 1), 0);
	memset(&page, 0, sizeof(page));
	meanwhile(attach_once_more, -1);
	expect(GUEST, ELISA_HC_RESET, 0, ELISA_OK, 0);
	assert_null(host_vm(GUEST)->slots[0]);
	assert_non_null(host_vm(GUEST)->slots[1]);
	assert_non_null(host_vm(GUEST)->slots[1]->export);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 1);
}

static void attach_too(void)
{
	struct elisa_hc_page same;

	assert_int_equal(host_call(GUEST, ELISA_HC_ATTACH, request_attach(&same, "shop", ROOT, 1)),
			 -EEXIST);
}

/* A slot is taken before the attachment is complete, and nothing detaches it till then. */
static void two_attaches_of_one_process(void **state)
{
	(void)state;
	request_attach(&page, "shop", ROOT, 2);
	meanwhile(attach_too, 3);
	expect(GUEST, ELISA_HC_ATTACH, 0, ELISA_OK, 0);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 2);
}

static void take_managers_grant(void)
{
	assert_int_equal(eh_grant_remove(grant - 1), 0);
}

static void a_publication_whose_grant_goes(void **state)
{
	(void)state;
	request_export(&page, "shop2");
	meanwhile(take_managers_grant, 1);
	expect(MANAGER, ELISA_HC_EXPORT_CREATE, -EPERM, ELISA_WHY_NO_GRANT, 0);
	assert_true(list_empty(&eh_exports));
}

static void detach(void)
{
	struct eh_refusal refusal;

	assert_int_equal(eh_detach(host_vm(GUEST), 0, &refusal), 0);
}

static void a_donation_whose_donor_goes(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	memset(&page, 0, sizeof(page));
	page.donate.count = 2;
	page.donate.gpa[0] = GPA(300);
	page.donate.gpa[1] = GPA(301);
	meanwhile(detach, 1);
	expect(GUEST, ELISA_HC_DONATE, -ENOENT, ELISA_WHY_NO_ATTACHMENT, 0);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
}

static void attach(void)
{
	request_attach(&page, "shop", ROOT, 2);
	expect(GUEST, ELISA_HC_ATTACH, 0, ELISA_OK, 0);
}

static void sync(void)
{
	memset(&page, 0, sizeof(page));
	expect(GUEST, ELISA_HC_VCPU_SYNC, 0, ELISA_OK, 0);
}

/* The hypercall's own page and the list page come before the context. */
#define IN_CONTEXT 3

static void a_context_whose_attachment_goes(void **state)
{
	(void)state;
	attach();
	meanwhile(detach, IN_CONTEXT);
	sync();
	assert_null(host_vcpu(GUEST)->slots[0]);
	assert_int_equal(hooks_armed, 0);
}

static void be_idle(void)
{
	assert_false(eh_vcpus_give_back(host_vm(GUEST)));
	assert_null(host_vcpu(GUEST)->list);
}

static void a_context_whose_list_page_goes(void **state)
{
	const struct eh_vcpu *vcpu = host_vcpu(GUEST);

	(void)state;
	attach();
	meanwhile(be_idle, IN_CONTEXT);
	sync();
	assert_non_null(vcpu->list);
	assert_ptr_equal(vcpu->slots[0]->list, vcpu->list);
	assert_int_equal(hooks_armed, 2);
}

/* The page goes before the context is made: a context without one is never shown. */
static void a_list_page_that_goes_before_the_context(void **state)
{
	const struct eh_vcpu *vcpu = host_vcpu(GUEST);

	(void)state;
	attach();
	meanwhile(be_idle, IN_CONTEXT - 1);
	sync();
	assert_non_null(vcpu->list);
	assert_non_null(vcpu->slots[0]->list);
	assert_ptr_equal(vcpu->slots[0]->list, vcpu->list);
	assert_int_equal(hooks_armed, 2);
}

/*
 * A manager's thread that gets no processor keeps its export's mutex. What the administrator takes
 * back has ended for all guests before anything waits for that thread.
 */
static void look_at_the_end(void)
{
	assert_null(host_vm(GUEST)->slots[0]->export);
	assert_true(list_empty(&eh_exports));
}

static void a_grant_that_goes_while_its_manager_maps(void **state)
{
	u32 second = create("shop.second");

	(void)state;
	map(second, 0, 1);
	publish(second, 0, 0, ELISA_OK, 0);
	assert_int_equal(host_attach("shop.second", ROOT, 0), 0);
	/* the wait for the mutex of the first export */
	meanwhile(look_at_the_end, -2);
	take_managers_grant();
	assert_null(shim_meanwhile);
}

static struct elisa_hc_donate gift;

static void donate(void)
{
	struct eh_refusal refusal;

	current = &shim_tasks[GUEST];
	assert_int_equal(eh_donate(host_vm(GUEST), &machines[GUEST].vcpu, &gift, &refusal), 0);
}

/* At the object's end: there is no table for what does not fit any more. */
static void two_donations_for_one_room(void **state)
{
	u32 last = create("shop.last");

	(void)state;
	map(last, 0, 1);
	memset(&page, 0, sizeof(page));
	page.places = (struct elisa_hc_places){
		.id = last, .count = 1, .offset = ELISA_OBJECT_SIZE - 2 * PAGE_SIZE, .size = 2};
	expect(MANAGER, ELISA_HC_EXPORT_PLACES, 0, ELISA_OK, 0);
	publish(last, 0, 0, ELISA_OK, 0);
	assert_int_equal(host_attach("shop.last", ROOT, 0), 0);
	gift = (struct elisa_hc_donate){.count = 2, .gpa = {GPA(300), GPA(301)}};
	memset(&page, 0, sizeof(page));
	page.donate = (struct elisa_hc_donate){.count = 2, .gpa = {GPA(302), GPA(303)}};
	meanwhile(donate, 1);
	expect(GUEST, ELISA_HC_DONATE, -ENOSPC, ELISA_WHY_RANGE, 0);
}

/* A table that is about to be freed gets an entry: it stays, and works. */
static void a_table_that_is_used_again(void **state)
{
	struct eh_export *export;

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	gift = (struct elisa_hc_donate){.count = 1, .gpa = {GPA(300)}};
	memset(&page, 0, sizeof(page));
	page.unmap = (struct elisa_hc_unmap){.id = id, .offset = 0, .count = 1};
	meanwhile(donate, -1);
	expect(MANAGER, ELISA_HC_EXPORT_UNMAP, 0, ELISA_OK, 0);
	export = eh_export_of(host_vm(MANAGER), id);
	/* bits 2:0: the processor follows it */
	assert_int_equal(((u64 *)__va(export->gib[0] & EPT_ADDRESS))[0] & 7, 7);
	assert_int_not_equal(eh_export_table_get(export, PLACES), 0);
	eh_export_put(export);
}

/*
 * ---- Two threads end the same: the one that comes second does not return before it has ended.
 * What is found then is looked at when both are done.
 */
static bool has_ended;
static long pinned;

/* The other thread has taken the gift, and did not flush yet. */
static void detach_donor(void)
{
	detach();
	/* of the other attachment */
	has_ended = *host_vcpu(GUEST)->forget & 2;
	host_settle();
	pinned = atomic64_read(&machines[GUEST].mm.pinned_vm);
}

static void a_donor_that_is_evicted_detaches(void **state)
{
	u32 two = create("shop.two");

	(void)state;
	map(two, 0, 1);
	memset(&page, 0, sizeof(page));
	page.places = (struct elisa_hc_places){.id = two, .count = 2, .offset = PLACES, .size = 16};
	expect(MANAGER, ELISA_HC_EXPORT_PLACES, 0, ELISA_OK, 0);
	publish(two, 0, 0, ELISA_OK, 0);
	assert_int_equal(host_attach("shop.two", ROOT, 0), 0);
	gift = (struct elisa_hc_donate){.count = 2, .gpa = {GPA(300), GPA(301)}};
	donate();
	assert_int_equal(host_attach("shop.two", ROOT + PAGE_SIZE, 0), 0);
	*host_vcpu(GUEST)->forget = 0;
	memset(&page, 0, sizeof(page));
	page.evict = (struct elisa_hc_evict){.id = two, .attachment = 1};
	/* the hypercall's page, the set of CPUs to shut, then that to flush */
	meanwhile(detach_donor, 2);
	expect(MANAGER, ELISA_HC_EVICT, 0, ELISA_OK, 0);
	assert_null(shim_meanwhile);
	assert_true(has_ended);
	assert_int_equal(pinned, 0);
}

/* Before the other thread has shut any attachment. */
static void take_grant_of_ended(void)
{
	take_managers_grant();
	has_ended = !host_vm(GUEST)->slots[0]->export;
}

static void destroyed_with(void (*other)(void))
{
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	meanwhile(other, 1);
	destroy();
	assert_null(shim_meanwhile);
	assert_true(has_ended);
	assert_true(list_empty(&eh_exports));
}

static void a_grant_of_an_export_that_is_destroyed(void **state)
{
	(void)state;
	destroyed_with(take_grant_of_ended);
}

static void log_ended(void)
{
	struct kvm_memory_slot *slot = &machines[MANAGER].kvm.slots[0];

	slot->flags |= KVM_MEM_LOG_DIRTY_PAGES;
	eh_slot_logged(&machines[MANAGER].kvm, slot);
	has_ended = !host_vm(GUEST)->slots[0]->export;
	slot->flags = 0;
}

static void logging_of_an_export_that_is_destroyed(void **state)
{
	(void)state;
	destroyed_with(log_ended);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_attach_whose_grant_goes),
		TEST(an_attach_whose_export_goes),
		TEST(an_attach_whose_ticket_goes),
		TEST(an_attach_whose_vm_is_reset),
		TEST(an_attach_in_a_reset),
		TEST(two_attaches_of_one_process),
		TEST(a_publication_whose_grant_goes),
		TEST(a_donation_whose_donor_goes),
		TEST(a_context_whose_attachment_goes),
		TEST(a_context_whose_list_page_goes),
		TEST(a_list_page_that_goes_before_the_context),
		TEST(a_grant_that_goes_while_its_manager_maps),
		TEST(two_donations_for_one_room),
		TEST(a_table_that_is_used_again),
		TEST(a_donor_that_is_evicted_detaches),
		TEST(a_grant_of_an_export_that_is_destroyed),
		TEST(logging_of_an_export_that_is_destroyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
