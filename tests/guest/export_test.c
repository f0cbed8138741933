// SPDX-License-Identifier: Apache-2.0
/* Exports in the guest driver: it must refuse wrong requests, and no page may stay pinned. */
#include <glob.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "driver.h"

static void test_info(void)
{
	struct elisa_ioc_info arg = {.abi = ELISA_ABI_VERSION};
	int fd = device();

	CHECK(!ioctl(fd, ELISA_IOC_INFO, &arg) && arg.flags == 3);
	arg.abi++;
	CHECK(ioctl(fd, ELISA_IOC_INFO, &arg) && arg.status.why == ELISA_WHY_ABI);
	CHECK(ioctl(fd, ELISA_IOC_INFO, NULL) && errno == EFAULT);
	CHECK(ioctl(fd, _IO(0xe5, 99)) && errno == ENOTTY);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	close(fd);
}

static void test_export(void)
{
	size_t size = 64 << 20;
	char *p = memory(size);
	int fd = device();
	int id = export_create(fd);
	struct elisa_ioc_unmap un = {.id = id, .offset = 4096 * 10, .length = 4096 * 1000};

	CHECK(id > 0 && get("exports") == 1);
	CHECK(!map(fd, id, 0, p, size, 3));
	CHECK(get("pages") == 16384 && pinned() == 65536);
	CHECK(!ioctl(fd, ELISA_IOC_EXPORT_UNMAP, &un));
	CHECK(get("pages") == 15384 && pinned() == 61536);
	CHECK(!map(fd, id, 4096 * 10, p, 4096, 5) && pinned() == 61540);
	close(fd);
	CHECK(pinned() == 0 && get("exports") == 0);
	munmap(p, size);
}

/*
 * The host takes some of eight large pages as small ones only. The driver must map these in small
 * pages, and the others as large pages. Memory that is not aligned, and code, goes in small pages,
 * too.
 */
static void test_large_pages(void)
{
	size_t size = 16 << 20;
	char *p = large_memory(size);
	int fd = device(), before = get("large"), pages = get("pages"), taken;
	int id = export_create(fd);
	struct elisa_ioc_unmap un = {.id = id, .offset = (3 << 20) + 4096, .length = 4096};

	takes_large(fd, 1);
	CHECK(!map(fd, id, 0, p, size, 3) && get("pages") == pages + 4096);
	taken = get("large") - before;
	CHECK(taken == 5);
	CHECK(pinned() == 16384);
	CHECK(!ioctl(fd, ELISA_IOC_EXPORT_UNMAP, &un));
	CHECK(get("pages") == pages + 4095 && pinned() == 16380);
	CHECK(!map(fd, id, 32 << 20, p + 4096, 7 << 20, 3) && !map(fd, id, 64 << 20, p, size, 5));
	CHECK(!map(fd, id, (96 << 20) + 4096, p, size, 3));
	CHECK(get("large") == before + taken);
	set("fail_after", 1);
	set("fail_call", ELISA_HC_EXPORT_MAP);
	before = pinned();
	CHECK(map(fd, id, 128 << 20, p, size, 3) && last_map.status.value == 4711);
	CHECK(pinned() == before && get("pages") == pages + 4095 + (7 << 8) + 8192);
	takes_large(fd, 0);
	before = get("large");
	CHECK(!map(fd, id, 128 << 20, p, size, 3) && get("large") == before);
	close(fd);
	CHECK(pinned() == 0 && get("exports") == 0);
	munmap(p, size);
}

