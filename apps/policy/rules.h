/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the administrator's files in /etc/elisa/grants.d say: which VMs, by properties that their
 * VMM cannot choose, and what they may do. The format is JSON, as in the project's other
 * configuration files, because strict.c and settings.c read it and say what is wrong with it.
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elisa/host_ioctl.h>

#define RULES_DIRECTORY "/etc/elisa/grants.d"
#define RULES_ANY_ID	UINT32_MAX /* no user and no group has it */

/* Which VMMs a rule matches: all conditions that are set must hold. Patterns are those of the
 * shell, for a text without '/' or for a path. '*' never matches a '/'. */
struct rule {
	char *file;    /* the rule's file */
	size_t number; /* number of the rule in it, from 1 */
	char *comment; /* NULL: none, as for the next four */
	char *unit;    /* a unit of systemd's system manager: a pattern */
	char *cgroup;  /* a pattern: the process is in the group or below it */
	char *domain;  /* a domain of libvirt's system daemon: a pattern */
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

/* Reads the files DIRECTORY/NAME.conf, in the order of their names. Returns 0. Returns -1, after a
 * message for each wrong file; then the caller frees nothing. */
int rules_read(struct rules *rules, const char *directory, void (*say)(const char *what));
void rules_free(struct rules *rules);

/* Tells whether the module accepts it: a name, or a prefix and '*'. */
bool rules_name_is_good(const char *name);

#endif
