// SPDX-License-Identifier: Apache-2.0
/*
 * Events that the module reports to administrators' files: bounded rings, and a count of lost
 * records. A VM without a grant must not keep readers from an event of another VM.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

#define ALL  ELISA_HOST_EVENT_KINDS
#define A(n) (1u << ELISA_HOST_EVENT_##n)
#define RING 256

static struct elisa_host_event told[RING + 8];

static int start(void **state)
{
	(void)state;
	host_start();
	/* what earlier tests' VMs were told of is long ago */
	shim_pass(10 * NSEC_PER_SEC);
	return 0;
}

/* How many records of the kind there are now. The last one stays in told[0]. */
static u32 take(struct eh_reader *reader, u32 kind)
{
	u32 n = 0, count = eh_stream_take(reader, told, RING + 8);
	struct elisa_host_event last = {0};

	for (u32 i = 0; i < count; i++)
		if (told[i].kind == kind) {
			last = told[i];
			n++;
		}
	told[0] = last;
	return n;
}

static int knock(int machine, const char *name, bool waits)
{
	request_attach(&page, name, ROOT, 0);
	page.why = waits ? ELISA_WHY_ASKED : ELISA_OK;
	return host_call(machine, ELISA_HC_ATTACH, &page);
}

static void all_that_happens_is_told(void **state)
{
	struct eh_reader *reader = eh_stream_open(ALL, false);
	static const u32 kinds[] = {ELISA_HOST_EVENT_GRANTED,  ELISA_HOST_EVENT_GRANTED,
				    ELISA_HOST_EVENT_EXPORTED, ELISA_HOST_EVENT_ATTACHED,
				    ELISA_HOST_EVENT_EVICTED,  ELISA_HOST_EVENT_DETACHED,
				    ELISA_HOST_EVENT_REVOKED,  ELISA_HOST_EVENT_UNEXPORTED};
	u32 grant, id;

	(void)state;
	grant = host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop", 40);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop", 300);
	id = host_publish("shop");
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	memset(&page, 0, sizeof(page));
	page.evict = (struct elisa_hc_evict){.id = id, .attachment = 1};
	assert_int_equal(host_call(MANAGER, ELISA_HC_EVICT, &page), 0);
	assert_int_equal(eh_grant_remove(grant), 0);
	assert_int_equal(eh_stream_take(reader, told, RING), sizeof(kinds) / sizeof(*kinds));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		assert_int_equal(told[i].kind, kinds[i]);
		assert_string_equal(told[i].name, "shop");
		assert_int_equal(told[i].pid, i == 1 || (i >= 3 && i <= 5) ? 101 : 100);
	}
	assert_int_equal(told[0].grant, grant);
	assert_int_equal(told[0].max_pages, 40);
	assert_int_equal(told[3].attachment, 1);
	/* a refusal, once in a while */
	for (int i = 0; i < 100; i++)
		assert_int_equal(knock(GUEST, "shop", false), -ENOENT);
	assert_int_equal(take(reader, ELISA_HOST_EVENT_REFUSED), 1);
	assert_int_equal(told[0].reason, ELISA_WHY_NO_EXPORT);
	assert_int_equal(told[0].call, ELISA_HC_ATTACH);
	eh_stream_close(reader);
}

/* A reader that does not read costs a ring; it is told what it has missed. */
static void a_full_ring_loses(void **state)
{
	struct eh_reader *slow = eh_stream_open(A(GRANTED), false);
	struct eh_reader *fast = eh_stream_open(A(GRANTED) | A(REVOKED), false);
	u32 n;

	(void)state;
	for (int i = 0; i < RING + 10; i++) {
		eh_grant_remove(host_grant(GUEST, ELISA_GRANT_ATTACH, "shop", 300));
		assert_int_equal(eh_stream_take(fast, told, 8), 2);
	}
	n = eh_stream_take(slow, told, RING + 8);
	assert_int_equal(n, RING + 1);
	assert_int_equal(told[n - 1].kind, ELISA_HOST_EVENT_LOST);
	assert_int_equal(told[n - 1].value, 10);
	assert_int_equal(eh_stream_take(slow, told, 8), 0);
	assert_false(eh_stream_has(slow));
	eh_stream_close(slow);
	eh_stream_close(fast);
}

