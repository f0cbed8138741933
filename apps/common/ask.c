/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "strict.h"

#define WAIT_MS	   10000       /* limit of waiting for the next bytes of a reply */
#define MOST_BYTES (64u << 20) /* limit of a reply */

static void say(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
}

static void say_of(const char *path, const char *what, const char *hint)
{
	fprintf(stderr, "%s: %s: %s%s\n", program_invocation_short_name, path, what, hint);
}

int ask_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		say_of(path, strerrordesc_np(ENAMETOOLONG), "");
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	say_of(path, strerrordesc_np(errno),
	       errno == ENOENT || errno == ECONNREFUSED ? "; does the daemon run, with --control?" :
							  "");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int send_all(int fd, const char *text, size_t length)
{
	while (length) {
		const ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			say_of("request", strerrordesc_np(errno), "");
			return -1;
		}
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Works as recv(). If a file comes with the bytes, *file becomes its descriptor; there is at most
 * one. */
static ssize_t receive_some(int fd, char *text, size_t room, int *file)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = text, .iov_len = room};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	const struct cmsghdr *header;
	ssize_t n;

	if (file && *file < 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(file, CMSG_DATA(header), sizeof(int));
	return n;
}

/* Receives a reply up to the end of its line, which becomes a NUL. */
static char *receive(int fd, int *file)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t room = 65536, length = 0;
	char *text = malloc(room), *more;

	while (text) {
		const ssize_t n = poll(&wait, 1, WAIT_MS) == 1 ?
					  receive_some(fd, text + length, room - length, file) :
					  -1;

		if (n <= 0) {
			say(n ? "no reply within 10 seconds" : "the daemon closed the connection");
			break;
		}
		length += (size_t)n;
		if (text[length - 1] == '\n') {
			text[length - 1] = 0;
			return text;
		}
		if (length < room)
			continue;
		more = room < MOST_BYTES ? realloc(text, room *= 2) : NULL;
		if (!more) {
			say("the reply is too long");
			break;
		}
		text = more;
	}
	free(text);
	return NULL;
}

/* Returns the result in a reply. */
static json_object *result_of(const char *text)
{
	struct strict_fault fault;
	json_object *reply = strict_check(text, strlen(text), &fault) ? NULL :
									json_tokener_parse(text);
	json_object *result, *error;

	if (json_object_is_type(reply, json_type_object)) {
		result = json_object_object_get(reply, "result");
		error = json_object_object_get(reply, "error");
	} else {
		result = error = NULL;
	}
	if (result)
		json_object_get(result);
	else
		say(json_object_is_type(error, json_type_string) ? json_object_get_string(error) :
								   "the reply is malformed");
	json_object_put(reply);
	return result;
}

json_object *ask(int fd, const struct question *question)
{
	json_object *request = json_object_new_object(), *result = NULL;
	char *text = NULL, *reply = NULL;

	json_object_object_add(request, "command", json_object_new_string(question->command));
	if (question->port)
		json_object_object_add(request, "port", json_object_new_string(question->port));
	if (question->from)
		json_object_object_add(request, "from", json_object_new_uint64(question->from));
	if (question->config)
		json_object_object_add(request, "config", json_object_get(question->config));
	if (asprintf(&text, "%s\n",
		     json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN)) < 0)
		text = NULL;
	if (text && !send_all(fd, text, strlen(text)))
		reply = receive(fd, question->file);
	if (reply)
		result = result_of(reply);
	free(reply);
	free(text);
	json_object_put(request);
	return result;
}
