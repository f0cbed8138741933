/* SPDX-License-Identifier: Apache-2.0 */
/* What reaches the driver, what is refused before, and what the objects' lives are. */
#include <errno.h>
#include <string.h>
#include "test.h"
#include "fake.h"

static struct fake fake;
static struct elisa *handle;
static struct elisa_export *export_;
static uint8_t pages[4 * ELISA_PAGE_SIZE] __attribute__((aligned(ELISA_PAGE_SIZE)));

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	if (fake_open(&fake, &handle) < 0)
		return -1;
	return elisa_export_create(handle, "table", ELISA_EXPORT_POISON, 250, &export_);
}

static int teardown(void **state)
{
	(void)state;
	fake.error = 0;
	if (elisa_export_destroy(export_) < 0 || elisa_close(handle) < 0)
		return -1;
	return fake.closed == 1 ? 0 : -1;
}

static void create_sends_what_was_asked(void **state)
{
	(void)state;
	assert_int_equal(fake.request, ELISA_IOC_EXPORT_CREATE);
	assert_string_equal(fake.last.export_.name, "table");
	assert_int_equal(fake.last.export_.flags, ELISA_EXPORT_POISON);
	assert_int_equal(fake.last.export_.limit_us, 250);
	assert_int_equal(elisa_export_id(export_), 7);
	assert_string_equal(elisa_export_name(export_), "table");
	assert_ptr_equal(elisa_export_handle(export_), handle);
	assert_int_equal(elisa_rights(handle), ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH);
	assert_int_equal(elisa_fd(handle), 1000);
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = {
		"",    "a b",
		"a/b", "caf\xc3\xa9",
		"a\n", "0123456789012345678901234567890123456789012345678901234567890123"};
	struct elisa_attachment *attachment;
	struct elisa_export *made;
	unsigned int before = fake.requests;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(elisa_export_create(handle, bad[i], 0, 0, &made), -EINVAL);
		assert_int_equal(elisa_error_why(handle, NULL), ELISA_WHY_NAME);
		assert_int_equal(elisa_attach(handle, bad[i], 0, NULL, 0, &attachment), -EINVAL);
		assert_null(attachment);
	}
	assert_int_equal(elisa_export_create(handle, NULL, 0, 0, &made), -EINVAL);
	assert_int_equal(elisa_attach(handle, NULL, 0, NULL, 0, &attachment), -EINVAL);
	assert_int_equal(fake.requests, before);
}

static void longest_name_is_accepted(void **state)
{
	static const char name[] =
		"012345678901234567890123456789012345678901234567890123456789._-";
	struct elisa_export *made;

	(void)state;
	assert_int_equal(strlen(name), ELISA_NAME_SIZE - 1);
	assert_int_equal(elisa_export_create(handle, name, 0, 0, &made), 0);
	assert_memory_equal(fake.last.export_.name, name, ELISA_NAME_SIZE);
	assert_int_equal(elisa_export_destroy(made), 0);
}

static void unknown_flags_are_refused(void **state)
{
	struct elisa_attachment *attachment;
	struct elisa_export *made;

	(void)state;
	assert_int_equal(elisa_export_create(handle, "a", ELISA_EXPORT_PRIVATE, 0, &made), -EINVAL);
	assert_int_equal(elisa_export_create(handle, "a", 1u << 31, 0, &made), -EINVAL);
	assert_int_equal(elisa_attach(handle, "a", 2, NULL, 0, &attachment), -EINVAL);
	assert_int_equal(elisa_error_why(handle, NULL), ELISA_WHY_FIELD);
}

static void null_arguments_are_refused(void **state)
{
	struct elisa_export *made;
	struct elisa_attachment *attachment;

	(void)state;
	assert_int_equal(elisa_export_create(NULL, "a", 0, 0, &made), -EINVAL);
	assert_int_equal(elisa_export_create(handle, "a", 0, 0, NULL), -EINVAL);
	assert_int_equal(elisa_export_create_private(handle, "a", 0, 0, NULL, &made), -EINVAL);
	assert_int_equal(elisa_export_map(NULL, 0, pages, ELISA_PAGE_SIZE, 1), -EINVAL);
	assert_int_equal(elisa_export_unmap(NULL, 0, ELISA_PAGE_SIZE), -EINVAL);
	assert_int_equal(elisa_export_publish(NULL, 0), -EINVAL);
	assert_int_equal(elisa_attach(NULL, "a", 0, NULL, 0, &attachment), -EINVAL);
	assert_int_equal(elisa_attach(handle, "a", 0, NULL, 0, NULL), -EINVAL);
	assert_int_equal(elisa_attach_private(handle, NULL, 0, NULL, 0, &attachment), -EINVAL);
	assert_int_equal(elisa_events_read(handle, NULL, 1), -EINVAL);
	assert_int_equal(elisa_export_destroy(NULL), 0);
	assert_int_equal(elisa_detach(NULL), 0);
	assert_int_equal(elisa_close(NULL), 0);
}

