/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's ports without a switch: whose a port is, when the host's
 * events come late, or were lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon.h"
#include "net.h"
#include "output.h"

#define PORTS 3

/* The manager's calls, in the order they came: an operation, its port, and
 * the attachment of GONE and ABORTED. */
static struct {
	long op, port, attachment;
} calls[64];
static unsigned int count;
static long link = VMNET_DOWN; /* what LOOK returns */
static char said[256];	       /* what was printed last */
static unsigned int lines;     /* that were printed */
static unsigned int left_out;  /* that were said to be */
static long held;	       /* queues, by the call that was aborted */
static uint64_t evicted;       /* the last attachment that was */
static uint32_t evict_why;     /* enum elisa_why: why that fails */

int elisa_evict(struct elisa_export *export_, uint64_t attachment)
{
	(void)export_;
	evicted = attachment;
	return evict_why ? -EINTR : 0;
}

uint32_t elisa_error_why(struct elisa *handle, uint64_t *value)
{
	(void)handle;
	(void)value;
	return evict_why;
}

/* Calls of this operation end with this error, so often. */
static struct {
	long op, error;
	unsigned int times;
} fails;
long call_error; /* of the call that is made */

/* What elisa_events_read() gives. */
static int events_result;

int elisa_events_read(struct elisa *handle, struct elisa_event *events, size_t room)
{
	(void)handle;
	(void)events;
	(void)room;
	return events_result;
}

const char *elisa_error(struct elisa *handle)
{
	(void)handle;
	return "what the library says";
}

/* In place of that of apps/common, which a thread prints later. */
void output_print(int fd, const char *format, ...)
{
	va_list arguments;

	(void)fd;
	va_start(arguments, format);
	lines++;
	vsnprintf(said, sizeof(said), format, arguments);
	if (strstr(said, " messages were left out\n"))
		left_out += (unsigned int)strtoul(strstr(said, "first: ") + 7, NULL, 10);
	va_end(arguments);
}

/* No vector registers: elisa_call_general() may keep values in them. */
long manager_call(long op, long port, long a2, long a3, long a4);
__attribute__((target("general-regs-only"))) long manager_call(long op, long port, long a2, long a3,
							       long a4)
{
	(void)a3;
	if (count < 64) {
		calls[count].op = op;
		calls[count].port = port;
		calls[count++].attachment = op == VMNET_GONE ? a2 : a4;
	}
	call_error = 0;
	if (fails.times && fails.op == op) {
		fails.times--;
		call_error = fails.error;
		return 0;
	}
	if (op == VMNET_ABORTED || op == VMNET_GONE)
		return held;
	return op == VMNET_LOOK ? link : 0;
}

void stub(void);
__asm__("stub:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	and $-16, %rsp\n"
	"	mov %r10, %rcx\n"
	"	call manager_call\n"
	"	leave\n"
	"	mov call_error(%rip), %rdx\n"
	"	ret\n");

static struct elisa_attachment own;
static struct daemon *daemon;

static int start(void **unused)
{
	(void)unused;
	daemon = calloc(1, sizeof(*daemon));
	assert_non_null(daemon);
	daemon->state =
		calloc(1, sizeof(*daemon->state) + (PORTS + 1) * sizeof(daemon->state->port[0]));
	assert_non_null(daemon->state);
	own.call = (uintptr_t)stub;
	daemon->own = &own;
	daemon->config.port_count = PORTS;
	strcpy(daemon->config.port[0].name, "first");
	strcpy(daemon->config.port[1].name, "second");
	count = 0;
	held = 0;
	evicted = evict_why = 0;
	link = VMNET_DOWN;
	daemon->now = 1000;
	fails.times = 0;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	free(daemon->state);
	free(daemon);
	return 0;
}

static void event(uint32_t type, uint64_t attachment, int64_t value)
{
	const struct elisa_event event = {
		.type = type, .attachment = attachment, .value = value, .vcpu = 2, .aborts = 1};

	ports_event(daemon, &event);
}

static void joins(uint32_t place, uint64_t attachment)
{
	daemon->state->port[place].joined = attachment;
}

