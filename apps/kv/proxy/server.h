/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy's sockets: one thread serves all clients. */
#ifndef PROXY_SERVER_H
#define PROXY_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include "session.h"

#define SERVER_LISTENERS 3 /* a path, and localhost in two families */

struct connection;

struct server {
	struct proxy *proxy;
	uint32_t idle_s; /* seconds without a byte until a client is disconnected; 0: never */
	int epoll;
	int listener[SERVER_LISTENERS];
	uint32_t listeners;
	/* no client is accepted before, because descriptors were short; 0: not paused */
	double paused_until;
	double now; /* seconds of CLOCK_MONOTONIC, in this round */
	struct connection *first;
};

/* Returns 0, or -1 after a message. */
int server_open(struct server *server, struct proxy *proxy);
/* Adds a listening socket, which belongs to the server then. */
int server_add(struct server *server, int fd);

/*
 * Serves clients until a handler of one of these signals, which are blocked, sets *stop. Then sends
 * the replies that wait, for a second at most. Returns 0, or -1 after a message.
 */
int server_run(struct server *server, const sigset_t *signals, const volatile sig_atomic_t *stop);

void server_close(struct server *server);

/* listen.c: return a listening descriptor, or -1 after a message. A socket file that a dead process
 * left at the path is replaced. */
int listen_at(const char *path, uint32_t mode);
int listen_on(int family, uint32_t port);

#endif
