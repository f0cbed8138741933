/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients take turns. In a turn, a client's bytes are read once and served, and replies are sent as
 * far as its socket takes them. A turn ends after TURN_BYTES. It also ends when the session has
 * used SESSION_STEPS without that much to send. So no client can occupy the thread. While replies
 * of a client wait, nothing more is read from it.
 */
#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "output.h"

#define IN_SIZE	   16384
#define TURN_BYTES (1u << 20)
#define EVENTS	   64
#define TICK_MS	   1000
#define PAUSE_S	   0.1
#define DRAIN_S	   1.0

struct connection {
	int fd;
	bool is_listener;
	bool has_ended;	    /* the client sends no more */
	bool is_owed;	    /* its turn ended before all was served */
	uint32_t waits_for; /* EPOLLIN, EPOLLOUT */
	double heard;
	struct connection *next, **link; /* list of all clients */
	size_t in_from, in_to;
	struct session session;
	uint8_t in[IN_SIZE];
};

static void close_connection(struct server *server, struct connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	server->proxy->connections--;
	close(connection->fd);
	session_free(&connection->session);
	free(connection);
}

/* ------------------------------------------------------------------------------------ turn */

/* Reads once. Returns false if the connection is broken. */
static bool hear(struct server *server, struct connection *connection)
{
	ssize_t length;

	if (connection->in_from < connection->in_to || connection->has_ended)
		return true;
	length = recv(connection->fd, connection->in, sizeof(connection->in), 0);
	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	connection->has_ended = !length;
	connection->in_from = 0;
	connection->in_to = (size_t)length;
	connection->heard = server->now;
	server->proxy->bytes_read += (uint64_t)length;
	return true;
}

static void serve(struct connection *connection)
{
	connection->in_from += session_feed(&connection->session,
					    connection->in + connection->in_from,
					    connection->in_to - connection->in_from);
}

/* Sends what waits, and counts it. Returns false if the connection is broken. */
static bool say(struct server *server, struct connection *connection, size_t *sent)
{
	struct reply *reply = &connection->session.reply;
	ssize_t length;

	if (reply->failed)
		return false;
	while (reply_length(reply) && *sent < TURN_BYTES) {
		length = send(connection->fd, reply->bytes + reply->from, reply_length(reply),
			      MSG_NOSIGNAL);
		if (length < 0)
			return errno == EAGAIN || errno == EINTR;
		reply_sent(reply, (size_t)length);
		*sent += (size_t)length;
		connection->heard = server->now;
		server->proxy->bytes_written += (uint64_t)length;
	}
	return true;
}

/* Tells whether nothing is left to do for this client. */
static bool is_over(const struct connection *connection)
{
	const struct session *session = &connection->session;

	if (session_is_behind(session))
		return false;
	return session->state == SESSION_CLOSED ||
	       (connection->has_ended && connection->in_from == connection->in_to);
}

static void wait_for(struct server *server, struct connection *connection)
{
	const bool is_behind = session_is_behind(&connection->session) || connection->is_owed;
	struct epoll_event event = {.events = is_behind ? EPOLLOUT : EPOLLIN,
				    .data.ptr = connection};

	if (event.events == connection->waits_for)
		return;
	connection->waits_for = event.events;
	epoll_ctl(server->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

/*
 * Serves as long as that makes replies and the client takes them. A full turn may leave bytes, or
 * keys of a line that has ended: the client is "owed" then. Its socket is watched for being
 * writable, which it is, so the client's next turn comes.
 */
static void take_turn(struct server *server, struct connection *connection)
{
	size_t sent = 0, before;
	bool works = hear(server, connection);

	do {
		before = sent;
		if (works)
			serve(connection);
		works = works && say(server, connection, &sent);
	} while (works && sent > before && sent < TURN_BYTES && !connection->session.has_more);
	if (!works || is_over(connection)) {
		close_connection(server, connection);
		return;
	}
	connection->is_owed = sent >= TURN_BYTES || connection->in_from < connection->in_to;
	wait_for(server, connection);
}

/* --------------------------------------------------------------------------------- clients */

static void refuse(struct server *server, int fd)
{
	static const char text[] = "SERVER_ERROR too many open connections\r\n";

	server->proxy->refused_connections++;
	send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
	close(fd);
}

static void add_connection(struct server *server, int fd)
{
	struct connection *connection = malloc(sizeof(*connection));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	const int one = 1;

	if (!connection || epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event)) {
		free(connection);
		refuse(server, fd);
		return;
	}
	/* this fails for a local socket, which does not need it */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	memset(connection, 0, offsetof(struct connection, session));
	session_init(&connection->session, server->proxy);
	connection->fd = fd;
	connection->waits_for = EPOLLIN;
	connection->heard = server->now;
	connection->next = server->first;
	connection->link = &server->first;
	if (server->first)
		server->first->link = &connection->next;
	server->first = connection;
	server->proxy->connections++;
	server->proxy->all_connections++;
}

/* Watches the listeners for these events, or for none. A listener is in the epoll instance under
 * the address of its descriptor. */
static void listen_for(struct server *server, uint32_t events)
{
	for (uint32_t i = 0; i < server->listeners; i++) {
		struct epoll_event event = {.events = events, .data.ptr = &server->listener[i]};

		epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->listener[i], &event);
	}
}

