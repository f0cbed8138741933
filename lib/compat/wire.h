/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The negotiation's messages (docs/migrating.md). All have one size. So a receiver takes exactly
 * its message from the stream, and leaves the application's data in between where it is.
 */
#ifndef ELISA_COMPAT_WIRE_H
#define ELISA_COMPAT_WIRE_H

#include <stdint.h>
#include <elisa/abi.h>

#define WIRE_SIZE      48
#define WIRE_VERSION   1
#define WIRE_MAX_VCPUS 1024

enum wire_type {
	WIRE_HELLO = 1, /* client: begins */
	WIRE_WELCOME,	/* server: accepts; the callbacks' data follows */
	WIRE_OFFER,	/* server, after its callback: gives the ticket */
	WIRE_ATTACHED,	/* client: has attached */
};

/* In a server's message: why there is no export to attach to. */
enum wire_status {
	WIRE_OK,
	WIRE_BUSY,    /* too many clients */
	WIRE_REFUSED, /* the server's callback refused the client */
	WIRE_FAILED,  /* the server could not set up the export: its own report says why */
	WIRE_STATUS_COUNT
};

struct wire_message {
	enum wire_type type;
	enum wire_status status;	   /* of a server's message */
	uint32_t vcpus;			   /* WIRE_HELLO: vCPUs on which the client may call, 1 to
				  * WIRE_MAX_VCPUS */
	uint8_t ticket[ELISA_TICKET_SIZE]; /* WIRE_OFFER with WIRE_OK, else 0 */
};

void wire_format(const struct wire_message *message, uint8_t bytes[WIRE_SIZE]);
/*
 * Parses a message of the other side. Returns 0, -EPROTO (not the expected message), or
 * -EPROTONOSUPPORT (another version).
 */
int wire_parse(const uint8_t bytes[WIRE_SIZE], enum wire_type expected,
	       struct wire_message *message);

/* Returns the moment that is so many milliseconds from now, by the monotonic clock. */
int64_t wire_deadline(int milliseconds);
/*
 * Send or receive one message before the deadline. Return 0 or -errno: -ETIMEDOUT, -ECONNRESET (the
 * stream ended), those of wire_parse(), send(2) and recv(2). The socket may be blocking or not, and
 * stays so.
 */
int wire_send(int sockfd, const struct wire_message *message, int64_t deadline);
int wire_receive(int sockfd, enum wire_type expected, struct wire_message *message,
		 int64_t deadline);

#endif
