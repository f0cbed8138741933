/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the module's grants what the rules say. The module marks grants of the policy
 * (ELISA_GRANT_POLICY). So a program that is started again finds them there, and grants that were
 * made by hand are left alone.
 */
#ifndef POLICY_RECONCILE_H
#define POLICY_RECONCILE_H

#include <sys/types.h>
#include <syslog.h>
#include "rules.h"

/* The module's functions; tests have others. Each returns 0 or a count, or -errno. */
struct reconcile_host {
	int fd;
	const char *root; /* prefix of the files in proc, sys and run: "" */
	int (*list)(int fd, uint32_t kind, size_t size, void **records);
	int (*grant)(int fd, struct elisa_host_grant *grant, int pidfd);
	int (*revoke)(int fd, uint32_t id);
	void (*say)(int priority, const char *what); /* logs about one VM, with LOG_* */
};

/* Handles one VMM. Returns how many grants it got, or -errno: it could not be done. -ESRCH: the
 * process has ended. */
int reconcile_vm(const struct reconcile_host *host, const struct rules *rules, pid_t pid);

/* Handles all VMMs that the module knows: VMs that have made a request, and those with a grant of
 * the policy. Returns 0, or -errno of the first failure, except that a process has ended. */
int reconcile_all(const struct reconcile_host *host, const struct rules *rules);

#endif