/* What the calls since the last time were. */
static void assert_calls(const char *expected)
{
	static const char names[] = {[VMNET_STATIC] = 'S',
				     [VMNET_LOOK] = 'L',
				     [VMNET_GONE] = 'G',
				     [VMNET_ABORTED] = 'A',
				     [VMNET_WAKE] = 'W'};
	char made[256] = "";
	unsigned int i;

	for (i = 0; i < count; i++)
		snprintf(made + strlen(made), sizeof(made) - strlen(made), "%c%ld:%ld ",
			 names[calls[i].op], calls[i].port, calls[i].attachment);
	count = 0;
	assert_string_equal(made, expected);
}

static void test_comes_and_goes(void **unused)
{
	(void)unused;
	ports_look(daemon);
	assert_calls("");
	event(ELISA_EVENT_ATTACH, 7, 2);
	joins(2, 7);
	ports_look(daemon);
	assert_calls("L2:0 ");
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_FAULT);
	assert_calls("A2:7 ");
	event(ELISA_EVENT_DETACH, 7, 0);
	joins(2, 0); /* as the switch does */
	ports_look(daemon);
	assert_calls("G2:7 W0:0 ");
}

static void test_strangers(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, -1); /* no place */
	event(ELISA_EVENT_ATTACH, 8, 0);  /* the manager's own */
	event(ELISA_EVENT_ATTACH, 9, PORTS + 1);
	event(ELISA_EVENT_DETACH, 9, 0);
	event(ELISA_EVENT_ABORT, 9, ELISA_CALL_FAULT);
	daemon->rings_owed = false;
	ports_look(daemon);
	assert_calls("");
}

/* The event of an attachment was lost: it is served all the same, and a
 * late event changes nothing. */
static void test_lost_attach(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_LOST, 0, 40);
	joins(1, 7);
	ports_look(daemon);
	assert_calls("W0:0 L1:0 ");
	assert_int_equal(daemon->lost_events, 40);
	assert_int_equal(daemon->port[1].attachment, 7);
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
	ports_look(daemon);
	assert_calls("G1:7 L1:0 ");
	event(ELISA_EVENT_ATTACH, 12, 1);
	assert_calls("G1:9 ");
	assert_int_equal(daemon->port[1].attachment, 12);
}

/* So many calls of the attachment were stopped in a delivery. */
static void stall(uint64_t attachment, int times)
{
	held = 1;
	for (int i = 0; i < times; i++)
		event(ELISA_EVENT_ABORT, attachment, ELISA_CALL_TIMEOUT);
	held = 0;
}

/* The port has a ticket: its owner comes back to it, and to no other one. */
static void give_ticket(uint32_t place)
{
	strcpy(daemon->config.port[place - 1].ticket_file, "/ticket");
}

/* So many seconds later. */
static void wait(double seconds)
{
	daemon->now += seconds;
	for (double second = 0; second < seconds; second++)
		ports_forgive(daemon);
	ports_look(daemon);
}

static bool is_served(uint32_t place)
{
	ports_look(daemon);
	assert_int_equal(!ports_out(daemon, place), daemon->state->port[place].enabled);
	return daemon->state->port[place].enabled;
}

static void call_fails(long op, long error, unsigned int times)
{
	fails.op = op;
	fails.error = error;
	fails.times = times;
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
		ports_forgive(daemon);
	}
	assert_int_equal(evicted, 0);
	stall(7, 8);
	assert_int_equal(evicted, 0);
	stall(7, 1);
	assert_int_equal(evicted, 7);
	assert_int_equal(daemon->port[1].stalls, 19);
	assert_int_equal(daemon->port[1].evictions, 1);
	assert_false(is_served(1));
}

/* A call that its VMM ended held a queue for a shorter time. A fault is all that is known of a call
 * whose event was lost. */