static void tickets_are_fresh_and_sent(void **state)
{
	uint8_t ticket[2][ELISA_TICKET_SIZE];
	struct elisa_export *made;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			elisa_export_create_private(handle, "secret", 0, 0, ticket[i], &made), 0);
		assert_memory_equal(fake.last.export_.ticket, ticket[i], ELISA_TICKET_SIZE);
		assert_int_equal(fake.last.export_.flags, ELISA_EXPORT_PRIVATE);
		assert_int_equal(elisa_export_destroy(made), 0);
	}
	assert_memory_not_equal(ticket[0], ticket[1], ELISA_TICKET_SIZE);

	fake.error = EPERM;
	assert_int_equal(elisa_export_create_private(handle, "secret", 0, 0, ticket[0], &made),
			 -EPERM);
	memset(ticket[1], 0, ELISA_TICKET_SIZE);
	assert_memory_equal(ticket[0], ticket[1], ELISA_TICKET_SIZE);
}

static void map_sends_what_was_asked(void **state)
{
	(void)state;
	assert_int_equal(elisa_export_map(export_, 0x3000, pages, sizeof(pages),
					  ELISA_PROT_READ | ELISA_PROT_WRITE),
			 0);
	assert_int_equal(fake.last.map.id, 7);
	assert_int_equal(fake.last.map.offset, 0x3000);
	assert_int_equal(fake.last.map.address, (uintptr_t)pages);
	assert_int_equal(fake.last.map.length, sizeof(pages));
	assert_int_equal(fake.last.map.prot, 3);
	assert_int_equal(elisa_export_unmap(export_, 0x3000, sizeof(pages)), 0);
	assert_int_equal(fake.last.unmap.offset, 0x3000);
	assert_int_equal(fake.last.unmap.length, sizeof(pages));
}

static void bad_maps_are_refused(void **state)
{
	static const struct {
		uint64_t offset, shift, length;
		uint32_t prot, why;
	} bad[] = {
		{0x800, 0, 4096, 1, ELISA_WHY_RANGE},
		{0, 8, 4096, 1, ELISA_WHY_RANGE},
		{0, 0, 4095, 1, ELISA_WHY_RANGE},
		{0, 0, 0, 1, ELISA_WHY_NO_PAGES},
		{ELISA_OBJECT_SIZE, 0, 4096, 1, ELISA_WHY_RANGE},
		{ELISA_OBJECT_SIZE - 4096, 0, 8192, 1, ELISA_WHY_RANGE},
		{-4096ULL, 0, 8192, 1, ELISA_WHY_RANGE},
		{0, 0, -4096ULL, 1, ELISA_WHY_RANGE},
		{0, 0, 4096, 0, ELISA_WHY_PROT},
		{0, 0, 4096, ELISA_PROT_WRITE, ELISA_WHY_PROT},
		{0, 0, 4096, ELISA_PROT_EXEC, ELISA_WHY_PROT},
		{0, 0, 4096, 7, ELISA_WHY_PROT},
		{0, 0, 4096, 9, ELISA_WHY_PROT},
	};
	unsigned int before = fake.requests;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(elisa_export_map(export_, bad[i].offset, pages + bad[i].shift,
						  bad[i].length, bad[i].prot),
				 -EINVAL);
		assert_int_equal(elisa_error_why(handle, NULL), bad[i].why);
	}
	assert_int_equal(elisa_export_map(export_, 0, NULL, 4096, 1), -EINVAL);
	assert_int_equal(elisa_export_unmap(export_, 1, 4096), -EINVAL);
	assert_int_equal(elisa_export_publish(export_, ELISA_OBJECT_SIZE), -EINVAL);
	assert_int_equal(fake.requests, before);
}

