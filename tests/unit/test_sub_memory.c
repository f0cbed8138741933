/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory functions of libelisa-sub, compared with the C library's: each size, distance and
 * overlap in a small range.
 */
#include <string.h>
#include "test.h"

/* meson.build renames them, so that they do not replace the C library's */
void *sub_memcpy(void *restrict to, const void *restrict from, size_t size);
void *sub_memmove(void *to, const void *from, size_t size);
void *sub_memset(void *to, int byte, size_t size);
int sub_memcmp(const void *a, const void *b, size_t size);
size_t sub_strnlen(const char *text, size_t limit);

#define SIZE 144

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
				assert_ptr_equal(sub_memmove(ours + to, ours + from, size),
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
		assert_ptr_equal(sub_memcpy(ours + SIZE / 2, ours, size), ours + SIZE / 2);
		memcpy(theirs + SIZE / 2, theirs, size);
		assert_memory_equal(ours, theirs, SIZE);
		assert_ptr_equal(sub_memset(ours + 1, 0x1ff, size), ours + 1);
		memset(theirs + 1, 0x1ff, size);
		assert_memory_equal(ours, theirs, SIZE);
	}
}

/*
 * Sizes from which the CPU's string instructions copy, with ranges that are far apart or nearly
 * meet.
 */
static void long_ones(void **state)
{
	enum {
		LONG = 4096
	};
	static uint8_t mine[3 * LONG], other[3 * LONG];
	static const size_t sizes[] = {511, 512, 513, 1000, LONG};
	static const size_t places[] = {0, 1, 8, 63, 64, 65, 511, LONG};

	(void)state;
	for (size_t i = 0; i < sizeof(mine); i++)
		mine[i] = other[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (size_t f = 0; f < sizeof(places) / sizeof(places[0]); f++)
			for (size_t t = 0; t < sizeof(places) / sizeof(places[0]); t++) {
				sub_memmove(mine + places[t], mine + places[f], sizes[s]);
				memmove(other + places[t], other + places[f], sizes[s]);
				assert_memory_equal(mine, other, sizeof(mine));
				sub_memcpy(mine + 2 * LONG, mine + places[f] / 2, sizes[s]);
				memcpy(other + 2 * LONG, other + places[f] / 2, sizes[s]);
				sub_memset(mine + places[t], (int)sizes[s], sizes[f % 5]);
				memset(other + places[t], (int)sizes[s], sizes[f % 5]);
				assert_memory_equal(mine, other, sizeof(mine));
			}
}

static void lengths(void **state)
{
	(void)state;
	assert_int_equal(sub_strnlen("abc", 10), 3);
	assert_int_equal(sub_strnlen("abc", 3), 3);
	assert_int_equal(sub_strnlen("abc", 2), 2);
	assert_int_equal(sub_strnlen("", 5), 0);
	assert_int_equal(sub_strnlen("x", 0), 0);
}

static void compares(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};

	(void)state;
	for (size_t at = 0; at < 20; at++)
		for (size_t i = 0; i < sizeof(values); i++)
			for (size_t j = 0; j < sizeof(values); j++) {
				int sign;

				fill();
				ours[at] = values[i];
				theirs[at] = values[j];
				sign = sub_memcmp(ours, theirs, 20);
				assert_true((sign < 0) == (values[i] < values[j]));
				assert_true((sign > 0) == (values[i] > values[j]));
				assert_int_equal(sub_memcmp(ours, theirs, at), 0);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves),    cmocka_unit_test(copies_and_sets),
		cmocka_unit_test(compares), cmocka_unit_test(long_ones),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