static void test_price(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	held = 1;
	for (int i = 0; i < 80; i++)
		event(ELISA_EVENT_ABORT, 7, ELISA_CALL_VMM);
	assert_int_equal(evicted, 0);
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_VMM);
	assert_int_equal(evicted, 7);
	event(ELISA_EVENT_ATTACH, 8, 2);
	for (int i = 0; i < 9; i++)
		event(ELISA_EVENT_ABORT, 8, ELISA_CALL_FAULT);
	assert_int_equal(evicted, 8);
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
		assert_int_equal(evicted, attachment);
		assert_int_equal(ports_out(daemon, 1), seconds[i]);
		event(ELISA_EVENT_DETACH, attachment, 0);
		assert_int_equal(ports_out(daemon, 1), seconds[i]);
		wait(seconds[i] / 2.0);
		event(ELISA_EVENT_ATTACH, ++attachment, 1);
		assert_false(is_served(1));
		assert_true(is_served(2));
		wait(seconds[i] / 2.0 - 1);
		assert_false(is_served(1));
		wait(1);
		assert_string_equal(said, "port first: is served again\n");
	}
	assert_true(is_served(1));
	wait(599);
	stall(attachment - 1, 9);
	assert_int_equal(ports_out(daemon, 1), 600);
	wait(1200);
	assert_true(is_served(1));
	stall(attachment - 1, 9);
	assert_int_equal(ports_out(daemon, 1), 10);
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
	assert_int_equal(evicted, 8);
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
	assert_int_equal(evicted, 7);
	event(ELISA_EVENT_ATTACH, 9, 3);
	assert_true(is_served(2));
	assert_true(is_served(3));
	event(ELISA_EVENT_DETACH, 7, 0);
	assert_int_equal(ports_out(daemon, 1), 0);
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
	assert_int_equal(evicted, 0);
	event(ELISA_EVENT_ATTACH, 9, 1);
	assert_int_equal(daemon->port[1].account.owed, 0);
	assert_false(is_served(1));
	wait(10);
	assert_true(is_served(1));
}

/* The host is asked again until it has evicted; meanwhile the port is not served. */
static void test_evict_fails(void **unused)
{
	(void)unused;
	evict_why = ELISA_WHY_NO_MEMORY;
	event(ELISA_EVENT_ATTACH, 7, 1);
	stall(7, 9);
	assert_int_equal(evicted, 7);
	evicted = 0;
	wait(20);
	assert_int_equal(evicted, 7);
	assert_false(daemon->state->port[1].enabled);
	assert_false(daemon->over);
	evict_why = ELISA_WHY_NO_ATTACHMENT;
	ports_look(daemon);
	evicted = 0;
	ports_look(daemon);
	assert_int_equal(evicted, 0);
}

/* A place is taken again before the daemon heard of the end of its last owner: the next attachment
 * is told apart by its number. It has nothing of the last one, nor of what is said of that late. */
static void test_taken_again_before_the_end_is_heard(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	joins(1, 7);
	stall(7, 5);
	ports_look(daemon);
	daemon->port[1].broken = daemon->port[1].statics_owed = true;
	call_fails(VMNET_ABORTED, ELISA_CALL_VMM, 1);
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_VMM);
	count = 0;
	joins(1, 9);
	event(ELISA_EVENT_ATTACH, 9, 1);
	assert_calls("G1:7 ");
	assert_int_equal(daemon->port[1].account.owed, 0);
	assert_false(daemon->port[1].broken);
	assert_false(daemon->port[1].statics_owed);
	daemon->rings_owed = false;
	ports_look(daemon);
	assert_calls("L1:0 ");
	stall(7, 20);
	event(ELISA_EVENT_DETACH, 7, 0);
	assert_calls("");
	assert_int_equal(evicted, 0);
	assert_int_equal(daemon->port[1].account.owed, 0);
	assert_int_equal(daemon->port[1].attachment, 9);
}

/* The next one is known before it joins: who joined earlier does not come back. */
static void test_not_backwards(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 9, 1);
	joins(1, 7);
	ports_look(daemon);
	assert_calls("L1:0 ");
	assert_int_equal(daemon->port[1].attachment, 9);
}

/* Why the switch refused a port is said in words. */
static void test_refused(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	link = VMNET_REFUSED | RVIF_MAC_IN_USE << 8;
	ports_look(daemon);
	assert_string_equal(said, "port first: refused: another port has this MAC address\n");
	assert_int_equal(daemon->port[1].link, VMNET_DOWN);
}

