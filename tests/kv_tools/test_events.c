/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon does with the host's events while guests change the store, and with very many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include "daemon.h"
#include "output.h"
#include "upload.h"

enum {
	PLACES = 3,
	CELLS = 4096
};

static struct daemon d;
static struct elisa_event waiting[16];
static uint32_t waiting_count, reads;
static enum elisa_event_type flood; /* there is always one more of this type; 0: not so */
static uint32_t faults;

int elisa_events_read(struct elisa *handle, struct elisa_event *events, size_t room)
{
	uint32_t count = waiting_count;

	(void)handle;
	if (++reads > 1000)
		fail_msg("the turn does not end");
	if (flood) {
		for (size_t i = 0; i < room; i++)
			events[i] = (struct elisa_event){.type = flood, .attachment = 100 + i};
		return (int)room;
	}
	memcpy(events, waiting, count * sizeof(*events));
	waiting_count = 0;
	return (int)count;
}

const char *elisa_error(struct elisa *handle)
{
	(void)handle;
	return "failed";
}

int elisa_fault_text(struct elisa_export *export_, const struct elisa_event *event, char *text,
		     size_t size)
{
	(void)export_;
	(void)event;
	faults++;
	return snprintf(text, size, "what it did");
}

static int start(void **state)
{
	const struct kv_space_config space[2] = {{CELLS * 128, 128}, {CELLS * 128, 128}};
	const struct kv_config sizes = {
		.places = PLACES, .vcpus = 1, .spaces = 2, .space = space, .first_cas = 1};

	(void)state;
	memset(&d, 0, sizeof(d));
	waiting_count = reads = 0;
	flood = 0;
	faults = 0;
	d.config.place_count = PLACES;
	d.config.space_count = 2;
	d.size = kv_store_size(&sizes);
	d.store = mmap(NULL, d.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(d.store, MAP_FAILED);
	assert_int_equal(kv_store_init(d.store, &sizes), 0);
	for (uint32_t i = 0; i < PLACES; i++)
		kv_store_quota(d.store, i, 0, UINT64_MAX, UINT64_MAX);
	return 0;
}

static int end(void **state)
{
	(void)state;
	munmap(d.store, d.size);
	return 0;
}

static struct kv_call call_of(uint32_t place)
{
	const struct elisa_self self = {.attachment = 10 + place, .place = place};
	struct kv_call call = {.store = d.store,
			       .space = kv_space(d.store, 0),
			       .counters = kv_counters(d.store, place),
			       .place = place,
			       .rights = KV_MAY_WRITE,
			       .attachment = self.attachment};

	assert_int_equal(elisa_enter_as(&d.store->callers, &self, &call.me), 0);
	return call;
}

static void tell(enum elisa_event_type type, uint32_t place)
{
	waiting[waiting_count++] =
		(struct elisa_event){.type = type, .attachment = 10 + place, .value = place};
}

/* An upload of the place's, which its guest never ends. */
static void upload(uint32_t place)
{
	const struct kv_call call = call_of(place);
	struct kv_own_key own;
	const struct kv_put put = {.op = KV_UPLOAD, .key = &own.key, .length = 1000};

	kv_key_copy(&own, call.space->secret, "key", 3);
	assert_true(kv_upload(&call, &put) > 0);
}

static uint32_t used(uint32_t place)
{
	return KV_LOW(kv_load(&kv_account(kv_space(d.store, 0), place)->used));
}

/* Several attachments end while another guest changes the space: each of their uploads goes. */
static void busy(void **state)
{
	struct kv_call other;

	(void)state;
	for (uint32_t i = 0; i < PLACES; i++)
		tell(ELISA_EVENT_ATTACH, i);
	library_events(&d);
	assert_false(d.owes);
	upload(0);
	upload(1);
	other = call_of(2);
	assert_int_equal(elisa_change_begin(&other.space->change, &other.me), 0);
	tell(ELISA_EVENT_DETACH, 0);
	library_events(&d);
	assert_true(d.owes);
	tell(ELISA_EVENT_DETACH, 1);
	tell(ELISA_EVENT_ATTACH, 1);
	library_events(&d);
	assert_true(d.owes);
	assert_true(used(0) && used(1));
	elisa_change_cancel(&other.space->change);
	library_events(&d);
	assert_false(d.owes);
	assert_int_equal(used(0), 0);
	assert_int_equal(used(1), 0);
	assert_int_equal(d.attachment[0], 0);
	assert_int_equal(d.attachment[1], 11);
}

/* An end that is heard of late is not the end of what the place's next attachment has begun. */
static void late(void **state)
{
	const struct elisa_event ended = {.type = ELISA_EVENT_DETACH, .attachment = 9};

	(void)state;
	upload(0);
	kv_manager_event(d.store, &ended);
	assert_int_equal(kv_manager_reclaim(d.store), 0);
	assert_true(used(0));
}

static void very_many(void **state)
{
	(void)state;
	flood = ELISA_EVENT_ABORT;
	library_events(&d);
	assert_in_range(reads, 1, 10);
	assert_false(d.over);
}

/* A guest that finds an error of the store's code does not fill the log, nor hides another's. */
static void faults_are_told(void **state)
{
	(void)state;
	d.now = 1;
	for (uint32_t i = 0; i < PLACES; i++)
		tell(ELISA_EVENT_ATTACH, i);
	library_events(&d);
	flood = ELISA_EVENT_FAULT;
	for (int i = 0; i < 10; i++)
		library_events(&d);
	assert_int_equal(faults, LIMIT_BURST);
	flood = 0;
	tell(ELISA_EVENT_FAULT, 1);
	library_events(&d);
	assert_int_equal(faults, LIMIT_BURST + 1);
	d.now = 100;
	library_left_out(&d);
	tell(ELISA_EVENT_FAULT, PLACES); /* of none that is known, as those of the flood */
	library_events(&d);
	assert_int_equal(faults, LIMIT_BURST + 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(busy),
		TEST(late),
		TEST(very_many),
		TEST(faults_are_told),
	};

	return output_open("test_events") ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