static void test_export_failures(void)
{
	size_t size = 4 << 20;
	char *p = memory(size);
	int fd = device(), other = device();
	int id = export_create(fd);
	int before = get("pages");
	int file = open("/tmp/elisa-test", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct elisa_ioc_publish publish = {.id = id, .pad = 7};

	CHECK(map(fd, id, 0, p, 0, 3) && last_map.status.why == ELISA_WHY_NO_PAGES);
	CHECK(map(fd, id, 1, p, 4096, 3) && last_map.status.why == ELISA_WHY_RANGE);
	CHECK(map(fd, id, ELISA_OBJECT_SIZE, p, 4096, 3) &&
	      last_map.status.value == ELISA_OBJECT_SIZE);
	CHECK(map(fd, id, 0, p + 1, 4096, 3) && last_map.status.why == ELISA_WHY_ADDRESS);
	CHECK(map(fd, id, 0, p, 4096, 7) && last_map.status.why == ELISA_WHY_PROT);
	CHECK(map(fd, id, 0, p, 4096, 6) && last_map.status.why == ELISA_WHY_PROT);
	CHECK(map(fd, id + 1, 0, p, 4096, 3) && errno == ENOENT);
	CHECK(map(other, id, 0, p, 4096, 3) && last_map.status.why == ELISA_WHY_NO_EXPORT);
	CHECK(map(fd, id, 0, (void *)0xffff800000000000, 4096, 3) && errno == EFAULT);
	munmap(p + (2 << 20), 4096);
	CHECK(map(fd, id, 0, p, size, 3) && errno == EFAULT);
	CHECK(last_map.status.why == ELISA_WHY_ADDRESS);
	CHECK(last_map.status.value == (uintptr_t)p + (2 << 20));
	CHECK(get("pages") == before && pinned() == 0);
	set("fail_after", 1);
	set("fail_call", ELISA_HC_EXPORT_MAP);
	CHECK(map(fd, id, 0, p, 2 << 20, 3) && errno == ENOMEM && last_map.status.value == 4711);
	CHECK(get("pages") == before && pinned() == 0);
	CHECK(ioctl(fd, ELISA_IOC_EXPORT_PUBLISH, &publish) &&
	      publish.status.why == ELISA_WHY_FIELD && publish.status.value == 7);

	/* A page of tmpfs may be shared; a page of another file belongs to the page cache. */
	CHECK(!ftruncate(file, 8192));
	char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(!map(fd, id, 0, shared, 8192, 3));
	int ramfs = open("/mnt/elisa-test", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(!ftruncate(ramfs, 8192));
	char *cached = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, ramfs, 0);
	memset(cached, 1, 8192);
	CHECK(map(fd, id, 8192, cached, 8192, 3) && last_map.status.why == ELISA_WHY_FILE_BACKED &&
	      last_map.status.value == (uintptr_t)cached);

	/* the driver pins pages for writing, whatever the export may do with them */
	mprotect(p, 4096, PROT_READ);
	CHECK(map(fd, id, 0, p, 4096, 1) && errno == EFAULT &&
	      last_map.status.why == ELISA_WHY_ADDRESS);
	CHECK(last_map.status.value == (uintptr_t)p);
	close(ramfs);
	close(file);
	close(other);
	close(fd);
	CHECK(pinned() == 0);
	munmap(p, size);
}

/*
 * Maps a page of a PCI device's registers: the first BAR that can be mapped. Returns MAP_FAILED if
 * there is none.
 */
static char *device_registers(void)
{
	char *page = MAP_FAILED;
	glob_t bars;

	if (glob("/sys/bus/pci/devices/*/resource[0-5]", 0, NULL, &bars))
		return MAP_FAILED;
	for (size_t i = 0; i < bars.gl_pathc && page == MAP_FAILED; i++) {
		int bar = open(bars.gl_pathv[i], O_RDWR);

		page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bar, 0);
		close(bar);
	}
	globfree(&bars);
	return page;
}

/*
 * The driver must refuse memory that is not RAM of the process: device memory and the stub's page.
 */
