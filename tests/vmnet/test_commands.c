/* SPDX-License-Identifier: Apache-2.0 */
/* What operators can ask and tell the daemon, and what it says of requests that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../fake_file.h"
#include "fake_manager.h"
#include "net.h"

static struct net *net;
static int ring; /* the file that came with the last reply; -1: none */
static struct control_user user = {.pid = 5, .uid = 1000, .may_change = true};

/* Two VMs that are up. The first one sent a frame to the second. */
static int start(void **unused)
{
	fake_start(unused);
	net = net_new();
	fake_switch(net);
	assert_int_equal(tickets_begin(fake.daemon, &(struct tickets){0}), 0);
	for (uint32_t place = 1; place <= 2; place++) {
		net_add(net, place);
		event(ELISA_EVENT_ATTACH, 10 + place, place);
		joins(place, 10 + place);
		fake.daemon->state->port[place].serving = 10 + place;
	}
	net_send(net, 2, 1, 64, 1);
	net_send(net, 1, 2, 64, 1);
	fake.link = VMNET_UP;
	ports_look(fake.daemon);
	user.may_change = true;
	return 0;
}

static int end(void **unused)
{
	net->rvs = NULL; /* the daemon's */
	net_free(net);
	return fake_end(unused);
}

static json_object *reply_to(const char *line)
{
	char *text;
	json_object *reply;

	ring = -1;
	text = commands_answer(fake.daemon, &user, line, strlen(line), &ring);

	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	reply = json_tokener_parse(text);
	assert_true(json_object_is_type(reply, json_type_object));
	assert_int_equal(json_object_object_length(reply), 1);
	free(text);
	return reply;
}

static json_object *asked(const char *line)
{
	json_object *reply = reply_to(line), *result = json_object_object_get(reply, "result");

	if (!result)
		fail_msg("%s: %s", line, json_object_to_json_string(reply));
	json_object_get(result);
	json_object_put(reply);
	return result;
}

static void refused(const char *line, const char *why)
{
	json_object *reply = reply_to(line), *error = json_object_object_get(reply, "error");

	if (!error)
		fail_msg("not refused: %s", line);
	assert_string_equal(json_object_get_string(error), why);
	json_object_put(reply);
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

static void told(const char *line)
{
	json_object_put(asked(line));
}

static uint64_t number(json_object *object, const char *key)
{
	assert_non_null(json_object_object_get(object, key));
	return json_object_get_uint64(json_object_object_get(object, key));
}

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

static bool is_served(uint32_t place)
{
	ports_look(fake.daemon);
	return fake.daemon->state->port[place].enabled;
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

static void after(double seconds)
{
	fake.daemon->now += seconds;
	ports_look(fake.daemon);
}

static void leaves(uint64_t attachment, uint32_t place)
{
	joins(place, 0);
	event(ELISA_EVENT_DETACH, attachment, 0);
}

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

static char folder[] = "/tmp/commandsXXXXXX";

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
	strcpy(folder, "/tmp/commandsXXXXXX");
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

static uint64_t captured(struct rvs_observer *observer)
{
	struct rvs_copy copy;
	uint64_t count = 0;

	net_send(net, 1, 2, 64, 1);
	for (int call = 0; call < 4; call++)
		count += (uint64_t)rvs_observed(observer, &copy);
	return count;
}

static struct rvs_observer map(int file)
{
	const size_t size = rvs_size(&net_config) - rvs_capture_offset(&net_config);
	struct rvs_observer observer;
	const void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(rvs_observe(&observer, at, size), 0);
	return observer;
}

/* For as long as it is asked for; each time the reply has the ring. */
static void test_capture(void **unused)
{
	const char *const first = "{\"command\": \"capture\", \"port\": \"first\"}";
	json_object *result = asked(first);
	struct rvs_observer observer = map(ring);

	(void)unused;
	assert_int_equal(number(result, "port"), 1);
	assert_int_equal(number(result, "seconds"), CAPTURE_SECONDS);
	json_object_put(result);
	assert_string_equal(fake.said, "port first: captured, by process 5 of user 1000\n");
	assert_int_equal(captured(&observer), 1);
	fake.daemon->now += CAPTURE_SECONDS - 1;
	fake.said[0] = 0;
	told(first);
	assert_string_equal(fake.said, ""); /* the same observer, still there */
	assert_true(ring >= 0);
	fake.daemon->now += CAPTURE_SECONDS - 1;
	captures_look(&fake.daemon->captures, fake.daemon->now);
	assert_int_equal(captured(&observer), 1);
	fake.daemon->now += 2;
	captures_look(&fake.daemon->captures, fake.daemon->now);
	assert_int_equal(captured(&observer), 0);
	told("{\"command\": \"ports\"}");
	assert_int_equal(ring, -1);
	/* the next port of the place is another one's */
	told(first);
	assert_int_equal(captured(&observer), 1);
	told("{\"command\": \"remove\", \"port\": \"first\"}");
	assert_int_equal(captured(&observer), 0);
	refused(first, "no port is called \"first\"");
	assert_int_equal(ring, -1);
}

/* An observer can read the ring, and not a word else of the switch, and change nothing. */
static void test_ring_is_to_read(void **unused)
{
	struct stat is;

	(void)unused;
	told("{\"command\": \"capture\", \"port\": \"first\"}");
	assert_int_equal(fstat(ring, &is), 0);
	assert_int_equal(is.st_size, rvs_size(&net_config) - rvs_capture_offset(&net_config));
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0), MAP_FAILED);
	assert_int_equal(pwrite(ring, "x", 1, 0), -1);
	assert_int_equal(ftruncate(ring, 0), -1);
	assert_int_equal(ftruncate(ring, 1 << 30), -1);
	user.may_change = false;
	refused("{\"command\": \"capture\", \"port\": \"second\"}",
		"user 1000 may ask, but not see what ports send");
	assert_int_equal(ring, -1);
	assert_false(captures_is_on(&fake.daemon->captures, 2));
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
		cmocka_unit_test_setup_teardown(test_ports, start, end),
		cmocka_unit_test_setup_teardown(test_counters, start, end),
		cmocka_unit_test_setup_teardown(test_table, start, end),
		cmocka_unit_test_setup_teardown(test_large_table, start, end),
		cmocka_unit_test_setup_teardown(test_metrics, start, end),
		cmocka_unit_test_setup_teardown(test_down_and_up, start, end),
		cmocka_unit_test_setup_teardown(test_kick, start, end),
		cmocka_unit_test_setup_teardown(test_add, start, end),
		cmocka_unit_test_setup_teardown(test_add_wrong, start, end),
		cmocka_unit_test_setup_teardown(test_remove, start, end),
		cmocka_unit_test_setup_teardown(test_removed_is_not_the_next, start, end),
		cmocka_unit_test_setup_teardown(test_counters_of_a_removed_port, start, end),
		cmocka_unit_test_setup_teardown(test_tickets_of_others, start, end),
		cmocka_unit_test_setup_teardown(test_removed_while_it_changes, start, end),
		cmocka_unit_test_setup_teardown(test_came_to_a_removed_port, start, end),
		cmocka_unit_test_setup_teardown(test_removed_is_not_seen, start, end),
		cmocka_unit_test_setup_teardown(test_rights, start, end),
		cmocka_unit_test_setup_teardown(test_capture, start, end),
		cmocka_unit_test_setup_teardown(test_ring_is_to_read, start, end),
		cmocka_unit_test_setup_teardown(test_wrong_requests, start, end),
	};

	return cmocka_run_group_tests_name("vmnet: commands", tests, NULL, NULL);
}
