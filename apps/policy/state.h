/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What elisad leaves in its runtime directory for elisactl: a lock, whose holder is the daemon, and
 * what came of the last time that it read the rules. No grant is kept there: the module has those.
 */
#ifndef POLICY_STATE_H
#define POLICY_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_DIRECTORY "/run/elisad"

/* The lock, as long as the process lives. 0; -EBUSY: another process has it, *holder; -errno. */
int state_lock(const char *directory, pid_t *holder);

struct state {
	uint64_t loads; /* how often the rules were read since the daemon started */
	uint64_t rules;
	char error[1024]; /* "": the last time was good */
};

/* 0, or -errno. */
int state_write(const char *directory, const struct state *state);
int state_read(const char *directory, struct state *state);

#endif
