/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's own process. It listens, starts a child process for each client, and limits the time
 * that clients take to become attached. It must never wait for a client or its child: all it does
 * with them is poll(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "internal.h"
#include "wire.h"

enum {
	NEGOTIATION_MS = 60000,
	SECOND_MS = 1000,
	LISTENERS = 2
};

struct client {
	pid_t pid;
	int sockfd;	  /* of a client that is not attached yet, else -1 */
	int child;	  /* socket to its process: a byte when it is attached, the end of the
			   * stream when it has ended */
	int64_t deadline; /* end of the time for the negotiation */
};

struct server {
	server_callback *server_cb;
	exit_callback *exit_cb;
	int listener[LISTENERS];
	int listeners;
	struct client client[COMPAT_CLIENTS];
	int clients;
};

/* IPv4 has a socket of its own, so callbacks that ask for the peer's address get a sockaddr_in. */
static int listen_on(int family, int port)
{
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const struct sockaddr *any = family == AF_INET6 ? (struct sockaddr *)&any6 :
							  (struct sockaddr *)&any4;
	socklen_t size = family == AF_INET6 ? sizeof(any6) : sizeof(any4);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, any, size) < 0 || listen(fd, SOMAXCONN) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int open_listeners(struct server *server, int port)
{
	static const int families[LISTENERS] = {AF_INET, AF_INET6};

	for (int i = 0; i < LISTENERS; i++) {
		int fd = listen_on(families[i], port);

		if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
			continue;
		if (fd < 0) {
			while (server->listeners)
				close(server->listener[--server->listeners]);
			return compat_fail(-fd, "listen on port %d: %s; %s", port,
					   strerrordesc_np(-fd),
					   fd == -EADDRINUSE ?
						   "end the other server or take another port" :
						   "take another port");
		}
		server->listener[server->listeners++] = fd;
	}
	if (!server->listeners)
		return compat_fail(EAFNOSUPPORT, "listen on port %d: this VM has no network", port);
	return 0;
}

/* Checks once at the start, so that a server without a driver or a grant does not begin. */
static int check_rights(void)
{
	struct elisa *elisa;
	uint32_t rights;
	int ret = elisa_open(NULL, &elisa);

	if (ret < 0)
		return compat_fail_elisa(NULL, ret);
	rights = elisa_rights(elisa);
	elisa_close(elisa);
	if (!(rights & ELISA_HELLO_MAY_EXPORT))
		return compat_fail(EPERM,
				   "the host's administrator has not granted this VM to export; "
				   "on the host run: elisactl grant --pid VMM_PID export %s",
				   compat_name());
	return 0;
}

static void refuse(int sockfd, enum wire_status status)
{
	struct wire_message message = {.type = WIRE_WELCOME, .status = status};

	/* a new connection has room for the message, so this does not wait */
	wire_send(sockfd, &message, wire_deadline(1));
}

/* Makes TCP probe the client: an export must not stay for ever after its client vanished
 * silently. */
static void keep_alive(int sockfd)
{
	const int on = 1, idle = 10, interval = 5, count = 3;

	setsockopt(sockfd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(sockfd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static _Noreturn void be_child(const struct server *server, int sockfd, int parent)
{
	/* otherwise the other children would not see the end of this server or of their clients */
	for (int i = 0; i < server->listeners; i++)
		close(server->listener[i]);
	for (int i = 0; i < server->clients; i++) {
		close(server->client[i].child);
		if (server->client[i].sockfd >= 0)
			close(server->client[i].sockfd);
	}
	compat_session(sockfd, parent, server->server_cb, server->exit_cb);
	fflush(NULL);
	_exit(0);
}

static int start_client(struct server *server, int sockfd)
{
	struct client *client = &server->client[server->clients];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return compat_fail(errno, "socketpair: %s", strerrordesc_np(errno));
	keep_alive(sockfd);
	/* otherwise the child would print again what the application has printed */
	fflush(NULL);
	client->pid = fork();
	if (client->pid < 0) {
		int error = errno;

		close(pair[0]);
		close(pair[1]);
		return compat_fail(error, "fork: %s", strerrordesc_np(error));
	}
	if (!client->pid) {
		close(pair[0]);
		be_child(server, sockfd, pair[1]);
	}
	close(pair[1]);
	client->sockfd = sockfd;
	client->child = pair[0];
	client->deadline = wire_deadline(NEGOTIATION_MS);
	server->clients++;
	return 0;
}

/* Accepts a connection. Returns false if a resource is short, which may be available again
 * later. */
static bool take_connection(struct server *server, int listener)
{
	int sockfd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (sockfd < 0)
		return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
	if (server->clients == COMPAT_CLIENTS) {
		compat_report("client refused: %d are there already", server->clients);
		refuse(sockfd, WIRE_BUSY);
	} else if (!start_client(server, sockfd)) {
		return true;
	} else {
		compat_report("client refused: %s", elisa_compat_error());
		refuse(sockfd, WIRE_FAILED);
	}
	close(sockfd);
	return true;
}

static void close_socket(struct client *client)
{
	if (client->sockfd >= 0)
		close(client->sockfd);
	client->sockfd = -1;
}

/* Handles a message of the client's process: the client is attached, or the process has ended.
 * Returns false if it has ended. */
static bool hear_client(struct client *client)
{
	char attached;
	int status;

	close_socket(client);
	if (read(client->child, &attached, 1) == 1)
		return true;
	close(client->child);
	if (waitpid(client->pid, &status, 0) == client->pid && WIFSIGNALED(status))
		compat_report("the process %d of a client ended by signal %d", (int)client->pid,
			      WTERMSIG(status));
	return false;
}

/* Handles events and timeouts of all clients. Returns whether a client is left that is not attached
 * yet. */
static bool watch_clients(struct server *server, const struct pollfd *wait)
{
	bool running = false;
	int kept = 0;

	for (int i = 0; i < server->clients; i++) {
		struct client *client = &server->client[i];

		if (wait[i].revents && !hear_client(client))
			continue;
		if (client->sockfd >= 0 && wire_deadline(0) > client->deadline) {
			/* this ends the callback's reads, and so its process */
			compat_report("client lost: not attached after %d seconds",
				      NEGOTIATION_MS / SECOND_MS);
			shutdown(client->sockfd, SHUT_RDWR);
			close_socket(client);
		}
		running |= client->sockfd >= 0;
		server->client[kept++] = *client;
	}
	server->clients = kept;
	return running;
}

static void accept_for_ever(struct server *server)
{
	struct pollfd wait[LISTENERS + COMPAT_CLIENTS];
	bool short_of_something = false, running = false;

	for (;;) {
		int first = server->listeners, count = server->clients;

		for (int i = 0; i < first; i++)
			wait[i] =
				(struct pollfd){.fd = short_of_something ? -1 : server->listener[i],
						.events = POLLIN};
		for (int i = 0; i < count; i++)
			wait[first + i] =
				(struct pollfd){.fd = server->client[i].child, .events = POLLIN};
		if (poll(wait, (nfds_t)(first + count),
			 running || short_of_something ? SECOND_MS : -1) < 0)
			continue;
		short_of_something = false;
		running = watch_clients(server, wait + first);
		for (int i = 0; i < first; i++)
			if (wait[i].revents) {
				running = true;
				short_of_something |= !take_connection(server, server->listener[i]);
			}
	}
}

COMPAT_PUBLIC void elisa_server(const int port, server_callback *server_cb, exit_callback *exit_cb)
{
	struct server *server;

	if (port < 1 || port > UINT16_MAX || !server_cb) {
		compat_fail(EINVAL, "serve port %d: give a port from 1 to 65535 and a callback",
			    port);
		return;
	}
	server = calloc(1, sizeof(*server));
	if (!server) {
		compat_fail(ENOMEM, "no memory for a server");
		return;
	}
	server->server_cb = server_cb;
	server->exit_cb = exit_cb;
	if (!check_rights() && !compat_memory_init() && !elisa_compat_place() &&
	    !open_listeners(server, port))
		accept_for_ever(server);
	free(server);
}
