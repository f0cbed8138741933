/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of /etc/elisa/grants.d: checks them, shows what they mean for the present VMs, and
 * applies them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#include "elisactl.h"
#include "match.h"
#include "module.h"
#include "reconcile.h"
#include "state.h"

#define PATIENCE    200	  /* limit of looks at the daemon's state */
#define LOOK_EVERY  50000 /* microseconds between two looks */
#define MOST_GRANTS 1024

static void say_wrong(const char *what)
{
	fprintf(stderr, "elisactl: %s\n", what);
}

static void say_done(int priority, const char *what)
{
	fprintf(priority <= LOG_WARNING ? stderr : stdout, "%s\n", what);
}

static int check(const char *directory)
{
	struct rules rules;

	if (rules_read(&rules, directory, say_wrong))
		return 1;
	printf("%s: %zu rules in %zu files are good\n", directory, rules.count, rules.files);
	rules_free(&rules);
	return 0;
}

/* -------------------------------------------------------------------------------- show */

static struct json_object *show_grants(const struct elisa_host_grant *grants, size_t count,
				       uint32_t right)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		if (grants[i].rights & right)
			json_object_array_add(list, json_object_new_string(grants[i].name));
	return list;
}

static struct json_object *show_rule(const struct rule *rule)
{
	struct json_object *shown = json_object_new_object(), *vm = json_object_new_object();

	add_text(shown, "file", rule->file);
	add_number(shown, "rule", rule->number);
	add_text(vm, "unit", rule->unit);
	add_text(vm, "cgroup", rule->cgroup);
	add_text(vm, "domain", rule->domain);
	add_text(vm, "pidfile", rule->pidfile);
	if (rule->uid != RULES_ANY_ID)
		add_number(vm, "uid", rule->uid);
	if (rule->gid != RULES_ANY_ID)
		add_number(vm, "gid", rule->gid);
	json_object_object_add(shown, "vm", vm);
	json_object_object_add(shown, "export",
			       show_grants(rule->grants, rule->count, ELISA_GRANT_EXPORT));
	json_object_object_add(shown, "attach",
			       show_grants(rule->grants, rule->count, ELISA_GRANT_ATTACH));
	return shown;
}

/* Shows what the rules mean for a VM. Returns NULL if the process has ended. */
static struct json_object *show_vm(const struct options *options, const struct rules *rules,
				   pid_t pid)
{
	struct json_object *shown = NULL, *by = json_object_new_array();
	struct elisa_host_grant *grants = calloc(MOST_GRANTS, sizeof(*grants));
	const struct rule **reasons = calloc(MOST_GRANTS, sizeof(*reasons));
	struct identity *identity = malloc(sizeof(*identity));
	size_t count = 0;

	if (grants && reasons && identity && !identity_read(options->root, pid, identity)) {
		count = match_all(rules, identity, options->root, grants, reasons, MOST_GRANTS);
		count = count < MOST_GRANTS ? count : MOST_GRANTS;
		shown = json_object_new_object();
		add_number(shown, "pid", (uint64_t)pid);
		add_text(shown, "cgroup", identity->cgroup);
		json_object_object_add(shown, "export",
				       show_grants(grants, count, ELISA_GRANT_EXPORT));
		json_object_object_add(shown, "attach",
				       show_grants(grants, count, ELISA_GRANT_ATTACH));
		for (size_t i = 0; i < rules->count; i++) {
			const struct rule *rule = &rules->rule[i];
			char name[512];

			if (!match_rule(rule, identity, options->root))
				continue;
			snprintf(name, sizeof(name), "%s:%zu", rule->file, rule->number);
			json_object_array_add(by, json_object_new_string(name));
		}
		json_object_object_add(shown, "rules", by);
		by = NULL;
	}
	json_object_put(by);
	free(identity);
	free(reasons);
	free(grants);
	return shown;
}

/* Shows the VMs that the module knows, or the one of --pid. */
static int show_vms(const struct options *options, const struct rules *rules,
		    struct json_object *list)
{
	struct elisa_host_vm *vms = NULL;
	struct json_object *only;
	int fd, count;

