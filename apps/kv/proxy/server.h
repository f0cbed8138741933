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
	uint32_t idle_s; /* after so many seconds without a byte a client is sent away; 0: never */
	int epoll;
	int listener[SERVER_LISTENERS];
	uint32_t listeners;
	double paused_until; /* no client is taken before: there were no descriptors; 0: not so */
	double now;	     /* seconds of CLOCK_MONOTONIC, of this round */
	struct connection *first;
};

/* 0, or -1 after a message. */
int server_open(struct server *server, struct proxy *proxy);
/* A socket that listens, which becomes the server's. */
int server_add(struct server *server, int fd);

/*
 * Serves clients until *stop is set by a handler of one of these signals, which are blocked. Then
 * replies that wait are sent, for a second at most. 0, or -1 after a message.
 */
int server_run(struct server *server, const sigset_t *signals, const volatile sig_atomic_t *stop);

void server_close(struct server *server);

/* listen.c: descriptors that listen, or -1 after a message. A socket that a dead process has left
 * at path is replaced. */
int listen_at(const char *path, uint32_t mode);
int listen_on(int family, uint32_t port);

#endif
