/* SPDX-License-Identifier: Apache-2.0 */
/* Each of the two is told once, or a message says why not. */
#include "ready.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char text[] = "READY=1\n";

enum {
	LENGTH = sizeof(text) - 1
};

int option_ready_fd(const struct program_option *option, const char *number, void *to)
{
	uint64_t fd;

	(void)option;
	if (parse_number(number, STDERR_FILENO + 1, INT_MAX, &fd) || fcntl((int)fd, F_GETFD) < 0)
		return -EINVAL;
	*(int *)to = (int)fd;
	return 0;
}

/* Writes to the file. It does not wait: a reader that waits for the program has not let its pipe
 * fill up. */
static int tell_file(int fd)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	int error = 0;

	if (poll(&room, 1, 0) != 1)
		error = -EAGAIN;
	else if (write(fd, text, LENGTH) != LENGTH)
		error = -errno;
	close(fd);
	return error;
}

/* Sends to a socket: a path, or, behind '@', a name in the abstract namespace. */
static int tell_socket(const char *where, const char *what)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const size_t length = strlen(where);
	int fd, error = 0;

	if ((where[0] != '/' && where[0] != '@') || length >= sizeof(address.sun_path))
		return -EAFNOSUPPORT;
	memcpy(address.sun_path, where, length);
	if (where[0] == '@')
		address.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, what, strlen(what), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		error = -errno;
	close(fd);
	return error;
}

static int tell_systemd(const char *what)
{
	const char *where = getenv("NOTIFY_SOCKET");

	return where && *where ? tell_socket(where, what) : 0;
}

void ready_not_yet(uint32_t seconds)
{
	char what[64];

	snprintf(what, sizeof(what), "EXTEND_TIMEOUT_USEC=%u000000\n", seconds);
	tell_systemd(what);
}

int ready_tell(int fd)
{
	const int of_file = fd ? tell_file(fd) : 0;
	const int of_systemd = tell_systemd(text);

	return of_file ? of_file : of_systemd;
}
