/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs share that test the guest driver with the fake host. Each runs as root, with no
 * other test beside it, as the fake host's counters are common to all.
 */
#ifndef ELISA_TEST_DRIVER_H
#define ELISA_TEST_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static inline void set(const char *name, int value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s%s", params, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || dprintf(fd, "%d", value) < 0)
		printf(">> cannot write %s\n", path);
	close(fd);
}

static inline int device(void)
{
	int fd = open("/dev/elisa", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror("/dev/elisa");
		exit(1);
	}
	return fd;
}

/* Returns @size bytes of huge pages of 2 MiB. */
static inline char *large_memory(size_t size)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	void *p;

	if (fd < 0 || dprintf(fd, "%zu", size >> 21) < 0)
		perror("nr_hugepages");
	close(fd);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED) {
		perror("pages of 2 MiB");
		exit(1);
	}
	return p;
}

/* Sets whether the host takes large pages. The driver asks the host at each INFO. */
static inline void takes_large(int fd, int takes)
{
	struct elisa_ioc_info arg = {.abi = ELISA_ABI_VERSION};

	set("takes_large", takes);
	CHECK(!ioctl(fd, ELISA_IOC_INFO, &arg) && arg.flags == 3);
}

static inline int export_create(int fd)
{
	struct elisa_ioc_export arg = {.name = "test"};

	return ioctl(fd, ELISA_IOC_EXPORT_CREATE, &arg) ? -1 : (int)arg.id;
}

/* Returns the pinned memory of this process: VmPin in kB. */
static inline int pinned(void)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	int kb = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmPin: %d", &kb);
	if (f)
		fclose(f);
	return kb;
}

static inline void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p;
}

static struct elisa_ioc_map last_map;

static inline int map_by(unsigned long command, int fd, int id, uint64_t offset, uint64_t address,
			 uint64_t length, int prot)
{
	last_map = (struct elisa_ioc_map){
		.id = id, .prot = prot, .offset = offset, .address = address, .length = length};
	return ioctl(fd, command, &last_map);
}

static inline int map(int fd, int id, uint64_t offset, const void *address, uint64_t length,
		      int prot)
{
	return map_by(ELISA_IOC_EXPORT_MAP, fd, id, offset, (uintptr_t)address, length, prot);
}

static inline int map_physical(int fd, int id, uint64_t address, uint64_t length, int prot)
{
	return map_by(ELISA_IOC_EXPORT_MAP_PHYSICAL, fd, id, 0, address, length, prot);
}

static struct elisa_ioc_attach last;

static inline int attach(int fd, int flags, void *exchange, uint64_t length)
{
	last = (struct elisa_ioc_attach){.name = "test",
					 .flags = flags,
					 .exchange = (uintptr_t)exchange,
					 .exchange_length = length};
	return ioctl(fd, ELISA_IOC_ATTACH, &last);
}

static inline int detach(int fd, int slot)
{
	struct elisa_ioc_detach arg = {.slot = slot};

	return ioctl(fd, ELISA_IOC_DETACH, &arg);
}

#define RUN(test)                                                                  \
	do {                                                                       \
		int before = failures;                                             \
		test;                                                              \
		printf(">> %s %s\n", before == failures ? "ok" : "FAILED", #test); \
		fflush(stdout);                                                    \
	} while (0)

#endif
