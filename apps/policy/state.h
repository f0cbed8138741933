/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What elisad leaves in its runtime directory for elisactl: a lock, which the daemon holds, and the
 * result of the last reading of the rules. No grant is kept there, because the module has the
 * grants.
 */
#ifndef POLICY_STATE_H
#define POLICY_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_DIRECTORY "/run/elisad"

/* Takes the lock for as long as the process lives. Returns 0, -EBUSY: the process *holder has it,
 * or -errno. */
int state_lock(const char *directory, pid_t *holder);

struct state {
	uint64_t loads; /* how often the rules were read since the daemon started */
	uint64_t rules;
	char error[1024]; /* "": the last reading succeeded */
};

/* Return 0, or -errno. */
int state_write(const char *directory, const struct state *state);
int state_read(const char *directory, struct state *state);

#endif
