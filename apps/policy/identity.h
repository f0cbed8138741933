/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of a VMM: its control group and its ids, as the kernel reports them. Nothing that
 * the VMM says of itself is part of it, such as names of processes and command lines.
 */
#ifndef POLICY_IDENTITY_H
#define POLICY_IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_PATH 4096
#define IDENTITY_NAME 256

struct identity {
	pid_t pid;
	char cgroup[IDENTITY_PATH]; /* in the unified hierarchy; "": it is not below our root */
	char unit[IDENTITY_NAME];   /* of the system manager; "": none */
	char domain[IDENTITY_NAME]; /* of libvirt's system daemon; "": none */
	uint32_t uid, gid;	    /* UINT32_MAX: not one in all four roles */
};

/* From the files below ROOT/proc/PID: the caller knows that it is one process all the time. 0, or
 * -errno. */
int identity_read(const char *root, pid_t pid, struct identity *identity);

/* The control group, and what follows from it. */
void identity_set_cgroup(struct identity *identity, const char *path);

#endif
