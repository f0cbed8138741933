/* SPDX-License-Identifier: Apache-2.0 */
/* A server of memcached's text protocol, one request at a time, as unmodified clients use it. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "load.h"

static int server;
static char reply[LOAD_VALUE_MAX + 512];

/* Receives up to this text. */
static size_t receive(const char *end)
{
	const size_t end_length = strlen(end);
	size_t got = 0;

	do {
		const ssize_t more = read(server, reply + got, sizeof(reply) - 1 - got);

		if (more <= 0)
			errx(1, "the server does not answer");
		got += (size_t)more;
	} while (got < end_length || memcmp(reply + got - end_length, end, end_length) != 0);
	reply[got] = 0;
	return got;
}

static void send_all(struct iovec *part, int parts)
{
	while (parts) {
		ssize_t sent = writev(server, part, parts);

		if (sent < 0)
			err(1, "the server");
		while (parts && (size_t)sent >= part->iov_len) {
			sent -= (ssize_t)part->iov_len;
			part++;
			parts--;
		}
		if (parts) {
			part->iov_base = (char *)part->iov_base + sent;
			part->iov_len -= (size_t)sent;
		}
	}
}

static long get(const char *key, size_t key_length, char *value)
{
	char request[128];
	const int length = snprintf(request, sizeof(request), "get %.*s\r\n", (int)key_length, key);
	struct iovec part = {request, (size_t)length};
	char *data;
	size_t bytes, got;

	send_all(&part, 1);
	got = receive("END\r\n");
	if (got == 5)
		return -1;
	data = strchr(reply, '\n');
	/* the line is VALUE KEY FLAGS BYTES */
	if (!data || sscanf(reply, "VALUE %*s %*u %zu", &bytes) != 1 || bytes > LOAD_VALUE_MAX ||
	    got < (size_t)(data + 1 - reply) + bytes)
		errx(1, "get: %.80s", reply);
	memcpy(value, data + 1, bytes);
	return (long)bytes;
}

static void set(const char *key, size_t key_length, const char *value, size_t bytes)
{
	char request[128], end[] = "\r\n";
	const int length = snprintf(request, sizeof(request), "set %.*s 0 0 %zu\r\n",
				    (int)key_length, key, bytes);
	struct iovec part[] = {
		{request, (size_t)length}, {(char *)(uintptr_t)value, bytes}, {end, 2}};

	send_all(part, 3);
	receive("\r\n");
	if (strcmp(reply, "STORED\r\n") != 0)
		errx(1, "set: %s", reply);
}

static void to_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", path);
}

static void to_port(const char *text)
{
	const char *colon = strchr(text, ':');
	struct sockaddr_in address = {.sin_family = AF_INET};
	char host[32];
	const int on = 1;

	snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - text) : 0, text);
	if (!colon || inet_pton(AF_INET, host, &address.sin_addr) != 1)
		errx(2, "%s: neither a path nor ADDRESS:PORT", text);
	address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	server = socket(AF_INET, SOCK_STREAM, 0);
	if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", text);
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

const struct load_store *load_text(const char *address)
{
	static const struct load_store store = {get, set};

	if (*address == '/')
		to_path(address);
	else
		to_port(address);
	return &store;
}
