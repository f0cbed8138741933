/* SPDX-License-Identifier: Apache-2.0 */
/* The memory functions for the code of exports, beside the C library's:
 * each size, distance and overlap of a small range. */
#include <string.h>
#include "test.h"

/* under other names, so that they are not the C library's */
#define memcpy	function_memcpy
#define memmove function_memmove
#define memset	function_memset
#define memcmp	function_memcmp
#include "../../lib/function/memory.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#define SIZE 48

static uint8_t ours[SIZE], theirs[SIZE];

static void fill(void)
{
	for (uint8_t i = 0; i < SIZE; i++)
		ours[i] = theirs[i] = (uint8_t)(i * 37 + 11);
}

static void moves(void **state)
{
	(void)state;
	for (size_t from = 0; from < SIZE; from++)
		for (size_t to = 0; to < SIZE; to++)
			for (size_t size = 0; size + from <= SIZE && size + to <= SIZE; size++) {
				fill();
				assert_ptr_equal(function_memmove(ours + to, ours + from, size),
						 ours + to);
				memmove(theirs + to, theirs + from, size);
				assert_memory_equal(ours, theirs, SIZE);
			}
}

static void copies_and_sets(void **state)
{
	(void)state;
	for (size_t size = 0; size <= SIZE / 2; size++) {
		fill();
		assert_ptr_equal(function_memcpy(ours + SIZE / 2, ours, size), ours + SIZE / 2);
		memcpy(theirs + SIZE / 2, theirs, size);
		assert_memory_equal(ours, theirs, SIZE);
		assert_ptr_equal(function_memset(ours + 1, 0x1ff, size), ours + 1);
		memset(theirs + 1, 0x1ff, size);
		assert_memory_equal(ours, theirs, SIZE);
	}
}

static void compares(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};

	(void)state;
	for (size_t at = 0; at < 8; at++)
		for (size_t i = 0; i < sizeof(values); i++)
			for (size_t j = 0; j < sizeof(values); j++) {
				int sign;

				fill();
				ours[at] = values[i];
				theirs[at] = values[j];
				sign = function_memcmp(ours, theirs, 8);
				assert_true((sign < 0) == (values[i] < values[j]));
				assert_true((sign > 0) == (values[i] > values[j]));
				assert_int_equal(function_memcmp(ours, theirs, at), 0);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves),
		cmocka_unit_test(copies_and_sets),
		cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
