/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's socket and peers that do everything but what they should: the others are answered,
 * the daemon never waits, and what it keeps has a bound. One process is all of them, in turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "control.h"

static struct control control;
static char folder[32], path[64];
static unsigned int answers;
static size_t reply_size; /* of the next replies; 0: what was asked */
static double now;
static int along; /* the file that goes with the reply to "file" */

static char *answer(void *owner, const struct control_user *user, const char *line, size_t length,
		    int *file)
{
	char *text = malloc(length + 3 + reply_size);

	(void)user;
	assert_ptr_equal(owner, &answers);
	assert_int_equal(line[length], 0);
	assert_int_equal(*file, -1);
	if (!strcmp(line, "file"))
		*file = along;
	answers++;
	if (reply_size) {
		memset(text, 'x', reply_size);
		text[reply_size] = 0;
	} else {
		sprintf(text, "<%s>", line);
	}
	return text;
}

static int start(void **unused)
{
	(void)unused;
	strcpy(folder, "/tmp/controlXXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	assert_int_equal(control_open(&control, path, &(struct rvif_access){.mode = 0666}, answer,
				      &answers),
			 0);
	chmod(folder, 0755);
	answers = 0;
	reply_size = 0;
	now = 1000;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	control_close(&control);
	assert_int_equal(access(path, F_OK), -1);
	return rmdir(folder);
}

static int try_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void rounds(int count)
{
	for (int i = 0; i < count; i++)
		control_serve(&control, now);
}

/* A peer that the daemon knows. */
static int peer(void)
{
	const int fd = try_connect();

	assert_true(fd >= 0);
	rounds(1);
	return fd;
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come. */
static const char *taken(int fd)
{
	static char text[4096];
	const ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = 0;
	return text;
}

static unsigned int count_peers(void)
{
	return control_polls(&control, (struct pollfd[CONTROL_POLLS]){{0}}) - 1;
}

static bool is_closed(int fd)
{
	char byte;

	return !recv(fd, &byte, 1, MSG_PEEK);
}

/* A peer that behaves is answered within so many rounds, whatever the others do. */
static void assert_answered(int within)
{
	const int fd = peer();

	send_text(fd, "honest\n");
	rounds(within);
	assert_string_equal(taken(fd), "<honest>\n");
	close(fd);
	rounds(1);
}

/* Up to so many bytes; the file that came with them, or -1. */
static int taken_file(int fd, size_t room)
{
	char control_bytes[CMSG_SPACE(2 * sizeof(int))], text[4096];
	struct iovec part = {.iov_base = text,
			     .iov_len = room < sizeof(text) ? room : sizeof(text)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control_bytes,
				 .msg_controllen = sizeof(control_bytes)};
	const struct cmsghdr *header;
	int file = -1;

	assert_true(recvmsg(fd, &message, 0) > 0);
	header = CMSG_FIRSTHDR(&message);
	if (!header)
		return -1;
	assert_int_equal(header->cmsg_len, CMSG_LEN(sizeof(int))); /* one */
	memcpy(&file, CMSG_DATA(header), sizeof(file));
	return file;
}

/* It comes once, with the reply that it belongs to, however slowly that is taken. */
static void test_file_comes_along(void **unused)
{
	const int fd = peer();
	struct stat is, was;
	char bytes[4096];
	int file;

	(void)unused;
	along = memfd_create("along", MFD_CLOEXEC);
	assert_true(along >= 0);
	send_text(fd, "file\nhonest\n");
	reply_size = 1 << 20; /* more than a socket holds */
	rounds(4);
	file = taken_file(fd, 1);
	assert_true(file >= 0);
	fstat(file, &is);
	fstat(along, &was);
	assert_int_equal(is.st_ino, was.st_ino);
	close(file);
	for (size_t left = reply_size; left;) { /* with its end of line, less the first byte */
		const size_t most = left < 4096 ? left : 4096;

		rounds(1);
		assert_int_equal(recv(fd, bytes, most, MSG_PEEK), most);
		assert_int_equal(taken_file(fd, most), -1);
		left -= most;
	}
	close(fd);
	close(along);
	rounds(1);
}

static void test_one_after_the_other(void **unused)
{
	const int a = peer(), b = peer();

	(void)unused;
	send_text(a, "1\n2\n3\n");
	send_text(b, "4\n");
	rounds(1);
	assert_int_equal(answers, 1); /* one in a round, so that a round has an end */
	rounds(4);
	assert_string_equal(taken(a), "<1>\n<2>\n<3>\n");
	assert_string_equal(taken(b), "<4>\n");
	close(a);
	close(b);
}

/* Of many with many requests each has its turn. */
static void test_turns(void **unused)
{
	int fd[4];

	(void)unused;
	for (int i = 0; i < 4; i++)
		fd[i] = peer();
	for (int i = 0; i < 4; i++)
		send_text(fd[i], "a\nb\nc\nd\n");
	rounds(4);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(taken(fd[i]), "<a>\n");
		close(fd[i]);
	}
}

