/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of a VMM: its control group and its ids, as the kernel reports them. Claims of the
 * VMM itself, such as names of processes and command lines, are not part of it.
 */
#ifndef POLICY_IDENTITY_H
#define POLICY_IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_PATH 4096
#define IDENTITY_NAME 256

struct identity {
	pid_t pid;
	char cgroup[IDENTITY_PATH]; /* in the unified hierarchy; "": it is not below this process's
				     * root */
	char unit[IDENTITY_NAME];   /* of the system manager; "": none */
	char domain[IDENTITY_NAME]; /* of libvirt's system daemon; "": none */
	uint32_t uid, gid;	    /* UINT32_MAX: the four roles have different ids */
};

/* Reads the identity from the files below ROOT/proc/PID. The caller must know that it is one
 * process all the time. Returns 0, or -errno. */
int identity_read(const char *root, pid_t pid, struct identity *identity);

/* Sets the control group, and what follows from it. */
void identity_set_cgroup(struct identity *identity, const char *path);

#endif
