// SPDX-License-Identifier: Apache-2.0
/*
 * The guest driver's doorbell with the fake host.
 *
 * The argument says what the host did. "none": no edge came when the driver was loaded. "rings": an
 * edge came. "later": the host had granted nothing yet. Runs as root, with no other test beside it.
 */
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "driver.h"

static struct elisa_ioc_doorbell last_bell;

static int add_bell(int fd, int eventfd, uint32_t pad)
{
	last_bell = (struct elisa_ioc_doorbell){.fd = eventfd, .pad = pad};
	return ioctl(fd, ELISA_IOC_DOORBELL, &last_bell);
}

/* The host's edge did not come when the driver was loaded. */
static void test_no_doorbell(void)
{
	int fd = device(), bell = eventfd(0, EFD_NONBLOCK);

	CHECK(add_bell(fd, bell, 1) && errno == EINVAL && last_bell.status.why == ELISA_WHY_FIELD &&
	      last_bell.status.value == 1);
	CHECK(add_bell(fd, bell, 0) && errno == EOPNOTSUPP &&
	      last_bell.status.why == ELISA_WHY_DOORBELL);
	close(bell);
	close(fd);
}

/* The grant comes after the driver was loaded. */
static void test_later(void)
{
	int fd = device(), bell = eventfd(0, EFD_NONBLOCK);

	CHECK(add_bell(fd, bell, 0) && errno == EOPNOTSUPP);
	set("granted", 1);
	CHECK(!add_bell(fd, bell, 0));
	close(bell);
	close(fd);
}

#define FILE_BELLS 256
#define ALL_BELLS  1024

/* Makes one edge. Returns how often the eventfd was signalled until it is quiet. */
static uint64_t ring(int bell)
{
	struct pollfd p = {.fd = bell, .events = POLLIN};
	uint64_t sum = 0, count;

	set("ring", 1);
	while (poll(&p, 1, sum ? 200 : 5000) == 1 && read(bell, &count, 8) == 8)
		sum += count;
	return sum;
}

static void test_doorbell(void)
{
	int fd[ALL_BELLS / FILE_BELLS + 1], bell = eventfd(0, EFD_NONBLOCK), i;
	struct pollfd p = {.fd = bell, .events = POLLIN};
	struct elisa_event e;

	for (i = 0; i <= ALL_BELLS / FILE_BELLS; i++)
		fd[i] = device();
	CHECK(add_bell(fd[0], -1, 0) && errno == EBADF && last_bell.status.why == ELISA_WHY_FIELD &&
	      last_bell.status.value == (uint64_t)-1);
	CHECK(add_bell(fd[0], fd[1], 0) && errno == EBADF); /* no eventfd */
	CHECK(add_bell(fd[0], bell, 1) && errno == EINVAL);
	CHECK(!add_bell(fd[0], bell, 0));
	CHECK(poll(&p, 1, 100) == 0);
	CHECK(ring(bell) == 1);

	/* limits of a file and of all files; the end of a file returns its share */
	for (i = 1; i < ALL_BELLS; i++)
		CHECK(!add_bell(fd[i / FILE_BELLS], bell, 0));
	CHECK(add_bell(fd[0], bell, 0) && errno == EDQUOT &&
	      last_bell.status.why == ELISA_WHY_QUOTA && last_bell.status.value == FILE_BELLS);
	CHECK(add_bell(fd[ALL_BELLS / FILE_BELLS], bell, 0) && errno == EDQUOT &&
	      last_bell.status.value == ALL_BELLS);
	CHECK(ring(bell) == ALL_BELLS);
	close(fd[1]);
	CHECK(!add_bell(fd[ALL_BELLS / FILE_BELLS], bell, 0));
	close(bell);
	set("ring", 1); /* only the driver holds the eventfd */
	for (i = 0; i <= ALL_BELLS / FILE_BELLS; i++)
		if (i != 1)
			close(fd[i]);

	/* a ring wakes a thread that waits for an event */
	fd[0] = device();
	CHECK(export_create(fd[0]) > 0);
	if (!fork()) {
		usleep(200000);
		set("flood", 1);
		set("ring", 1);
		_exit(0);
	}
	p.fd = fd[0];
	CHECK(poll(&p, 1, 5000) == 1 && read(fd[0], &e, sizeof(e)) == sizeof(e) &&
	      e.type == ELISA_EVENT_ABORT);
	wait(NULL);
	close(fd[0]);
}

int main(int argc, char **argv)
{
	setbuf(stdout, NULL);
	if (argc == 2 && !strcmp(argv[1], "rings"))
		RUN(test_doorbell());
	else if (argc == 2 && !strcmp(argv[1], "later"))
		RUN(test_later());
	else
		RUN(test_no_doorbell());
	printf(">> %d failures\n", failures);
	return failures != 0;
}
