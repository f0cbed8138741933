/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client in the server's child process: negotiates, exports, and waits until the client has
 * gone. The export must not outlive the connection.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "internal.h"

enum {
	HELLO_MS = 5000, /* for messages that a client sends without waiting for another party */
	ATTACH_MS = 30000,
	REPORTED_ABORTS = 8
};

struct session {
	int sockfd;
	int parent;
	uint64_t user;
	uint32_t vcpus; /* of the client */
	struct elisa *elisa;
	struct elisa_export *export_;
	uint8_t ticket[ELISA_TICKET_SIZE];
	unsigned int aborts;
};

static int say(const struct session *session, enum wire_type type, enum wire_status status)
{
	struct wire_message message = {.type = type, .status = status};
	int ret = wire_send(session->sockfd, &message, wire_deadline(HELLO_MS));

	if (ret < 0)
		return compat_fail(-ret, "the client does not take its answer: %s",
				   strerrordesc_np(-ret));
	return 0;
}

static int hear(struct session *session, enum wire_type type, int milliseconds)
{
	struct wire_message message;
	int ret = wire_receive(session->sockfd, type, &message, wire_deadline(milliseconds));

	if (ret == -EPROTO || ret == -EPROTONOSUPPORT)
		return compat_fail(-ret, "it does not speak this negotiation, version %d",
				   WIRE_VERSION);
	if (ret < 0)
		return compat_fail(-ret, "it did not finish the negotiation: %s",
				   strerrordesc_np(-ret));
	if (type == WIRE_HELLO)
		session->vcpus = message.vcpus;
	return 0;
}

const char *compat_name(void)
{
	const char *name = getenv("ELISA_COMPAT_NAME");

	return name ? name : "elisa-compat";
}

static int map_all(struct session *session, const struct elisa_map_req *reqs, int count)
{
	struct compat_run *runs;
	int made = compat_runs(reqs, count, &runs);
	int ret = made < 0 ? -1 : 0;

	for (int i = 0; !ret && i < made; i++)
		ret = compat_memory_map(session->export_, &runs[i]);
	if (made >= 0)
		free(runs);
	return ret;
}

static int publish(struct session *session, const struct elisa_map_req *reqs, int count,
		   uint64_t entry)
{
	uint32_t flags = compat_switch("ELISA_COMPAT_GENERAL_REGS") ? ELISA_EXPORT_GENERAL_REGS : 0;
	uint64_t limit_us;
	int ret;

	/* 0: the host's default */
	if (compat_number("ELISA_COMPAT_LIMIT_US", UINT32_MAX, 0, &limit_us) < 0)
		return -1;
	ret = elisa_open(NULL, &session->elisa);
	if (ret < 0)
		return compat_fail_elisa(NULL, ret);
	ret = elisa_export_create_private(session->elisa, compat_name(), flags, (uint32_t)limit_us,
					  session->ticket, &session->export_);
	if (ret < 0)
		return compat_fail_elisa(session->elisa, ret);
	if (map_all(session, reqs, count) < 0 ||
	    compat_stacks(session->export_, session->vcpus) < 0)
		return -1;
	if (entry < ELISA_OBJECT_BASE || entry >= COMPAT_OBJECT_END)
		return compat_fail(EINVAL,
				   "the entry function's address %#llx is outside of the object "
				   "area; give that of a function in the requests",
				   (unsigned long long)entry);
	ret = elisa_export_publish(session->export_, entry - ELISA_OBJECT_BASE);
	return ret < 0 ? compat_fail_elisa(session->elisa, ret) : 0;
}

static int offer(struct session *session)
{
	struct wire_message message = {.type = WIRE_OFFER};
	int ret;

	memcpy(message.ticket, session->ticket, sizeof(message.ticket));
	ret = wire_send(session->sockfd, &message, wire_deadline(HELLO_MS));
	explicit_bzero(message.ticket, sizeof(message.ticket));
	if (ret < 0)
		return compat_fail(-ret, "the client does not take its ticket: %s",
				   strerrordesc_np(-ret));
	return hear(session, WIRE_ATTACHED, ATTACH_MS);
}

/* Reports calls of the client that the host ended. A client may cause as many as it likes, so only
 * the first ones are reported. */
static void take_events(struct session *session)
{
	struct elisa_event event;

	while (elisa_events_read(session->elisa, &event, 1) == 1) {
		if (event.type != ELISA_EVENT_ABORT)
			continue;
		if (session->aborts++ < REPORTED_ABORTS)
			compat_report("a call of the client, on its vCPU %u: %s", event.vcpu,
				      elisa_call_strerror((long)event.value));
		else if (session->aborts == REPORTED_ABORTS + 1)
			compat_report("more calls of the client are ended, which is not reported");
	}
}

/* Waits until the client closes, or the server ends. Drops what the client still sends. */
static void wait_for_end(struct session *session)
{
	struct pollfd wait[] = {
		{.fd = session->sockfd, .events = POLLIN},
		{.fd = session->parent, .events = POLLIN},
		{.fd = elisa_fd(session->elisa), .events = POLLIN},
	};
	char nothing[4096];

	for (;;) {
		ssize_t got;

		if (poll(wait, 3, -1) < 0 && errno != EINTR)
			return;
		if (wait[2].revents & POLLIN)
			take_events(session);
		else if (wait[2].revents)
			/* no more events will come */
			wait[2].fd = -1;
		if (wait[1].revents)
			return;
		if (!wait[0].revents)
			continue;
		got = recv(session->sockfd, nothing, sizeof(nothing), MSG_DONTWAIT);
		if (!got || (got < 0 && errno != EAGAIN && errno != EINTR))
			return;
	}
}

/* Exports, and stays with the client until it has gone. */
static int serve(struct session *session, const struct elisa_map_req *reqs, int count,
		 uint64_t entry)
{
	const char attached = 1;

	if (publish(session, reqs, count, entry) < 0) {
		compat_report("client refused: %s", elisa_compat_error());
		say(session, WIRE_OFFER, WIRE_FAILED);
		return -1;
	}
	if (offer(session) < 0) {
		compat_report("client lost: %s", elisa_compat_error());
		return -1;
	}
	if (send(session->parent, &attached, 1, MSG_NOSIGNAL) == 1)
		wait_for_end(session);
	return 0;
}

void compat_session(int sockfd, int parent, server_callback *server_cb, exit_callback *exit_cb)
{
	struct session session = {.sockfd = sockfd, .parent = parent};
	struct elisa_map_req *reqs = NULL;
	uint64_t entry = 0;
	int count = 0;
	int ret;

	if (hear(&session, WIRE_HELLO, HELLO_MS) < 0 || say(&session, WIRE_WELCOME, WIRE_OK) < 0) {
		compat_report("no client: %s", elisa_compat_error());
		return;
	}
	ret = server_cb(sockfd, &session.user, &reqs, &count, &entry);
	if (ret) {
		compat_report("client refused: the server's callback returned %d", ret);
		say(&session, WIRE_OFFER, WIRE_REFUSED);
		return;
	}
	serve(&session, reqs, count, entry);
	/* the export ends first, so that no call runs any more when the application is told */
	elisa_export_destroy(session.export_);
	elisa_close(session.elisa);
	ret = exit_cb ? exit_cb(&session.user) : 0;
	if (ret)
		compat_report("the server's exit callback returned %d", ret);
}