static void physical_memory_has_a_request_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(elisa_export_map_physical(export_, 0x4000, 0xc000000000, 8192, 3), 0);
	assert_int_equal(fake.request, ELISA_IOC_EXPORT_MAP_PHYSICAL);
	assert_int_equal(fake.last.map.id, 7);
	assert_int_equal(fake.last.map.offset, 0x4000);
	assert_int_equal(fake.last.map.address, 0xc000000000);
	assert_int_equal(fake.last.map.length, 8192);
	assert_int_equal(fake.last.map.prot, 3);
	assert_int_equal(elisa_export_map_physical(export_, 0, 0xc000000001, 4096, 3), -EINVAL);
	assert_int_equal(elisa_export_map_physical(NULL, 0, 0xc000000000, 4096, 3), -EINVAL);
	fake.error = EPERM;
	fake.why = ELISA_WHY_CAPABILITY;
	assert_int_equal(elisa_export_map_physical(export_, 0, 0xc000000000, 4096, 3), -EPERM);
	assert_non_null(strstr(elisa_error(handle), "CAP_SYS_RAWIO"));
}

static void publish_sends_the_entry(void **state)
{
	(void)state;
	assert_int_equal(elisa_export_publish(export_, 0x1234), 0);
	assert_int_equal(fake.last.publish.entry, 0x1234);
	assert_int_equal(fake.last.publish.id, 7);
}

static void attach_gives_what_the_driver_says(void **state)
{
	struct elisa_attachment *attachment;

	(void)state;
	fake.call = 0x600000001082;
	fake.export_flags = ELISA_EXPORT_GENERAL_REGS;
	assert_int_equal(elisa_attach(handle, "table", ELISA_ATTACH_TRUST_MANAGER, pages,
				      sizeof(pages), &attachment),
			 0);
	assert_int_equal(fake.last.attach.exchange, (uintptr_t)pages);
	assert_int_equal(fake.last.attach.exchange_length, sizeof(pages));
	assert_int_equal(attachment->call, 0x600000001082);
	assert_int_equal(elisa_attachment_slot(attachment), 5);
	assert_int_equal(elisa_attachment_mode(attachment), ELISA_MODE_TRUSTED);
	assert_int_equal(elisa_attachment_flags(attachment), ELISA_ATTACH_TRUST_MANAGER);
	assert_int_equal(elisa_attachment_export_flags(attachment), ELISA_EXPORT_GENERAL_REGS);
	assert_true(elisa_attachment_general(attachment));
	assert_ptr_equal(elisa_attachment_exchange(attachment), pages);
	assert_int_equal(elisa_attachment_exchange_length(attachment), sizeof(pages));
	assert_ptr_equal(elisa_attachment_handle(attachment), handle);
	assert_int_equal(elisa_detach(attachment), 0);
	assert_int_equal(fake.last.detach.slot, 5);
}

static void general_calls_need_trust_and_the_flag(void **state)
{
	struct elisa_attachment *attachment;

	(void)state;
	fake.export_flags = ELISA_EXPORT_GENERAL_REGS;
	assert_int_equal(elisa_attach(handle, "table", 0, NULL, 0, &attachment), 0);
	assert_false(elisa_attachment_general(attachment));
	assert_int_equal(elisa_detach(attachment), 0);
	fake.export_flags = 0;
	assert_int_equal(
		elisa_attach(handle, "table", ELISA_ATTACH_TRUST_MANAGER, NULL, 0, &attachment), 0);
	assert_false(elisa_attachment_general(attachment));
	assert_int_equal(elisa_detach(attachment), 0);
}

static void bad_exchange_buffers_are_refused(void **state)
{
	struct elisa_attachment *attachment;

	(void)state;
	assert_int_equal(elisa_attach(handle, "a", 0, pages, 0, &attachment), -EINVAL);
	assert_int_equal(elisa_attach(handle, "a", 0, NULL, 4096, &attachment), -EINVAL);
	assert_int_equal(elisa_attach(handle, "a", 0, pages + 1, 4096, &attachment), -EINVAL);
	assert_int_equal(elisa_attach(handle, "a", 0, pages, 4097, &attachment), -EINVAL);
	assert_int_equal(elisa_attach(handle, "a", 0, pages, 257 * 4096, &attachment), -EINVAL);
}

