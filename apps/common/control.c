/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAITING 8 /* connections that wait to be accepted */
#define ACCEPTS 4 /* connections that are accepted in a round */

/* ------------------------------------------------------------------------------------ socket */

static int address_of(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!*path || strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

/* Removes the socket of a daemon that was killed. No other file is removed. */
static int remove_old(const struct sockaddr_un *address)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat is;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (lstat(address->sun_path, &is))
		error = errno == ENOENT ? 0 : -errno;
	else if (!S_ISSOCK(is.st_mode))
		error = -ENOTSOCK;
	else if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
		 errno != ECONNREFUSED)
		error = -EADDRINUSE;
	else if (unlink(address->sun_path))
		error = -errno;
	close(fd);
	return error;
}

/* Binds the socket. Only the owner may use the file until it has its group. */
static int bind_for(int fd, const struct sockaddr_un *address, const struct rvif_access *access)
{
	const mode_t before = umask(0177);
	int error = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(before);
	if (error)
		return error;
	if ((access->has_group && chown(address->sun_path, (uid_t)-1, access->group)) ||
	    (access->mode && chmod(address->sun_path, access->mode)) || listen(fd, WAITING)) {
		error = -errno;
		unlink(address->sun_path);
	}
	return error;
}

int control_open(struct control *control, const char *path, const struct rvif_access *access,
		 control_answer *answer, void *owner)
{
	struct sockaddr_un address;
	int error = address_of(path, &address);

	*control = (struct control){.fd = -1, .path = path, .answer = answer, .owner = owner};
	for (unsigned int i = 0; i < CONTROL_PEERS; i++)
		control->peer[i].fd = -1;
	if (!error)
		error = remove_old(&address);
	if (error)
		return error;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		return -errno;
	error = bind_for(control->fd, &address, access);
	if (error) {
		close(control->fd);
		control->fd = -1;
	}
	return error;
}

const char *control_strerror(int error)
{
	return error == -EADDRINUSE ? "another process serves it" :
	       error == -ENOTSOCK   ? "it is there, and no socket" :
				      strerrordesc_np(-error);
}

/* ------------------------------------------------------------------------------------- peers */

static void drop(struct control_peer *peer)
{
	close(peer->fd);
	free(peer->reply);
	peer->fd = -1;
	peer->reply = NULL;
	peer->length = 0;
}

static struct control_peer *free_place(struct control *control, const struct control_user *user)
{
	struct control_peer *found = NULL;
	unsigned int count = 0, own = 0;

	for (unsigned int i = 0; i < CONTROL_PEERS; i++) {
		const struct control_peer *peer = &control->peer[i];

		if (peer->fd < 0) {
			found = &control->peer[i];
			continue;
		}
		count += !peer->user.may_change;
		own += peer->user.uid == user->uid;
	}
	if (user->may_change)
		return found;
	return own < CONTROL_OF_USER && count < CONTROL_PEERS - CONTROL_RESERVED ? found : NULL;
}

static int user_of(int fd, struct control_user *user)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
		return -errno;
	user->pid = credentials.pid;
	user->uid = credentials.uid;
	user->may_change = !credentials.uid || credentials.uid == geteuid();
	return 0;
}

/* Accepts a connection. Returns false if none waits. */
static bool accept_one(struct control *control, double now)
{
	static const char full[] = "{\"error\": \"too many connections; close one of them\"}\n";
	const int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_user user;
	struct control_peer *peer;

	if (fd < 0)
		return false;
	peer = user_of(fd, &user) ? NULL : free_place(control, &user);
	if (!peer) {
		/* its buffer is empty, so there is room for the message */
		send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
		close(fd);
		return true;
	}
	peer->fd = fd;
	peer->user = user;
	peer->since = now;
	peer->last = false;
	peer->length = 0;
	return true;
}

/* ---------------------------------------------------------------------------------- requests */

/* Sends the rest of the reply, or as much as there is room for. */
static ssize_t send_rest(const struct control_peer *peer)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec rest = {.iov_base = peer->reply + peer->taken,
			     .iov_len = peer->size - peer->taken};
	struct msghdr message = {.msg_iov = &rest, .msg_iovlen = 1};

	if (peer->file >= 0) {
		memcpy(CMSG_DATA(&control.header), &peer->file, sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control.bytes);
	}
	return sendmsg(peer->fd, &message, MSG_NOSIGNAL);
}

