/* SPDX-License-Identifier: Apache-2.0 */
/* A ticket is withdrawn while the daemon runs: the VM that came by it has to go and cannot come
 * back, the new owner begins anew, and ports whose tickets stay are not touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../fake_file.h"
#include "fake_manager.h"

static struct tickets tickets;

/* A ticket of this byte; 0: none. */
static void want(uint32_t place, uint8_t byte)
{
	memset(tickets.of[place - 1], byte, ELISA_TICKET_SIZE);
	strcpy(fake.daemon->config.port[place - 1].ticket_file, byte ? "/ticket" : "");
}

/* Three ports, the first two of which have tickets; all have VMs that are up. */
static int begin(void **unused)
{
	fake_start(unused);
	memset(&tickets, 0, sizeof(tickets));
	want(1, 1);
	want(2, 2);
	assert_int_equal(tickets_begin(fake.daemon, &tickets), 0);
	for (uint32_t place = 1; place <= 3; place++) {
		event(ELISA_EVENT_ATTACH, 10 + place, place);
		joins(place, 10 + place);
	}
	fake.link = VMNET_UP;
	ports_look(fake.daemon);
	fake.count = 0;
	return 0;
}

static void reload(void)
{
	struct config *config = malloc(sizeof(*config));

	*config = fake.daemon->config;
	ports_reconfigure(fake.daemon, config, &tickets);
	free(config);
}

static bool has_ticket(uint32_t place, uint8_t byte)
{
	uint8_t ticket[ELISA_TICKET_SIZE];

	memset(ticket, byte, sizeof(ticket));
	return !memcmp(fake.tickets[place], ticket, sizeof(ticket));
}

static void leaves(uint64_t attachment, uint32_t place)
{
	event(ELISA_EVENT_DETACH, attachment, 0);
	fake.daemon->state->port[place].joined = 0;
}

static void after(double seconds)
{
	fake.daemon->now += seconds;
	ports_look(fake.daemon);
}

static void test_holder_goes(void **unused)
{
	(void)unused;
	want(1, 7);
	reload();
	assert_int_equal(fake.evicted, 11);
	assert_false(has_ticket(1, 1)); /* in this order: it cannot come back */
	assert_false(has_ticket(1, 7));
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	assert_int_equal(fake.daemon->state->port[2].enabled, 1);
	assert_int_equal(fake.daemon->state->port[3].enabled, 1);
	assert_true(has_ticket(2, 2));
	assert_true(has_ticket(3, 0));
	after(5);
	assert_false(has_ticket(1, 7)); /* it is still there */
	leaves(11, 1);
	after(1);
	assert_true(has_ticket(1, 7));
	fake.evicted = 0;
	event(ELISA_EVENT_ATTACH, 20, 1);
	after(1);
	assert_int_equal(fake.evicted, 0);
	assert_int_equal(fake.daemon->state->port[1].enabled, 1);
}

static void test_same_ticket_changes_nothing(void **unused)
{
	(void)unused;
	reload();
	after(5);
	assert_int_equal(fake.evicted, 0);
	assert_true(has_ticket(1, 1));
	assert_int_equal(fake.daemon->state->port[1].enabled, 1);
}

/* The host let it in with the old ticket, and says so late. */
static void test_event_was_on_its_way(void **unused)
{
	(void)unused;
	leaves(11, 1);
	want(1, 7);
	reload();
	assert_int_equal(fake.evicted, 0);
	after(0.5);
	event(ELISA_EVENT_ATTACH, 20, 1);
	assert_int_equal(fake.evicted, 20);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	after(1);
	assert_false(has_ticket(1, 7));
	leaves(20, 1);
	after(1);
	assert_true(has_ticket(1, 7));
}

static void test_exchanged(void **unused)
{
	(void)unused;
	want(1, 2);
	want(2, 1);
	reload();
	leaves(11, 1);
	leaves(12, 2);
	after(1);
	after(1);
	assert_true(has_ticket(1, 2));
	assert_true(has_ticket(2, 1));
}

static void test_to_none_and_back(void **unused)
{
	(void)unused;
	want(1, 0);
	reload();
	assert_int_equal(fake.evicted, 11);
	assert_false(has_ticket(1, 0));
	leaves(11, 1);
	after(1);
	assert_true(has_ticket(1, 0));
	event(ELISA_EVENT_ATTACH, 20, 1);
	want(1, 1);
	reload();
	assert_int_equal(fake.evicted, 20);
	leaves(20, 1);
	after(1);
	assert_true(has_ticket(1, 1));
}

/* The new one has leaked, too, before it was in force. */
static void test_changes_again(void **unused)
{
	(void)unused;
	want(1, 7);
	reload();
	want(1, 8);
	reload();
	leaves(11, 1);
	after(1);
	assert_true(has_ticket(1, 8));
}

/* A request that fails is made again; other ports do not wait for it. */
static void test_host_fails(void **unused)
{
	(void)unused;
	fake.tickets_fail = 1;
	want(1, 7);
	want(2, 8);
	reload();
	assert_true(has_ticket(1, 1));
	assert_int_equal(fake.evicted, 12);
	leaves(12, 2);
	after(1);
	assert_int_equal(fake.evicted, 11);
	assert_false(has_ticket(1, 1));
	leaves(11, 1);
	fake.tickets_fail = 1;
	after(1);
	assert_false(has_ticket(1, 7));
	after(1);
	assert_true(has_ticket(1, 7));
	assert_true(has_ticket(2, 8));
	assert_false(fake.daemon->over);
}

/* Also while the host does not take the random ticket, the old VM is not served: neither with the
 * configuration that comes with the new ticket, nor with the old one. */
