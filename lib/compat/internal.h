/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of libelisa-compat share. The library uses libelisa by its public header alone. It
 * must never take a byte of the application's data from a socket.
 */
#ifndef ELISA_COMPAT_INTERNAL_H
#define ELISA_COMPAT_INTERNAL_H

#include <stdbool.h>
#include <elisa/elisa.h>
#include <libelisa.h>
#include "wire.h"

#define COMPAT_PUBLIC	  __attribute__((visibility("default")))
#define COMPAT_TEXT_SIZE  640
#define COMPAT_CLIENTS	  256
#define COMPAT_OBJECT_END (ELISA_OBJECT_BASE + ELISA_OBJECT_SIZE)

typedef int server_callback(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
			    uint64_t *entry);
typedef int exit_callback(uint64_t *user);

/* ---- error.c */

/* Keeps the text for this thread, sets errno, and returns -1. */
int compat_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Works as compat_fail() for a failure of libelisa on this handle: ret is what libelisa
 * returned. */
int compat_fail_elisa(struct elisa *handle, int ret);
/* Gives one line to the function of elisa_compat_report(). */
void compat_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- request.c */

/* Pages that are contiguous at both ends and have one protection. */
struct compat_run {
	uint64_t source; /* address in this process, or guest-physical */
	uint64_t offset; /* in the object area */
	uint64_t length; /* bytes */
	uint32_t prot;	 /* ELISA_PROT_*; with WRITE | EXEC, the server's own mapping decides */
	bool physical;
	int first; /* number of its first request, for texts */
};

/*
 * Checks `count` requests of a callback, and merges them into runs. *runs: out; the caller frees
 * it. Returns the number of runs, or -1 with errno EINVAL: the text names the request.
 */
int compat_runs(const struct elisa_map_req *reqs, int count, struct compat_run **runs);

/* ---- memory.c */

/* Prepares the file for private pages that all clients share. To be called before the first
 * fork(). */
int compat_memory_init(void);
/* Maps a run into the export. */
int compat_memory_map(struct elisa_export *export_, const struct compat_run *run);

/* ---- environment.c */

/* Returns whether the variable is set: neither missing, empty nor 0. */
bool compat_switch(const char *name);
/* Reads a variable that is a number from 0 to limit; without the variable *number becomes
 * `otherwise`. Returns -1 with errno EINVAL if the variable is something else. */
int compat_number(const char *name, uint64_t limit, uint64_t otherwise, uint64_t *number);

/* ---- stack.c */

/* Makes stacks of the size that the environment asks for, for a client with `vcpus` vCPUs. */
int compat_stacks(struct elisa_export *export_, uint32_t vcpus);

/* ---- session.c */

/* Returns the name for which both VMs need a grant: that of the environment, or elisa-compat. */
const char *compat_name(void);

/*
 * Serves one client in its child process, for all of the client's life on this socket. parent is a
 * socket to the server. The child writes one byte there when the client is attached. The end of the
 * stream there ends the client.
 */
void compat_session(int sockfd, int parent, server_callback *server_cb, exit_callback *exit_cb);

/* ---- gate.c */

/* Sends the calls of this thread to the attachment from now on, and those of threads without an
 * attachment of their own. */
void compat_gate_set(const struct elisa_attachment *attachment);

#endif
