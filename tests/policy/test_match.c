// SPDX-License-Identifier: Apache-2.0
/*
 * How elisad finds the identity of a process, from files like those of /proc, and which rules match
 * it.
 *
 * The attack would be a user who makes a control group, whose name looks like a VM's, below a group
 * of its own. Many tests use such names and check that no unit or domain is found in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "match.h"
#include "../fake_file.h"

static char root[] = "/tmp/matchXXXXXX";

#define SCOPE "machine-qemu\\x2d1\\x2d"

static const struct {
	const char *path, *cgroup, *unit, *domain;
} groups[] = {
	{"/", "/", "", ""},
	{"", "", "", ""},
	{"/system.slice/vm-a.service", "/system.slice/vm-a.service", "vm-a.service", ""},
	{"/system.slice/system-vm.slice/vm@a.service/payload", NULL, "vm@a.service", ""},
	{"/machine.slice/" SCOPE "web.scope/libvirt/emulator", NULL, SCOPE "web.scope", "web"},
	{"/machine.slice/machine-prod.slice/" SCOPE "a\\x2db.scope", NULL, SCOPE "a\\x2db.scope",
	 "a-b"},
	{"/machine.slice/machine-qemu\\x2d12\\x2da\\x20b.scope", NULL,
	 "machine-qemu\\x2d12\\x2da\\x20b.scope", "a b"},
	/* no domain: another kind of machine, no number, an invalid escape */
	{"/machine.slice/machine-lxc\\x2d1\\x2dweb.scope", NULL, "machine-lxc\\x2d1\\x2dweb.scope",
	 ""},
	{"/machine.slice/machine-qemu\\x2dx\\x2dweb.scope", NULL,
	 "machine-qemu\\x2dx\\x2dweb.scope", ""},
	{"/machine.slice/machine-qemu\\x2d1\\x2.scope", NULL, "machine-qemu\\x2d1\\x2.scope", ""},
	{"/machine.slice/machine-.scope", NULL, "machine-.scope", ""},
	/* a user's service manager may make groups of any name below its own unit */
	{"/user.slice/user-1000.slice/user@1000.service/machine.slice/" SCOPE "web.scope", NULL,
	 "user@1000.service", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/vm-a.service", NULL,
	 "user@1000.service", ""},
	{"/system.slice/" SCOPE "web.scope", NULL, SCOPE "web.scope", ""},
	/* not below the root of our control groups */
	{"/../machine.slice/" SCOPE "web.scope", "", "", ""},
	{"/..", "", "", ""},
};

static void units_and_domains(void **state)
{
	static struct identity identity;

	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		identity_set_cgroup(&identity, groups[i].path);
		assert_string_equal(identity.cgroup,
				    groups[i].cgroup ? groups[i].cgroup : groups[i].path);
		assert_string_equal(identity.unit, groups[i].unit);
		assert_string_equal(identity.domain, groups[i].domain);
	}
}

static void files_of_a_process(void **state)
{
	static struct identity identity;

	(void)state;
	assert_int_equal(identity_read(root, 8, &identity), -ENOENT);
	/* the name of a process cannot fake a line of the file */
	fake_file(root, "proc/7/status",
		  "Name:\tqemu\\nUid:\t0\t0\t0\t0\nPid:\t7\n"
		  "Uid:\t1000\t1000\t1000\t1000\nGid:\t5\t5\t6\t5\n");
	fake_file(root, "proc/7/cgroup",
		  "1:name=systemd:/machine.slice/x\n"
		  "0::/system.slice/vm-a.service\n");
	assert_int_equal(identity_read(root, 7, &identity), 0);
	assert_int_equal(identity.pid, 7);
	assert_int_equal(identity.uid, 1000);
	/* the four group ids differ */
	assert_int_equal(identity.gid, UINT32_MAX);
	assert_string_equal(identity.unit, "vm-a.service");
	fake_file(root, "proc/7/cgroup", "1:name=systemd:/machine.slice/x\n");
	assert_int_equal(identity_read(root, 7, &identity), 0);
	assert_string_equal(identity.cgroup, "");
}

static struct identity vm;
static struct rule rule;

static bool matches(void)
{
	return match_rule(&rule, &vm, root);
}

static void begin(const char *cgroup)
{
	memset(&vm, 0, sizeof(vm));
	vm.pid = 7;
	vm.uid = 1000;
	vm.gid = UINT32_MAX;
	identity_set_cgroup(&vm, cgroup);
	rule = (struct rule){.uid = RULES_ANY_ID, .gid = RULES_ANY_ID};
}

