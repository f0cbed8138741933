// SPDX-License-Identifier: Apache-2.0
/*
 * elisad makes the grants equal to what the rules say. The module is a list of grants here. The
 * VMMs are children of the test, and files like those of /proc have their control groups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "module.h"
#include "reconcile.h"
#include "../fake_file.h"

#define MOST 32

static char root[] = "/tmp/reconcileXXXXXX", said[8192];
static struct elisa_host_grant_info grants[MOST];
static int grant_count, granted, revoked, vm_count;
static struct elisa_host_vm vms[4];
static uint32_t next_id;
static pid_t dies_at_grant;

static int enumerate(int fd, uint32_t kind, size_t size, void **records)
{
	const bool is_vms = kind == ELISA_HOST_VMS;
	const int count = is_vms ? vm_count : grant_count;

	(void)fd;
	*records = calloc((size_t)count + 1, size);
	assert_non_null(*records);
	memcpy(*records, is_vms ? (const void *)vms : grants, (size_t)count * size);
	return count;
}

static int take_back(int fd, uint32_t id)
{
	(void)fd;
	for (int i = 0; i < grant_count; i++)
		if (grants[i].id == id) {
			grants[i] = grants[--grant_count];
			revoked++;
			return 0;
		}
	return -ENOENT;
}

static void add(pid_t pid, uint32_t rights, const char *name, uint64_t max_pages)
{
	assert_true(grant_count < MOST);
	grants[grant_count] = (struct elisa_host_grant_info){
		.id = ++next_id, .pid = pid, .rights = rights, .max_pages = max_pages};
	strcpy(grants[grant_count++].name, name);
}

static int give(int fd, struct elisa_host_grant *wanted, int pidfd)
{
	(void)fd;
	if (dies_at_grant) {
		kill(dies_at_grant, SIGKILL);
		waitpid(dies_at_grant, NULL, 0);
		dies_at_grant = 0;
	}
	if (!module_lives(pidfd))
		return -ESRCH;
	add(wanted->pid, wanted->rights, wanted->name, wanted->max_pages);
	wanted->id = next_id;
	granted++;
	return 0;
}

static void say(int priority, const char *what)
{
	const size_t used = strlen(said);

	(void)priority;
	snprintf(said + used, sizeof(said) - used, "%s\n", what);
}

static const struct reconcile_host host = {.root = root,
					   .list = enumerate,
					   .grant = give,
					   .revoke = take_back,
					   .say = say};

/* Starts a process in a unit of this name. */
static pid_t vmm(const char *unit)
{
	const pid_t pid = fork();
	char text[256];

	assert_true(pid >= 0);
	if (!pid) {
		/* the child ends with a test that fails */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	snprintf(text, sizeof(text), "mkdir -p %s/proc/%d", root, pid);
	assert_int_equal(system(text), 0);
	snprintf(text, sizeof(text), "0::/system.slice/%s\n", unit);
	snprintf(said, sizeof(said), "proc/%d/cgroup", pid);
	fake_file(root, said, text);
	snprintf(said, sizeof(said), "proc/%d/status", pid);
	fake_file(root, said, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
	said[0] = 0;
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct rules rules_of(const char *text)
{
	struct rules rules;
	char path[256];

	snprintf(path, sizeof(path), "%s/rules", root);
	fake_file(root, "rules/a.conf", text);
	assert_int_equal(rules_read(&rules, path, NULL), 0);
	return rules;
}

static int start(void **state)
{
	(void)state;
	grant_count = granted = revoked = vm_count = 0;
	said[0] = 0;
	fake_file(root, "sys/module/elisa/parameters/max_pages", "500\n");
	return 0;
}

#define A "{\"vm\": {\"unit\": \"a.service\"}, "

static void grants_what_rules_give(void **state)
{
	struct rules rules =
		rules_of("{\"rules\": [" A "\"export\": [\"x\"], \"attach\": [\"y*\"]}]}");
	pid_t a = vmm("a.service"), b = vmm("b.service");

	(void)state;
	assert_int_equal(reconcile_vm(&host, &rules, b), 0);
	assert_int_equal(grant_count, 0);
	assert_int_equal(reconcile_vm(&host, &rules, a), 2);
	assert_string_equal(grants[0].name, "x");
	assert_int_equal(grants[0].max_pages, 500);
	assert_int_equal(grants[0].rights, ELISA_GRANT_EXPORT | ELISA_GRANT_POLICY);
	assert_non_null(strstr(said, "may export x, grant"));
	assert_non_null(strstr(said, "by rule 1 of"));
	/* once more: all grants exist, as for a program that has just started */
	assert_int_equal(reconcile_vm(&host, &rules, a), 0);
	assert_int_equal(granted, 2);
	assert_int_equal(revoked, 0);
	rules_free(&rules);
	end(a);
	end(b);
}

/*
 * Grants of other processes and grants made by hand stay. A right whose terms change is never
 * missing in between.
 */
static void takes_back_what_no_rule_gives(void **state)
{
	struct rules rules = rules_of("{\"rules\": [" A "\"attach\": [\"x\", \"z\"]}]}");
	pid_t a = vmm("a.service");

	(void)state;
	add(a, ELISA_GRANT_ATTACH, "x", 500);
	add(a, ELISA_GRANT_ATTACH | ELISA_GRANT_POLICY, "x", 7);
	add(a, ELISA_GRANT_ATTACH | ELISA_GRANT_POLICY, "y", 500);
	add(a, ELISA_GRANT_ATTACH | ELISA_GRANT_POLICY, "z", 500);
	add(a + 1, ELISA_GRANT_ATTACH | ELISA_GRANT_POLICY, "y", 500);
	assert_int_equal(reconcile_vm(&host, &rules, a), 1);
	assert_int_equal(granted, 1);
	assert_int_equal(revoked, 2);
	assert_int_equal(grant_count, 4);
	for (int i = 0; i < grant_count; i++)
		assert_true(grants[i].pid != a ||
			    (strcmp(grants[i].name, "y") != 0 && grants[i].max_pages == 500));
	assert_true(strstr(said, "may attach x") < strstr(said, "may not attach x"));
	rules_free(&rules);
	end(a);
}

static void all_that_the_module_knows(void **state)
{
	struct rules rules = rules_of("{\"rules\": [" A "\"attach\": [\"x\"]}]}");
	pid_t a = vmm("a.service"), b = vmm("b.service"), gone = vmm("a.service");

	(void)state;
	end(gone);
	vms[0].pid = a;
	vms[1].pid = a;
	vms[2].pid = gone;
	vm_count = 3;
	add(b, ELISA_GRANT_ATTACH | ELISA_GRANT_POLICY, "x", 500);
	assert_int_equal(reconcile_all(&host, &rules), 0);
	assert_int_equal(granted, 1);
	assert_int_equal(revoked, 1);
	assert_int_equal(grant_count, 1);
	assert_int_equal(grants[0].pid, a);
	rules_free(&rules);
	end(a);
	end(b);
}

/* Another process may have the number of the ended process by then. */
static void a_process_that_ends(void **state)
{
	struct rules rules = rules_of("{\"rules\": [" A "\"attach\": [\"x\"]}]}");
	pid_t a = vmm("a.service");

	(void)state;
	dies_at_grant = a;
	assert_int_equal(reconcile_vm(&host, &rules, a), -ESRCH);
	assert_int_equal(reconcile_vm(&host, &rules, a), -ESRCH);
	assert_int_equal(granted, 0);
	/* a process that is not waited for still has files in /proc */
	a = vmm("a.service");
	kill(a, SIGKILL);
	usleep(100000);
	said[0] = 0;
	assert_int_equal(reconcile_vm(&host, &rules, a), -ESRCH);
	assert_int_equal(granted, 0);
	assert_string_equal(said, "");
	end(a);
	rules_free(&rules);
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(grants_what_rules_give),
		TEST(takes_back_what_no_rule_gives),
		TEST(all_that_the_module_knows),
		TEST(a_process_that_ends),
	};
	char command[128];
	int failed;

	if (!mkdtemp(root))
		return 1;
	snprintf(command, sizeof(command),
		 "mkdir -p %s/proc %s/rules %s/sys/module/elisa/parameters", root, root, root);
	if (system(command))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command) || failed;
}
