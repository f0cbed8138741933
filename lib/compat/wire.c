/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The negotiation's messages. Every byte from the other side is hostile. A message is accepted only
 * if each of its bytes is as expected, and not one byte after it is read.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include "wire.h"

/* A message as it is sent. Integers are little-endian. */
struct wire_bytes {
	uint8_t magic[8];
	uint16_t version;
	uint16_t type;
	uint32_t status; /* of WIRE_HELLO: the number of vCPUs */
	uint8_t ticket[ELISA_TICKET_SIZE];
};
_Static_assert(sizeof(struct wire_bytes) == WIRE_SIZE, "no padding");

static const uint8_t magic[8] = {'E', 'L', 'I', 'S', 'A', 'c', 'm', 'p'};
static const uint8_t no_ticket[ELISA_TICKET_SIZE];

void wire_format(const struct wire_message *message, uint8_t bytes[WIRE_SIZE])
{
	struct wire_bytes sent = {
		.version = htole16(WIRE_VERSION),
		.type = htole16((uint16_t)message->type),
		.status = htole32(message->type == WIRE_HELLO ? message->vcpus : message->status),
	};

	memcpy(sent.magic, magic, sizeof(magic));
	memcpy(sent.ticket, message->ticket, sizeof(sent.ticket));
	memcpy(bytes, &sent, sizeof(sent));
}

int wire_parse(const uint8_t bytes[WIRE_SIZE], enum wire_type expected,
	       struct wire_message *message)
{
	bool offer, has_ticket;
	struct wire_bytes got;
	uint32_t status;

	memcpy(&got, bytes, sizeof(got));
	if (memcmp(got.magic, magic, sizeof(magic)))
		return -EPROTO;
	if (le16toh(got.version) != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (le16toh(got.type) != expected)
		return -EPROTO;
	status = le32toh(got.status);
	message->vcpus = 0;
	if (expected == WIRE_HELLO) {
		if (!status || status > WIRE_MAX_VCPUS)
			return -EPROTO;
		message->vcpus = status;
		status = WIRE_OK;
	}
	if (status >= WIRE_STATUS_COUNT)
		return -EPROTO;
	offer = expected == WIRE_OFFER && status == WIRE_OK;
	has_ticket = memcmp(got.ticket, no_ticket, sizeof(no_ticket));
	if (offer != has_ticket)
		return -EPROTO;
	if (status != WIRE_OK && expected == WIRE_ATTACHED)
		return -EPROTO;
	message->type = expected;
	message->status = (enum wire_status)status;
	memcpy(message->ticket, got.ticket, sizeof(message->ticket));
	return 0;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * (int64_t)1000 + time.tv_nsec / 1000000;
}

int64_t wire_deadline(int milliseconds)
{
	return now() + milliseconds;
}

static int wait_for(int sockfd, short events, int64_t deadline)
{
	struct pollfd wait = {.fd = sockfd, .events = events};
	int64_t left = deadline - now();
	int ready;

	if (left <= 0)
		return -ETIMEDOUT;
	ready = poll(&wait, 1, (int)left);
	if (ready < 0 && errno != EINTR)
		return -errno;
	return 0;
}

/* Sends or receives one whole message. The deadline is for the whole: a peer that sends single
 * bytes wins no time. */
static int transfer(int sockfd, uint8_t bytes[WIRE_SIZE], bool sends, int64_t deadline)
{
	size_t done = 0;

	while (done < WIRE_SIZE) {
		ssize_t moved = sends ? send(sockfd, bytes + done, WIRE_SIZE - done,
					     MSG_DONTWAIT | MSG_NOSIGNAL) :
					recv(sockfd, bytes + done, WIRE_SIZE - done, MSG_DONTWAIT);
		int ret;

		if (moved > 0) {
			done += (size_t)moved;
			continue;
		}
		if (!moved)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return errno == EPIPE ? -ECONNRESET : -errno;
		ret = wait_for(sockfd, sends ? POLLOUT : POLLIN, deadline);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int wire_send(int sockfd, const struct wire_message *message, int64_t deadline)
{
	uint8_t bytes[WIRE_SIZE];

	wire_format(message, bytes);
	return transfer(sockfd, bytes, true, deadline);
}

int wire_receive(int sockfd, enum wire_type expected, struct wire_message *message,
		 int64_t deadline)
{
	uint8_t bytes[WIRE_SIZE];
	int ret = transfer(sockfd, bytes, false, deadline);

	if (!ret)
		ret = wire_parse(bytes, expected, message);
	explicit_bzero(bytes, sizeof(bytes));
	return ret;
}