	if (options->pid) {
		only = show_vm(options, rules, (pid_t)options->pid);
		if (!only) {
			fprintf(stderr, "elisactl: policy show: no process %u\n", options->pid);
			return 1;
		}
		json_object_array_add(list, only);
		return 0;
	}
	fd = open_device(options);
	if (fd < 0)
		return 1;
	count = module_list(fd, ELISA_HOST_VMS, sizeof(*vms), (void **)&vms);
	close(fd);
	for (int i = 0; i < count; i++) {
		struct json_object *shown = show_vm(options, rules, vms[i].pid);

		if (shown)
			json_object_array_add(list, shown);
	}
	free(vms);
	return count < 0 ? fail("vms", -count) : 0;
}

static int show(const struct options *options, const char *directory)
{
	struct json_object *shown, *list, *vms;
	struct rules rules;
	int status;

	if (rules_read(&rules, directory, say_wrong))
		return 1;
	shown = json_object_new_object();
	list = json_object_new_array();
	vms = json_object_new_array();
	for (size_t i = 0; i < rules.count; i++)
		json_object_array_add(list, show_rule(&rules.rule[i]));
	json_object_object_add(shown, "rules", list);
	json_object_object_add(shown, "vms", vms);
	status = show_vms(options, &rules, vms);
	if (options->json) {
		print_json(shown);
	} else {
		print_table(list);
		printf("\n");
		print_table(vms);
	}
	json_object_put(shown);
	rules_free(&rules);
	return status;
}

/* ------------------------------------------------------------------------------- apply */

/* Lets the daemon apply the rules. The result is in the daemon's state. */
static int tell_daemon(const struct options *options, pid_t pid)
{
	struct state before, after;

	state_read(options->run, &before);
	if (kill(pid, SIGHUP))
		return fail("elisad", errno);
	for (int i = 0; i < PATIENCE; i++) {
		if (!state_read(options->run, &after) && after.loads != before.loads) {
			if (after.error[0])
				fprintf(stderr, "elisactl: elisad: %s; nothing has changed\n",
					after.error);
			else
				printf("elisad has %llu rules\n", (unsigned long long)after.rules);
			return after.error[0] != 0;
		}
		usleep(LOOK_EVERY);
	}
	fprintf(stderr, "elisactl: elisad (process %d) does not answer; see journalctl -u elisad\n",
		pid);
	return 1;
}

/* Applies the rules in this process, to one VMM; 0: to all. */
static int apply_here(const struct options *options, const char *directory, pid_t pid)
{
	struct reconcile_host host = {.root = options->root,
				      .list = module_list,
				      .grant = module_grant,
				      .revoke = module_revoke,
				      .say = say_done};
	struct rules rules;
	int error;

	if (rules_read(&rules, directory, say_wrong))
		return 1;
	host.fd = open_device(options);
	if (host.fd < 0) {
		rules_free(&rules);
		return 1;
	}
	error = pid ? reconcile_vm(&host, &rules, pid) : reconcile_all(&host, &rules);
	close(host.fd);
	rules_free(&rules);
	return error < 0 ? fail("policy apply", -error) : 0;
}

static int apply(const struct options *options, const char *directory, bool is_default)
{
	pid_t holder, pid;
	int error;

	if (options->pid || options->pidfile) {
		error = read_pid(options, &pid);
		return error ? error : apply_here(options, directory, pid);
	}
	if (check(directory))
		return 1;
	error = state_lock(options->run, &holder);
	if (error == -EBUSY && !is_default)
		return options_wrong(&program,
				     "elisad (process %d) runs, with its own folder: "
				     "policy apply takes none",
				     holder);
	if (error == -EBUSY && holder > 0)
		return tell_daemon(options, holder);
	return apply_here(options, directory, 0);
}

int run_policy(const struct options *options, char **arguments)
{
	const char *directory = arguments[0] && arguments[1] ? arguments[1] : RULES_DIRECTORY;

	if (!arguments[0])
		return options_wrong(&program, "policy takes check, show or apply");
	if (arguments[1] && arguments[2])
		return options_wrong(&program, "policy %s takes one folder", arguments[0]);
	if (!strcmp(arguments[0], "check"))
		return check(directory);
	if (!strcmp(arguments[0], "show"))
		return show(options, directory);
	if (!strcmp(arguments[0], "apply"))
		return apply(options, directory, !arguments[1]);
	return options_wrong(&program, "policy: '%s' is not check, show or apply", arguments[0]);
}