/* Sends what the peer can take now. */
static void give(struct control_peer *peer, double now)
{
	const ssize_t n = send_rest(peer);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		drop(peer);
		return;
	}
	if (n <= 0)
		return;
	peer->file = -1;
	peer->taken += (size_t)n;
	if (peer->taken < peer->size)
		return;
	free(peer->reply);
	peer->reply = NULL;
	peer->since = now;
	if (peer->last)
		drop(peer);
}

static void reply(struct control_peer *peer, char *text, int file, double now)
{
	if (!text) {
		drop(peer);
		return;
	}
	peer->reply = text;
	peer->file = file;
	peer->since = now;
	peer->size = strlen(text);
	peer->taken = 0;
	text[peer->size++] = '\n'; /* in place of the NUL */
	give(peer, now);
}

static bool has_request(const struct control_peer *peer)
{
	return peer->fd >= 0 && !peer->reply && memchr(peer->line, '\n', peer->length);
}

/* Takes what the peer has sent. A request without an end is refused; one that is cut off is
 * dropped. */
static void take(struct control_peer *peer, double now)
{
	ssize_t n;

	if (has_request(peer))
		return;
	if (peer->length == CONTROL_LINE) {
		peer->last = true;
		peer->length = 0;
		reply(peer, strdup("{\"error\": \"the request is longer than 16384 bytes\"}"), -1,
		      now);
		return;
	}
	n = recv(peer->fd, peer->line + peer->length, CONTROL_LINE - peer->length, 0);
	if (n > 0)
		peer->length += (size_t)n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		drop(peer);
}

/* Serves a request. Bytes that were sent behind it stay for the next round. */
static void serve_request(struct control *control, struct control_peer *peer, double now)
{
	char *end = memchr(peer->line, '\n', peer->length);
	const size_t length = (size_t)(end - peer->line);
	int file = -1;
	char *text;

	*end = 0;
	text = control->answer(control->owner, &peer->user, peer->line, length, &file);
	peer->length -= length + 1;
	memmove(peer->line, end + 1, peer->length);
	reply(peer, text, file, now);
}

static void serve_one(struct control *control, double now)
{
	for (unsigned int i = 0; i < CONTROL_PEERS; i++) {
		struct control_peer *peer = &control->peer[(control->turn + i) % CONTROL_PEERS];

		if (!has_request(peer))
			continue;
		control->turn = (control->turn + i + 1) % CONTROL_PEERS;
		serve_request(control, peer, now);
		return;
	}
}

/* ----------------------------------------------------------------------------------- daemon's */

unsigned int control_polls(const struct control *control, struct pollfd *polls)
{
	unsigned int count = 0;

	if (control->fd < 0)
		return 0;
	polls[count++] = (struct pollfd){.fd = control->fd, .events = POLLIN};
	for (unsigned int i = 0; i < CONTROL_PEERS; i++)
		if (control->peer[i].fd >= 0)
			polls[count++] = (struct pollfd){
				.fd = control->peer[i].fd,
				.events = control->peer[i].reply ? POLLOUT : POLLIN};
	return count;
}

bool control_serve(struct control *control, double now)
{
	if (control->fd < 0)
		return false;
	for (unsigned int i = 0; i < CONTROL_PEERS; i++) {
		struct control_peer *peer = &control->peer[i];

		if (peer->fd >= 0 && peer->reply)
			give(peer, now);
		if (peer->fd >= 0 && !peer->reply)
			take(peer, now);
		if (peer->fd >= 0 && now - peer->since > CONTROL_STEP)
			drop(peer);
	}
	for (int i = 0; i < ACCEPTS && accept_one(control, now); i++)
		;
	serve_one(control, now);
	for (unsigned int i = 0; i < CONTROL_PEERS; i++)
		if (has_request(&control->peer[i]))
			return true;
	return false;
}

void control_close(struct control *control)
{
	if (control->fd < 0)
		return;
	for (unsigned int i = 0; i < CONTROL_PEERS; i++)
		if (control->peer[i].fd >= 0)
			drop(&control->peer[i]);
	close(control->fd);
	unlink(control->path);
	control->fd = -1;
}
