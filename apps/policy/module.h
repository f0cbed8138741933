/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the module that several programs make. They return 0 or a count, or -errno. */
#ifndef POLICY_MODULE_H
#define POLICY_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <elisa/host_ioctl.h>

/*
 * Gets all records of a kind; the caller frees *records. Returns their count. New records may
 * appear between two requests, so it repeats the request until all fit.
 */
int module_list(int fd, uint32_t kind, size_t size, void **records);

/*
 * Grants. The module takes a process id as a number. The number meant one process all the time if a
 * pidfd that was opened before shows it alive afterwards. If not, the grant may be another
 * process's, and is taken back: -ESRCH.
 */
int module_grant(int fd, struct elisa_host_grant *grant, int pidfd);
int module_revoke(int fd, uint32_t id);

/* Returns the module's default for a grant without a number of pages. */
uint64_t module_default_pages(const char *root);

int module_hold(pid_t pid); /* returns a pidfd, which the caller closes; or -errno */
bool module_lives(int pidfd);

#endif
