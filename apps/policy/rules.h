/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the administrator's files in /etc/elisa/grants.d say: which VMs, by what their VMM cannot
 * choose, and what they may. The format is JSON, as of the project's other configuration, because
 * strict.c and settings.c read it and say what is wrong with it.
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elisa/host_ioctl.h>

#define RULES_DIRECTORY "/etc/elisa/grants.d"
#define RULES_ANY_ID	UINT32_MAX /* no user and no group has it */

/* Which VMMs a rule matches: all that is set must hold. Patterns are as of the shell, for a text
 * without '/' or for a path. '*' never matches a '/'. */
struct rule {
	char *file;    /* whose rule */
	size_t number; /* in it, from 1 */
	char *comment; /* or NULL, as the next four */
	char *unit;    /* of systemd's system manager: a pattern */
	char *cgroup;  /* a pattern: the process is there or below it */
	char *domain;  /* of libvirt's system daemon: a pattern */
	char *pidfile;
	uint32_t uid, gid; /* or RULES_ANY_ID */
	struct elisa_host_grant *grants;
	size_t count;
};

struct rules {
	struct rule *rule;
	size_t count;
	size_t files;
};

/* From the files DIRECTORY/NAME.conf, in the order of their names. 0; -1, after a message for each
 * file that is wrong, with nothing to be freed. */
int rules_read(struct rules *rules, const char *directory, void (*say)(const char *what));
void rules_free(struct rules *rules);

/* As the module matches: a name, or a prefix and '*'. */
bool rules_name_is_good(const char *name);

#endif
