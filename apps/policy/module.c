/* SPDX-License-Identifier: Apache-2.0 */
#include "module.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int module_list(int fd, uint32_t kind, size_t size, void **records)
{
	struct elisa_host_list list = {.kind = kind, .size = (uint32_t)size, .room = 16};

	for (*records = NULL;;) {
		free(*records);
		*records = calloc(list.room, size);
		if (!*records)
			return -ENOMEM;
		list.records = (uintptr_t)*records;
		if (ioctl(fd, ELISA_HOST_IOC_LIST, &list) < 0)
			return -errno;
		if (list.count <= list.room)
			return (int)list.count;
		list.room = list.count + 16;
	}
}

int module_hold(pid_t pid)
{
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

bool module_lives(int pidfd)
{
	struct pollfd ends = {.fd = pidfd, .events = POLLIN};

	return !poll(&ends, 1, 0);
}

int module_revoke(int fd, uint32_t id)
{
	struct elisa_host_revoke revoke = {.id = id};

	return ioctl(fd, ELISA_HOST_IOC_REVOKE, &revoke) < 0 ? -errno : 0;
}

int module_grant(int fd, struct elisa_host_grant *grant, int pidfd)
{
	if (ioctl(fd, ELISA_HOST_IOC_GRANT, grant) < 0)
		return -errno;
	if (module_lives(pidfd))
		return 0;
	module_revoke(fd, grant->id);
	return -ESRCH;
}

uint64_t module_default_pages(const char *root)
{
	unsigned long long pages = 0;
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/module/elisa/parameters/max_pages", root);
	file = fopen(path, "re");
	if (file && fscanf(file, "%llu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages;
}
