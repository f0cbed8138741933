/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A local socket on which operators query and control the daemon: a line for each request, a line
 * for each reply. This file does not know the requests. The daemon's one thread does all the work,
 * so no peer may make it wait, whatever the peer sends or does not read:
 *
 *   - no call blocks, and a round serves only one request, of the peer that has waited longest;
 *   - a peer's next request is not read before it has taken the reply to the last one, so that at
 *     most one reply for each peer is kept;
 *   - a request has a maximum length, and must be complete within a given time. The reply must be
 *     taken within that time, too. A slower peer is dropped;
 *   - the number of peers is limited. Some places are for root and the daemon's own user; any other
 *     user gets only a few of the rest.
 *
 * Which users may connect is for the file system to say: by the socket's mode and group.
 */
#ifndef COMMON_CONTROL_H
#define COMMON_CONTROL_H

#include <poll.h>
#include <rvif/driver.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONTROL_PEERS	 16
#define CONTROL_RESERVED 4     /* of these */
#define CONTROL_OF_USER	 4     /* of one that may change nothing */
#define CONTROL_LINE	 16384 /* bytes of a request, with its end */
#define CONTROL_STEP	 30    /* seconds for a whole request, and for taking the reply */
#define CONTROL_POLLS	 (CONTROL_PEERS + 1)

/* By the kernel's word, of when it connected. */
struct control_user {
	pid_t pid;
	uid_t uid;
	bool may_change; /* root, or the daemon's own user */
};

/* The reply to a request, from malloc(), without its end of line; NULL: there was no memory. line
 * ends with a 0 after length bytes. *file is -1: no file goes with the reply. One that does has to
 * stay open as long as the socket. */
typedef char *control_answer(void *owner, const struct control_user *user, const char *line,
			     size_t length, int *file);

struct control_peer {
	int fd; /* -1: none */
	struct control_user user;
	double since;  /* when it connected, was given the reply, or had taken the last one */
	bool last;     /* it is dropped when it has taken the reply */
	size_t length; /* of what it has sent and what is not answered */
	char *reply;   /* that it has not taken yet; NULL: none */
	int file;      /* that goes with the first byte of it; -1: none, or it went */
	size_t size, taken;
	char line[CONTROL_LINE];
};

struct control {
	int fd; /* -1: there is no socket */
	const char *path;
	control_answer *answer;
	void *owner;
	unsigned int turn; /* whose request is looked for first */
	struct control_peer peer[CONTROL_PEERS];
};

/* 0, or -errno: -EADDRINUSE: another process serves it; -ENOTSOCK: it is another kind of file. */
int control_open(struct control *control, const char *path, const struct rvif_access *access,
		 control_answer *answer, void *owner);
const char *control_strerror(int error);
/* What to wait for, CONTROL_POLLS at most. How many. */
unsigned int control_polls(const struct control *control, struct pollfd *polls);
/* Does what can be done at once. True: more requests have come, and the next call serves one. */
bool control_serve(struct control *control, double now);
/* Closes the socket and removes the file. Does nothing if the socket was not opened and has fd
 * -1. */
void control_close(struct control *control);

#endif
