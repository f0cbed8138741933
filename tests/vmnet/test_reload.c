/* SPDX-License-Identifier: Apache-2.0 */
/* Of a new configuration that needs a restart each key is named; one that does not is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "daemon.h"
#include "output.h"

static char said[4096];
static struct daemon is;
static struct config new;

void output_print(int fd, const char *format, ...)
{
	va_list arguments;

	(void)fd;
	va_start(arguments, format);
	vsnprintf(said + strlen(said), sizeof(said) - strlen(said), format, arguments);
	va_end(arguments);
}

static int start(void **unused)
{
	(void)unused;
	memset(&is, 0, sizeof(is));
	is.config = (struct config){.export_name = "vmnet",
				    .queues = 8,
				    .port_mib = 64,
				    .open_ports_per_vm = 1,
				    .max_age = 300,
				    .limit_us = 20000,
				    .suspend_us = 100000,
				    .port_count = 3};
	strcpy(is.config.port[0].name, "a");
	strcpy(is.config.port[1].name, "b");
	strcpy(is.config.port[1].ticket_file, "/b");
	new = is.config;
	new.port_count = 2;
	said[0] = 0;
	return 0;
}

/* After this line, and what stands in front of it. */
static void refused_with(const char *before, const char *why)
{
	char all[512];

	assert_false(reload_is_possible(&is, &new, "/file"));
	snprintf(all, sizeof(all),
		 "elisa-vmnet: %s%s\nelisa-vmnet: /file: nothing of it was taken\n", before, why);
	assert_string_equal(said, all);
	start(NULL);
}

static void refused(const char *why)
{
	refused_with("/file: ", why);
}

static void what_is_said_of_a_port_may_change(void **unused)
{
	(void)unused;
	new.port[0].policy.max_learned = 7;
	new.port[1].static_count = 1;
	new.port[1].is_open = true;
	strcpy(new.port[0].ticket_file, "/a");
	new.port[1].ticket_file[0] = 0;
	assert_true(reload_is_possible(&is, &new, "/file"));
	assert_string_equal(said, "");
}

static void each_key_is_named(void **unused)
{
	(void)unused;
	new.max_age = 10;
	refused("\"max_age\" needs a restart to become 10; it is 300");
	strcpy(new.export_name, "other");
	refused("\"export\" needs a restart to become other; it is vmnet");
	new.queues = 1;
	refused("\"queues\" needs a restart to become 1; it is 8");
	new.port_mib = 1;
	refused("\"port_mib\" needs a restart to become 1; it is 64");
	new.open_ports_per_vm = 2;
	refused("\"open_ports_per_vm\" needs a restart to become 2; it is 1");
	new.limit_us = 100;
	refused("\"limit_us\" needs a restart to become 100; it is 20000");
	new.suspend_us = 1000;
	refused("\"suspend_us\" needs a restart to become 1000; it is 100000");
	new.max_ports = 5;
	refused("\"max_ports\" needs a restart to become 5; it is 0");
	new.port_count = 4;
	refused("4 ports, more than the 3 that there is room for; restart it for more");
	new.port[0].policy.vlan = 5;
	refused_with("", "1 VLANs, more than the 0 that there is room for; restart it for more");
}

static void all_are_named(void **unused)
{
	(void)unused;
	new.max_age = 10;
	new.queues = 1;
	assert_false(reload_is_possible(&is, &new, "/file"));
	assert_non_null(strstr(said, "\"max_age\""));
	assert_non_null(strstr(said, "\"queues\""));
}

/* The new ports in their places, as "a.c". */
static void assert_arranged(const char *expected)
{
	char places[64] = "";

	assert_true(reload_is_possible(&is, &new, "/file"));
	reload_arrange(&is, &new);
	assert_int_equal(new.port_count, is.config.port_count);
	for (uint32_t place = 1; place <= new.port_count; place++)
		strcat(places, config_has(&new, place) ? new.port[place - 1].name : ".");
	assert_string_equal(places, expected);
	start(NULL);
}

/* Ports a and b, and a free place. */
static void names_have_their_places(void **unused)
{
	(void)unused;
	assert_arranged("ab.");
	strcpy(new.port[0].name, "b");
	strcpy(new.port[1].name, "a");
	assert_arranged("ab.");
	strcpy(new.port[0].name, "c"); /* it takes the place that is free at once */
	assert_arranged(".bc");
	new.port_count = 1;
	assert_arranged("a..");
	new.port_count = 3;
	strcpy(new.port[0].name, "c");
	strcpy(new.port[1].name, "d");
	strcpy(new.port[2].name, "a");
	assert_arranged("adc");
}

/* A place that is nameless, but not free yet, comes after one that is. */
static void a_free_place_comes_first(void **unused)
{
	(void)unused;
	is.config.port_count = 5;
	is.port[3].ticket.state = TICKET_WITHDRAWN;
	is.port[4].attachment = 7;
	new.port_count = 3;
	strcpy(new.port[2].name, "c");
	assert_int_equal(reload_place(&is), 5);
	assert_arranged("ab..c");
	is.port[3].ticket.state = TICKET_IN_FORCE;
	is.port[4].attachment = 0;
	assert_int_equal(reload_place(&is), 3);
}

/* What is not free yet is better than none. */
static void a_place_that_will_be_free(void **unused)
{
	(void)unused;
	is.port[3].ended = 7;
	assert_int_equal(reload_place(&is), 3);
	strcpy(is.config.port[2].name, "c");
	assert_int_equal(reload_place(&is), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_said_of_a_port_may_change, start),
		cmocka_unit_test_setup(each_key_is_named, start),
		cmocka_unit_test_setup(all_are_named, start),
		cmocka_unit_test_setup(names_have_their_places, start),
		cmocka_unit_test_setup(a_free_place_comes_first, start),
		cmocka_unit_test_setup(a_place_that_will_be_free, start),
	};

	return cmocka_run_group_tests_name("vmnet: reload", tests, NULL, NULL);
}
