/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives one VMM its grants, in this order. Hold the process by a pidfd, read its identity, and
 * check that it still lives. Then the identity is that of this process, and not of a later one with
 * the same number. Then grant, each time with such a check afterwards. At last, revoke what no rule
 * gives any more. So a right that only changes its terms is never missing.
 */
#include "reconcile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "match.h"
#include "module.h"

#define MOST_GRANTS 1024 /* limit for one VMM */

struct step {
	const struct reconcile_host *host;
	struct identity identity;
	int pidfd;
	struct elisa_host_grant wanted[MOST_GRANTS];
	const struct rule *reasons[MOST_GRANTS];
	size_t count;
	struct elisa_host_grant_info *grants; /* all grants of the module */
	int grant_count;
};

static void say(const struct step *step, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct step *step, int priority, const char *format, ...)
{
	char text[1536];
	va_list arguments;
	int length;

	length = snprintf(text, sizeof(text) / 2, "process %d (%.512s): ", step->identity.pid,
			  *step->identity.cgroup ? step->identity.cgroup : "no control group");
	va_start(arguments, format);
	vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
	va_end(arguments);
	step->host->say(priority, text);
}

static const char *what(uint32_t rights)
{
	return rights & ELISA_GRANT_EXPORT ? "export" : "attach";
}

/* Tells whether the policy gave this grant to this process. */
static bool is_ours(const struct step *step, const struct elisa_host_grant_info *grant)
{
	return grant->pid == step->identity.pid && (grant->rights & ELISA_GRANT_POLICY);
}

static bool is_same(const struct elisa_host_grant_info *grant,
		    const struct elisa_host_grant *wanted)
{
	return grant->rights == wanted->rights && grant->max_pages == wanted->max_pages &&
	       !strncmp(grant->name, wanted->name, sizeof(grant->name));
}

static bool has(const struct step *step, const struct elisa_host_grant *wanted)
{
	for (int i = 0; i < step->grant_count; i++)
		if (is_ours(step, &step->grants[i]) && is_same(&step->grants[i], wanted))
			return true;
	return false;
}

static bool is_wanted(const struct step *step, const struct elisa_host_grant_info *grant)
{
	for (size_t i = 0; i < step->count; i++)
		if (is_same(grant, &step->wanted[i]))
			return true;
	return false;
}

/* Makes the grants that are missing. Returns how many, or -errno. */
static int grant_missing(struct step *step)
{
	int made = 0;

	for (size_t i = 0; i < step->count; i++) {
		struct elisa_host_grant *wanted = &step->wanted[i];
		const struct rule *rule = step->reasons[i];
		int error;

		if (has(step, wanted))
			continue;
		error = step->host->grant(step->host->fd, wanted, step->pidfd);
		if (error) {
			say(step, LOG_ERR, "cannot be granted to %s %s: %s", what(wanted->rights),
			    wanted->name, strerrordesc_np(-error));
			return error;
		}
		say(step, LOG_INFO, "may %s %s, grant %u, by rule %zu of %s%s%s%s",
		    what(wanted->rights), wanted->name, wanted->id, rule->number, rule->file,
		    rule->comment ? " (" : "", rule->comment ? rule->comment : "",
		    rule->comment ? ")" : "");
		made++;
	}
	return made;
}

static int revoke_surplus(struct step *step)
{
	for (int i = 0; i < step->grant_count; i++) {
		const struct elisa_host_grant_info *grant = &step->grants[i];
		int error;

		if (!is_ours(step, grant) || is_wanted(step, grant))
			continue;
		error = step->host->revoke(step->host->fd, grant->id);
		if (error && error != -ENOENT)
			return error;
		say(step, LOG_NOTICE, "may not %s %s any more, grant %u: no rule gives it",
		    what(grant->rights), grant->name, grant->id);
	}
	return 0;
}

/* Finds out which VM the process runs, and what the rules give it. */
static int identify(struct step *step, const struct rules *rules, pid_t pid)
{
	const uint64_t pages = module_default_pages(step->host->root);
	int error = identity_read(step->host->root, pid, &step->identity);

	step->identity.pid = pid;
	if (!module_lives(step->pidfd))
		return -ESRCH;
	if (error)
		return error;
	step->count = match_all(rules, &step->identity, step->host->root, step->wanted,
				step->reasons, MOST_GRANTS);
	if (step->count > MOST_GRANTS) {
		say(step, LOG_WARNING, "its rules give %zu rights, of which %d are granted",
		    step->count, MOST_GRANTS);
		step->count = MOST_GRANTS;
	}
	for (size_t i = 0; i < step->count; i++)
		if (!step->wanted[i].max_pages)
			step->wanted[i].max_pages = pages;
	return 0;
}

static int reconcile(struct step *step, const struct rules *rules, pid_t pid)
{
	void *grants = NULL;
	int error = identify(step, rules, pid), made;

	if (error)
		return error;
	step->grant_count =
		step->host->list(step->host->fd, ELISA_HOST_GRANTS, sizeof(*step->grants), &grants);
	step->grants = grants;
	made = step->grant_count < 0 ? step->grant_count : grant_missing(step);
	if (made >= 0)
		error = revoke_surplus(step);
	free(grants);
	return error ? error : made;
}

int reconcile_vm(const struct reconcile_host *host, const struct rules *rules, pid_t pid)
{
	struct step *step = calloc(1, sizeof(*step));
	int result;

	if (!step)
		return -ENOMEM;
	step->host = host;
	step->pidfd = module_hold(pid);
	result = step->pidfd < 0 ? step->pidfd : reconcile(step, rules, pid);
	if (step->pidfd >= 0)
		close(step->pidfd);
	free(step);
	return result;
}

static int compare_pids(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Collects the process ids, sorted, each once; the caller frees *pids. Returns how many. */
static int known_pids(const struct reconcile_host *host, pid_t **pids)
{
	struct elisa_host_grant_info *grants = NULL;
	struct elisa_host_vm *vms = NULL;
	int vm_count, grant_count = 0, count = 0, different = 0;

	*pids = NULL;
	vm_count = host->list(host->fd, ELISA_HOST_VMS, sizeof(*vms), (void **)&vms);
	if (vm_count >= 0)
		grant_count =
			host->list(host->fd, ELISA_HOST_GRANTS, sizeof(*grants), (void **)&grants);
	if (vm_count < 0 || grant_count < 0)
		count = vm_count < 0 ? vm_count : grant_count;
	else
		*pids = calloc((size_t)(vm_count + grant_count) + 1, sizeof(**pids));
	for (int i = 0; *pids && i < vm_count; i++)
		(*pids)[count++] = vms[i].pid;
	for (int i = 0; *pids && i < grant_count; i++)
		if (grants[i].rights & ELISA_GRANT_POLICY)
			(*pids)[count++] = grants[i].pid;
	free(vms);
	free(grants);
	if (!*pids)
		return count < 0 ? count : -ENOMEM;
	qsort(*pids, (size_t)count, sizeof(**pids), compare_pids);
	for (int i = 0; i < count; i++)
		if (!i || (*pids)[i] != (*pids)[different - 1])
			(*pids)[different++] = (*pids)[i];
	return different;
}

int reconcile_all(const struct reconcile_host *host, const struct rules *rules)
{
	int count, result, error = 0;
	pid_t *pids;

	count = known_pids(host, &pids);
	for (int i = 0; i < count; i++) {
		result = reconcile_vm(host, rules, pids[i]);
		if (result < 0 && result != -ESRCH && !error)
			error = result;
	}
	free(pids);
	return count < 0 ? count : error;
}
