/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's ports without a switch: whose a port is, when the host's events come late, or were
 * lost; and what it does when its own calls fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "fake_manager.h"
#include "net.h"

static void test_comes_and_goes(void **unused)
{
	(void)unused;
	ports_look(fake.daemon);
	assert_calls("");
	event(ELISA_EVENT_ATTACH, 7, 2);
	joins(2, 7);
	ports_look(fake.daemon);
	assert_calls("L2:0 ");
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_FAULT);
	assert_calls("A2:7 ");
	event(ELISA_EVENT_DETACH, 7, 0);
	joins(2, 0); /* as the switch does */
	ports_look(fake.daemon);
	assert_calls("G2:7 W0:0 ");
}

static void test_strangers(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, -1); /* no place */
	event(ELISA_EVENT_ATTACH, 8, 0);  /* the manager's own */
	event(ELISA_EVENT_ATTACH, 9, FAKE_PORTS + 1);
	event(ELISA_EVENT_DETACH, 9, 0);
	event(ELISA_EVENT_ABORT, 9, ELISA_CALL_FAULT);
	fake.daemon->rings_owed = false;
	ports_look(fake.daemon);
	assert_calls("");
}

/* The event of an attachment was lost: it is served all the same, and a
 * late event changes nothing. */
static void test_lost_attach(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_LOST, 0, 40);
	joins(1, 7);
	ports_look(fake.daemon);
	assert_calls("W0:0 L1:0 ");
	assert_int_equal(fake.daemon->lost_events, 40);
	assert_int_equal(fake.daemon->port[1].attachment, 7);
	event(ELISA_EVENT_ATTACH, 7, 1);
	assert_calls("");
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_FAULT);
	assert_calls("A1:7 ");
}

/* Both were lost, that one went and that the next came. */
static void test_lost_detach(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	joins(1, 7);
	joins(1, 9);
	ports_look(fake.daemon);
	assert_calls("G1:7 L1:0 ");
	event(ELISA_EVENT_ATTACH, 12, 1);
	assert_calls("G1:9 ");
	assert_int_equal(fake.daemon->port[1].attachment, 12);
}

/* The next attachment is known before it joins: one that joined earlier does not come back. */
static void test_not_backwards(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 9, 1);
	joins(1, 7);
	ports_look(fake.daemon);
	assert_calls("L1:0 ");
	assert_int_equal(fake.daemon->port[1].attachment, 9);
}

/* Why the switch refused a port is said in words. */
static void test_refused(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	fake.link = VMNET_REFUSED | RVIF_MAC_IN_USE << 8;
	ports_look(fake.daemon);
	assert_string_equal(fake.said, "port first: refused: another port has this MAC address\n");
	assert_int_equal(fake.daemon->port[1].link, VMNET_DOWN);
}

/* A port from which nothing can come is said to be one. */
static void test_mute(void **unused)
{
	struct port_config *config = &fake.daemon->config.port[0];
	struct net *net = net_new();
	struct net_options options = net_defaults();

	(void)unused;
	fake.daemon->rvs = net->rvs;
	options.policy.flags = config->policy.flags = RVS_CHECK_SOURCE;
	assert_int_equal(net_add_with(net, 1, &options), 0);
	assert_true(ports_is_mute(fake.daemon, 1));
	config->static_count = 1;
	assert_false(ports_is_mute(fake.daemon, 1));
	config->static_count = 0;
	config->policy.flags = 0;
	assert_false(ports_is_mute(fake.daemon, 1));
	net_remove(net, 1);
	config->policy.flags = RVS_CHECK_SOURCE;
	net_mac(options.config.mac, 1);
	assert_int_equal(net_add_with(net, 1, &options), 0);
	assert_false(ports_is_mute(fake.daemon, 1));
	net_free(net);
}

/* A call that was not run, or that was ended because of the manager's own VM, is made again; the
 * other ports do not wait for it. */
