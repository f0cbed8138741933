/* SPDX-License-Identifier: Apache-2.0 */
/* How elisactl shows flags: each flag by its word, and none is left out. */
#include "../../tools/elisactl/elisactl.h"
#include "test.h"

static const struct flag_word words[] = {{1, "first"}, {4, "third"}};

static void shows(uint32_t flags, const char *json)
{
	struct json_object *object = json_object_new_object();

	add_flags(object, "flags", flags, words, COUNT_OF(words));
	assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), json);
	json_object_put(object);
}

static void test_flags(void **state)
{
	(void)state;
	shows(0, "{\"flags\":[]}");
	shows(1, "{\"flags\":[\"first\"]}");
	shows(5, "{\"flags\":[\"first\",\"third\"]}");
	shows(2, "{\"flags\":[\"0x2\"]}");
	shows(0x80000007, "{\"flags\":[\"first\",\"third\",\"0x80000002\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_flags)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