static void private_attach_sends_the_ticket_alone(void **state)
{
	uint8_t ticket[ELISA_TICKET_SIZE] = {0};
	struct elisa_attachment *attachment;

	(void)state;
	assert_int_equal(elisa_attach_private(handle, ticket, 0, NULL, 0, &attachment), -EINVAL);
	ticket[31] = 1;
	assert_int_equal(elisa_attach_private(handle, ticket, 0, NULL, 0, &attachment), 0);
	assert_memory_equal(fake.last.attach.ticket, ticket, sizeof(ticket));
	assert_int_equal(fake.last.attach.name[0], 0);
	assert_int_equal(elisa_detach(attachment), 0);
}

static void places_and_their_tickets(void **state)
{
	static const uint8_t none[ELISA_TICKET_SIZE];
	const uint8_t ticket[ELISA_TICKET_SIZE] = {1, 2, 3};

	(void)state;
	assert_int_equal(elisa_export_places(export_, 0x40000000, 3, 0x5000, 2), 0);
	assert_int_equal(fake.last.places.id, 7);
	assert_int_equal(fake.last.places.offset, 0x40000000);
	assert_int_equal(fake.last.places.count, 3);
	assert_int_equal(fake.last.places.size, 0x5000);
	assert_int_equal(fake.last.places.per_vmm, 2);
	assert_int_equal(elisa_export_places(export_, 0, 3, 4096, 4), -EINVAL);
	assert_int_equal(elisa_export_places(export_, 0, 0, 4096, 0), -EINVAL);
	assert_int_equal(elisa_export_places(export_, 0, ELISA_MAX_PLACES + 1, 4096, 0), -EINVAL);
	assert_int_equal(elisa_export_places(export_, 0, 1, 0, 0), -EINVAL);
	assert_int_equal(elisa_export_places(export_, 0, 1, 4097, 0), -EINVAL);
	assert_int_equal(elisa_export_places(export_, 1, 1, 4096, 0), -EINVAL);
	assert_int_equal(elisa_export_places(export_, 0, 2, SIZE_MAX / 2 + 1, 0), -EINVAL);
	assert_int_equal(elisa_export_places(NULL, 0, 1, 4096, 0), -EINVAL);

	assert_int_equal(elisa_export_place_ticket(export_, 2, ticket), 0);
	assert_int_equal(fake.last.ticket.place, 2);
	assert_memory_equal(fake.last.ticket.ticket, ticket, sizeof(ticket));
	assert_int_equal(elisa_export_place_ticket(export_, 2, NULL), 0);
	assert_memory_equal(fake.last.ticket.ticket, none, sizeof(none));
	assert_int_equal(elisa_export_place_ticket(export_, 2, none), -EINVAL);
	assert_int_equal(elisa_export_place_ticket(NULL, 2, ticket), -EINVAL);
	fake.error = ENOENT;
	assert_int_equal(elisa_export_place_ticket(export_, 1, ticket), -ENOENT);
	fake.error = 0;
}

static void evictions_and_the_limit_of_suspension(void **state)
{
	struct elisa_export *made;

	(void)state;
	assert_int_equal(elisa_evict(export_, 9), 0);
	assert_int_equal(fake.request, ELISA_IOC_EVICT);
	assert_int_equal(fake.last.evict.id, 7);
	assert_int_equal(fake.last.evict.attachment, 9);
	assert_int_equal(elisa_evict(NULL, 9), -EINVAL);
	fake.error = ENOENT;
	fake.why = ELISA_WHY_NO_ATTACHMENT;
	fake.value = 9;
	assert_int_equal(elisa_evict(export_, 9), -ENOENT);
	assert_non_null(strstr(elisa_error(handle), "table"));
	fake.error = 0;

	elisa_set_suspend_limit(handle, 30000);
	assert_int_equal(elisa_export_create(handle, "other", 0, 0, &made), 0);
	assert_int_equal(fake.last.export_.suspend_us, 30000);
	assert_int_equal(elisa_export_destroy(made), 0);
	elisa_set_suspend_limit(handle, 0);
	assert_int_equal(elisa_export_create(handle, "other", 0, 0, &made), 0);
	assert_int_equal(fake.last.export_.suspend_us, 0);
	assert_int_equal(elisa_export_destroy(made), 0);
}

