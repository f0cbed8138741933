/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A memcached on this machine, by its text protocol on a local socket, one request at a time. (Its
 * own load program memcaslap takes TCP only.)
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "speed.h"

static const char *path;
static int to_server;
static char request[256], reply[256];

static void become(uint32_t client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)client;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	to_server = socket(AF_UNIX, SOCK_STREAM, 0);
	if (to_server < 0 || connect(to_server, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", path);
}

/* Sends a request, and receives until the reply ends as it has to. Returns the reply's length. */
static size_t ask(size_t length, const char *end)
{
	const size_t end_length = strlen(end);
	size_t got = 0;

	if (write(to_server, request, length) != (ssize_t)length)
		err(1, "memcached");
	do {
		const ssize_t more = read(to_server, reply + got, sizeof(reply) - got);

		if (more <= 0)
			errx(1, "memcached does not answer");
		got += (size_t)more;
	} while (got < end_length || memcmp(reply + got - end_length, end, end_length) != 0);
	return got;
}

static int get(const char *key)
{
	const int length = snprintf(request, sizeof(request), "get %.*s\r\n", KEY_BYTES, key);

	return ask((size_t)length, "END\r\n") > VALUE_BYTES;
}

static int set(const char *key, const char *value)
{
	const int length = snprintf(request, sizeof(request), "set %.*s 0 0 %d\r\n%.*s\r\n",
				    KEY_BYTES, key, VALUE_BYTES, VALUE_BYTES, value);

	ask((size_t)length, "\r\n");
	return reply[0] == 'S';
}

const struct speed_store *speed_memcached(const char *socket_path, int pid)
{
	static struct speed_store store = {"memcached", 0, become, get, set};

	path = socket_path;
	if (clock_getcpuclockid(pid, &store.server))
		errx(1, "no CPU clock of process %d", pid);
	return &store;
}
