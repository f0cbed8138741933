/* SPDX-License-Identifier: Apache-2.0 */
/* Where clients connect: a path, or a port of this machine's loopback addresses. No other machine
 * can connect. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "output.h"
#include "server.h"

#define BACKLOG 1024

static int failed(int fd, const char *where, const char *what)
{
	output_print(STDERR_FILENO, "elisa-kv-proxy: %s: %s\n", where, what);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Tells whether the address is a socket file at which no process listens. */
static bool is_left_over(const struct sockaddr_un *address)
{
	const int fd = new_socket(AF_UNIX);
	struct stat is;
	bool refused;

	if (fd < 0 || lstat(address->sun_path, &is) || !S_ISSOCK(is.st_mode)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

int listen_at(const char *path, uint32_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = new_socket(AF_UNIX);
	mode_t mask;
	int error;

	if (fd < 0)
		return failed(fd, path, strerror(errno));
	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return failed(fd, path, "the path of a socket has 1 to 107 bytes");
	strcpy(address.sun_path, path);
	if (is_left_over(&address))
		unlink(path);
	/* so that the socket never allows more users than it should */
	mask = umask(0777 & ~mode);
	error = bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? errno : 0;
	umask(mask);
	if (error == EADDRINUSE)
		return failed(fd, path, "there is a file already, or a process that listens there");
	if (error)
		return failed(fd, path, strerror(error));
	if (listen(fd, BACKLOG)) {
		unlink(path);
		return failed(fd, path, strerror(errno));
	}
	return fd;
}

int listen_on(int family, uint32_t port)
{
	const struct sockaddr_in four = {.sin_family = AF_INET,
					 .sin_port = htons((uint16_t)port),
					 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const struct sockaddr_in6 six = {.sin6_family = AF_INET6,
					 .sin6_port = htons((uint16_t)port),
					 .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const bool is_four = family == AF_INET;
	const char *where = is_four ? "127.0.0.1" : "::1";
	const int fd = new_socket(family), one = 1;

	if (fd < 0)
		return failed(fd, where, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!is_four)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, is_four ? (const struct sockaddr *)&four : (const struct sockaddr *)&six,
		 is_four ? sizeof(four) : sizeof(six)) ||
	    listen(fd, BACKLOG))
		return failed(fd, where, strerror(errno));
	return fd;
}