static void patterns(void **state)
{
	(void)state;
	begin("/machine.slice/" SCOPE "web1.scope/libvirt/emulator");
	rule.domain = (char[]){"web*"};
	assert_true(matches());
	rule.uid = 1000;
	assert_true(matches());
	rule.uid = 1001;
	assert_false(matches());
	rule.uid = RULES_ANY_ID;
	rule.gid = 0;
	assert_false(matches());
	rule.gid = RULES_ANY_ID;
	rule.domain = (char[]){"web"};
	assert_false(matches());
	rule.domain = NULL;
	rule.cgroup = (char[]){"/machine.slice"};
	assert_true(matches());
	rule.cgroup = (char[]){"/machine.slice/*"};
	assert_true(matches());
	rule.cgroup = (char[]){"/machine.slice/*/libvirt/emulator"};
	assert_true(matches());
	rule.cgroup = (char[]){"/*/emulator"};
	assert_false(matches());
	rule.cgroup = (char[]){"/machine.slic"};
	assert_false(matches());
	rule.cgroup = NULL;
	rule.unit = (char[]){"machine-*.scope"};
	assert_true(matches());
	/* a process without a control group matches no pattern */
	begin("");
	rule.unit = (char[]){"*"};
	assert_false(matches());
	rule.unit = NULL;
	rule.cgroup = (char[]){"/*"};
	assert_false(matches());
}

static void pid_files(void **state)
{
	char path[256];

	(void)state;
	begin("/");
	rule.pidfile = (char[]){"/run/vm.pid"};
	snprintf(path, sizeof(path), "%s/run/vm.pid", root);
	assert_false(matches());
	fake_file(root, "run/vm.pid", "7\n");
	assert_int_equal(chmod(path, 0644), 0);
	assert_true(matches());
	/* other users may have written the file */
	assert_int_equal(chmod(path, 0666), 0);
	assert_false(matches());
	assert_int_equal(chmod(path, 0600), 0);
	for (size_t i = 0; i < 4; i++) {
		fake_file(root, "run/vm.pid", ((const char *[]){"77\n", "", "7x\n", "x"})[i]);
		assert_false(matches());
	}
	assert_int_equal(unlink(path), 0);
	fake_file(root, "run/other", "7");
	assert_int_equal(symlink("other", path), 0);
	assert_false(matches());
}

/* Grants come in the order of the rules. A grant of an earlier rule is not given again. */
static void all_rules_together(void **state)
{
	struct elisa_host_grant first[] = {{.rights = ELISA_GRANT_ATTACH, .name = "a"},
					   {.rights = ELISA_GRANT_EXPORT, .name = "b"}};
	struct elisa_host_grant second[] = {{.rights = ELISA_GRANT_ATTACH | ELISA_GRANT_ALLOW_PCID,
					     .name = "a"},
					    {.rights = ELISA_GRANT_ATTACH, .name = "b"}};
	struct rule list[] = {{.uid = 1000, .gid = RULES_ANY_ID, .grants = first, .count = 2},
			      {.uid = 7, .gid = RULES_ANY_ID, .grants = first, .count = 2},
			      {.uid = 1000, .gid = RULES_ANY_ID, .grants = second, .count = 2}};
	const struct rules all = {.rule = list, .count = 3};
	struct elisa_host_grant grants[4];
	const struct rule *reasons[4];

	(void)state;
	begin("/");
	assert_int_equal(match_all(&all, &vm, root, grants, reasons, 4), 3);
	assert_int_equal(grants[0].rights, ELISA_GRANT_ATTACH);
	assert_int_equal(grants[0].pid, 7);
	assert_string_equal(grants[2].name, "b");
	assert_ptr_equal(reasons[2], &list[2]);
	/* the grants do not fit */
	assert_true(match_all(&all, &vm, root, grants, reasons, 1) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_and_domains),  cmocka_unit_test(files_of_a_process),
		cmocka_unit_test(patterns),	      cmocka_unit_test(pid_files),
		cmocka_unit_test(all_rules_together),
	};
	char command[64];
	int failed;

	if (!mkdtemp(root))
		return 1;
	snprintf(command, sizeof(command), "mkdir -p %s/proc/7 %s/run", root, root);
	if (system(command))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command) || failed;
}
