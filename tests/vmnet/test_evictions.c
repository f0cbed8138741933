/* SPDX-License-Identifier: Apache-2.0 */
/* A VM whose calls are stopped while they hold queues of others: when it is evicted, for how long
 * it is kept out, and that no other one pays for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "fake_manager.h"

/* The port has a ticket: its owner comes back to it, and to no other one. */
static void give_ticket(uint32_t place)
{
	strcpy(fake.daemon->config.port[place - 1].ticket_file, "/ticket");
}

/* So many seconds later. */
static void wait(double seconds)
{
	fake.daemon->now += seconds;
	for (double second = 0; second < seconds; second++)
		ports_forgive(fake.daemon);
	ports_look(fake.daemon);
}

static bool is_served(uint32_t place)
{
	ports_look(fake.daemon);
	assert_int_equal(!ports_out(fake.daemon, place), fake.daemon->state->port[place].enabled);
	return fake.daemon->state->port[place].enabled;
}

/* A VMM that stops its calls while they hold queues is put up with some times, not without end. */
static void test_stalls(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	for (int i = 0; i < 20; i++)
		event(ELISA_EVENT_ABORT, 7, ELISA_CALL_TIMEOUT); /* held nothing */
	for (int second = 0; second < 10; second++) {
		stall(7, 1);
		ports_forgive(fake.daemon);
	}
	assert_int_equal(fake.evicted, 0);
	stall(7, 8);
	assert_int_equal(fake.evicted, 0);
	stall(7, 1);
	assert_int_equal(fake.evicted, 7);
	assert_int_equal(fake.daemon->port[1].stalls, 19);
	assert_int_equal(fake.daemon->port[1].evictions, 1);
	assert_false(is_served(1));
}

/* A call that its VMM ended held a queue for a shorter time. A fault is all that is known of a call
 * whose event was lost. */
static void test_price(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	fake.held = 1;
	for (int i = 0; i < 80; i++)
		event(ELISA_EVENT_ABORT, 7, ELISA_CALL_VMM);
	assert_int_equal(fake.evicted, 0);
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_VMM);
	assert_int_equal(fake.evicted, 7);
	event(ELISA_EVENT_ATTACH, 8, 2);
	for (int i = 0; i < 9; i++)
		event(ELISA_EVENT_ABORT, 8, ELISA_CALL_FAULT);
	assert_int_equal(fake.evicted, 8);
}

/* The owner of a ticket is kept out when it comes again, for longer each time; other ports are as
 * they were. After a quiet time it begins anew. */
static void test_eviction_lasts(void **unused)
{
	static const uint32_t seconds[] = {10, 20, 40, 80, 160, 320, 600, 600};
	uint64_t attachment = 7;

	(void)unused;
	give_ticket(1);
	event(ELISA_EVENT_ATTACH, 100, 2);
	for (int i = 0; i < 8; i++, attachment++) {
		event(ELISA_EVENT_ATTACH, attachment, 1);
		assert_true(is_served(1));
		stall(attachment, 9);
		assert_int_equal(fake.evicted, attachment);
		assert_int_equal(ports_out(fake.daemon, 1), seconds[i]);
		event(ELISA_EVENT_DETACH, attachment, 0);
		assert_int_equal(ports_out(fake.daemon, 1), seconds[i]);
		wait(seconds[i] / 2.0);
		event(ELISA_EVENT_ATTACH, ++attachment, 1);
		assert_false(is_served(1));
		assert_true(is_served(2));
		wait(seconds[i] / 2.0 - 1);
		assert_false(is_served(1));
		wait(1);
		assert_string_equal(fake.said, "port first: is served again\n");
	}
	assert_true(is_served(1));
	wait(599);
	stall(attachment - 1, 9);
	assert_int_equal(ports_out(fake.daemon, 1), 600);
	wait(1200);
	assert_true(is_served(1));
	stall(attachment - 1, 9);
	assert_int_equal(ports_out(fake.daemon, 1), 10);
}

/* What the owner of a ticket owes is not paid by leaving. */
static void test_owner_leaves_in_time(void **unused)
{
	(void)unused;
	give_ticket(1);
	event(ELISA_EVENT_ATTACH, 7, 1);
	stall(7, 8);
	event(ELISA_EVENT_DETACH, 7, 0);
	event(ELISA_EVENT_ATTACH, 8, 1);
	stall(8, 1);
	assert_int_equal(fake.evicted, 8);
}

