// SPDX-License-Identifier: Apache-2.0
/*
 * What an observer sees: an attachment must pass each of its tracepoints once. The tests also check
 * how the host counts the times for which calls were suspended.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "base/spans.h"
#include "requests.h"

static void passed(unsigned int attach, unsigned int evict, unsigned int revoke,
		   unsigned int detach)
{
	assert_int_equal(shim_traced("elisa_attach"), attach);
	assert_int_equal(shim_traced("elisa_evict"), evict);
	assert_int_equal(shim_traced("elisa_revoke"), revoke);
	assert_int_equal(shim_traced("elisa_detach"), detach);
}

static void detach(void)
{
	struct eh_refusal refusal;

	assert_int_equal(eh_detach(host_vm(GUEST), 0, &refusal), 0);
}

static void each_step_once(void **state)
{
	struct elisa_hc_evict evict = {.attachment = 2};
	struct eh_refusal refusal;
	struct eh_export *export;
	u32 id = host_publish("shop");

	(void)state;
	passed(0, 0, 0, 0);
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	passed(1, 0, 0, 0);
	detach();
	passed(0, 0, 1, 1);
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	passed(1, 0, 0, 0);
	export = eh_export_of(host_vm(MANAGER), id);
	assert_int_equal(eh_evict(export, &evict, &refusal), 0);
	passed(0, 1, 1, 0);
	/* it is not the export's any more */
	assert_int_not_equal(eh_evict(export, &evict, &refusal), 0);
	passed(0, 0, 0, 0);
	eh_export_put(export);
	detach();
	passed(0, 0, 0, 1);
}

static void a_refused_attach_is_none(void **state)
{
	(void)state;
	assert_int_not_equal(host_attach("none", ROOT, 0), 0);
	passed(0, 0, 0, 0);
}

static void buckets(void **state)
{
	struct eh_spans spans = {0};
	u64 bound;

	(void)state;
	eh_spans_count(&spans, 0);
	eh_spans_count(&spans, ELISA_SPAN_NS(0) - 1);
	assert_int_equal(atomic64_read(&spans.times[0]), 2);
	for (int i = 1; i < ELISA_SPANS - 1; i++) {
		bound = ELISA_SPAN_NS(i);
		eh_spans_count(&spans, bound - 1);
		eh_spans_count(&spans, bound / 2);
		assert_int_equal(atomic64_read(&spans.times[i]), 2);
	}
	eh_spans_count(&spans, ELISA_SPAN_NS(ELISA_SPANS - 2));
	eh_spans_count(&spans, ~0ULL >> 8);
	assert_int_equal(atomic64_read(&spans.times[ELISA_SPANS - 1]), 2);
}

/* What an attachment has counted stays its export's. */
static void after_the_end(void **state)
{
	struct elisa_host_spans seen = {0};
	u32 id = host_publish("shop");
	struct eh_attachment *a;
	struct eh_export *export;

	(void)state;
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
	a = eh_attachment_in(host_vm(GUEST), 0);
	eh_spans_count(&a->suspended, 3000);
	eh_spans_count(&a->suspended, 500);
	eh_attachment_put(a);
	export = eh_export_of(host_vm(MANAGER), id);
	eh_spans_report(&seen, &export->suspended);
	assert_int_equal(seen.ns, 0);
	detach();
	eh_spans_report(&seen, &export->suspended);
	assert_int_equal(seen.ns, 3500);
	assert_int_equal(seen.times[0], 1);
	assert_int_equal(seen.times[2], 1);
	eh_export_put(export);
}

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	passed(0, 0, 0, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	shim_traced("elisa_revoke");
	shim_traced("elisa_detach");
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_step_once),
		TEST(a_refused_attach_is_none),
		TEST(buckets),
		TEST(after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
