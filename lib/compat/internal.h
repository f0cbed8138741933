/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of libelisa-compat share. It uses libelisa by its public header alone, and must
 * never take a byte of the application's data from a socket.
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

/* Keep the text for this thread, set errno, return -1. */
int compat_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a failure of libelisa on this handle: ret is what it returned. */
int compat_fail_elisa(struct elisa *handle, int ret);
/* One line for elisa_compat_report()'s function. */
void compat_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- request.c */

/* Pages that are contiguous at both ends and have one protection. */
struct compat_run {
	uint64_t source; /* address here, or guest-physical */
	uint64_t offset; /* in the object area */
	uint64_t length; /* bytes */
	uint32_t prot;	 /* ELISA_PROT_*; WRITE | EXEC: the server's own mapping decides */
	bool physical;
	int first; /* number of its first request, for texts */
};

/*
 * Check count requests of a callback and merge them into runs. *runs: out, free() it; the return
 * value is how many. -1 with errno EINVAL: the text names the request.
 */
int compat_runs(const struct elisa_map_req *reqs, int count, struct compat_run **runs);

/* ---- memory.c */

/* Before the first fork(): where private pages go that all clients shall share. */
int compat_memory_init(void);
/* Put a run into the export. */
int compat_memory_map(struct elisa_export *export_, const struct compat_run *run);

/* ---- environment.c */

/* A variable that is 1; not there or 0: false. */
bool compat_switch(const char *name);
/* A variable that is a number from 0 to limit, else otherwise: -1 with
 * errno EINVAL if it is something else. */
int compat_number(const char *name, uint64_t limit, uint64_t otherwise, uint64_t *number);

/* ---- stack.c */

/* Stacks of the size that the environment asks for, for a client with so many vCPUs. */
int compat_stacks(struct elisa_export *export_, uint32_t vcpus);

/* ---- session.c */

/* The name under which both VMs need a grant: the environment's, or elisa-compat. */
const char *compat_name(void);

/*
 * The server's side of one client, in its child process: all of its life on
 * this socket. parent is a socket to the server: one byte is written when
 * the client is attached, and its end ends the client.
 */
void compat_session(int sockfd, int parent, server_callback *server_cb, exit_callback *exit_cb);

/* ---- gate.c */

/* Calls of this thread and of those that have no attachment of their own go here from now on. */
void compat_gate_set(const struct elisa_attachment *attachment);

#endif