/* Accepts one client at a time, so that other clients have their turns in between. */
static void accept_one(struct server *server, int listener)
{
	const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		if (server->proxy->connections < server->proxy->most_connections)
			add_connection(server, fd);
		else
			refuse(server, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* epoll would report the listener again at once */
		server->paused_until = server->now + PAUSE_S;
		listen_for(server, 0);
	}
}

/* ------------------------------------------------------------------------------------ loop */

static bool is_listener(const struct server *server, const void *at)
{
	return at >= (const void *)server->listener &&
	       at < (const void *)(server->listener + SERVER_LISTENERS);
}

static void send_idle_away(struct server *server)
{
	struct connection *next;

	for (struct connection *connection = server->first; connection; connection = next) {
		next = connection->next;
		if (server->now - connection->heard >= server->idle_s)
			close_connection(server, connection);
	}
}

static void tick(struct server *server)
{
	struct proxy *proxy = server->proxy;

	if (server->paused_until && server->now >= server->paused_until) {
		server->paused_until = 0;
		listen_for(server, EPOLLIN);
	}
	if (server->idle_s)
		send_idle_away(server);
	proxy_flush_due(proxy);
}

static int timeout(const struct server *server)
{
	if (server->paused_until)
		return (int)(1000 * PAUSE_S);
	return server->idle_s || server->proxy->flush_at ? TICK_MS : -1;
}

/* Does one round. during: the signal mask while it waits. */
static int round_of(struct server *server, int timeout_ms, const sigset_t *during)
{
	struct epoll_event event[EVENTS];
	const int count = epoll_pwait(server->epoll, event, EVENTS, timeout_ms, during);

	server->now = monotonic();
	for (int i = 0; i < count; i++) {
		if (is_listener(server, event[i].data.ptr))
			accept_one(server, *(int *)event[i].data.ptr);
		else
			take_turn(server, event[i].data.ptr);
	}
	return count < 0 && errno != EINTR ? -1 : 0;
}

static bool owes_replies(const struct server *server)
{
	for (const struct connection *c = server->first; c; c = c->next)
		if (session_is_behind(&c->session))
			return true;
	return false;
}

/* Accepts no new clients and serves no new commands, and sends the replies that are under way. */
static void drain(struct server *server, const sigset_t *during)
{
	const double until = monotonic() + DRAIN_S;
	struct connection *next;

	for (uint32_t i = 0; i < server->listeners; i++)
		close(server->listener[i]);
	server->listeners = 0;
	for (struct connection *c = server->first; c; c = next) {
		next = c->next;
		session_end(&c->session);
		if (!session_is_behind(&c->session))
			close_connection(server, c);
	}
	while (owes_replies(server) && monotonic() < until && !round_of(server, 100, during))
		;
}

int server_run(struct server *server, const sigset_t *signals, const volatile sig_atomic_t *stop)
{
	sigset_t during;
	int error = 0;

	sigprocmask(SIG_BLOCK, NULL, &during);
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(signals, signal) == 1)
			sigdelset(&during, signal);
	while (!*stop && !error) {
		error = round_of(server, timeout(server), &during);
		tick(server);
	}
	if (error)
		output_print(STDERR_FILENO, "elisa-kv-proxy: waiting for clients: %s\n",
			     strerror(errno));
	drain(server, &during);
	return error;
}

/* --------------------------------------------------------------------------- opening, closing */

int server_open(struct server *server, struct proxy *proxy)
{
	server->proxy = proxy;
	server->now = monotonic();
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll >= 0)
		return 0;
	output_print(STDERR_FILENO, "elisa-kv-proxy: epoll: %s\n", strerror(errno));
	return -1;
}

int server_add(struct server *server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	server->listener[server->listeners] = fd;
	event.data.ptr = &server->listener[server->listeners];
	server->listeners++;
	if (!epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event))
		return 0;
	output_print(STDERR_FILENO, "elisa-kv-proxy: epoll: %s\n", strerror(errno));
	return -1;
}

void server_close(struct server *server)
{
	for (uint32_t i = 0; i < server->listeners; i++)
		close(server->listener[i]);
	server->listeners = 0;
	while (server->first)
		close_connection(server, server->first);
	if (server->epoll >= 0)
		close(server->epoll);
}