static void test_barred_at_once(void **unused)
{
	(void)unused;
	fake.tickets_fail = 2;
	want(1, 7);
	reload();
	assert_true(has_ticket(1, 1));
	assert_int_equal(fake.evicted, 0);
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	assert_int_equal(fake.daemon->state->port[2].enabled, 1);
	after(1);
	after(1);
	assert_int_equal(fake.evicted, 11);
	leaves(11, 1);
	after(1);
	assert_true(has_ticket(1, 7));
	event(ELISA_EVENT_ATTACH, 20, 1);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].enabled, 1);
}

static void test_end_was_lost(void **unused)
{
	(void)unused;
	want(1, 7);
	fake.evict_why = ELISA_WHY_NO_ATTACHMENT;
	reload();
	assert_false(has_ticket(1, 7));
	after(1);
	assert_true(has_ticket(1, 7));
	assert_int_equal(fake.daemon->port[1].attachment, 0);
}

/* It came by the old ticket, and no event said so: when it joins, it has to go. Only the first. */
static void test_attachment_was_lost(void **unused)
{
	(void)unused;
	leaves(11, 1);
	event(ELISA_EVENT_LOST, 0, 1);
	want(1, 7);
	reload();
	after(1);
	assert_true(has_ticket(1, 7));
	joins(1, 15);
	after(1);
	assert_int_equal(fake.evicted, 15);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].enabled, 0);
	leaves(15, 1);
	fake.evicted = 0;
	joins(1, 20);
	after(1);
	assert_int_equal(fake.evicted, 0);
	assert_int_equal(fake.daemon->state->port[1].enabled, 1);
}

/* With an event it is trusted: the place was free when the new ticket came into force. */
static void test_new_owner_is_heard_of(void **unused)
{
	(void)unused;
	leaves(11, 1);
	event(ELISA_EVENT_LOST, 0, 1);
	want(1, 7);
	reload();
	after(1);
	event(ELISA_EVENT_ATTACH, 20, 1);
	joins(1, 20);
	after(1);
	assert_int_equal(fake.evicted, 0);
	assert_int_equal(fake.daemon->port[1].attachment, 20);
}

/* What the old owner's calls held is not the new one's to pay. */
static void test_debt_is_forgotten(void **unused)
{
	(void)unused;
	stall(11, 8);
	want(1, 7);
	reload();
	stall(11, 1);
	fake.held = 32;
	leaves(11, 1);
	fake.held = 0;
	after(1);
	assert_int_equal(fake.daemon->port[1].account.owed, 0);
	event(ELISA_EVENT_ATTACH, 20, 1);
	ports_look(fake.daemon);
	assert_int_equal(fake.daemon->state->port[1].enabled, 1);
	assert_int_equal(ports_out(fake.daemon, 1), 0);
	assert_int_equal(fake.daemon->newcomers.owed, 0);
}

/* -------------------------------------------------------------------------------------- files */

static char folder[] = "/tmp/ticketsXXXXXX";

static void name(uint32_t port, const char *file)
{
	snprintf(fake.daemon->config.port[port].ticket_file,
		 sizeof(fake.daemon->config.port[port].ticket_file), "%s/%s", folder, file);
}

static int begin_files(void **unused)
{
	fake_start(unused);
	strcpy(folder, "/tmp/ticketsXXXXXX");
	assert_non_null(mkdtemp(folder));
	name(0, "a");
	name(1, "b");
	return 0;
}

static int end_files(void **unused)
{
	for (uint32_t port = 0; port < 2; port++)
		unlink(fake.daemon->config.port[port].ticket_file);
	rmdir(folder);
	return fake_end(unused);
}

static void test_drawn(void **unused)
{
	const struct config *config = &fake.daemon->config;
	struct tickets again;
	struct stat of;

	(void)unused;
	assert_int_equal(tickets_read(config, &tickets), 0);
	assert_int_equal(stat(config->port[0].ticket_file, &of), 0);
	assert_int_equal(of.st_mode & 0777, 0600);
	assert_int_equal(of.st_size, 65);
	assert_memory_not_equal(tickets.of[0], tickets.of[1], ELISA_TICKET_SIZE);
	assert_int_equal(tickets_read(config, &again), 0);
	assert_memory_equal(&tickets, &again, sizeof(tickets));
}

static void said(const char *what)
{
	assert_int_equal(tickets_read(&fake.daemon->config, &tickets), -1);
	if (!strstr(fake.said, what))
		fail_msg("no '%s' in: %s", what, fake.said);
}

static void test_wrong_files(void **unused)
{
	static const char zeros[] =
		"0000000000000000000000000000000000000000000000000000000000000000\n";
	static const char other[] =
		"0000000000000000000000000000000000000000000000000000000000000001\n";

	(void)unused;
	fake_file(folder, "a", "12\n");
	said("/a: it does not hold 64 hexadecimal digits and nothing else");
	fake_file(folder, "a", zeros);
	said("/a: 64 times 0 is no ticket");
	fake_file(folder, "a", other);
	fake_file(folder, "b", other);
	said("/b: it holds the same ticket as ");
	name(1, "no/b");
	said("/no/b: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_holder_goes, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_same_ticket_changes_nothing, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_event_was_on_its_way, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_exchanged, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_to_none_and_back, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_changes_again, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_host_fails, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_barred_at_once, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_end_was_lost, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_attachment_was_lost, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_new_owner_is_heard_of, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_debt_is_forgotten, begin, fake_end),
		cmocka_unit_test_setup_teardown(test_drawn, begin_files, end_files),
		cmocka_unit_test_setup_teardown(test_wrong_files, begin_files, end_files),
	};

	return cmocka_run_group_tests_name("vmnet: tickets", tests, NULL, NULL);
}
