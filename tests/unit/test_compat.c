/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compatibility library's servers and clients, and the server's memory,
 * over a libelisa without a
 * driver: a real server with its child processes, real connections, and hostile peers.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libelisa_extra/irq.h>
#include "test.h"
#include "fake_elisa.h"
#include "../../lib/compat/internal.h"
#include "../../lib/compat/wire.h"

static int port, reports[2], exits[2], events[2];
static pid_t server;
static struct elisa_map_req request = {
	.pt_flags = PT_P | PT_U | PT_W,
	.ept_flags = EPT_R | EPT_W | EPT_MT,
	.level = 1,
};

/* --- a server: it greets, and refuses a client that asks for it */

static int server_cb(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		     uint64_t *entry)
{
	char what;

	if (write(sockfd, "hello", 5) != 5 || read(sockfd, &what, 1) != 1)
		return -1;
	*user = 42;
	*reqs = &request;
	*nreqs = what == 'n' ? 0 : 1;
	*entry = request.dst_gva;
	return what == 'r';
}

static int exit_cb(uint64_t *user)
{
	return write(exits[1], user, sizeof(*user)) == sizeof(*user) ? 0 : -1;
}

static void report(const char *line)
{
	dprintf(reports[1], "%s\n", line);
}

static int free_port(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t size = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &size), 0);
	close(fd);
	return ntohs(any.sin_port);
}

static int stranger(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0; i++) {
		if (i == 500)
			fail_msg("no server on port %d", port);
		usleep(10000);
	}
	return fd;
}

static int start_server(void **state)
{
	(void)state;
	port = free_port();
	if (pipe(reports) < 0 || pipe(exits) < 0 || pipe2(events, O_NONBLOCK) < 0)
		return -1;
	fake_elisa = (struct fake_elisa){.rights = ELISA_HELLO_MAY_EXPORT, .event_fd = events[0]};
	server = fork();
	if (!server) {
		elisa_compat_report(report);
		elisa_compat_place();
		request.src_gxa = (uintptr_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
						  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		request.dst_gva = request.src_gxa;
		elisa_server(port, server_cb, exit_cb);
		fprintf(stderr, "%s\n", elisa_compat_error());
		_exit(1);
	}
	close(stranger());
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(reports[i]);
		close(exits[i]);
		close(events[i]);
	}
	return 0;
}

/* Until the server reports this. */
static void reported(const char *what)
{
	static char text[65536];
	size_t length = 0;

	while (length < sizeof(text) - 1) {
		ssize_t n = read(reports[0], text + length, sizeof(text) - 1 - length);

		assert_true(n > 0);
		length += (size_t)n;
		text[length] = 0;
		if (strstr(text, what))
			return;
	}
	fail_msg("no '%s'", what);
}

static void exit_callback_ran(void)
{
	uint64_t user = 0;

	assert_int_equal(read(exits[0], &user, sizeof(user)), sizeof(user));
	assert_int_equal(user, 42);
}

/* --- clients */

static int talk(int sockfd, char what)
{
	char hello[5];

	for (size_t got = 0; got < sizeof(hello); got++)
		if (read(sockfd, hello + got, 1) != 1)
			return -1;
	return memcmp(hello, "hello", 5) || write(sockfd, &what, 1) != 1;
}

static int ordinary(int sockfd)
{
	return talk(sockfd, 'o');
}

static int to_be_refused(int sockfd)
{
	return talk(sockfd, 'r');
}

static int without_requests(int sockfd)
{
	return talk(sockfd, 'n');
}

static int giving_up(int sockfd)
{
	(void)sockfd;
	return 3;
}

static void fails(int ret, int error, const char *text)
{
	int is = errno;

	assert_int_equal(ret, -1);
	if (is != error || !strstr(elisa_compat_error(), text))
		fail_msg("errno %d, not %d, or no '%s' in: %s", is, error, text,
			 elisa_compat_error());
}

static void *call_elsewhere(void *argument)
{
	(void)argument;
	return (void *)elisa_gate_entry(1, 2, 4, 511, 8, 16);
}

static void clients_attach_call_and_leave(void **state)
{
	static const char *const address[] = {"127.0.0.1", "::1", "localhost"};
	pthread_t thread;
	void *result;

	(void)state;
	fails((int)elisa_gate_entry(0, 0, 0, 511, 0, 0), ENOTCONN, "fake call error");
	for (size_t i = 0; i < COUNT_OF(address); i++) {
		int sockfd = elisa_client(address[i], port, ordinary);

		if (sockfd < 0)
			fail_msg("%s: %s", address[i], elisa_compat_error());
		assert_int_equal(elisa_gate_entry(1, 2, 4, 511, 8, 16), 542);
		pthread_create(&thread, NULL, call_elsewhere, NULL);
		pthread_join(thread, &result);
		assert_int_equal((long)result, 542);
		close(sockfd);
		exit_callback_ran();
		assert_int_equal(fake_elisa.attached, i + 1);
		assert_int_equal(fake_elisa.detached, i); /* the one before */
	}
}