static void test_device_memory(void)
{
	int fd = device(), id = export_create(fd), before = get("pages");
	char *registers = device_registers(), *stub;

	CHECK(registers != MAP_FAILED);
	for (int prot = 1; prot <= 5; prot += 2) {
		CHECK(map(fd, id, 0, registers, 4096, prot) && errno == EFAULT);
		CHECK(last_map.status.why == ELISA_WHY_ADDRESS &&
		      last_map.status.value == (uintptr_t)registers);
	}
	CHECK(attach(fd, 0, registers, 4096) && last.status.why == ELISA_WHY_ADDRESS);
	CHECK(!attach(fd, 0, NULL, 0));
	stub = (char *)(last.call & -4096UL);
	CHECK(map(fd, id, 0, stub, 4096, 5) && last_map.status.why == ELISA_WHY_ADDRESS);
	CHECK(map(fd, id, 0, stub, 4096, 1) && last_map.status.value == (uintptr_t)stub);
	CHECK(get("pages") == before && pinned() == 0);
	munmap(registers, 4096);
	close(fd);
}

/*
 * Maps by physical address. The firmware's area, which no kernel manages, is allowed; the kernel's
 * RAM is not.
 */
static void test_physical_memory(void)
{
	int fd = device(), id = export_create(fd), before = get("pages");

	CHECK(map_physical(fd, id, 1 << 20, 4096, 3) && errno == EINVAL);
	CHECK(last_map.status.why == ELISA_WHY_SYSTEM_RAM && last_map.status.value == 1 << 20);
	CHECK(map_physical(fd, id, 0xff000, 8192, 3) &&
	      last_map.status.why == ELISA_WHY_SYSTEM_RAM);
	CHECK(map_physical(fd, id, 0, 2 << 20, 3) && last_map.status.why == ELISA_WHY_SYSTEM_RAM);
	CHECK(map_physical(fd, id, 0xd0001, 4096, 3) && errno == EINVAL);
	CHECK(map_physical(fd, id, 0xd0000, 4096, 7) && last_map.status.why == ELISA_WHY_PROT);
	CHECK(map_physical(fd, id, 1ULL << 52, 4096, 3) &&
	      last_map.status.why == ELISA_WHY_ADDRESS);
	CHECK(map_physical(fd, id, -8192ULL, 8192, 3) && last_map.status.why == ELISA_WHY_ADDRESS);
	CHECK(get("pages") == before);

	CHECK(!seteuid(1000));
	CHECK(map_physical(fd, id, 0xd0000, 4096, 3) && errno == EPERM);
	CHECK(last_map.status.why == ELISA_WHY_CAPABILITY);
	CHECK(!seteuid(0));

	set("fail_after", 0);
	set("fail_call", ELISA_HC_EXPORT_MAP);
	CHECK(map_physical(fd, id, 0xd0000, 4096, 3) && errno == ENOMEM);
	CHECK(!map_physical(fd, id, 0xd0000, 8192, 3) && get("pages") == before + 2);
	CHECK(pinned() == 0);
	struct elisa_ioc_unmap un = {.id = id, .length = 8192};

	CHECK(!ioctl(fd, ELISA_IOC_EXPORT_UNMAP, &un) && get("pages") == before);
	close(fd);
}

static void test_memlock(void)
{
	char *p = memory(1 << 20);
	struct elisa_ioc_map arg = {.prot = 3, .address = (uintptr_t)p, .length = 1 << 20};
	int fd = device(), status;

	if (!fork()) {
		struct rlimit limit = {65536, 65536};

		arg.id = export_create(fd);
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(1000))
			_exit(2);
		if (!ioctl(fd, ELISA_IOC_EXPORT_MAP, &arg) || errno != ENOMEM)
			_exit(3);
		arg.length = 65536;
		if (arg.status.why != ELISA_WHY_QUOTA || arg.status.value != 16)
			_exit(4);
		_exit(ioctl(fd, ELISA_IOC_EXPORT_MAP, &arg) ? 5 : 0);
	}
	wait(&status);
	CHECK(!status);
	close(fd);
	munmap(p, 1 << 20);
}

int main(void)
{
	setbuf(stdout, NULL);
	RUN(test_info());
	RUN(test_export());
	RUN(test_large_pages());
	RUN(test_export_failures());
	RUN(test_device_memory());
	RUN(test_physical_memory());
	RUN(test_memlock());
	printf(">> %d failures\n", failures);
	return failures != 0;
}
