/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports that operators add and remove while the daemon runs: others notice nothing, and nothing
 * passes to the next port of a place.
 */
#include "asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../fake_file.h"

static bool is_open(uint32_t place)
{
	static const uint8_t none[ELISA_TICKET_SIZE];

	return !memcmp(fake.tickets[place], none, sizeof(none));
}

/* One more port: the others notice nothing, and its place is opened at once. */
static void test_add(void **unused)
{
	json_object *all;

	(void)unused;
	assert_false(is_open(4));
	told("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"open\": true, "
	     "\"max_learned\": 77}}");
	assert_string_equal(fake.said, "port new: added, by process 5 of user 1000\n");
	assert_true(is_open(4));
	assert_int_equal(fake.daemon->state->port[4].policy.max_learned, 77);
	assert_int_equal(fake.evicted, 0);
	assert_true(is_served(1));
	event(ELISA_EVENT_ATTACH, 20, 4);
	assert_true(is_served(4));
	all = asked("{\"command\": \"ports\"}");
	assert_int_equal(json_object_array_length(json_object_object_get(all, "ports")), 4);
	json_object_put(all);
	refused("{\"command\": \"add\", \"config\": {\"name\": \"more\", \"open\": true}}",
		"there is room for 4 ports only; see \"max_ports\"");
}

/* What is wrong with it is said as of the file, to whom it is from, and nothing is changed. */
static void test_add_wrong(void **unused)
{
	json_object *all;

	(void)unused;
	refused("{\"command\": \"add\", \"config\": {\"name\": \"first\", \"open\": true}}",
		"two ports are called \"first\"");
	refused("{\"command\": \"add\", \"config\": {\"name\": \"new\"}}",
		"it has no \"ticket_file\": any guest could take it; say \"open\": true if it may");
	refused("{\"command\": \"add\", \"config\": {\"open\": true}}", "the port has no \"name\"");
	refused("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"adress\": 1}}",
		"unknown key \"adress\" of a port");
	refused("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"open\": true, "
		"\"vlan\": 5}}",
		"1 VLANs, more than the 0 that there is room for; restart it for more");
	refused("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"mac\": "
		"\"02:00:00:00:00:05\", \"ticket_file\": \"/none/ticket\"}}",
		"/none/ticket: No such file or directory");
	refused("{\"command\": \"add\"}", "\"add\" needs \"config\"");
	refused("{\"command\": \"add\", \"config\": []}", "\"config\": [ ] is no object");
	refused("{\"command\": \"remove\", \"port\": \"first\", \"config\": {}}",
		"\"remove\" takes no \"config\"");
	user.may_change = false;
	refused("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"open\": true}}",
		"user 1000 may ask, but change nothing");
	all = asked("{\"command\": \"ports\"}");
	assert_int_equal(json_object_array_length(json_object_object_get(all, "ports")), 3);
	json_object_put(all);
	assert_false(is_open(4));
}

/* Its VM goes and no other one can come; another port may have the place when the VM has gone. */
static void test_remove(void **unused)
{
	(void)unused;
	assert_true(is_open(1));
	told("{\"command\": \"remove\", \"port\": \"first\"}");
	assert_int_equal(fake.evicted, 11);
	assert_false(is_open(1));
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	assert_true(is_served(2));
	refused("{\"command\": \"kick\", \"port\": \"first\"}", "no port is called \"first\"");
	told("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"open\": true}}");
	assert_true(is_open(4)); /* at once: its place was free */
	told("{\"command\": \"add\", \"config\": {\"name\": \"first\", \"open\": true}}");
	after(1);
	assert_false(is_open(1)); /* the VM is still there */
	leaves(11, 1);
	after(1);
	assert_true(is_open(1));
	assert_true(is_open(4));
	event(ELISA_EVENT_ATTACH, 20, 1);
	assert_true(is_served(1));
	told("{\"command\": \"remove\", \"port\": \"second\"}");
	told("{\"command\": \"remove\", \"port\": \"third\"}");
	told("{\"command\": \"remove\", \"port\": \"new\"}");
	refused("{\"command\": \"remove\", \"port\": \"first\"}",
		"port \"first\" is the last one; end the daemon instead");
	leaves(12, 2);
	after(2);
	assert_false(is_open(2));
	assert_false(is_open(3));
	assert_true(is_open(1));
}

