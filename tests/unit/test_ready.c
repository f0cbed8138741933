/* SPDX-License-Identifier: Apache-2.0 */
/* A program reports that it is ready, by a file or by systemd's socket. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "../../apps/common/ready.h"
#include "test.h"

static int read_fd(const char *text, int *fd)
{
	return option_ready_fd(NULL, text, fd);
}

static void the_option(void **state)
{
	static const char *const wrong[] = {"", "x", "0", "2", "-1", "1000", "3x"};
	int ends[2], fd = 0;
	char text[16];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		assert_int_equal(read_fd(wrong[i], &fd), -EINVAL);
	assert_int_equal(fd, 0);
	snprintf(text, sizeof(text), "%d", ends[1]);
	assert_int_equal(read_fd(text, &fd), 0);
	assert_int_equal(fd, ends[1]);
	close(ends[0]);
	close(ends[1]);
}

static void a_file(void **state)
{
	char said[16] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(ready_tell(ends[1]), 0);
	assert_int_equal(read(ends[0], said, sizeof(said)), 8);
	assert_string_equal(said, "READY=1\n");
	assert_int_equal(read(ends[0], said, sizeof(said)), 0); /* closed */
	close(ends[0]);
}

static void a_full_pipe(void **state)
{
	char bytes[4096] = "";
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
	fcntl(ends[1], F_SETFL, 0);
	assert_int_equal(ready_tell(ends[1]), -EAGAIN);
	close(ends[0]);
}

/* Listens on a socket of this name, as systemd does. '@' as first byte stands for 0. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	return fd;
}

static void systemd(void **state)
{
	char name[64];

	(void)state;
	for (int abstract = 0; abstract < 2; abstract++) {
		char said[16] = "";
		int fd;

		snprintf(name, sizeof(name), "%stest_ready.%d", abstract ? "@" : "/tmp/", getpid());
		fd = listen_at(name);
		setenv("NOTIFY_SOCKET", name, 1);
		assert_int_equal(ready_tell(0), 0);
		assert_int_equal(read(fd, said, sizeof(said)), 8);
		assert_string_equal(said, "READY=1\n");
		close(fd);
		if (!abstract)
			unlink(name);
		assert_int_equal(ready_tell(0), abstract ? -ECONNREFUSED : -ENOENT);
	}
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	assert_int_equal(ready_tell(0), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(ready_tell(0), 0);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(ready_tell(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_option),
		cmocka_unit_test(a_file),
		cmocka_unit_test(a_full_pipe),
		cmocka_unit_test(systemd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
