// SPDX-License-Identifier: Apache-2.0
/*
 * A manager's event queue is full. The manager must still learn of each attachment of which a call
 * was aborted, even if this attachment has ended. A guest must not fill the host's memory in this
 * way.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

static u32 id;

static void sync_vcpu(void)
{
	memset(&page, 0, sizeof(page));
	expect(GUEST, ELISA_HC_VCPU_SYNC, 0, ELISA_OK, 0);
}

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	id = host_publish("shop");
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	sync_vcpu();
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

static void fill_queue(void)
{
	struct eh_events *events = host_vm(MANAGER)->events;

	while (eh_event_put(events, (struct elisa_event){.type = ELISA_EVENT_ATTACH}))
		;
}

/* As call.c, with a full queue. */
static void abort_call(void)
{
	host_vcpu(GUEST)->slots[0]->self->aborts++;
}

static int detach(void)
{
	memset(&page, 0, sizeof(page));
	return host_call(GUEST, ELISA_HC_DETACH, &page);
}

static u32 take(void)
{
	memset(&page, 0, sizeof(page));
	expect(MANAGER, ELISA_HC_EVENTS, 0, ELISA_OK, 0);
	return page.events.count;
}

/*
 * Takes what is in the queue, and LOST. What follows is in page.events from the index returned
 * on.
 */
static u32 take_queue(void)
{
	u32 i;

	for (;;) {
		take();
		for (i = 0; i < page.events.count; i++)
			if (page.events.event[i].type == ELISA_EVENT_LOST)
				return i + 1;
		assert_int_equal(page.events.count, ELISA_HC_EVENTS_MAX);
	}
}

static void is_end(u32 i, u64 attachment, u64 aborts)
{
	assert_true(i < page.events.count);
	assert_int_equal(page.events.event[i].type, ELISA_EVENT_DETACH);
	assert_int_equal(page.events.event[i].export_id, id);
	assert_int_equal(page.events.event[i].attachment, attachment);
	assert_int_equal(page.events.event[i].aborts, aborts);
}

static void nothing_more(void)
{
	assert_int_equal(take(), 0);
}

static void an_abort_before_the_end(void **state)
{
	u32 i;

	(void)state;
	fill_queue();
	abort_call();
	assert_int_equal(detach(), 0);
	i = take_queue();
	is_end(i, 1, 1);
	assert_int_equal(page.events.count, i + 1);
	nothing_more();
}

static void no_abort_before_the_end(void **state)
{
	u32 i;

	(void)state;
	fill_queue();
	assert_int_equal(detach(), 0);
	i = take_queue();
	assert_int_equal(page.events.count, i);
	nothing_more();
}

/* The end has room, but the abort had none. */
static void the_queue_has_room_again(void **state)
{
	(void)state;
	fill_queue();
	abort_call();
	take();
	assert_int_equal(detach(), 0);
	/* the last one before LOST */
	is_end(take_queue() - 2, 1, 1);
	nothing_more();
}

static void the_manager_ends_it(void **state)
{
	u32 i;

	(void)state;
	fill_queue();
	abort_call();
	memset(&page, 0, sizeof(page));
	page.evict = (struct elisa_hc_evict){.id = id, .attachment = 1};
	expect(MANAGER, ELISA_HC_EVICT, 0, ELISA_OK, 0);
	assert_int_equal(detach(), 0);
	i = take_queue();
	is_end(i, 1, 1);
	nothing_more();
}

/* Its call, if it was in one, ends when its thread runs again. */
static void a_vcpu_is_on_its_way_out(void **state)
{
	struct eh_vcpu *vcpu = host_vcpu(GUEST);
	struct eh_refusal refusal;
	u32 i;

	(void)state;
	fill_queue();
	vcpu->entries++;
	vcpu->phase = EH_INSIDE;
	assert_int_equal(eh_detach(host_vm(GUEST), 0, &refusal), 0);
	i = take_queue();
	is_end(i, 1, 1);
	vcpu->phase = EH_OUTSIDE;
	host_settle();
	nothing_more();
}

static void a_call_is_suspended(void **state)
{
	struct eh_vcpu *vcpu = host_vcpu(GUEST);
	u32 i;

	(void)state;
	fill_queue();
	vcpu->phase = EH_SUSPENDED;
	vcpu->stash.context = vcpu->slots[0];
	memset(&page, 0, sizeof(page));
	page.evict = (struct elisa_hc_evict){.id = id, .attachment = 1};
	expect(MANAGER, ELISA_HC_EVICT, 0, ELISA_OK, 0);
	vcpu->phase = EH_OUTSIDE;
	i = take_queue();
	is_end(i, 1, 1);
	nothing_more();
}

