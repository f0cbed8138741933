// SPDX-License-Identifier: Apache-2.0
/*
 * What rules may say, and the messages about mistakes: the file, the rule, the key and the value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "rules.h"
#include "../fake_file.h"

static char directory[] = "/tmp/rulesXXXXXX", said[8192];
static struct rules rules;

static void say(const char *what)
{
	const size_t used = strlen(said);

	snprintf(said + used, sizeof(said) - used, "%s\n", what);
}

static void path_of(const char *name, char path[256])
{
	snprintf(path, 256, "%s/%s", directory, name);
}

static void remove_file(const char *name)
{
	char path[256];

	path_of(name, path);
	assert_int_equal(unlink(path), 0);
}

static int read_all(void)
{
	said[0] = 0;
	return rules_read(&rules, directory, say);
}

static void good_rules(void **state)
{
	const struct rule *rule;

	(void)state;
	fake_file(directory, "20-b.conf",
		  "{\"rules\": [{\"vm\": {\"uid\": 1000, \"gid\": \"root\"}, "
		  "\"attach\": [\"x*\"], \"allow_pcid\": true}]}");
	fake_file(directory, "10-a.conf",
		  "{\"rules\": [{\"comment\": \"m\", \"vm\": {\"unit\": \"vm-*.service\"}, "
		  "\"export\": [\"a\", \"b.*\"], \"attach\": [\"a\"], "
		  "\"trusted_manager\": true, \"max_pages\": 7}, "
		  "{\"vm\": {\"domain\": \"web\", \"cgroup\": \"/machine.slice\", "
		  "\"pidfile\": \"/run/libvirt/qemu/web.pid\"}, \"attach\": [\"a\"]}]}");
	/* elisad reads neither of these files */
	fake_file(directory, "30-c.json", "x");
	fake_file(directory, ".40-d.conf", "x");
	assert_int_equal(read_all(), 0);
	assert_string_equal(said, "");
	assert_int_equal(rules.count, 3);
	assert_int_equal(rules.files, 2);
	rule = &rules.rule[0];
	assert_int_equal(rule->count, 3);
	assert_int_equal(rule->number, 1);
	assert_string_equal(rule->comment, "m");
	assert_string_equal(rule->unit, "vm-*.service");
	assert_string_equal(rule->grants[1].name, "b.*");
	assert_int_equal(rule->grants[1].rights,
			 ELISA_GRANT_EXPORT | ELISA_GRANT_POLICY | ELISA_GRANT_TRUSTED_MANAGER);
	assert_int_equal(rule->grants[1].max_pages, 7);
	assert_int_equal(rule->grants[2].rights, ELISA_GRANT_ATTACH | ELISA_GRANT_POLICY);
	assert_string_equal(rules.rule[1].domain, "web");
	rule = &rules.rule[2];
	assert_int_equal(rule->uid, 1000);
	assert_int_equal(rule->gid, 0);
	assert_int_equal(rule->grants[0].rights,
			 ELISA_GRANT_ATTACH | ELISA_GRANT_POLICY | ELISA_GRANT_ALLOW_PCID);
	rules_free(&rules);
	remove_file("20-b.conf");
	remove_file("30-c.json");
	remove_file(".40-d.conf");
	remove_file("10-a.conf");
}

#define VM "\"vm\": {\"uid\": 1}, "

static const struct {
	const char *text, *message;
} bad[] = {
	{"{", "line 1, column 2"},
	{"[]", "it holds no object"},
	{"{}", "\"rules\", a list, is missing"},
	{"{\"rules\": {}}", "\"rules\", a list, is missing"},
	{"{\"rule\": []}", "unknown key \"rule\""},
	{"{\"rules\": [], \"rules\": []}", "a key that is there already"},
	{"{\"rules\": [1]}", "rule 1: 1 is no object"},
	{"{\"rules\": [{\"attach\": [\"a\"]}]}", "rule 1: \"vm\" is missing"},
	{"{\"rules\": [{\"vm\": {}, \"attach\": [\"a\"]}]}", "no object with at least one key"},
	{"{\"rules\": [{\"vm\": {\"comm\": \"qemu\"}, \"attach\": [\"a\"]}]}",
	 "\"vm\" has no key \"comm\""},
	{"{\"rules\": [{\"vm\": {\"cgroup\": \"a\"}, \"attach\": [\"a\"]}]}",
	 "\"cgroup\": \"a\" does not begin with '/'"},
	{"{\"rules\": [{\"vm\": {\"uid\": -1}, \"attach\": [\"a\"]}]}", "\"uid\": -1 is no number"},
	{"{\"rules\": [{\"vm\": {\"uid\": 4294967295}, \"attach\": [\"a\"]}]}",
	 "\"uid\": 4294967295 is no number"},
	{"{\"rules\": [{\"vm\": {\"uid\": \"no such user\"}, \"attach\": [\"a\"]}]}",
	 "\"no such user\" is no user of this host"},
	{"{\"rules\": [{" VM "\"attach\": []}]}", "\"attach\": [ ] is no list of 1 to 256 names"},
	{"{\"rules\": [{" VM "\"attach\": \"a\"}]}", "is no list"},
	{"{\"rules\": [{" VM "\"attach\": [\"a*b\"]}]}", "\"attach\": \"a*b\" is no name"},
	{"{\"rules\": [{" VM "\"attach\": [\"\"]}]}", "\"attach\": \"\" is no name"},
	{"{\"rules\": [{" VM "\"comment\": \"x\"}]}", "the rule gives nothing"},
	{"{\"rules\": [{" VM "\"attach\": [\"a\"], \"trusted_manager\": true}]}",
	 "\"trusted_manager\" is for a rule with \"export\""},
	{"{\"rules\": [{" VM "\"attach\": [\"a\"], \"max_pages\": 0}]}",
	 "\"max_pages\": 0 is no number from 1"},
	{"{\"rules\": [{" VM "\"attach\": [\"a\"], \"dirty_log\": \"yes\"}]}",
	 "\"dirty_log\": \"yes\" is neither true nor false"},
	{"{\"rules\": [{" VM "\"attach\": [\"a\"], \"allow_pcid\": 1}]}",
	 "\"allow_pcid\": 1 is neither true nor false"},
	{"{\"rules\": [{" VM "\"attach\": [\"a\"]}, {" VM "\"attach\": [\"a\"], \"x\": 1}]}",
	 "rule 2: a rule has no key \"x\""},
};

static void bad_rules(void **state)
{
	(void)state;
	fake_file(directory, "10-good.conf", "{\"rules\": [{" VM "\"attach\": [\"a\"]}]}");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fake_file(directory, "20-bad.conf", bad[i].text);
		assert_int_equal(read_all(), -1);
		assert_non_null(strstr(said, "/20-bad.conf: "));
		if (!strstr(said, bad[i].message))
			fail_msg("%s: no '%s' in '%s'", bad[i].text, bad[i].message, said);
		assert_null(rules.rule);
	}
	remove_file("20-bad.conf");
	remove_file("10-good.conf");
}

/* Each wrong file gets its message in the same run. */
static void each_file_is_told(void **state)
{
	(void)state;
	fake_file(directory, "1.conf", "1");
	fake_file(directory, "2.conf", "2");
	assert_int_equal(read_all(), -1);
	assert_non_null(strstr(said, "/1.conf: "));
	assert_non_null(strstr(said, "/2.conf: "));
	remove_file("1.conf");
	remove_file("2.conf");
	assert_int_equal(rules_read(&rules, "/nowhere", say), -1);
	assert_non_null(strstr(said, "/nowhere: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_rules),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(each_file_is_told),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
