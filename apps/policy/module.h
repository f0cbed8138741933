/* SPDX-License-Identifier: Apache-2.0 */
/* The module's requests that more than one program makes. 0 or a count; or -errno. */
#ifndef POLICY_MODULE_H
#define POLICY_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <elisa/host_ioctl.h>

/*
 * All records of a kind, in *records to be freed; their count. More may come into being between two
 * requests, so it asks until they fit.
 */
int module_list(int fd, uint32_t kind, size_t size, void **records);

/*
 * The module takes a number. It meant one process all the time if a pidfd from before shows it
 * alive afterwards; if not, the grant may be a stranger's, and is taken back: -ESRCH.
 */
int module_grant(int fd, struct elisa_host_grant *grant, int pidfd);
int module_revoke(int fd, uint32_t id);

/* What the module does with a grant that says no number of pages. */
uint64_t module_default_pages(const char *root);

int module_hold(pid_t pid); /* a pidfd, to be closed; or -errno */
bool module_lives(int pidfd);

#endif