/* The place has another port before the host has taken the ticket from the last one's VM: that VM
 * is not served as the new port, with its policy. */
static void test_removed_is_not_the_next(void **unused)
{
	(void)unused;
	for (const char **name = (const char *[]){"second", "third", NULL}; *name; name++) {
		char line[64];

		snprintf(line, sizeof(line), "{\"command\": \"remove\", \"port\": \"%s\"}", *name);
		told(line);
	}
	told("{\"command\": \"add\", \"config\": {\"name\": \"a\", \"open\": true}}");
	told("{\"command\": \"add\", \"config\": {\"name\": \"b\", \"open\": true}}");
	told("{\"command\": \"add\", \"config\": {\"name\": \"c\", \"open\": true}}");
	leaves(12, 2);
	after(2);
	fake.tickets_fail = 2;
	fake.evicted = 0;
	told("{\"command\": \"remove\", \"port\": \"first\"}");
	told("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"open\": true}}");
	assert_string_equal(fake.daemon->config.port[0].name, "new");
	assert_int_equal(fake.evicted, 0);
	assert_false(is_served(1));
	assert_false(is_served(1));
	after(2);
	after(2);
	assert_int_equal(fake.evicted, 11);
	assert_false(is_served(1));
}

static uint64_t counted(const char *port, const char *key)
{
	json_object *counters;
	char line[64];
	uint64_t result;

	snprintf(line, sizeof(line), "{\"command\": \"counters\", \"port\": \"%s\"}", port);
	counters = asked(line);
	result = strcmp(key, "queues") ?
			 number(counters, key) :
			 json_object_array_length(json_object_object_get(counters, key));
	json_object_put(counters);
	return result;
}

static bool metrics_have(const char *line)
{
	json_object *text = asked("{\"command\": \"metrics\"}");
	const bool has = strstr(json_object_get_string(text), line);

	json_object_put(text);
	return has;
}

/* Nothing that was counted at the place of "first" is shown as this port's. */
static void nothing_is_counted(void)
{
	json_object *port = asked("{\"command\": \"counters\", \"port\": \"first\"}");

	assert_null(json_object_object_get(port, "mac"));
	json_object_put(port);
	assert_int_equal(counted("first", "sent"), 0);
	assert_int_equal(counted("first", "queues"), 0);
	assert_int_equal(counted("first", "stalls"), 0);
	assert_false(metrics_have("\nrvs_sent_frames_total{port=\"first\""));
	assert_true(metrics_have("\nrvs_dropped_frames_total{port=\"first\",reason=\"full\"} 0\n"));
	assert_true(metrics_have("\nrvs_learned_addresses{port=\"first\"} 0\n"));
	assert_true(metrics_have("\nrvs_port_up{port=\"first\"} 0\n"));
	assert_true(metrics_have("\nvmnet_stalls_total{port=\"first\"} 0\n"));
}

/* A port that gets the place of another one, and an owner that gets the port of another one, get
 * nothing of what was counted there. */
static void test_counters_of_a_removed_port(void **unused)
{
	(void)unused;
	stall(11, 1);
	assert_int_equal(counted("first", "stalls"), 1);
	told("{\"command\": \"remove\", \"port\": \"first\"}");
	told("{\"command\": \"add\", \"config\": {\"name\": \"new\", \"open\": true}}");
	told("{\"command\": \"add\", \"config\": {\"name\": \"first\", \"open\": true}}");
	nothing_is_counted(); /* its VM is still there */
	stall(11, 1);
	nothing_is_counted();
	leaves(11, 1);
	nothing_is_counted();
	after(2);
	assert_true(is_open(1));
	nothing_is_counted();
	event(ELISA_EVENT_ATTACH, 20, 1);
	nothing_is_counted(); /* it is not served yet */
	leaves(20, 1);
	nothing_is_counted(); /* and never was */
	event(ELISA_EVENT_ATTACH, 21, 1);
	fake.daemon->state->port[1].serving = 21;
	assert_int_equal(counted("first", "sent"), 1);
	stall(21, 1);
	assert_int_equal(counted("first", "stalls"), 1);
	leaves(21, 1);
	assert_int_equal(counted("first", "sent"), 1); /* up to the next VM */
	assert_int_equal(counted("first", "stalls"), 1);
}

static char folder[] = "/tmp/addedXXXXXX";