static void so_many_readers(void **state)
{
	struct eh_reader *reader[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		reader[i] = eh_stream_open(ALL, false);
		assert_false(IS_ERR(reader[i]));
	}
	assert_int_equal(PTR_ERR(eh_stream_open(ALL, false)), -EBUSY);
	for (int i = 0; i < 8; i++)
		eh_stream_close(reader[i]);
	assert_false(eh_stream_wants(ELISA_HOST_EVENT_UNKNOWN));
	shim_fail_after = 0;
	assert_int_equal(PTR_ERR(eh_stream_open(ALL, false)), -ENOMEM);
	shim_fail_after = -1;
}

/* Nothing is remembered of it but a time, and others are still told of. */
static void a_vm_that_knocks_without_end(void **state)
{
	struct eh_reader *reader = eh_stream_open(A(UNKNOWN), true);
	const long before = shim_live;

	(void)state;
	shim_tick = 0;
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(knock(GUEST, "a", false), -EPERM);
		assert_int_equal(page.why, ELISA_WHY_NO_GRANT);
	}
	assert_int_equal(shim_live, before);
	assert_int_equal(take(reader, ELISA_HOST_EVENT_UNKNOWN), 1);
	assert_int_equal(told[0].pid, 101);
	assert_int_equal(told[0].rights, ELISA_GRANT_ATTACH);
	assert_string_equal(told[0].name, "a");
	memset(&page, 0, sizeof(page));
	strcpy(page.export_.name, "b");
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_CREATE, &page), -EPERM);
	assert_int_equal(take(reader, ELISA_HOST_EVENT_UNKNOWN), 1);
	assert_int_equal(told[0].pid, 100);
	assert_int_equal(told[0].rights, ELISA_GRANT_EXPORT);
	/* a second later again */
	shim_pass(NSEC_PER_SEC);
	knock(GUEST, "a", false);
	assert_int_equal(take(reader, ELISA_HOST_EVENT_UNKNOWN), 1);
	eh_stream_close(reader);
	shim_tick = 100000;
}

/* Two VMMs with the same entry of the table: the one that asks all the time leaves room. */
static void neighbours_in_the_table(void **state)
{
	struct eh_reader *reader = eh_stream_open(A(UNKNOWN), true);
	const u64 distance = (u64)&machines[MANAGER].mm - (u64)&machines[GUEST].mm;
	u32 hostile = 0;

	(void)state;
	shim_tick = 0;
	for (int i = 0; i < 1000; i++) {
		knock(GUEST, "a", false);
		shim_pass(NSEC_PER_SEC / 1000);
	}
	hostile = take(reader, ELISA_HOST_EVENT_UNKNOWN);
	assert_in_range(hostile, 1, 2);
	knock(GUEST, "a", false);
	shim_pass(NSEC_PER_SEC / 4);
	/* as if both had the same entry, by chance */
	shim_siphash = -distance + 1024;
	knock(MANAGER, "b", false);
	assert_int_equal(take(reader, ELISA_HOST_EVENT_UNKNOWN) >= 1, 1);
	assert_int_equal(told[0].pid, 100);
	shim_siphash = 0;
	knock(GUEST, "a", false);
	assert_int_equal(take(reader, ELISA_HOST_EVENT_UNKNOWN), 0);
	eh_stream_close(reader);
	shim_tick = 100000;
}

