/* SPDX-License-Identifier: Apache-2.0 */
/* When the daemon opens and closes uplinks, by which tickets, and what of a failure is said. */
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
	assert_int_equal(uplinks_begin(d), 0);
	assert_int_equal(fake.uplinks, 1);
	/* the place takes the ticket that the uplink has */
	assert_memory_equal(fake.uplink_ticket, fake.tickets[1], ELISA_TICKET_SIZE);
	assert_memory_not_equal(fake.tickets[1], fake.tickets[4], ELISA_TICKET_SIZE);
	assert_string_equal(uplink_interface(d->port[1].uplink), "eth0");
	uplinks_close(d);
	assert_int_equal(fake.uplinks, 0);
}

static void does_not_begin_without_the_right(void **state)
{
	struct daemon *d = fake.daemon;

	(void)state;
	d->config = with_uplink(1, "eth0");
	assert_int_equal(tickets_read(&d->config, &tickets), 0);
	assert_int_equal(tickets_begin(d, &tickets), 0);
	fake.uplinks_fail = true;
	assert_int_equal(uplinks_begin(d), -1);
	assert_non_null(strstr(fake.said, "CAP_NET_RAW"));
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
	assert_int_equal(fake.uplinks_opened, 1);

	strcpy(config.port[1].uplink, "eth1"); /* another interface for the same place */
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 1);
	assert_int_equal(fake.uplinks_opened, 2);
	assert_string_equal(uplink_interface(d->port[2].uplink), "eth1");

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
}

static void is_tried_again(void **state)
{
	const struct config config = with_uplink(1, "eth0");

	(void)state;
	fake.uplinks_fail = true;
	take(&config);
	settle();
	assert_int_equal(fake.uplinks, 0);
	assert_in_range(fake.uplinks_opened, 1, 3); /* not at each look */
	fake.uplinks_fail = false;
	settle();
	assert_int_equal(fake.uplinks, 1);
	uplinks_close(fake.daemon);
}

static void is_shown(void **state)
{
	struct daemon *d = fake.daemon;
	const struct config config = with_uplink(1, "eth0");
	json_object *port;

	(void)state;
	take(&config);
	settle();
	fake.uplink_says = "uplink eth0: there is no such interface";
	uplinks_look(d);
	assert_non_null(strstr(fake.said, "first: uplink eth0: there is no such interface"));
	port = json_tokener_parse("{\"link\": true, \"uplink\": {\"state\": \"gone\"}}");
	assert_string_equal(show_link(port), "gone");
	json_object_put(port);
	port = json_tokener_parse("{\"link\": true, \"uplink\": {}}");
	assert_string_equal(show_link(port), "up");
	json_object_put(port);
	port = json_tokener_parse("{\"link\": false, \"uplink\": {\"state\": \"up\"}}");
	assert_string_equal(show_link(port), "down");
	json_object_put(port);
	uplinks_close(d);
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
		on_fake(does_not_begin_without_the_right),
		on_fake(comes_and_goes_by_a_reload),
		on_fake(is_tried_again),
		on_fake(is_shown),
		on_fake(is_an_owner),
	};

	return cmocka_run_group_tests_name("uplinks", tests, NULL, NULL);
}