static void test_half_a_request(void **unused)
{
	const int fd = peer();

	(void)unused;
	send_text(fd, "half");
	rounds(10);
	assert_int_equal(answers, 0);
	assert_answered(2);
	send_text(fd, " and half\n");
	rounds(2);
	assert_string_equal(taken(fd), "<half and half>\n");
	send_text(fd, "cut o");
	close(fd);
	rounds(2);
	assert_int_equal(answers, 2);
}

static void test_byte_by_byte(void **unused)
{
	const int fd = peer();

	(void)unused;
	for (const char *at = "slow\n"; *at; at++) {
		assert_int_equal(send(fd, at, 1, 0), 1);
		rounds(1);
	}
	assert_string_equal(taken(fd), "<slow>\n");
	close(fd);
}

static void test_huge_request(void **unused)
{
	static char huge[1 << 16];
	const int fd = peer();
	int most = 0;

	(void)unused;
	memset(huge, 'x', sizeof(huge));
	huge[CONTROL_LINE - 1] = '\n';
	assert_int_equal(send(fd, huge, CONTROL_LINE, 0), CONTROL_LINE);
	rounds(2);
	assert_int_equal(answers, 1); /* the longest there is */
	while (recv(fd, huge, sizeof(huge), 0) > 0)
		;
	memset(huge, 'x', sizeof(huge));
	while (send(fd, huge, sizeof(huge), MSG_NOSIGNAL) > 0 && most++ < 1000)
		rounds(2);
	assert_in_range(most, 0, 5);
	assert_int_equal(answers, 1);
	assert_string_equal(taken(fd), "{\"error\": \"the request is longer than 16384 bytes\"}\n");
	assert_int_equal(send(fd, "x\n", 2, MSG_NOSIGNAL), -1);
	close(fd);
	assert_answered(2);
}

/* It asks again and again and takes nothing. */
static void test_no_read(void **unused)
{
	const int fd = peer();
	int sent = 0;

	(void)unused;
	reply_size = 1 << 20;
	send_text(fd, "more\nmore\nmore\n");
	for (int i = 0; i < 1000; i++) {
		sent += send(fd, "more\n", 5, MSG_NOSIGNAL) == 5;
		rounds(1);
	}
	assert_int_equal(answers, 1); /* one reply is kept, and no more */
	reply_size = 0;
	assert_answered(2);
	assert_true(sent > 1);
	now += CONTROL_STEP + 1;
	rounds(1);
	assert_int_equal(count_peers(), 0);
	close(fd);
}

/* It takes a reply bit by bit: not dropped, if it has all of it in time. */
static void test_slow_read(void **unused)
{
	static char text[1 << 16];
	const int fd = peer();
	size_t got = 0;

	(void)unused;
	reply_size = 1 << 22;
	for (int request = 0; request < 2; request++) {
		send_text(fd, "much\n");
		for (got = 0; got < (1 << 22) + 1;) {
			ssize_t n;

			now += CONTROL_STEP / 100.0;
			rounds(1);
			n = recv(fd, text, sizeof(text), 0);
			assert_true(n > 0);
			got += (size_t)n;
		}
		assert_int_equal(text[(got - 1) % sizeof(text)], '\n');
	}
	close(fd);
}

/* A bit now and then keeps no place: not of a request, and not of a reply. */
static void test_trickle(void **unused)
{
	const int asks = peer(), takes = peer();
	static char bit[1 << 17];

	(void)unused;
	reply_size = 1 << 22;
	send_text(takes, "much\n");
	rounds(2);
	for (int i = 0; i < 9; i++) {
		now += CONTROL_STEP / 10.0;
		assert_int_equal(send(asks, "x", 1, MSG_NOSIGNAL), 1);
		assert_true(recv(takes, bit, sizeof(bit), 0) > 0);
		rounds(1);
	}
	assert_int_equal(count_peers(), 2);
	now += CONTROL_STEP / 5.0;
	send_text(asks, "x");
	rounds(1);
	assert_int_equal(count_peers(), 0);
	close(asks);
	close(takes);
}

static void test_still_peer(void **unused)
{
	const int fd = peer();

	(void)unused;
	now += CONTROL_STEP - 1;
	rounds(1);
	assert_false(is_closed(fd));
	now += 2;
	rounds(1);
	assert_true(is_closed(fd));
	close(fd);
}

