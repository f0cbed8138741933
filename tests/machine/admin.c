// SPDX-License-Identifier: Apache-2.0
/*
 * The harness's part of the host's administrator: grants, counters, lists, and loading the module.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

static int admin = -1;

static int admin_fd(void)
{
	if (admin < 0)
		admin = SYS(open("/dev/elisa", O_RDWR));
	return admin;
}

int grant_to(pid_t pid, uint32_t rights, const char *name, uint64_t max_pages)
{
	struct elisa_host_grant request = {.pid = pid, .rights = rights, .max_pages = max_pages};

	strncpy(request.name, name, sizeof(request.name) - 1);
	if (ioctl(admin_fd(), ELISA_HOST_IOC_GRANT, &request))
		return -errno;
	return request.id;
}

int grant(uint32_t rights, const char *name, uint64_t max_pages)
{
	if (trusted && (rights & ELISA_GRANT_EXPORT))
		rights |= ELISA_GRANT_TRUSTED_MANAGER;
	return grant_to(getpid(), rights, name, max_pages);
}

int revoke_grant(uint32_t id)
{
	struct elisa_host_revoke request = {.id = id};

	return ioctl(admin_fd(), ELISA_HOST_IOC_REVOKE, &request) ? -errno : 0;
}

uint32_t host_flags(void)
{
	struct elisa_host_stats stats;

	SYS(ioctl(admin_fd(), ELISA_HOST_IOC_STATS, &stats));
	return stats.flags;
}

uint64_t counter(enum elisa_counter which)
{
	struct elisa_host_stats stats;

	SYS(ioctl(admin_fd(), ELISA_HOST_IOC_STATS, &stats));
	return stats.counter[which];
}

int admin_list(enum elisa_host_kind kind, void *records, uint32_t size, uint32_t room)
{
	struct elisa_host_list list = {
		.kind = kind, .size = size, .records = (uintptr_t)records, .room = room};

	SYS(ioctl(admin_fd(), ELISA_HOST_IOC_LIST, &list));
	return list.count;
}

uint64_t pages_held(void)
{
	struct elisa_host_vm vms[16];
	int i, j, n = admin_list(ELISA_HOST_VMS, vms, sizeof(vms[0]), 16);
	uint64_t pages = 0;

	CHECK(n <= 16);
	for (i = 0; i < n; i++) {
		/* All VMs of a VMM report the figure of their VMM: count it once. */
		for (j = 0; j < i && vms[j].pid != vms[i].pid; j++)
			;
		pages += j == i ? vms[i].pages : 0;
	}
	return pages;
}

void until_pages_held(uint64_t pages)
{
	time_t end = time(NULL) + 20;

	while (pages_held() != pages && time(NULL) < end)
		usleep(1000);
	CHECK_EQ(pages_held(), pages);
}

int module_load(void)
{
	int fd = SYS(open("/modules/elisa.ko", O_RDONLY));
	int r = syscall(SYS_finit_module, fd,
			"allow_leaky_cpu=1 max_limit_us=60000000 max_suspend_us=60000000", 0) ?
			-errno :
			0;

	close(fd);
	return r;
}

int module_unload(void)
{
	if (admin >= 0)
		close(admin);
	admin = -1;
	return syscall(SYS_delete_module, "elisa", O_NONBLOCK) ? -errno : 0;
}