static void add_with_ticket(const char *name, const char *file, const char *why)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "{\"command\": \"add\", \"config\": {\"name\": \"%s\", \"open\": true, "
		 "\"ticket_file\": \"%s/%s\"}}",
		 name, folder, file);
	if (why)
		refused(line, why);
	else
		told(line);
}

/* Ports that are not asked about keep their tickets, whatever is in their files meanwhile. The file
 * of the new one is read, and compared with the tickets that the others have. */
static void test_tickets_of_others(void **unused)
{
	char a[64], b[64], c[64], why[256];

	(void)unused;
	strcpy(folder, "/tmp/addedXXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(a, sizeof(a), "%s/a", folder);
	snprintf(b, sizeof(b), "%s/b", folder);
	snprintf(c, sizeof(c), "%s/c", folder);
	told("{\"command\": \"remove\", \"port\": \"third\"}");
	after(2);
	add_with_ticket("a", "a", NULL);
	event(ELISA_EVENT_ATTACH, 20, config_place(&fake.daemon->config, "a"));
	fake.evicted = 0;
	assert_int_equal(rename(a, c), 0);
	add_with_ticket("b", "b", NULL);
	assert_int_equal(access(a, F_OK), -1);
	assert_int_equal(fake.evicted, 0);
	assert_true(is_served(config_place(&fake.daemon->config, "a")));
	fake_file(folder, "a", "no ticket\n");
	told("{\"command\": \"remove\", \"port\": \"b\"}");
	assert_string_equal(fake.said, "port b: is removed, by process 5 of user 1000\n");
	assert_int_equal(fake.evicted, 0);
	snprintf(why, sizeof(why), "%s: it holds the same ticket as %s", c, a);
	add_with_ticket("c", "c", why);
	fake_file(folder, "c", "no ticket\n");
	snprintf(why, sizeof(why), "%s: it does not hold 64 hexadecimal digits and nothing else",
		 c);
	add_with_ticket("c", "c", why);
	unlink(a);
	unlink(b);
	unlink(c);
	rmdir(folder);
}

/* A port that changed and then went leaves its place nothing to take over. */
static void test_removed_while_it_changes(void **unused)
{
	struct config *config = malloc(sizeof(*config));

	(void)unused;
	*config = fake.daemon->config;
	config->port[0].policy.max_learned = 77;
	call_fails(VMNET_LOOK, ELISA_CALL_TIMEOUT, 100);
	ports_reconfigure(fake.daemon, config, &(struct tickets){0});
	free(config);
	assert_true(fake.daemon->port[1].renewed);
	fake.daemon->state->port[1].policy.max_learned = 5;
	told("{\"command\": \"remove\", \"port\": \"first\"}");
	fake.fails.times = 0;
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].policy.max_learned, 5);
}

/* The event of an attachment comes after its port has gone, and the place is closed and free. */
static void test_came_to_a_removed_port(void **unused)
{
	(void)unused;
	told("{\"command\": \"remove\", \"port\": \"third\"}");
	after(2);
	after(2);
	assert_string_equal(fake.said, "place 3: closed, and free\n");
	event(ELISA_EVENT_ATTACH, 33, 3);
	assert_int_equal(fake.evicted, 33);
	assert_false(is_served(3));
}

/* A port that is removed is in no report and no metrics. */
static void test_removed_is_not_seen(void **unused)
{
	json_object *metrics;

	(void)unused;
	told("{\"command\": \"remove\", \"port\": \"first\"}");
	metrics = asked("{\"command\": \"metrics\"}");
	assert_null(strstr(json_object_get_string(metrics), "\"first\""));
	assert_null(strstr(json_object_get_string(metrics), "\"\""));
	json_object_put(metrics);
	leaves(11, 1);
	assert_string_equal(fake.said, "place 1: attachment 11 is gone\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASKING_TEST(test_add),
		ASKING_TEST(test_add_wrong),
		ASKING_TEST(test_remove),
		ASKING_TEST(test_removed_is_not_the_next),
		ASKING_TEST(test_counters_of_a_removed_port),
		ASKING_TEST(test_tickets_of_others),
		ASKING_TEST(test_removed_while_it_changes),
		ASKING_TEST(test_came_to_a_removed_port),
		ASKING_TEST(test_removed_is_not_seen),
	};

	return cmocka_run_group_tests_name("vmnet: added and removed", tests, NULL, NULL);
}
