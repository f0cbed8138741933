/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target of the compatibility library's negotiation: any stream of
 * bytes, from either side. What is accepted has to be the very bytes of a
 * message, and each message takes exactly its own from the stream, since the
 * application's data follows. Half of the inputs are changes to a good stream.
 *   build/fuzz/tests/fuzz/fuzz_negotiation -max_len=256 CORPUS
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../lib/compat/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum wire_type server_hears[] = {WIRE_HELLO, WIRE_ATTACHED};
static const enum wire_type client_hears[] = {WIRE_WELCOME, WIRE_OFFER};

static void good_stream(const enum wire_type types[2], uint8_t stream[2 * WIRE_SIZE])
{
	for (int i = 0; i < 2; i++) {
		struct wire_message message = {.type = types[i], .vcpus = 2};

		if (types[i] == WIRE_OFFER)
			memset(message.ticket, 1, sizeof(message.ticket));
		wire_format(&message, stream + i * WIRE_SIZE);
	}
}

static size_t left_in(int sockfd)
{
	int bytes;

	if (ioctl(sockfd, FIONREAD, &bytes) < 0)
		abort();
	return (size_t)bytes;
}

static void receive_all(int sockfd, const enum wire_type types[2], const uint8_t *stream,
			size_t size)
{
	for (size_t i = 0; i < 2; i++) {
		size_t before = left_in(sockfd);
		struct wire_message message;
		uint8_t bytes[WIRE_SIZE];
		int ret = wire_receive(sockfd, types[i], &message, wire_deadline(1000));
		size_t taken = before - left_in(sockfd);

		if (taken != (before < WIRE_SIZE ? before : WIRE_SIZE))
			abort();
		if (taken < WIRE_SIZE && ret != -ECONNRESET)
			abort();
		if (ret)
			return;
		wire_format(&message, bytes);
		if (memcmp(bytes, stream + size - before, WIRE_SIZE))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const enum wire_type *types = size && data[0] & 1 ? server_hears : client_hears;
	uint8_t stream[4 * WIRE_SIZE] = {0};
	size_t length;
	int pair[2];

	if (!size)
		return 0;
	length = size - 1 < sizeof(stream) ? size - 1 : sizeof(stream);
	if (data[0] & 2) {
		good_stream(types, stream);
		if (length < 2 * WIRE_SIZE && data[0] & 4)
			length = 2 * WIRE_SIZE;
	}
	for (size_t i = 0; i < length && i < size - 1; i++)
		stream[i] ^= data[i + 1];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    write(pair[0], stream, length) != (ssize_t)length)
		abort();
	shutdown(pair[0], SHUT_WR);
	receive_all(pair[1], types, stream, length);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