/* VMs at ports without a ticket cannot be told apart: after an eviction all that come wait, at
 * whichever of these ports. Those that are there, and owners of tickets, do not. */
static void test_newcomers_wait(void **unused)
{
	(void)unused;
	give_ticket(3);
	event(ELISA_EVENT_ATTACH, 5, 2);
	event(ELISA_EVENT_ATTACH, 7, 1);
	stall(7, 9);
	assert_int_equal(fake.evicted, 7);
	event(ELISA_EVENT_ATTACH, 9, 3);
	assert_true(is_served(2));
	assert_true(is_served(3));
	event(ELISA_EVENT_DETACH, 7, 0);
	assert_int_equal(ports_out(fake.daemon, 1), 0);
	event(ELISA_EVENT_DETACH, 5, 0);
	event(ELISA_EVENT_ATTACH, 11, 2);
	event(ELISA_EVENT_ATTACH, 12, 1);
	assert_false(is_served(1));
	assert_false(is_served(2));
	wait(10);
	assert_true(is_served(1));
	assert_true(is_served(2));
}

/* Stalls at such a port are those of an attachment: its successor has none, also if the event of
 * its end was lost. One that leaves before it is evicted, again and again, is kept out as well. */
static void test_stalls_of_the_one_before(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	stall(7, 8);
	event(ELISA_EVENT_DETACH, 7, 0);
	event(ELISA_EVENT_ATTACH, 8, 1);
	assert_true(is_served(1));
	stall(8, 8);
	assert_int_equal(fake.evicted, 0);
	event(ELISA_EVENT_ATTACH, 9, 1);
	assert_int_equal(fake.daemon->port[1].account.owed, 0);
	assert_false(is_served(1));
	wait(10);
	assert_true(is_served(1));
}

/* The host is asked again until it has evicted; meanwhile the port is not served. */
static void test_evict_fails(void **unused)
{
	(void)unused;
	fake.evict_why = ELISA_WHY_NO_MEMORY;
	event(ELISA_EVENT_ATTACH, 7, 1);
	stall(7, 9);
	assert_int_equal(fake.evicted, 7);
	fake.evicted = 0;
	wait(20);
	assert_int_equal(fake.evicted, 7);
	assert_false(fake.daemon->state->port[1].enabled);
	assert_false(fake.daemon->over);
	fake.evict_why = ELISA_WHY_NO_ATTACHMENT;
	ports_look(fake.daemon);
	fake.evicted = 0;
	ports_look(fake.daemon);
	assert_int_equal(fake.evicted, 0);
}

/* A place is taken again before the daemon heard of the end of its last owner: the next attachment
 * is told apart by its number. It has nothing of the last one, nor of what is said of that late. */
static void test_taken_again_before_the_end_is_heard(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	joins(1, 7);
	stall(7, 5);
	ports_look(fake.daemon);
	fake.daemon->port[1].broken = fake.daemon->port[1].statics_owed = true;
	call_fails(VMNET_ABORTED, ELISA_CALL_VMM, 1);
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_VMM);
	fake.count = 0;
	joins(1, 9);
	event(ELISA_EVENT_ATTACH, 9, 1);
	assert_calls("G1:7 ");
	assert_int_equal(fake.daemon->port[1].account.owed, 0);
	assert_false(fake.daemon->port[1].broken);
	assert_false(fake.daemon->port[1].statics_owed);
	fake.daemon->rings_owed = false;
	ports_look(fake.daemon);
	assert_calls("L1:0 ");
	stall(7, 20);
	event(ELISA_EVENT_DETACH, 7, 0);
	assert_calls("");
	assert_int_equal(fake.evicted, 0);
	assert_int_equal(fake.daemon->port[1].account.owed, 0);
	assert_int_equal(fake.daemon->port[1].attachment, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stalls, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_price, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_eviction_lasts, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_owner_leaves_in_time, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_newcomers_wait, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_stalls_of_the_one_before, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(test_evict_fails, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_taken_again_before_the_end_is_heard,
						fake_start, fake_end),
	};

	return cmocka_run_group_tests_name("vmnet: evictions", tests, NULL, NULL);
}
