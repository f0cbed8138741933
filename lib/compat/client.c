/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: connects, negotiates, attaches. The application ends its attachment by closing the
 * socket, and the library is not told. So each new attachment begins by looking for sockets that
 * are closed, and detaches what belongs to them.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"
#include "wire.h"

enum {
	CONNECT_MS = 10000,
	HELLO_MS = 10000,
	OFFER_MS = 90000 /* longer than the time that a server gives itself */
};

/* An attachment and its socket. The application closes the socket without a call into this
 * library. */
struct connection {
	struct connection *next;
	struct elisa_attachment *attachment;
	int sockfd;
	dev_t device; /* with inode: the socket that sockfd was, since the number may be used
		       * again */
	ino_t inode;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects the variables below */
static struct connection *connections;
static struct elisa *elisa;
static pid_t owner; /* the process that opened `elisa`: a child of fork() opens its own */

static int open_device(void)
{
	int ret;

	if (elisa && owner == getpid())
		return 0;
	connections = NULL;
	ret = elisa_open(NULL, &elisa);
	if (ret < 0)
		return compat_fail_elisa(NULL, ret);
	owner = getpid();
	return 0;
}

static bool is_closed(const struct connection *connection)
{
	struct stat info;

	return fstat(connection->sockfd, &info) < 0 || info.st_dev != connection->device ||
	       info.st_ino != connection->inode;
}

static void give_back(void)
{
	struct connection **link = &connections;

	while (*link) {
		struct connection *connection = *link;

		if (is_closed(connection) && !elisa_detach(connection->attachment)) {
			*link = connection->next;
			free(connection);
		} else {
			link = &connection->next;
		}
	}
}

/* Connects to one address. Returns the socket or -errno. The socket blocks afterwards, as callbacks
 * expect. */
static int connect_one(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int64_t deadline = wire_deadline(CONNECT_MS);
	int error = 0, ready = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		error = errno;
		if (error == EINPROGRESS || error == EINTR) {
			do {
				int64_t left = deadline - wire_deadline(0);

				ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
			} while (ready < 0 && errno == EINTR);
			error = ETIMEDOUT;
			if (ready > 0)
				getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		}
	}
	if (!error && fcntl(fd, F_SETFL, 0) < 0)
		error = errno;
	if (!error)
		return fd;
	close(fd);
	return -error;
}

static int connect_to(const char *host, int port)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found, *address;
	int fd = -ENOENT, ret;
	char service[16];

	snprintf(service, sizeof(service), "%d", port);
	ret = getaddrinfo(host, service, &hints, &found);
	if (ret)
		return compat_fail(ENOENT,
				   "connect to '%.100s': %s; give an address or a name of "
				   "the server",
				   host, gai_strerror(ret));
	for (address = found; address; address = address->ai_next) {
		fd = connect_one(address);
		if (fd >= 0)
			break;
	}
	freeaddrinfo(found);
	if (fd < 0)
		return compat_fail(-fd, "connect to '%.100s', port %d: %s; %s", host, port,
				   strerrordesc_np(-fd),
				   fd == -ECONNREFUSED ? "start the server first" :
							 "check the address and the network");
	return fd;
}

static int negotiation_failed(int ret)
{
	if (ret == -EPROTONOSUPPORT)
		return compat_fail(EPROTO,
				   "the server speaks another version of the negotiation "
				   "than %d; build both with one release",
				   WIRE_VERSION);
	if (ret == -EPROTO)
		return compat_fail(EPROTO, "what the server sent is not the negotiation; check the "
					   "port, and that both callbacks read all that the other "
					   "one wrote");
	if (ret == -ECONNRESET)
		return compat_fail(ECONNRESET, "the server closed the connection; its own messages "
					       "say why");
	return compat_fail(-ret, "no negotiation with the server: %s", strerrordesc_np(-ret));
}

static int refused(enum wire_status status)
{
	switch (status) {
	case WIRE_BUSY:
		return compat_fail(EBUSY, "the server has no room for another client; try again "
					  "when one has gone");
	case WIRE_REFUSED:
		return compat_fail(ECONNABORTED, "the server's callback refused this client; its "
						 "own messages say why");
	default:
		return compat_fail(ECONNABORTED, "the server could not set up what it exports; its "
						 "own messages say why");
	}
}

