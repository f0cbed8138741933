/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the module's grants what the rules say. Grants that the policy has given are marked so in
 * the module (ELISA_GRANT_POLICY): a program that is started anew finds them there, and grants that
 * were made by hand are left alone.
 */
#ifndef POLICY_RECONCILE_H
#define POLICY_RECONCILE_H

#include <sys/types.h>
#include <syslog.h>
#include "rules.h"

/* The module; other functions in tests. Each returns 0 or a count, or -errno. */
struct reconcile_host {
	int fd;
	const char *root; /* of the files in proc, sys and run: "" */
	int (*list)(int fd, uint32_t kind, size_t size, void **records);
	int (*grant)(int fd, struct elisa_host_grant *grant, int pidfd);
	int (*revoke)(int fd, uint32_t id);
	void (*say)(int priority, const char *what); /* LOG_*, about one VM */
};

/* One VMM. How many grants it got; -errno: it could not be done, -ESRCH: the process has ended. */
int reconcile_vm(const struct reconcile_host *host, const struct rules *rules, pid_t pid);

/* All that the module knows: VMs that have spoken, and those with a grant of the policy's. 0, or
 * -errno of the first that failed for another reason than its end. */
int reconcile_all(const struct reconcile_host *host, const struct rules *rules);

#endif