static void test_calls_are_made_again(void **unused)
{
	static const long errors[] = {ELISA_CALL_TIMEOUT, ELISA_CALL_VMM, ELISA_CALL_CLOSED};

	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	event(ELISA_EVENT_ATTACH, 8, 2);
	for (int i = 0; i < 3; i++) {
		call_fails(VMNET_LOOK, errors[i], 1);
		ports_look(fake.daemon);
		assert_true(fake.daemon->owes);
		assert_calls("L1:0 L2:0 ");
		ports_look(fake.daemon);
		assert_false(fake.daemon->owes);
		assert_calls("L1:0 L2:0 ");
	}
	call_fails(VMNET_WAKE, ELISA_CALL_TIMEOUT, 1);
	fake.daemon->rings_owed = true;
	ports_look(fake.daemon);
	assert_calls("W0:0 L1:0 L2:0 ");
	ports_look(fake.daemon);
	assert_calls("W0:0 L1:0 L2:0 ");
	assert_int_equal(fake.daemon->failures, 4);
	assert_false(fake.daemon->over);
}

/* What a stopped call held is released although the first try was stopped, too; its port pays. */
static void test_stop_is_told_again(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	call_fails(VMNET_ABORTED, ELISA_CALL_VMM, 2);
	fake.held = 1;
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_TIMEOUT);
	fake.daemon->rings_owed = false;
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->port[1].stalls, 0);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->port[1].stalls, 1);
	ports_look(fake.daemon);
	assert_calls("A1:7 A1:7 L1:0 A1:7 L1:0 L1:0 ");
}

/* The next VM at a place is not looked at before the switch has heard of the last one's end. */
static void test_end_is_told_first(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	joins(1, 7);
	call_fails(VMNET_GONE, ELISA_CALL_TIMEOUT, 2);
	event(ELISA_EVENT_DETACH, 7, 0);
	event(ELISA_EVENT_ATTACH, 9, 1);
	fake.daemon->rings_owed = false;
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->port[1].attachment, 9);
	assert_calls("G1:7 G1:7 ");
	ports_look(fake.daemon);
	assert_calls("G1:7 L1:0 ");
	/* and of an end that it has not heard of the daemon makes no arrival */
	call_fails(VMNET_GONE, ELISA_CALL_TIMEOUT, 1);
	joins(1, 9);
	event(ELISA_EVENT_DETACH, 9, 0);
	fake.daemon->rings_owed = false;
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->port[1].attachment, 0);
	assert_calls("G1:9 G1:9 ");
}

static void test_statics_are_added_again(void **unused)
{
	struct net *net = net_new();

	(void)unused;
	fake.daemon->rvs = net->rvs;
	fake.daemon->config.port[0].static_count = 2;
	event(ELISA_EVENT_ATTACH, 7, 1);
	fake.link = VMNET_WENT_UP;
	call_fails(VMNET_STATIC, ELISA_CALL_TIMEOUT, 1);
	ports_look(fake.daemon);
	fake.link = VMNET_UP;
	ports_look(fake.daemon);
	ports_look(fake.daemon);
	assert_calls("L1:0 S1:0 S1:0 S1:0 L1:0 L1:0 ");
	net_free(net);
}

/* A port at which the switch's code fails is left alone, until another VM has it. */
static void test_broken_port(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	event(ELISA_EVENT_ATTACH, 8, 2);
	call_fails(VMNET_LOOK, ELISA_CALL_FAULT, 1);
	ports_look(fake.daemon);
	assert_true(fake.daemon->port[1].broken);
	ports_look(fake.daemon);
	assert_calls("L1:0 L2:0 L2:0 ");
	event(ELISA_EVENT_DETACH, 7, 0);
	event(ELISA_EVENT_ATTACH, 9, 1);
	fake.daemon->rings_owed = false;
	ports_look(fake.daemon);
	assert_calls("G1:7 L1:0 L2:0 ");
	assert_false(fake.daemon->over);
}

/* What is for good is said once, and ends the daemon. */
static void test_over(void **unused)
{
	static const long errors[] = {ELISA_CALL_REVOKED, ELISA_CALL_NOT_ATTACHED,
				      ELISA_CALL_POISONED};

	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	event(ELISA_EVENT_ATTACH, 8, 2);
	for (int i = 0; i < 3; i++) {
		fake.daemon->over = false;
		call_fails(VMNET_LOOK, errors[i], 1);
		ports_look(fake.daemon);
		assert_true(fake.daemon->over);
		assert_calls("L1:0 ");
		assert_non_null(strstr(fake.said, "its own export: "));
	}
	fake.daemon->over = false;
	fake.evict_why = ELISA_WHY_NO_EXPORT;
	stall(7, 9);
	assert_true(fake.daemon->over);
	assert_string_equal(fake.said,
			    "elisa-vmnet: its own export: what the library says; it ends\n");
}