static void ended_calls_are_errors(void **state)
{
	static const struct {
		long error;
		int number;
	} expected[] = {
		{ELISA_CALL_FAULT, EFAULT},	 {ELISA_CALL_FORBIDDEN, EPERM},
		{ELISA_CALL_TIMEOUT, ETIMEDOUT}, {ELISA_CALL_REVOKED, EPIPE},
		{ELISA_CALL_VMM, EAGAIN},	 {ELISA_CALL_CLOSED, EAGAIN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		int sockfd;

		fake_elisa.call_error = expected[i].error;
		sockfd = elisa_client("127.0.0.1", port, ordinary);
		assert_true(sockfd >= 0);
		fails((int)elisa_gate_entry(1, 1, 1, 1, 1, 1), expected[i].number,
		      "call: fake call error");
		close(sockfd);
	}
}

static void refusals_are_told(void **state)
{
	(void)state;
	fails(elisa_client("127.0.0.1", port, to_be_refused), ECONNABORTED, "callback refused");
	reported("client refused: the server's callback returned 1");
	fails(elisa_client("127.0.0.1", port, without_requests), ECONNABORTED, "could not set up");
	reported("gave 0 map requests");
	fails(elisa_client("127.0.0.1", port, giving_up), ECANCELED, "callback returned 3");
	fake_elisa.attach_error = 1;
	fails(elisa_client("127.0.0.1", port, ordinary), EPERM, "fake failure");
	reported("client lost");
	exit_callback_ran();
	fails(elisa_client("127.0.0.1", 0, ordinary), EINVAL, "port 0");
	fails(elisa_client(NULL, port, ordinary), EINVAL, "give a server");
	fails(elisa_client("no such host", port, ordinary), ENOENT, "no such host");
	fails(elisa_client("127.0.0.1", free_port(), ordinary), ECONNREFUSED, "start the server");
}

static void a_server_needs_its_port_and_rights(void **state)
{
	(void)state;
	errno = 0;
	elisa_server(port, server_cb, exit_cb);
	fails(-1, EADDRINUSE, "end the other server");
	elisa_server(0, server_cb, exit_cb);
	fails(-1, EINVAL, "port 0");
	elisa_server(65536, server_cb, exit_cb);
	fails(-1, EINVAL, "port 65536");
	fake_elisa.rights = 0;
	elisa_server(free_port(), server_cb, exit_cb);
	fails(-1, EPERM, "elisactl grant");
	fake_elisa.open_error = ENODEV;
	elisa_server(free_port(), server_cb, exit_cb);
	fails(-1, ENODEV, "open: fake failure");
}

/* --- hostile peers */

static void closed(int fd)
{
	struct timeval limit = {.tv_sec = 20};
	char answer[256];
	ssize_t got;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	do
		got = read(fd, answer, sizeof(answer));
	while (got > 0);
	assert_true(!got || errno == ECONNRESET);
	close(fd);
}

static void strangers_hold_nobody_up(void **state)
{
	const struct wire_message hello = {.type = WIRE_HELLO, .vcpus = 1};
	int garbage = stranger(), truncated = stranger(), silent = stranger(), stalled = stranger();
	uint8_t bytes[WIRE_SIZE];
	int sockfd;

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	assert_int_equal(write(garbage, bytes, sizeof(bytes)), sizeof(bytes));
	closed(garbage);
	reported("does not speak this negotiation");
	assert_int_equal(write(truncated, "ELISAcmp", 8), 8);
	shutdown(truncated, SHUT_WR);
	closed(truncated);
	reported("did not finish the negotiation");
	wire_format(&hello, bytes);
	assert_int_equal(write(stalled, bytes, sizeof(bytes)), sizeof(bytes));
	sockfd = elisa_client("127.0.0.1", port, ordinary);
	assert_true(sockfd >= 0);
	close(sockfd);
	exit_callback_ran();
	closed(silent); /* within the time for a hello */
	reported("Connection timed out");
	close(stalled); /* in the callbacks' part */
	reported("callback returned -1");
}

static void aborted_calls_are_reported(void **state)
{
	const struct elisa_event attach = {.type = ELISA_EVENT_ATTACH};
	const struct elisa_event abort = {
		.type = ELISA_EVENT_ABORT, .vcpu = 3, .value = ELISA_CALL_FAULT};
	int sockfd = elisa_client("127.0.0.1", port, ordinary);

	(void)state;
	assert_true(sockfd >= 0);
	assert_int_equal(write(events[1], &attach, sizeof(attach)), sizeof(attach));
	for (int i = 0; i < 100; i++)
		assert_int_equal(write(events[1], &abort, sizeof(abort)), sizeof(abort));
	/* the first eight, once that there are more, and nothing of these */
	reported("a call of the client, on its vCPU 3: fake call error\n"
		 "a call of the client, on its vCPU 3: fake call error\n"
		 "more calls of the client are ended, which is not reported\n");
	close(sockfd);
	exit_callback_ran();
}

/* What the environment asks for; a client that asks for trust gets it from its own process only. */
static void trust_is_asked_for(void **state)
{
	int sockfd;

	(void)state;
	sockfd = elisa_client("127.0.0.1", port, ordinary);
	assert_true(sockfd >= 0);
	assert_int_equal(fake_elisa.flags, 0);
	close(sockfd);
	exit_callback_ran();
	setenv("ELISA_COMPAT_TRUST_MANAGER", "1", 1);
	sockfd = elisa_client("127.0.0.1", port, ordinary);
	unsetenv("ELISA_COMPAT_TRUST_MANAGER");
	assert_true(sockfd >= 0);
	assert_int_equal(fake_elisa.flags, ELISA_ATTACH_TRUST_MANAGER);
	close(sockfd);
	exit_callback_ran();
}

static void clients_are_counted(void **state)
{
	int fd[COMPAT_CLIENTS + 1];

	(void)state;
	for (int i = 0; i <= COMPAT_CLIENTS; i++)
		fd[i] = stranger();
	reported("256 are there already");
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	usleep(500000);
	close(elisa_client("127.0.0.1", port, ordinary));
	exit_callback_ran();
	for (int i = 4; i <= COMPAT_CLIENTS; i++)
		close(fd[i]);
}

static void kill_server(useconds_t later)
{
	int sockfd = elisa_client("127.0.0.1", port, ordinary);

	assert_true(sockfd >= 0);
	usleep(later);
	kill(server, SIGKILL);
	exit_callback_ran();
	closed(sockfd);
}

static void the_server_takes_its_clients_with_it(void **state)
{
	(void)state;
	kill_server(300000);
}

/* It may be gone before it is told that the client is attached. */
static void a_client_outlives_no_server(void **state)
{
	(void)state;
	kill_server(0);
}

/* --- a hostile server */

struct answer {
	const void *bytes;
	size_t size;
	int fd;
};

static void *answer(void *argument)
{
	const struct answer *answer = argument;
	int sockfd = accept(answer->fd, NULL, NULL);
	uint8_t hello[WIRE_SIZE];

	if (recv(sockfd, hello, sizeof(hello), MSG_WAITALL) != sizeof(hello) ||
	    write(sockfd, answer->bytes, answer->size) != (ssize_t)answer->size)
		return argument;
	close(sockfd);
	return NULL;
}

static void answered(const void *bytes, size_t size, int error, const char *text)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	struct answer given = {.bytes = bytes, .size = size};
	socklen_t length = sizeof(any);
	pthread_t thread;
	void *failed;

	given.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(given.fd, (struct sockaddr *)&any, length), 0);
	assert_int_equal(getsockname(given.fd, (struct sockaddr *)&any, &length), 0);
	assert_int_equal(listen(given.fd, 1), 0);
	pthread_create(&thread, NULL, answer, &given);
	fails(elisa_client("127.0.0.1", ntohs(any.sin_port), NULL), error, text);
	pthread_join(thread, &failed);
	assert_null(failed);
	close(given.fd);
}

