/* SPDX-License-Identifier: Apache-2.0 */
/* What operators can ask and tell the daemon, and what it says of requests that are none. */
#include "asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_ports(void **unused)
{
	json_object *all = asked("{\"command\": \"ports\"}");
	json_object *ports = json_object_object_get(all, "ports"), *port;

	(void)unused;
	assert_int_equal(json_object_array_length(ports), 3);
	port = json_object_array_get_idx(ports, 0);
	assert_string_equal(json_object_get_string(json_object_object_get(port, "name")), "first");
	assert_int_equal(number(port, "attachment"), 11);
	assert_int_equal(number(port, "sent"), 1);
	assert_int_equal(number(port, "received"), 1);
	assert_string_equal(json_object_get_string(json_object_object_get(port, "mac")),
			    "02:00:00:00:00:01");
	assert_true(json_object_get_boolean(json_object_object_get(port, "link")));
	assert_null(json_object_object_get(port, "queues"));
	port = json_object_array_get_idx(ports, 2);
	assert_int_equal(number(port, "attachment"), 0);
	assert_false(json_object_get_boolean(json_object_object_get(port, "link")));
	json_object_put(all);
}

static void test_counters(void **unused)
{
	json_object *port = asked("{\"command\": \"counters\", \"port\": \"second\"}");
	json_object *queues = json_object_object_get(port, "queues");

	(void)unused;
	assert_int_equal(number(port, "sent_bytes"), 64);
	assert_int_equal(json_object_array_length(queues), 1);
	assert_int_equal(number(json_object_array_get_idx(queues, 0), "sent"), 1);
	json_object_put(port);
}

static void test_table(void **unused)
{
	json_object *part = asked("{\"command\": \"table\"}"), *more;

	(void)unused;
	assert_int_equal(json_object_array_length(json_object_object_get(part, "table")), 2);
	assert_null(json_object_object_get(part, "next"));
	json_object_put(part);
	more = asked("{\"command\": \"table\", \"from\": 9223372036854775807}");
	assert_int_equal(json_object_array_length(json_object_object_get(more, "table")), 0);
	json_object_put(more);
}

/* With many VLANs the table is large and nearly empty: a request looks at a part of it. */
static void test_large_table(void **unused)
{
	const struct rvs_config sizes = {
		.ports = FAKE_PORTS + 1, .senders = 1, .queues = 1, .buckets = 65536, .vlans = 15};
	struct rvs *rvs = aligned_alloc(RVS_ALIGNMENT, rvs_size(&sizes)), *small = net->rvs;
	size_t entries = 0;
	uint64_t next = 0;
	int parts = 0;

	(void)unused;
	assert_non_null(rvs);
	assert_int_equal(rvs_init(rvs, rvs_size(&sizes), &sizes), 0);
	net->rvs = fake.daemon->rvs = rvs;
	net_add(net, 3);
	do {
		char line[64];
		json_object *part;

		snprintf(line, sizeof(line), "{\"command\": \"table\", \"from\": %llu}",
			 (unsigned long long)next);
		part = asked(line);
		entries += json_object_array_length(json_object_object_get(part, "table"));
		parts++;
		if (json_object_object_get(part, "next"))
			assert_in_range(number(part, "next"), next + 1, next + 16 * RVS_DUMP_LOOKS);
		next = json_object_get_uint64(json_object_object_get(part, "next"));
		json_object_put(part);
	} while (next);
	assert_int_equal(entries, 1);
	assert_true(parts >= 16);
	net->rvs = fake.daemon->rvs = small;
	free(rvs);
}

static void test_metrics(void **unused)
{
	json_object *result = asked("{\"command\": \"metrics\"}");
	const char *text = json_object_get_string(result);

	(void)unused;
	assert_non_null(strstr(text, "\nrvs_sent_frames_total{port=\"first\",queue=\"0\"} 1\n"));
	assert_non_null(
		strstr(text, "\nrvs_dropped_frames_total{port=\"first\",reason=\"full\"} 0\n"));
	assert_non_null(strstr(text, "\nvmnet_port_closed{port=\"first\"} 0\n"));
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	json_object_put(result);
}

static void test_down_and_up(void **unused)
{
	json_object *port;

	(void)unused;
	told("{\"command\": \"down\", \"port\": \"first\"}");
	assert_string_equal(fake.said, "port first: closed, by process 5 of user 1000\n");
	assert_false(is_served(1));
	assert_true(is_served(2));
	port = asked("{\"command\": \"counters\", \"port\": \"first\"}");
	assert_true(json_object_get_boolean(json_object_object_get(port, "closed")));
	json_object_put(port);
	/* also for the next VM, and again */
	event(ELISA_EVENT_DETACH, 11, 0);
	event(ELISA_EVENT_ATTACH, 20, 1);
	told("{\"command\": \"down\", \"port\": \"first\"}");
	assert_false(is_served(1));
	told("{\"command\": \"up\", \"port\": \"first\"}");
	assert_true(is_served(1));
}