static void test_events_fail(void **unused)
{
	(void)unused;
	fake.events_result = -EINTR;
	assert_int_equal(library_events(fake.daemon), 0);
	assert_false(fake.daemon->deaf);
	fake.events_result = -ENOMEM;
	assert_int_equal(library_events(fake.daemon), 0);
	assert_true(fake.daemon->deaf);
	assert_false(fake.daemon->over);
	assert_string_equal(fake.said, "elisa-vmnet: what the library says; tried again\n");
	fake.events_result = 0;
	assert_int_equal(library_events(fake.daemon), 0);
	assert_false(fake.daemon->deaf);
	fake.events_result = -EIO;
	library_events(fake.daemon);
	assert_true(fake.daemon->over);
	fake.events_result = 0;
}

/* Guests that cause events as fast as these are read do not keep the daemon from other work. */
static void test_events_without_end(void **unused)
{
	int all;

	(void)unused;
	fake.events_result = 100;
	all = library_events(fake.daemon);
	assert_in_range(fake.events_result, 80, 99);
	assert_in_range(all, 1, 1000);
	assert_false(fake.daemon->deaf);
	fake.events_result = 0;
}

/* Another configuration waits until the switch was told to let go of the old one. */
static void test_new_configuration_is_not_lost(void **unused)
{
	struct config *config = calloc(1, sizeof(*config));

	(void)unused;
	*config = fake.daemon->config;
	config->port[0].policy.max_learned = 77;
	event(ELISA_EVENT_ATTACH, 7, 1);
	call_fails(VMNET_LOOK, ELISA_CALL_TIMEOUT, 2);
	ports_reconfigure(fake.daemon, config, &(struct tickets){0});
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	assert_int_equal(fake.daemon->state->port[1].policy.max_learned, 0);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	assert_int_equal(fake.daemon->state->port[1].policy.max_learned, 77);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].enabled, 1);
	free(config);
}

/* However often a VM comes, goes, or has calls aborted, what is said of its port has a limit.
 * What is not said is counted. Other ports have their own limit. */
static void test_much_to_say(void **unused)
{
	(void)unused;
	fake.lines = fake.left_out = 0;
	event(ELISA_EVENT_ATTACH, 7, 1);
	for (int i = 0; i < 1000; i++)
		event(ELISA_EVENT_ABORT, 7, ELISA_CALL_CLOSED);
	say_left_out(fake.daemon);
	assert_int_equal(fake.lines, LIMIT_BURST);
	event(ELISA_EVENT_ATTACH, 8, 2);
	assert_string_equal(fake.said, "port second: attachment 8\n");
	for (int second = 0; second < 10; second++) {
		fake.daemon->now += 1;
		for (int i = 0; i < 100; i++)
			event(ELISA_EVENT_ABORT, 7, ELISA_CALL_CLOSED);
		say_left_out(fake.daemon);
	}
	assert_in_range(fake.lines, 30, 41);
	assert_in_range(fake.left_out, 1800, 2000);
	fake.daemon->now += 60;
	say_left_out(fake.daemon);
	fake.lines = fake.left_out = 0;
	say_left_out(fake.daemon);
	assert_int_equal(fake.lines, 0);
	event(ELISA_EVENT_DETACH, 7, 0);
	assert_string_equal(fake.said, "port first: attachment 7 is gone\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_comes_and_goes, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_strangers, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_lost_attach, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_lost_detach, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_not_backwards, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_refused, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_mute, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_calls_are_made_again, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_stop_is_told_again, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_end_is_told_first, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_statics_are_added_again, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_broken_port, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_over, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_events_fail, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_events_without_end, fake_start, fake_end),
		cmocka_unit_test_setup_teardown(test_new_configuration_is_not_lost, fake_start,
						fake_end),
		cmocka_unit_test_setup_teardown(test_much_to_say, fake_start, fake_end),
	};

	return cmocka_run_group_tests_name("vmnet: ports", tests, NULL, NULL);
}