static void hostile_servers_are_errors(void **state)
{
	struct wire_message message = {.type = WIRE_WELCOME};
	uint8_t bytes[3 * WIRE_SIZE] = {0};

	(void)state;
	answered(bytes, WIRE_SIZE, EPROTO, "not the negotiation");
	answered(bytes, 7, ECONNRESET, "closed the connection");
	answered(bytes, 0, ECONNRESET, "closed the connection");
	wire_format(&message, bytes);
	answered(bytes, WIRE_SIZE, ECONNRESET, "closed the connection");
	answered(bytes, 2 * WIRE_SIZE, EPROTO, "both callbacks read all");
	bytes[8]++;
	answered(bytes, WIRE_SIZE, EPROTO, "another version");
	message.status = WIRE_BUSY;
	wire_format(&message, bytes);
	answered(bytes, WIRE_SIZE, EBUSY, "no room");
	message.status = WIRE_OK;
	wire_format(&message, bytes);
	message = (struct wire_message){.type = WIRE_OFFER, .ticket = {8}};
	wire_format(&message, bytes + WIRE_SIZE);
	answered(bytes, 2 * WIRE_SIZE, EPERM, "fake failure");
}

/* --- without meaning any more */

static void interrupts_are_left_alone(void **state)
{
	(void)state;
	vmcall_cli();
	assert_int_equal(vmcall_rflags() & 0x202, 0x202);
	vmcall_sti();
	elisa_disable_irq_if_enabled();
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start_server, stop_server)
	const struct CMUnitTest tests[] = {
		WITH_SERVER(clients_attach_call_and_leave),
		WITH_SERVER(ended_calls_are_errors),
		WITH_SERVER(refusals_are_told),
		WITH_SERVER(a_server_needs_its_port_and_rights),
		WITH_SERVER(strangers_hold_nobody_up),
		WITH_SERVER(aborted_calls_are_reported),
		WITH_SERVER(trust_is_asked_for),
		WITH_SERVER(clients_are_counted),
		WITH_SERVER(the_server_takes_its_clients_with_it),
		WITH_SERVER(a_client_outlives_no_server),
		cmocka_unit_test(hostile_servers_are_errors),
		cmocka_unit_test(interrupts_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