static void test_kick(void **unused)
{
	(void)unused;
	told("{\"command\": \"kick\", \"port\": \"first\"}");
	assert_int_equal(fake.evicted, 11);
	assert_false(is_served(1));
	assert_true(is_served(2));
	event(ELISA_EVENT_DETACH, 11, 0);
	refused("{\"command\": \"kick\", \"port\": \"first\"}", "port \"first\": no VM has it");
	event(ELISA_EVENT_ATTACH, 20, 1);
	assert_true(is_served(1)); /* it may come back */
	/* a host that cannot now is asked again */
	fake.evict_why = ELISA_WHY_NO_MEMORY;
	told("{\"command\": \"kick\", \"port\": \"first\"}");
	fake.evict_why = fake.evicted = 0;
	assert_false(is_served(1));
	assert_int_equal(fake.evicted, 20);
}

/* Who may only ask changes nothing. */
static void test_rights(void **unused)
{
	(void)unused;
	user.may_change = false;
	refused("{\"command\": \"kick\", \"port\": \"first\"}",
		"user 1000 may ask, but change nothing");
	refused("{\"command\": \"down\", \"port\": \"first\"}",
		"user 1000 may ask, but change nothing");
	refused("{\"command\": \"up\", \"port\": \"none\"}",
		"user 1000 may ask, but change nothing");
	assert_int_equal(fake.evicted, 0);
	assert_true(is_served(1));
	told("{\"command\": \"ports\"}");
	told("{\"command\": \"table\"}");
	told("{\"command\": \"metrics\"}");
	told("{\"command\": \"counters\", \"port\": \"first\"}");
}

/* A port of so many keys. */
static void refused_keys(int count, const char *why)
{
	char *line = malloc(64 + 9 * (size_t)count), *at;

	assert_non_null(line);
	at = line + sprintf(line, "{\"command\":\"add\",\"config\":{");
	for (int i = 0; i < count; i++)
		at += sprintf(at, "\"k%03x\":0,", i);
	strcpy(at - 1, "}}");
	refused(line, why);
	free(line);
}

static void test_wrong_requests(void **unused)
{
	static char deep[9000];

	(void)unused;
	refused("", "column 1: the end comes too early");
	refused_keys(256, "unknown key \"k000\" of a port");
	refused_keys(257, "column 2332: more than 256 keys in an object");
	refused_keys(1800, "column 2332: more than 256 keys in an object");
	refused("[]", "a request is an object, as {\"command\": \"ports\"}");
	refused("null", "a request is an object, as {\"command\": \"ports\"}");
	refused("{}", "\"command\" is missing");
	refused("{\"command\": 5}", "unknown command 5");
	refused("{\"command\": \"port\"}", "unknown command \"port\"");
	refused("{\"command\": \"ports\", \"prot\": \"a\"}", "unknown key \"prot\"");
	refused("{\"command\": \"kick\"}", "\"kick\" needs \"port\"");
	refused("{\"command\": \"ports\", \"port\": \"first\"}", "\"ports\" takes no \"port\"");
	refused("{\"command\": \"kick\", \"port\": \"first\", \"from\": 1}",
		"\"kick\" takes no \"from\"");
	refused("{\"command\": \"kick\", \"port\": \"fourth\"}", "no port is called \"fourth\"");
	refused("{\"command\": \"kick\", \"port\": 1}",
		"\"port\": 1 is no name of a port, 1 to 31 bytes");
	refused("{\"command\": \"kick\", \"port\": \"12345678901234567890123456789012\"}",
		"\"port\": \"12345678901234567890123456789012\" is no name of a port, 1 to 31 bytes");
	refused("{\"command\": \"kick\", \"port\": \"a\\u0000b\"}", "column 31: a NUL in a text");
	refused("{\"command\": \"table\", \"from\": -1}",
		"\"from\": -1 is no position in the table");
	refused("{\"command\": \"table\", \"from\": 1.5}",
		"\"from\": 1.5 is no position in the table");
	memset(deep, '[', sizeof(deep) - 1);
	json_object_put(reply_to(deep));
	json_object_put(reply_to("{\"command\": \"\xff\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASKING_TEST(test_ports),	  ASKING_TEST(test_counters),
		ASKING_TEST(test_table),	  ASKING_TEST(test_large_table),
		ASKING_TEST(test_metrics),	  ASKING_TEST(test_down_and_up),
		ASKING_TEST(test_kick),		  ASKING_TEST(test_rights),
		ASKING_TEST(test_wrong_requests),
	};

	return cmocka_run_group_tests_name("vmnet: commands", tests, NULL, NULL);
}
