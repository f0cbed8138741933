/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_SIZE 32

static bool is_like(const char *pattern, const char *text)
{
	return *text && !fnmatch(pattern, text, FNM_PATHNAME | FNM_PERIOD);
}

/* Tells whether the pattern matches the group itself, or one above it. */
static bool is_at_or_below(const char *pattern, const char *path)
{
	char above[IDENTITY_PATH];

	snprintf(above, sizeof(above), "%s", path);
	for (char *end = above + strlen(above); end > above; end = strrchr(above, '/')) {
		*end = 0;
		if (is_like(pattern, above))
			return true;
	}
	return false;
}

/*
 * Tells whether the file names the process. The file must belong to root, or to this process's
 * user, and no other user may write to it. Otherwise a VMM could name itself.
 */
static bool is_in_file(const char *file, pid_t pid, const char *root)
{
	char path[IDENTITY_PATH], text[PID_SIZE] = "", *end;
	struct stat status;
	bool is = false;
	int fd;

	snprintf(path, sizeof(path), "%s%s", root, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) &&
	    (!status.st_uid || status.st_uid == geteuid()) &&
	    !(status.st_mode & (S_IWGRP | S_IWOTH)) && read(fd, text, sizeof(text) - 1) > 0)
		is = strtol(text, &end, 10) == pid && end != text && (!*end || *end == '\n');
	close(fd);
	return is;
}

bool match_rule(const struct rule *rule, const struct identity *identity, const char *root)
{
	if (rule->uid != RULES_ANY_ID && rule->uid != identity->uid)
		return false;
	if (rule->gid != RULES_ANY_ID && rule->gid != identity->gid)
		return false;
	if (rule->unit && !is_like(rule->unit, identity->unit))
		return false;
	if (rule->domain && !is_like(rule->domain, identity->domain))
		return false;
	if (rule->cgroup && !is_at_or_below(rule->cgroup, identity->cgroup))
		return false;
	return !rule->pidfile || is_in_file(rule->pidfile, identity->pid, root);
}

static bool is_given(const struct elisa_host_grant *grant, const struct elisa_host_grant *grants,
		     size_t count)
{
	const uint32_t rights = ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(grants[i].name, grant->name) &&
		    !((grants[i].rights ^ grant->rights) & rights))
			return true;
	return false;
}

size_t match_all(const struct rules *rules, const struct identity *identity, const char *root,
		 struct elisa_host_grant *grants, const struct rule **reasons, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rule[i];

		if (!match_rule(rule, identity, root))
			continue;
		for (size_t j = 0; j < rule->count; j++) {
			if (is_given(&rule->grants[j], grants, count < room ? count : room))
				continue;
			if (count < room) {
				grants[count] = rule->grants[j];
				grants[count].pid = identity->pid;
				reasons[count] = rule;
			}
			count++;
		}
	}
	return count;
}
