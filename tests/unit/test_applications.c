/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of the example applications about wrong arguments, before they make a call.
 *   test_applications NOP.so TABLE.so
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
#include <elisa/exec.h>
#include "test.h"

static const char *files[2];

/* The guest's side must refuse these arguments with this message. */
static void refuses(const char *file, const char *message, char *what, char *number, char *name)
{
	void *const object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	char *argv[] = {(char *)(uintptr_t)file, what, number, name, NULL};
	char said[256] = "";
	const int before = dup(STDERR_FILENO);
	FILE *const to = tmpfile();
	const struct elisa_app *app;

	assert_non_null(object);
	assert_non_null(to);
	app = dlsym(object, "elisa_app");
	assert_non_null(app);
	dup2(fileno(to), STDERR_FILENO);
	assert_int_equal(app->guest_main(NULL, name ? 4 : 3, argv), 2);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(to);
	said[fread(said, 1, sizeof(said) - 1, to)] = 0;
	fclose(to);
	assert_string_equal(said, message);
	dlclose(object);
}

static void test_nop(void **state)
{
	static char loop[] = "loop", numbers[][4] = {"abc", "10x", "0", "-1", ""};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		char message[64];

		snprintf(message, sizeof(message), "nop: loop: '%s' is not a number of calls\n",
			 numbers[i]);
		refuses(files[0], message, loop, numbers[i], NULL);
	}
}

static void test_table(void **state)
{
	static char many[] = "many", name[] = "a", numbers[][4] = {"abc", "10x", "0", "-1", ""};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		refuses(files[1], "table: get KEY, put KEY VALUE, delete KEY, or many COUNT NAME\n",
			many, numbers[i], name);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_nop),
					   cmocka_unit_test(test_table)};

	if (argc != 3)
		return 2;
	files[0] = argv[1];
	files[1] = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