static void donations_are_sent(void **state)
{
	struct elisa_attachment *attachment;
	uint64_t donated = 0;

	(void)state;
	assert_int_equal(elisa_attach(handle, "table", 0, NULL, 0, &attachment), 0);
	assert_int_equal(elisa_attachment_place(attachment), 3);
	assert_int_equal(elisa_donate(attachment, pages, sizeof(pages), &donated), 0);
	assert_int_equal(fake.last.donate.slot, 5);
	assert_int_equal(fake.last.donate.address, (uintptr_t)pages);
	assert_int_equal(fake.last.donate.length, sizeof(pages));
	assert_int_equal(donated, 0x5000);
	assert_int_equal(elisa_donate(attachment, pages, sizeof(pages), NULL), 0);
	assert_int_equal(elisa_donate(attachment, pages, 0, NULL), -EINVAL);
	assert_int_equal(elisa_donate(attachment, pages, 4097, NULL), -EINVAL);
	assert_int_equal(elisa_donate(attachment, pages + 1, 4096, NULL), -EINVAL);
	assert_int_equal(elisa_donate(attachment, NULL, 4096, NULL), -EINVAL);
	assert_int_equal(elisa_donate(NULL, pages, 4096, NULL), -EINVAL);
	assert_int_equal(elisa_detach(attachment), 0);
}

static void a_handle_in_use_cannot_be_closed(void **state)
{
	(void)state;
	assert_int_equal(elisa_close(handle), -EBUSY);
	assert_non_null(strstr(elisa_error(handle), "1 exports and attachments"));
}

static void what_is_gone_is_no_error(void **state)
{
	struct elisa_attachment *attachment;
	struct elisa_export *made;

	(void)state;
	assert_int_equal(elisa_export_create(handle, "a", 0, 0, &made), 0);
	assert_int_equal(elisa_attach(handle, "b", 0, NULL, 0, &attachment), 0);
	fake.error = EINTR; /* the objects stay valid */
	assert_int_equal(elisa_export_destroy(made), -EINTR);
	assert_int_equal(elisa_detach(attachment), -EINTR);
	fake.error = ENOENT;
	fake.why = ELISA_WHY_NO_EXPORT;
	assert_int_equal(elisa_export_destroy(made), 0);
	fake.why = ELISA_WHY_NO_ATTACHMENT;
	assert_int_equal(elisa_detach(attachment), 0);
}

static void events_are_whole_records(void **state)
{
	struct elisa_event given[2] = {{.type = ELISA_EVENT_ATTACH, .export_id = 7},
				       {.type = ELISA_EVENT_LOST, .value = 9}};
	struct elisa_event events[2];

	(void)state;
	fake.events = given;
	fake.events_size = sizeof(given);
	assert_int_equal(elisa_events_read(handle, events, 2), 2);
	assert_memory_equal(events, given, sizeof(given));
	fake.events_size = -EAGAIN;
	assert_int_equal(elisa_events_read(handle, events, 2), 0);
	fake.events_size = 0;
	assert_int_equal(elisa_events_read(handle, events, 2), 0);
}

static void short_and_long_reads_are_errors(void **state)
{
	static const long sizes[] = {1, sizeof(struct elisa_event) - 1,
				     sizeof(struct elisa_event) + 1,
				     3 * sizeof(struct elisa_event)};
	struct elisa_event events[2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		fake.events_size = sizes[i];
		assert_int_equal(elisa_events_read(handle, events, 2), -EIO);
	}
	fake.events_size = -EINTR;
	assert_int_equal(elisa_events_read(handle, events, 2), -EINTR);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create_sends_what_was_asked),
		TEST(bad_names_are_refused),
		TEST(longest_name_is_accepted),
		TEST(unknown_flags_are_refused),
		TEST(null_arguments_are_refused),
		TEST(tickets_are_fresh_and_sent),
		TEST(map_sends_what_was_asked),
		TEST(bad_maps_are_refused),
		TEST(physical_memory_has_a_request_of_its_own),
		TEST(publish_sends_the_entry),
		TEST(attach_gives_what_the_driver_says),
		TEST(general_calls_need_trust_and_the_flag),
		TEST(bad_exchange_buffers_are_refused),
		TEST(private_attach_sends_the_ticket_alone),
		TEST(places_and_their_tickets),
		TEST(evictions_and_the_limit_of_suspension),
		TEST(donations_are_sent),
		TEST(a_handle_in_use_cannot_be_closed),
		TEST(what_is_gone_is_no_error),
		TEST(events_are_whole_records),
		TEST(short_and_long_reads_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
