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

uint32_t config_vlans(const struct config *config)
{
	return config->port[0].policy.vlan != 0;
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
				    .port_count = 2};
	strcpy(is.config.port[0].name, "a");
	strcpy(is.config.port[1].name, "b");
	strcpy(is.config.port[1].ticket_file, "/b");
	new = is.config;
	said[0] = 0;
	return 0;
}

static void refused(const char *why)
{
	char all[512];

	assert_false(reload_is_possible(&is, &new, "/file"));
	snprintf(all, sizeof(all),
		 "elisa-vmnet: /file: %s\nelisa-vmnet: /file: nothing of it was taken\n", why);
	assert_string_equal(said, all);
	start(NULL);
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
	strcpy(new.port[0].name, "c");
	refused("port a: \"name\" needs a restart to become c; it is a");
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
	new.port_count = 3;
	refused("\"ports\" needs a restart to become 3; it is 2");
	new.port[0].policy.vlan = 5;
	refused("1 VLANs, more than the 0 that there is room for; restart it for more");
}

static void all_are_named(void **unused)
{
	(void)unused;
	new.max_age = 10;
	strcpy(new.port[1].name, "c");
	assert_false(reload_is_possible(&is, &new, "/file"));
	assert_non_null(strstr(said, "\"max_age\""));
	assert_non_null(strstr(said, "port b: \"name\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_said_of_a_port_may_change, start),
		cmocka_unit_test_setup(each_key_is_named, start),
		cmocka_unit_test_setup(all_are_named, start),
	};

	return cmocka_run_group_tests_name("vmnet: reload", tests, NULL, NULL);
}