/* A port from which nothing can come is said to be one. */
static void test_mute(void **unused)
{
	struct port_config *config = &daemon->config.port[0];
	struct net *net = net_new();
	struct net_options options = net_defaults();

	(void)unused;
	daemon->rvs = net->rvs;
	options.policy.flags = config->policy.flags = RVS_CHECK_SOURCE;
	assert_int_equal(net_add_with(net, 1, &options), 0);
	assert_true(ports_is_mute(daemon, 1));
	config->static_count = 1;
	assert_false(ports_is_mute(daemon, 1));
	config->static_count = 0;
	config->policy.flags = 0;
	assert_false(ports_is_mute(daemon, 1));
	net_remove(net, 1);
	config->policy.flags = RVS_CHECK_SOURCE;
	net_mac(options.config.mac, 1);
	assert_int_equal(net_add_with(net, 1, &options), 0);
	assert_false(ports_is_mute(daemon, 1));
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
		ports_look(daemon);
		assert_true(daemon->owes);
		assert_calls("L1:0 L2:0 ");
		ports_look(daemon);
		assert_false(daemon->owes);
		assert_calls("L1:0 L2:0 ");
	}
	call_fails(VMNET_WAKE, ELISA_CALL_TIMEOUT, 1);
	daemon->rings_owed = true;
	ports_look(daemon);
	assert_calls("W0:0 L1:0 L2:0 ");
	ports_look(daemon);
	assert_calls("W0:0 L1:0 L2:0 ");
	assert_int_equal(daemon->failures, 4);
	assert_false(daemon->over);
}

/* What a stopped call held is released although the first try was stopped, too; its port pays. */
static void test_stop_is_told_again(void **unused)
{
	(void)unused;
	event(ELISA_EVENT_ATTACH, 7, 1);
	call_fails(VMNET_ABORTED, ELISA_CALL_VMM, 2);
	held = 1;
	event(ELISA_EVENT_ABORT, 7, ELISA_CALL_TIMEOUT);
	daemon->rings_owed = false;
	ports_look(daemon);
	assert_int_equal(daemon->port[1].stalls, 0);
	ports_look(daemon);
	assert_int_equal(daemon->port[1].stalls, 1);
	ports_look(daemon);
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
	daemon->rings_owed = false;
	ports_look(daemon);
	assert_int_equal(daemon->port[1].attachment, 9);
	assert_calls("G1:7 G1:7 ");
	ports_look(daemon);
	assert_calls("G1:7 L1:0 ");
	/* and of an end that it has not heard of the daemon makes no arrival */
	call_fails(VMNET_GONE, ELISA_CALL_TIMEOUT, 1);
	joins(1, 9);
	event(ELISA_EVENT_DETACH, 9, 0);
	daemon->rings_owed = false;
	ports_look(daemon);
	assert_int_equal(daemon->port[1].attachment, 0);
	assert_calls("G1:9 G1:9 ");
}

static void test_statics_are_added_again(void **unused)
{
	struct net *net = net_new();

	(void)unused;
	daemon->rvs = net->rvs;
	daemon->config.port[0].static_count = 2;
	event(ELISA_EVENT_ATTACH, 7, 1);
	link = VMNET_WENT_UP;
	call_fails(VMNET_STATIC, ELISA_CALL_TIMEOUT, 1);
	ports_look(daemon);
	link = VMNET_UP;
	ports_look(daemon);
	ports_look(daemon);
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
	ports_look(daemon);
	assert_true(daemon->port[1].broken);
	ports_look(daemon);
	assert_calls("L1:0 L2:0 L2:0 ");
	event(ELISA_EVENT_DETACH, 7, 0);
	event(ELISA_EVENT_ATTACH, 9, 1);
	daemon->rings_owed = false;
	ports_look(daemon);
	assert_calls("G1:7 L1:0 L2:0 ");
	assert_false(daemon->over);
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
		daemon->over = false;
		call_fails(VMNET_LOOK, errors[i], 1);
		ports_look(daemon);
		assert_true(daemon->over);
		assert_calls("L1:0 ");
		assert_non_null(strstr(said, "its own export: "));
	}
	daemon->over = false;
	evict_why = ELISA_WHY_NO_EXPORT;
	stall(7, 9);
	assert_true(daemon->over);
	assert_string_equal(said, "elisa-vmnet: its own export: what the library says; it ends\n");
}

static void test_events_fail(void **unused)
{
	(void)unused;
	events_result = -EINTR;
	assert_int_equal(library_events(daemon), 0);
	assert_false(daemon->deaf);
	events_result = -ENOMEM;
	assert_int_equal(library_events(daemon), 0);
	assert_true(daemon->deaf);
	assert_false(daemon->over);
	assert_string_equal(said, "elisa-vmnet: what the library says; tried again\n");
	events_result = 0;
	assert_int_equal(library_events(daemon), 0);
	assert_false(daemon->deaf);
	events_result = -EIO;
	library_events(daemon);
	assert_true(daemon->over);
	events_result = 0;
}