static void test_many_connections(void **unused)
{
	int fd[100];

	(void)unused;
	for (int i = 0; i < 100; i++) {
		fd[i] = peer();
		if (i < CONTROL_PEERS)
			continue;
		assert_string_equal(taken(fd[i]),
				    "{\"error\": \"too many connections; close one of them\"}\n");
		assert_true(is_closed(fd[i]));
	}
	close(fd[3]);
	rounds(1);
	assert_answered(2);
	for (int i = 0; i < 100; i++)
		close(fd[i]);
	rounds(1);
	for (int i = 0; i < 1000; i++)
		close(peer());
	rounds(2);
	assert_int_equal(count_peers(), 0);
	assert_answered(2);
}

/* So many of a user connect, one after the other. How many of them stay. */
static int stay(uid_t user, int *fd, int count)
{
	int stayed = 0;

	for (int i = 0; i < count; i++) {
		assert_int_equal(seteuid(user), 0);
		fd[i] = try_connect();
		assert_int_equal(seteuid(0), 0);
		assert_true(fd[i] >= 0);
		rounds(1);
		stayed += *taken(fd[i]) != '{' && !is_closed(fd[i]);
	}
	return stayed;
}

/* Users that may change nothing cannot take all places, and one of them not those of the others. */
static void test_reserved(void **unused)
{
	int fd[4][8];

	(void)unused;
	if (geteuid())
		skip();
	assert_int_equal(stay(65531, fd[0], 8), CONTROL_OF_USER);
	assert_int_equal(stay(65532, fd[1], 8), CONTROL_OF_USER);
	assert_int_equal(stay(65533, fd[2], 3), 3);
	assert_int_equal(stay(65534, fd[3], 8),
			 CONTROL_PEERS - CONTROL_RESERVED - 2 * CONTROL_OF_USER - 3);
	assert_answered(2);
	close(fd[0][0]);
	rounds(1);
	assert_int_equal(stay(65531, fd[0], 2), 1);
	for (int i = 0; i < 32; i++)
		close(fd[i / 8][i % 8]);
}

static void test_who_asks(void **unused)
{
	int fd;

	(void)unused;
	fd = peer();
	assert_true(control.peer[CONTROL_PEERS - 1].user.may_change);
	assert_int_equal(control.peer[CONTROL_PEERS - 1].user.uid, geteuid());
	assert_int_equal(control.peer[CONTROL_PEERS - 1].user.pid, getpid());
	close(fd);
	rounds(1);
	if (geteuid())
		return;
	assert_int_equal(seteuid(65534), 0);
	fd = try_connect();
	assert_int_equal(seteuid(0), 0);
	rounds(1);
	assert_false(control.peer[CONTROL_PEERS - 1].user.may_change);
	assert_int_equal(control.peer[CONTROL_PEERS - 1].user.uid, 65534);
	close(fd);
}

/* A daemon that was killed leaves its socket; one that runs keeps it; nothing else is removed. */
static void test_file(void **unused)
{
	static struct control other;
	const struct rvif_access none = {0};
	struct stat is;

	(void)unused;
	assert_int_equal(stat(path, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0666);
	assert_int_equal(control_open(&other, path, &none, answer, NULL), -EADDRINUSE);
	control_close(&other);
	rounds(1);
	assert_answered(2);
	close(control.fd); /* killed */
	assert_int_equal(control_open(&control, path, &none, answer, &answers), 0);
	assert_int_equal(stat(path, &is), 0);
	assert_int_equal(is.st_mode & 0777, 0600);
	assert_answered(2);
	control_close(&control);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(control_open(&control, path, &none, answer, &answers), -ENOTSOCK);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(control_open(&control, path, &none, answer, &answers), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_after_the_other, start, end),
		cmocka_unit_test_setup_teardown(test_turns, start, end),
		cmocka_unit_test_setup_teardown(test_half_a_request, start, end),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, start, end),
		cmocka_unit_test_setup_teardown(test_huge_request, start, end),
		cmocka_unit_test_setup_teardown(test_no_read, start, end),
		cmocka_unit_test_setup_teardown(test_slow_read, start, end),
		cmocka_unit_test_setup_teardown(test_trickle, start, end),
		cmocka_unit_test_setup_teardown(test_still_peer, start, end),
		cmocka_unit_test_setup_teardown(test_many_connections, start, end),
		cmocka_unit_test_setup_teardown(test_reserved, start, end),
		cmocka_unit_test_setup_teardown(test_who_asks, start, end),
		cmocka_unit_test_setup_teardown(test_file, start, end),
		cmocka_unit_test_setup_teardown(test_file_comes_along, start, end),
	};

	return cmocka_run_group_tests_name("vmnet: control", tests, NULL, NULL);
}