/* The VM ends: its vCPUs before its attachments. */
static void the_vcpu_goes_first(void **state)
{
	u32 i;

	(void)state;
	fill_queue();
	abort_call();
	eh_vcpu_gone(&machines[GUEST].vcpu);
	i = take_queue();
	is_end(i, 1, 1);
	nothing_more();
}

static void a_guest_repeats_it(void **state)
{
	u64 i, n;
	u32 at;

	(void)state;
	fill_queue();
	for (n = 0; n < EH_UNTOLD_MAX; n++) {
		abort_call();
		assert_int_equal(detach(), 0);
		request_attach(&page, "shop", ROOT, 0);
		if (n == EH_UNTOLD_MAX - 1)
			break;
		expect(GUEST, ELISA_HC_ATTACH, 0, ELISA_OK, 0);
		sync_vcpu();
	}
	expect(GUEST, ELISA_HC_ATTACH, -EAGAIN, ELISA_WHY_UNTOLD, EH_UNTOLD_MAX);
	/* another VM is not refused for that */
	host_grant(MANAGER, ELISA_GRANT_ATTACH, "*", 0);
	request_attach(&page, "shop", ROOT, 0);
	expect(MANAGER, ELISA_HC_ATTACH, 0, ELISA_OK, 0);

	at = take_queue();
	for (i = 1; i <= EH_UNTOLD_MAX; i++, at++) {
		if (at == ELISA_HC_EVENTS_MAX) {
			take();
			at = 0;
		}
		is_end(at, i, 1);
	}
	nothing_more();
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
}

/* The manager will not ask any more. */
static void the_export_ends(void **state)
{
	u32 i;

	(void)state;
	fill_queue();
	abort_call();
	assert_int_equal(detach(), 0);
	memset(&page, 0, sizeof(page));
	page.destroy = (struct elisa_hc_destroy){id, 0};
	expect(MANAGER, ELISA_HC_EXPORT_DESTROY, 0, ELISA_OK, 0);
	i = take_queue();
	assert_int_equal(page.events.count, i);
	nothing_more();
}

/* In a full queue the oldest fault gives way to another event, and the order of the rest stays. */
static void faults_give_way(void **state)
{
	struct eh_events *events = host_vm(MANAGER)->events;
	struct elisa_event out;
	u64 i, last = 0, faults = 0;

	(void)state;
	eh_events_clear(events);
	for (i = 1; i <= EH_EVENT_RING; i++)
		assert_true(eh_event_put(events,
					 (struct elisa_event){.type = i % 100 ? ELISA_EVENT_ATTACH :
										ELISA_EVENT_FAULT,
							      .attachment = i}));
	/* a fault has no room, others have that of two faults */
	assert_false(eh_event_put(events, (struct elisa_event){.type = ELISA_EVENT_FAULT}));
	for (; i <= EH_EVENT_RING + 2; i++)
		assert_true(eh_event_put(events, (struct elisa_event){.type = ELISA_EVENT_ABORT,
								      .attachment = i}));
	assert_false(eh_event_put(events, (struct elisa_event){.type = ELISA_EVENT_ABORT}));
	for (i = 0; i < EH_EVENT_RING; i++) {
		assert_int_equal(eh_events_take(events, &out, 1), 1);
		assert_true(out.attachment > last && out.attachment % 100);
		last = out.attachment;
		faults += out.type == ELISA_EVENT_FAULT;
	}
	assert_int_equal(last, EH_EVENT_RING + 2);
	assert_int_equal(faults, 0);
	assert_int_equal(eh_events_take(events, &out, 1), 1);
	assert_int_equal(out.type, ELISA_EVENT_LOST);
	assert_int_equal(out.value, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_abort_before_the_end, start, end),
		cmocka_unit_test_setup_teardown(no_abort_before_the_end, start, end),
		cmocka_unit_test_setup_teardown(the_queue_has_room_again, start, end),
		cmocka_unit_test_setup_teardown(the_manager_ends_it, start, end),
		cmocka_unit_test_setup_teardown(a_vcpu_is_on_its_way_out, start, end),
		cmocka_unit_test_setup_teardown(a_call_is_suspended, start, end),
		cmocka_unit_test_setup_teardown(the_vcpu_goes_first, start, end),
		cmocka_unit_test_setup_teardown(a_guest_repeats_it, start, end),
		cmocka_unit_test_setup_teardown(the_export_ends, start, end),
		cmocka_unit_test_setup_teardown(faults_give_way, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