/* A driver that knows the answer asks again, as long as there is a program that answers. */
static void the_first_request_waits(void **state)
{
	struct eh_reader *reader;

	(void)state;
	assert_int_equal(knock(GUEST, "shop", true), -EPERM);
	assert_int_equal(page.why, ELISA_WHY_NO_GRANT);
	/* a reader that only looks */
	reader = eh_stream_open(ALL, false);
	assert_int_equal(knock(GUEST, "shop", true), -EPERM);
	eh_stream_close(reader);
	reader = eh_stream_open(A(UNKNOWN), true);
	assert_int_equal(knock(GUEST, "shop", true), -EAGAIN);
	assert_int_equal(page.why, ELISA_WHY_ASKED);
	/* an older driver */
	assert_int_equal(knock(GUEST, "shop", false), -EPERM);
	assert_int_equal(page.why, ELISA_WHY_NO_GRANT);
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop", 40);
	host_publish("shop");
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop", 300);
	assert_int_equal(knock(GUEST, "shop", true), 0);
	assert_int_equal(page.why, ELISA_OK);
	/* another name is asked for, too */
	assert_int_equal(knock(GUEST, "other", true), -EAGAIN);
	eh_stream_close(reader);
	assert_int_equal(knock(GUEST, "other", true), -EPERM);
}

/* What a VM says is no name that an export can have: readers do not see it. */
static void no_bytes_of_the_vms(void **state)
{
	struct eh_reader *reader = eh_stream_open(A(UNKNOWN), true);

	(void)state;
	knock(GUEST, "\033[2J", false);
	assert_int_equal(take(reader, ELISA_HOST_EVENT_UNKNOWN), 1);
	assert_string_equal(told[0].name, "");
	eh_stream_close(reader);
}

/* A VM that has its calls aborted at any rate leaves room for what others do. */
static void aborts_have_half_a_ring(void **state)
{
	struct eh_reader *reader = eh_stream_open(ALL, false);
	u32 n, aborts = 0, others = 0;

	(void)state;
	for (int i = 0; i < 10 * RING; i++)
		eh_stream_tell((struct elisa_host_event){.kind = ELISA_HOST_EVENT_ABORTED});
	for (int i = 0; i < RING / 2; i++)
		eh_stream_tell((struct elisa_host_event){.kind = ELISA_HOST_EVENT_ATTACHED});
	n = eh_stream_take(reader, told, RING + 8);
	for (u32 i = 0; i < n; i++) {
		aborts += told[i].kind == ELISA_HOST_EVENT_ABORTED;
		others += told[i].kind == ELISA_HOST_EVENT_ATTACHED;
	}
	assert_int_equal(aborts, RING / 2);
	assert_int_equal(others, RING / 2);
	eh_stream_close(reader);
}

/* The program that answers has to hear of a VM, not one that only looks. */
static void a_logger_hears_for_itself_alone(void **state)
{
	struct eh_reader *answers = eh_stream_open(A(UNKNOWN), true);
	struct eh_reader *looks = eh_stream_open(A(UNKNOWN), false);

	(void)state;
	for (int i = 0; i < RING; i++)
		eh_stream_tell((struct elisa_host_event){.kind = ELISA_HOST_EVENT_UNKNOWN});
	eh_stream_take(looks, told, RING + 8);
	knock(GUEST, "a", false);
	eh_stream_take(answers, told, RING + 8);
	knock(GUEST, "a", false);
	assert_int_equal(take(answers, ELISA_HOST_EVENT_UNKNOWN), 1);
	assert_string_equal(told[0].name, "a");
	eh_stream_close(answers);
	eh_stream_close(looks);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_that_happens_is_told),
		TEST(a_full_ring_loses),
		TEST(so_many_readers),
		TEST(a_vm_that_knocks_without_end),
		TEST(neighbours_in_the_table),
		TEST(the_first_request_waits),
		TEST(no_bytes_of_the_vms),
		TEST(aborts_have_half_a_ring),
		TEST(a_logger_hears_for_itself_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
