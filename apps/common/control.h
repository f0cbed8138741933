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
#define CONTROL_RESERVED 4     /* places for root and the daemon's own user */
#define CONTROL_OF_USER	 4     /* limit of connections of a user that may change nothing */
#define CONTROL_LINE	 16384 /* bytes of a request, with its end of line */
#define CONTROL_STEP	 30    /* seconds for a whole request, and for taking the reply */
#define CONTROL_POLLS	 (CONTROL_PEERS + 1)

/* The peer's process and user when it connected, as the kernel reports them. */
struct control_user {
	pid_t pid;
	uid_t uid;
	bool may_change; /* root, or the daemon's own user */
};

/* Returns the reply to a request, from malloc(), without an end of line; NULL: there was no memory.
 * line ends with a NUL after `length` bytes. *file is -1 at first: no file goes with the reply. A
 * file that does must stay open as long as the socket. */
typedef char *control_answer(void *owner, const struct control_user *user, const char *line,
			     size_t length, int *file);

struct control_peer {
	int fd; /* -1: no peer */
	struct control_user user;
	double since;  /* when it connected, was given the reply, or had taken the last one */
	bool last;     /* it is dropped when it has taken the reply */
	size_t length; /* bytes it has sent that are not answered yet */
	char *reply;   /* a reply that it has not taken yet; NULL: none */
	int file;      /* a descriptor to send with the first byte of the reply; -1: none, or
		        * sent */
	size_t size, taken;
	char line[CONTROL_LINE];
};

struct control {
	int fd; /* -1: there is no socket */
	const char *path;
	control_answer *answer;
	void *owner;
	unsigned int turn; /* the peer that is looked at first */
	struct control_peer peer[CONTROL_PEERS];
};

/* Opens the socket. Returns 0, or -errno. -EADDRINUSE: another process serves it. -ENOTSOCK: the
 * path is another kind of file. */
int control_open(struct control *control, const char *path, const struct rvif_access *access,
		 control_answer *answer, void *owner);
const char *control_strerror(int error);
/* Fills in what to wait for, CONTROL_POLLS at most. Returns how many. */
unsigned int control_polls(const struct control *control, struct pollfd *polls);
/* Does what can be done at once. Returns true if more requests have come; the next call serves
 * one. */
bool control_serve(struct control *control, double now);
/* Closes the socket and removes the file. Does nothing if fd is -1, because the socket was not
 * opened. */
void control_close(struct control *control);

#endif
