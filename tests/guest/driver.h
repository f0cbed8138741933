/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that test the guest driver with the fake host have in common. */
#ifndef ELISA_TEST_DRIVER_H
#define ELISA_TEST_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <elisa/guest_ioctl.h>

static int failures;

#define CHECK(condition)                                                                         \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			printf(">> FAIL %s:%d: %s (errno %d)\n", __func__, __LINE__, #condition, \
			       errno);                                                           \
			failures++;                                                              \
		}                                                                                \
	} while (0)

static const char params[] = "/sys/module/elisa_guest/parameters/";

static inline int get(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "%s%s", params, name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		printf(">> cannot read %s\n", path);
	close(fd);
	return atoi(text);
}

static void set(const char *name, int value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s%s", params, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || dprintf(fd, "%d", value) < 0)
		printf(">> cannot write %s\n", path);
	close(fd);
}

static int device(void)
{
	int fd = open("/dev/elisa", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror("/dev/elisa");
		exit(1);
	}
	return fd;
}

static int export_create(int fd)
{
	struct elisa_ioc_export arg = {.name = "test"};

	return ioctl(fd, ELISA_IOC_EXPORT_CREATE, &arg) ? -1 : (int)arg.id;
}

#define RUN(test)                                                                  \
	do {                                                                       \
		int before = failures;                                             \
		test;                                                              \
		printf(">> %s %s\n", before == failures ? "ok" : "FAILED", #test); \
		fflush(stdout);                                                    \
	} while (0)

#endif