/* Receives one of the server's messages. If the message is a refusal, this is a failure. */
static int hear(int sockfd, enum wire_type type, int milliseconds, struct wire_message *message)
{
	int ret = wire_receive(sockfd, type, message, wire_deadline(milliseconds));

	if (ret < 0)
		return negotiation_failed(ret);
	return message->status == WIRE_OK ? 0 : refused(message->status);
}

/* Returns the number of vCPUs of this VM, with those that are offline. */
static uint32_t vcpus(void)
{
	long count = sysconf(_SC_NPROCESSORS_CONF);

	return count < 1 ? 1 : count > WIRE_MAX_VCPUS ? WIRE_MAX_VCPUS : (uint32_t)count;
}

static int say(int sockfd, enum wire_type type)
{
	const struct wire_message message = {.type = type, .vcpus = vcpus()};
	int ret = wire_send(sockfd, &message, wire_deadline(HELLO_MS));

	return ret < 0 ? negotiation_failed(ret) : 0;
}

static int negotiate(int sockfd, int (*cb)(int sockfd), struct wire_message *offer)
{
	struct wire_message welcome;
	int ret;

	if (say(sockfd, WIRE_HELLO) < 0 || hear(sockfd, WIRE_WELCOME, HELLO_MS, &welcome) < 0)
		return -1;
	ret = cb ? cb(sockfd) : 0;
	if (ret)
		return compat_fail(ECANCELED, "the client's callback returned %d", ret);
	return hear(sockfd, WIRE_OFFER, OFFER_MS, offer);
}

static int attach(int sockfd, const uint8_t ticket[ELISA_TICKET_SIZE])
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct stat info;
	int ret;

	if (!connection || fstat(sockfd, &info) < 0) {
		free(connection);
		return compat_fail(ENOMEM, "no memory for an attachment");
	}
	ret = elisa_attach_private(
		elisa, ticket,
		compat_switch("ELISA_COMPAT_TRUST_MANAGER") ? ELISA_ATTACH_TRUST_MANAGER : 0, NULL,
		0, &connection->attachment);
	if (ret < 0) {
		free(connection);
		return compat_fail_elisa(elisa, ret);
	}
	connection->sockfd = sockfd;
	connection->device = info.st_dev;
	connection->inode = info.st_ino;
	connection->next = connections;
	connections = connection;
	compat_gate_set(connection->attachment);
	return 0;
}

/* Undoes an attachment that the server could not be told of. */
static void undo(int sockfd)
{
	close(sockfd);
	pthread_mutex_lock(&lock);
	give_back();
	pthread_mutex_unlock(&lock);
}

COMPAT_PUBLIC int elisa_client(const char *server_ip, const int port, int (*cb)(int sockfd))
{
	struct wire_message offer;
	int sockfd, error, ret;

	if (!server_ip || port < 1 || port > UINT16_MAX)
		return compat_fail(EINVAL,
				   "connect to port %d: give a server and a port from 1 to "
				   "65535",
				   port);
	pthread_mutex_lock(&lock);
	ret = open_device();
	if (!ret)
		give_back();
	pthread_mutex_unlock(&lock);
	if (ret < 0)
		return -1;

	sockfd = connect_to(server_ip, port);
	if (sockfd < 0)
		return -1;
	if (negotiate(sockfd, cb, &offer) < 0)
		goto err_close;
	pthread_mutex_lock(&lock);
	ret = attach(sockfd, offer.ticket);
	pthread_mutex_unlock(&lock);
	explicit_bzero(&offer, sizeof(offer));
	if (ret < 0)
		goto err_close;
	if (say(sockfd, WIRE_ATTACHED) < 0) {
		error = errno;
		undo(sockfd);
		errno = error;
		return -1;
	}
	return sockfd;

err_close:
	error = errno;
	close(sockfd);
	errno = error;
	return -1;
}
