/* SPDX-License-Identifier: Apache-2.0 */
/* For cmocka: a file for the program under test to read. */
#ifndef TESTS_FAKE_FILE_H
#define TESTS_FAKE_FILE_H

#include <stdio.h>
#include <string.h>

static inline void fake_file(const char *folder, const char *name, const char *text)
{
	char path[16384];
	FILE *to;

	assert_true((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path));
	to = fopen(path, "w");
	assert_non_null(to);
	assert_int_equal(fwrite(text, 1, strlen(text), to), strlen(text));
	assert_int_equal(fclose(to), 0);
}

#endif
