/* SPDX-License-Identifier: Apache-2.0 */
/* How rvs-pktgen counts: frames that are missing, doubled or late, of several senders; times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "latency.h"
#include "sequence.h"

static struct sequence s;

static int start(void **unused)
{
	(void)unused;
	s = (struct sequence){.frames = 0};
	return 0;
}

static void note(uint64_t run, uint64_t first, uint64_t last)
{
	for (uint64_t n = first; n <= last; n++)
		sequence_note(&s, run, n);
}

static void assert_counts(uint64_t lost, uint64_t reordered, uint64_t duplicated)
{
	assert_int_equal(s.lost, lost);
	assert_int_equal(s.reordered, reordered);
	assert_int_equal(s.duplicated, duplicated);
}

static void test_in_order(void **unused)
{
	(void)unused;
	note(1, 5, 100000); /* what came before we listened is not lost */
	assert_counts(0, 0, 0);
	note(2, 1, 10); /* another run */
	note(3, 0, 10);
	note(0, UINT64_MAX - 1, UINT64_MAX - 1);
	assert_counts(0, 0, 0);
}

static void test_lost_and_late(void **unused)
{
	(void)unused;
	note(1, 1, 10);
	note(1, 14, 20);
	assert_counts(3, 0, 0);
	note(1, 12, 12); /* it was late only */
	assert_counts(2, 1, 0);
	note(1, 12, 12); /* and came again */
	note(1, 20, 20);
	assert_counts(2, 1, 2);
	note(1, 21, 21);
	assert_counts(2, 1, 2);
}

/* A frame before the first one that came was not counted as lost. */
static void test_before_the_first(void **unused)
{
	(void)unused;
	note(1, 10, 10);
	note(1, 9, 9);
	assert_counts(0, 1, 0);
}

/* Over the edge of what is remembered, and jumps that are longer than that. */
static void test_window(void **unused)
{
	(void)unused;
	note(1, 1, 1);
	note(1, SEQUENCE_WINDOW + 2, SEQUENCE_WINDOW + 2);
	assert_counts(SEQUENCE_WINDOW, 0, 0);
	note(1, 1, 1); /* too old to be known */
	assert_counts(SEQUENCE_WINDOW, 1, 0);
	note(1, 3, 3);
	assert_counts(SEQUENCE_WINDOW - 1, 2, 0);
	note(1, 3, 3);
	assert_counts(SEQUENCE_WINDOW - 1, 2, 1);
	note(1, 10 * SEQUENCE_WINDOW, 10 * SEQUENCE_WINDOW);
	note(1, 10 * SEQUENCE_WINDOW - 1, 10 * SEQUENCE_WINDOW - 1);
	assert_int_equal(s.duplicated, 1);
	assert_int_equal(s.lost, 10 * SEQUENCE_WINDOW - 5);
}

/* Frames of several senders in turn: each has its own numbers. */
static void test_several_runs(void **unused)
{
	(void)unused;
	for (uint64_t n = 1; n <= 1000; n++)
		for (uint64_t run = 1; run <= SEQUENCE_RUNS; run++)
			if (n % 100 || run != 3)
				sequence_note(&s, run, n);
	assert_counts(9, 0, 0); /* the last one is not missed yet */
	/* one more takes the place of one that is silent */
	note(2, 1001, 1001);
	note(50, 1, 100);
	note(2, 1002, 1002);
	assert_counts(9, 0, 0);
}

static void test_percentiles(void **unused)
{
	static struct latency l;

	(void)unused;
	assert_int_equal(latency_percentile(&l, 0.5), 0);
	for (uint64_t ns = 1; ns <= 100000; ns++)
		latency_note(&l, ns);
	assert_int_equal(l.frames, 100000);
	assert_int_equal(latency_percentile(&l, 0), 1);
	assert_in_range(latency_percentile(&l, 0.5), 48400, 50000);
	assert_in_range(latency_percentile(&l, 0.99), 95900, 99000);
	assert_int_equal(latency_percentile(&l, 1), 100000);
	/* any time has a place */
	for (int bit = 0; bit < 64; bit++)
		latency_note(&l, 1ull << bit);
	latency_note(&l, 0);
	latency_note(&l, UINT64_MAX);
	assert_int_equal(latency_percentile(&l, 1), UINT64_MAX);
	assert_int_equal(latency_percentile(&l, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_in_order, start),
		cmocka_unit_test_setup(test_lost_and_late, start),
		cmocka_unit_test_setup(test_before_the_first, start),
		cmocka_unit_test_setup(test_window, start),
		cmocka_unit_test_setup(test_several_runs, start),
		cmocka_unit_test(test_percentiles),
	};

	return cmocka_run_group_tests_name("pktgen", tests, NULL, NULL);
}