/* Another configuration waits until the switch was told to let go of the old one. */
static void test_new_configuration_is_not_lost(void **unused)
{
	struct config *config = calloc(1, sizeof(*config));

	(void)unused;
	*config = daemon->config;
	config->port[0].policy.max_learned = 77;
	event(ELISA_EVENT_ATTACH, 7, 1);
	call_fails(VMNET_LOOK, ELISA_CALL_TIMEOUT, 2);
	ports_reconfigure(daemon, config);
	assert_int_equal(daemon->state->port[1].enabled, 0);
	assert_int_equal(daemon->state->port[1].policy.max_learned, 0);
	ports_look(daemon);
	assert_int_equal(daemon->state->port[1].enabled, 0);
	assert_int_equal(daemon->state->port[1].policy.max_learned, 77);
	ports_look(daemon);
	assert_int_equal(daemon->state->port[1].enabled, 1);
	free(config);
}

/* However often a VM comes, goes, or has calls aborted, what is said of its port has a limit.
 * What is not said is counted. Other ports have their own limit. */
static void test_much_to_say(void **unused)
{
	(void)unused;
	lines = left_out = 0;
	event(ELISA_EVENT_ATTACH, 7, 1);
	for (int i = 0; i < 1000; i++)
		event(ELISA_EVENT_ABORT, 7, ELISA_CALL_CLOSED);
	say_left_out(daemon);
	assert_int_equal(lines, LIMIT_BURST);
	event(ELISA_EVENT_ATTACH, 8, 2);
	assert_string_equal(said, "port second: attachment 8\n");
	for (int second = 0; second < 10; second++) {
		daemon->now += 1;
		for (int i = 0; i < 100; i++)
			event(ELISA_EVENT_ABORT, 7, ELISA_CALL_CLOSED);
		say_left_out(daemon);
	}
	assert_in_range(lines, 30, 41);
	assert_in_range(left_out, 1800, 2000);
	daemon->now += 60;
	say_left_out(daemon);
	lines = left_out = 0;
	say_left_out(daemon);
	assert_int_equal(lines, 0);
	event(ELISA_EVENT_DETACH, 7, 0);
	assert_string_equal(said, "port first: attachment 7 is gone\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_comes_and_goes, start, end),
		cmocka_unit_test_setup_teardown(test_strangers, start, end),
		cmocka_unit_test_setup_teardown(test_lost_attach, start, end),
		cmocka_unit_test_setup_teardown(test_lost_detach, start, end),
		cmocka_unit_test_setup_teardown(test_not_backwards, start, end),
		cmocka_unit_test_setup_teardown(test_stalls, start, end),
		cmocka_unit_test_setup_teardown(test_price, start, end),
		cmocka_unit_test_setup_teardown(test_eviction_lasts, start, end),
		cmocka_unit_test_setup_teardown(test_owner_leaves_in_time, start, end),
		cmocka_unit_test_setup_teardown(test_newcomers_wait, start, end),
		cmocka_unit_test_setup_teardown(test_stalls_of_the_one_before, start, end),
		cmocka_unit_test_setup_teardown(test_evict_fails, start, end),
		cmocka_unit_test_setup_teardown(test_taken_again_before_the_end_is_heard, start,
						end),
		cmocka_unit_test_setup_teardown(test_much_to_say, start, end),
		cmocka_unit_test_setup_teardown(test_calls_are_made_again, start, end),
		cmocka_unit_test_setup_teardown(test_stop_is_told_again, start, end),
		cmocka_unit_test_setup_teardown(test_end_is_told_first, start, end),
		cmocka_unit_test_setup_teardown(test_statics_are_added_again, start, end),
		cmocka_unit_test_setup_teardown(test_broken_port, start, end),
		cmocka_unit_test_setup_teardown(test_over, start, end),
		cmocka_unit_test_setup_teardown(test_events_fail, start, end),
		cmocka_unit_test_setup_teardown(test_new_configuration_is_not_lost, start, end),
		cmocka_unit_test_setup_teardown(test_refused, start, end),
		cmocka_unit_test_setup_teardown(test_mute, start, end),
	};

	return cmocka_run_group_tests_name("vmnet: ports", tests, NULL, NULL);
}
