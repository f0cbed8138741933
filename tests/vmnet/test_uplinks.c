/* SPDX-License-Identifier: Apache-2.0 */
/* When the daemon starts and ends the processes of uplinks, and by which tickets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "fake_manager.h"
#include "show.h"

static struct tickets tickets;

/* As a reload does: the ports keep their places. */
static void take(const struct config *config)
{
	assert_int_equal(tickets_read(config, &tickets), 0);
	ports_reconfigure(fake.daemon, config, &tickets);
}

/* Until all changes of tickets are made. */
static void settle(void)
{
	for (int i = 0; i < 5; i++) {
		fake.daemon->now += 2;
		ports_look(fake.daemon);
		uplinks_look(fake.daemon);
	}
}

static struct config with_uplink(uint32_t place, const char *interface)
{
	struct config config = fake.daemon->config;

	strcpy(config.port[place - 1].uplink, interface);
	return config;
}

static void begins_with_them(void **state)
{
	struct daemon *d = fake.daemon;

	(void)state;
	d->config = with_uplink(1, "eth0");
	assert_int_equal(tickets_read(&d->config, &tickets), 0);
	assert_int_equal(tickets_begin(d, &tickets), 0);
	uplinks_look(d);
	assert_int_equal(fake.uplinks, 1);
	/* the place takes the ticket that the uplink has */
	assert_memory_equal(fake.uplink_ticket, fake.tickets[1], ELISA_TICKET_SIZE);
	assert_memory_not_equal(fake.tickets[1], fake.tickets[4], ELISA_TICKET_SIZE);
	assert_string_equal(fake.uplink_interface, "eth0");
	uplinks_close(d);
	assert_int_equal(fake.uplinks, 0);
	assert_int_equal(fake.uplinks_killed, 0);
}

static void comes_and_goes_by_a_reload(void **state)
{
	struct daemon *d = fake.daemon;
	struct config config = with_uplink(2, "eth0");

	(void)state;
	take(&config);
	uplinks_look(d);
	assert_int_equal(fake.uplinks, 0); /* the ticket is not in force yet */
	settle();
	assert_int_equal(fake.uplinks, 1);
	assert_memory_equal(fake.uplink_ticket, fake.tickets[2], ELISA_TICKET_SIZE);

	take(&config); /* the same: nothing happens */
	settle();
	assert_int_equal(fake.uplinks_started, 1);

	strcpy(config.port[1].uplink, "eth1"); /* another interface for the same place */
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 1);
	assert_int_equal(fake.uplinks_started, 2);
	assert_string_equal(fake.uplink_interface, "eth1");

	config.port[1].uplink[0] = 0; /* a VM's port again, with another ticket */
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 0);
	assert_memory_not_equal(fake.uplink_ticket, fake.tickets[2], ELISA_TICKET_SIZE);

	config = with_uplink(3, "eth2");
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 1);
	memset(&config.port[2], 0, sizeof(config.port[2])); /* removed */
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 0);
	assert_int_equal(fake.uplinks_killed, 0);
}

/* Told once, killed after a while; at the daemon's end, too. */
static void is_killed_if_it_does_not_end(void **state)
{
	struct config config = with_uplink(1, "eth0");

	(void)state;
	take(&config);
	settle();
	fake.uplink_is_deaf = true;
	config.port[0].uplink[0] = 0;
	take(&config);
	uplinks_look(fake.daemon);
	uplinks_look(fake.daemon);
	assert_int_equal(fake.uplinks_told, 1);
	settle();
	assert_int_equal(fake.uplinks_killed, 1);
	assert_int_equal(fake.uplinks, 0);
	config = with_uplink(1, "eth0");
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 1);
	uplinks_close(fake.daemon);
	assert_int_equal(fake.uplinks_killed, 2);
}

/* Ever later, if it ends by itself or cannot be started. */
static void is_started_again(void **state)
{
	const struct config config = with_uplink(1, "eth0");
	int started;

	(void)state;
	fake.uplinks_fail = true;
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 0);
	assert_in_range(fake.uplinks_started, 1, 3); /* not at each look */
	fake.uplinks_fail = false;
	for (int i = 0; i < 5; i++)
		settle();
	assert_int_equal(fake.uplinks, 1);
	started = fake.uplinks_started;
	fake.uplink_ends = true;
	uplinks_look(fake.daemon);
	assert_non_null(strstr(fake.said, "first: uplink eth0: its process has ended"));
	for (int i = 0; i < 10; i++)
		settle();
	assert_int_equal(fake.uplinks_started, started + 1);
	uplinks_close(fake.daemon);
}

static void assert_link(const char *port, const char *expected)
{
	json_object *object = json_tokener_parse(port);

	assert_string_equal(show_link(object), expected);
	json_object_put(object);
}

static void is_shown(void **state)
{
	(void)state;
	assert_link("{\"link\": true, \"uplink\": {\"state\": \"gone\"}}", "gone");
	assert_link("{\"link\": true, \"uplink\": {}}", "up");
	assert_link("{\"link\": true, \"uplink\": 5}", "up");
	assert_link("{\"link\": false, \"uplink\": {\"state\": \"up\"}}", "down");
}

/* An operator may evict it as any other; what it owes is its own. */
static void is_an_owner(void **state)
{
	struct daemon *d = fake.daemon;
	const struct config config = with_uplink(1, "eth0");

	(void)state;
	take(&config);
	settle();
	event(ELISA_EVENT_ATTACH, 7, 1);
	stall(7, 9);
	assert_int_equal(fake.evicted, 7);
	assert_true(ports_out(d, 1) > 0);
	event(ELISA_EVENT_DETACH, 7, 1);
	event(ELISA_EVENT_ATTACH, 8, 2);
	assert_int_equal(ports_out(d, 2), 0);
	uplinks_close(d);
}

#define on_fake(name) cmocka_unit_test_setup_teardown(name, fake_start, fake_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fake(begins_with_them),
		on_fake(comes_and_goes_by_a_reload),
		on_fake(is_killed_if_it_does_not_end),
		on_fake(is_started_again),
		on_fake(is_shown),
		on_fake(is_an_owner),
	};

	return cmocka_run_group_tests_name("uplinks", tests, NULL, NULL);
}
