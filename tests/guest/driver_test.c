// SPDX-License-Identifier: Apache-2.0
/*
 * The guest driver against the fake host: what it refuses, that whatever ends a process
 * or a file ends its attachments, and that nothing stays pinned. Runs as root, alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/resource.h>
#include <unistd.h>

#include <elisa/elisa.h>
#include <elisa/gate_layout.h>
#include "driver.h"

/* Pinned pages of this process: VmPin in kB. */
static int pinned(void)
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

static void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p;
}

static struct elisa_ioc_map last_map;

static int map_by(unsigned long command, int fd, int id, uint64_t offset, uint64_t address,
		  uint64_t length, int prot)
{
	last_map = (struct elisa_ioc_map){
		.id = id, .prot = prot, .offset = offset, .address = address, .length = length};
	return ioctl(fd, command, &last_map);
}

static int map(int fd, int id, uint64_t offset, const void *address, uint64_t length, int prot)
{
	return map_by(ELISA_IOC_EXPORT_MAP, fd, id, offset, (uintptr_t)address, length, prot);
}

static int map_physical(int fd, int id, uint64_t address, uint64_t length, int prot)
{
	return map_by(ELISA_IOC_EXPORT_MAP_PHYSICAL, fd, id, 0, address, length, prot);
}

static struct elisa_ioc_attach last;

static int attach(int fd, int flags, void *exchange, uint64_t length)
{
	last = (struct elisa_ioc_attach){.name = "test",
					 .flags = flags,
					 .exchange = (uintptr_t)exchange,
					 .exchange_length = length};
	return ioctl(fd, ELISA_IOC_ATTACH, &last);
}

static int detach(int fd, int slot)
{
	struct elisa_ioc_detach arg = {.slot = slot};

	return ioctl(fd, ELISA_IOC_DETACH, &arg);
}

static struct elisa_result call(uint64_t address)
{
	struct elisa_attachment a = {address};

	return elisa_call(&a, 1, 2, 3, 4, 5, 6);
}

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

	/* tmpfs is RAM that one may give away; another file's page is the page cache's */
	CHECK(!ftruncate(file, 8192));
	char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(!map(fd, id, 0, shared, 8192, 3));
	int ramfs = open("/mnt/elisa-test", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(!ftruncate(ramfs, 8192));
	char *cached = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, ramfs, 0);
	memset(cached, 1, 8192);
	CHECK(map(fd, id, 8192, cached, 8192, 3) && last_map.status.why == ELISA_WHY_FILE_BACKED &&
	      last_map.status.value == (uintptr_t)cached);

	/* pinned for writing, whatever the export may do with it */
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

/* Not RAM of the process, however it is mapped: the stub's page, and memory of a device. */
static void test_device_memory(void)
{
	int fd = device(), mem = open("/dev/mem", O_RDWR);
	int id = export_create(fd), before = get("pages");
	char *rom = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0xd0000);
	char *stub;

	CHECK(rom != MAP_FAILED);
	for (int prot = 1; prot <= 5; prot += 2) {
		CHECK(map(fd, id, 0, rom, 4096, prot) && errno == EFAULT);
		CHECK(last_map.status.why == ELISA_WHY_ADDRESS &&
		      last_map.status.value == (uintptr_t)rom);
	}
	CHECK(attach(fd, 0, rom, 4096) && last.status.why == ELISA_WHY_ADDRESS);
	CHECK(!attach(fd, 0, NULL, 0));
	stub = (char *)(last.call & -4096UL);
	CHECK(map(fd, id, 0, stub, 4096, 5) && last_map.status.why == ELISA_WHY_ADDRESS);
	CHECK(map(fd, id, 0, stub, 4096, 1) && last_map.status.value == (uintptr_t)stub);
	CHECK(get("pages") == before && pinned() == 0);
	munmap(rom, 4096);
	close(mem);
	close(fd);
}

/* By physical address: the firmware's area, which no kernel manages, but not the kernel's RAM. */
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

static void test_attach(void)
{
	char *p = memory(65536);
	int fd = device();
	struct elisa_result r;

	CHECK(attach(fd, 8, NULL, 0) && last.status.why == ELISA_WHY_FIELD);
	CHECK(attach(fd, 0, p + 1, 4096) && last.status.why == ELISA_WHY_ADDRESS);
	CHECK(attach(fd, 0, NULL, 4096) && last.status.why == ELISA_WHY_ADDRESS);
	CHECK(attach(fd, 0, p, 4096 * 257) && last.status.why == ELISA_WHY_RANGE);
	CHECK(attach(fd, 0, (void *)0x1000, 4096) && errno == EFAULT);
	CHECK(get("attachments") == 0 && pinned() == 0);
	CHECK(!attach(fd, 0, p, 65536));
	CHECK(pinned() == 64 && get("attachments") == 1 && get("syncs") > 0);
	CHECK(last.exchange_in_sub ==
	      ELISA_WINDOW_BASE + last.slot * ELISA_SLOT_SIZE + ELISA_EXCHANGE_OFFSET);
	r = call(last.call);
	CHECK(r.value == 0 && r.error == ELISA_CALL_NOT_ATTACHED);
	CHECK(!detach(fd, last.slot) && pinned() == 0 && get("attachments") == 0);
	CHECK(detach(fd, last.slot) && errno == ENOENT);
	r = call(last.call);
	CHECK(r.error == ELISA_CALL_NOT_ATTACHED);

	/* every kind of stub in the same slot: the page is replaced under the mapping */
	for (int i = 0; i < 8; i++) {
		set("mode", i & 1);
		set("export_flags", i & 2 ? ELISA_EXPORT_GENERAL_REGS : 0);
		CHECK(!attach(fd, i & 4 ? ELISA_ATTACH_TRUST_MANAGER : 0, p, 4096));
		r = call(last.call);
		CHECK(r.value == 0 && r.error == ELISA_CALL_NOT_ATTACHED);
		CHECK(!detach(fd, last.slot));
	}
	set("mode", 0);
	set("export_flags", 0);
	close(fd);
	CHECK(get("attachments") == 0);
	munmap(p, 65536);
}

static struct elisa_ioc_donate last_gift;

static int donate(int fd, int slot, void *address, uint64_t length)
{
	last_gift = (struct elisa_ioc_donate){
		.slot = slot, .address = (uintptr_t)address, .length = length};
	return ioctl(fd, ELISA_IOC_DONATE, &last_gift);
}

static void test_donate(void)
{
	char *p = memory(8 << 20);
	int fd = device(), other = device();

	CHECK(donate(fd, 0, p, 4096) && last_gift.status.why == ELISA_WHY_NO_ATTACHMENT);
	CHECK(!attach(fd, 0, NULL, 0) && last.place == 5);
	CHECK(donate(fd, last.slot, p, 0) && last_gift.status.why == ELISA_WHY_NO_PAGES);
	CHECK(donate(fd, last.slot, p + 1, 4096) && last_gift.status.why == ELISA_WHY_ADDRESS);
	CHECK(donate(fd, last.slot, p, 4097) && last_gift.status.why == ELISA_WHY_RANGE);
	CHECK(donate(fd, last.slot, (void *)0x1000, 4096) && errno == EFAULT);
	CHECK(donate(fd, last.slot + 1, p, 4096) && errno == ENOENT);
	CHECK(donate(other, last.slot, p, 4096) && errno == ENOENT && get("donated") == 0);
	CHECK(pinned() == 0);
	/* more than one hypercall's worth, and more of it */
	CHECK(!donate(fd, last.slot, p, 4 << 20) && last_gift.donated == 4 << 20);
	CHECK(!donate(fd, last.slot, p + (4 << 20), 4096) && get("donated") == 1025);
	CHECK(pinned() == 4100);
	/* what came before a failure stays, until the attachment goes */
	set("fail_after", 1);
	set("fail_call", ELISA_HC_DONATE);
	CHECK(donate(fd, last.slot, p + (5 << 20), 2 << 20) && last_gift.status.value == 4711);
	CHECK(get("donated") == 1025 + ELISA_HC_DONATE_PAGES);
	CHECK(pinned() == 4 * (1025 + ELISA_HC_DONATE_PAGES));
	CHECK(!detach(fd, last.slot) && pinned() == 0 && get("donated") == 0);
	CHECK(!attach(fd, 0, NULL, 0) && !donate(fd, last.slot, p, 1 << 20));
	close(fd);
	CHECK(pinned() == 0 && get("attachments") == 0);
	close(other);
	munmap(p, 8 << 20);
}

static void test_attach_failures(void)
{
	char *p = memory(65536);
	int fd = device();
	void *taken;

	set("fail_after", 0);
	set("fail_call", ELISA_HC_ATTACH);
	CHECK(attach(fd, 0, p, 4096) && last.status.value == 4711 && pinned() == 0);
	set("fail_after", 0);
	set("fail_call", ELISA_HC_VCPU_SYNC);
	CHECK(attach(fd, 0, p, 4096) && last.status.value == 4711);
	CHECK(get("attachments") == 0 && pinned() == 0);
	/* the answer cannot be given: read-only memory */
	struct elisa_ioc_attach *ro = memory(4096);
	strcpy(ro->name, "test");
	mprotect(ro, 4096, PROT_READ);
	CHECK(ioctl(fd, ELISA_IOC_ATTACH, ro) && errno == EFAULT && get("attachments") == 0);
	CHECK(!munmap((void *)ELISA_WINDOW_BASE, ELISA_WINDOW_SIZE));
	taken = mmap((void *)(ELISA_WINDOW_BASE + (5UL << 30)), 4096, PROT_READ,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(attach(fd, 0, p, 4096) && last.status.why == ELISA_WHY_WINDOW);
	CHECK(last.status.value == (uintptr_t)taken && errno == EADDRINUSE);
	munmap(taken, 4096);
	CHECK(!attach(fd, 0, p, 4096));
	close(fd);
	CHECK(get("attachments") == 0 && pinned() == 0);
	munmap(p, 65536);
}

static void test_window(void)
{
	char *base = (char *)ELISA_WINDOW_BASE;
	int fd = device();
	int status;

	CHECK(!attach(fd, 0, NULL, 0));
	CHECK(munmap(base, 4096) && errno == EINVAL);
	CHECK(munmap(base + (64UL << 30), 4096));
	CHECK(mprotect(base, ELISA_WINDOW_SIZE, PROT_READ | PROT_WRITE) && errno == EACCES);
	CHECK(mprotect(base, 4096, PROT_READ));
	CHECK(mremap(base, ELISA_WINDOW_SIZE, ELISA_WINDOW_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     (void *)0x500000000000) == MAP_FAILED);
	CHECK(mremap(base, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0x500000000000) ==
	      MAP_FAILED);
	CHECK(mmap(base + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	CHECK(madvise(base, ELISA_WINDOW_SIZE, MADV_DOFORK));
	CHECK(madvise(base, ELISA_WINDOW_SIZE, MADV_DONTNEED));
	CHECK(get("attachments") == 1);
	CHECK(call(last.call).error == ELISA_CALL_NOT_ATTACHED);
	CHECK(*(volatile unsigned char *)base != 0x100); /* the stub can be read */
	if (!fork()) {
		*(volatile char *)(base + ELISA_STACK_OFFSET);
		_exit(0);
	}
	wait(&status);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV); /* not inherited */
	if (!fork()) { /* the child's use of an inherited file */
		struct elisa_ioc_attach arg = {.name = "test"};
		int bad = !ioctl(fd, ELISA_IOC_ATTACH, &arg) || errno != EPERM ||
			  arg.status.why != ELISA_WHY_STATE;
		_exit(bad);
	}
	wait(&status);
	CHECK(!status && get("attachments") == 1);
	CHECK(!munmap(base, ELISA_WINDOW_SIZE) && get("attachments") == 0);
	CHECK(detach(fd, last.slot) && errno == ENOENT);
	CHECK(!attach(fd, 0, NULL, 0) && get("attachments") == 1);
	close(fd);
	CHECK(get("attachments") == 0);
}

/* A child that is attached ends in some way while somebody else holds its file. */
static void end_of_process(int how)
{
	int ready[2], status;
	char *p = memory(8192), c;
	pid_t child, holder;
	int fd = device();

	CHECK(!pipe(ready));
	child = fork();
	if (!child) {
		if (attach(fd, 0, p, 8192))
			_exit(1);
		holder = fork();
		if (!holder) {
			close(ready[0]);
			sleep(1);
			_exit(0);
		}
		CHECK(write(ready[1], "x", 1) == 1);
		close(ready[1]);
		if (how == 1)
			execl("/bin/sleep", "sleep", "5", NULL);
		if (how == 2)
			for (;;)
				call(last.call);
		_exit(0);
	}
	close(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1);
	usleep(200000);
	if (how == 1)
		CHECK(get("attachments") == 0);
	if (how)
		kill(child, SIGKILL);
	waitpid(child, &status, 0);
	usleep(100000);
	CHECK(get("attachments") == 0);
	close(fd);
	close(ready[0]);
	sleep(1);
	munmap(p, 8192);
}

static volatile int stop;

static void *caller(void *address)
{
	long calls = 0;

	while (!stop) {
		struct elisa_result r = call((uintptr_t)address);

		if (r.error != ELISA_CALL_NOT_ATTACHED)
			failures++;
		calls++;
	}
	return (void *)calls;
}

/* Threads call while the slot is attached and detached and the page replaced. */
static void on_trap(int number)
{
	_exit(number);
}

/* Runs an INT3 at @at in a process that handles SIGTRAP; returns how it ended. */
static int breakpoint(const void *at, bool attached)
{
	int status;

	if (!fork()) {
		if (attached && attach(device(), 0, NULL, 0))
			_exit(1);
		if (!attached &&
		    mmap((void *)ELISA_WINDOW_BASE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			_exit(1);
		if (!attached)
			*(unsigned char *)ELISA_WINDOW_BASE = 0xcc;
		signal(SIGTRAP, on_trap);
		((void (*)(void))at)();
		_exit(2);
	}
	wait(&status);
	return status;
}

/* What a manager's code that left sub with a stack of its choice runs into: an INT3 of the stub's
 * page, or nothing. No signal handler may run. Another process's INT3 there is its own. */
static void test_escape(void)
{
	const char *base = (const char *)ELISA_WINDOW_BASE;
	int status;

	/* with nothing attached, the child gets slot 0 */
	status = breakpoint(base + ELISA_GATE_OUT_ENTRY(0), true);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = breakpoint(base + 64 * ELISA_SLOT_SIZE, true);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = breakpoint(base, false);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == SIGTRAP);
}

static void test_threads(void)
{
	int fd = device();
	pthread_t threads[3];
	void *calls;

	CHECK(!attach(fd, 0, NULL, 0));
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, caller, (void *)last.call);
	for (int i = 0; i < 200; i++) {
		CHECK(!detach(fd, last.slot));
		CHECK(!attach(fd, 0, NULL, 0));
	}
	stop = 1;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &calls);
		CHECK((long)calls > 0);
	}
	close(fd);
}

static void *unmapper(void *unused)
{
	while (!stop)
		munmap((void *)ELISA_WINDOW_BASE, ELISA_WINDOW_SIZE);
	return unused;
}

static void *attacher(void *file)
{
	struct elisa_ioc_attach arg = {.name = "test"};
	char *p = memory(4096);

	while (!stop) {
		arg.exchange = (uintptr_t)p;
		arg.exchange_length = 4096;
		if (!ioctl((int)(long)file, ELISA_IOC_ATTACH, &arg))
			detach((int)(long)file, arg.slot);
	}
	return NULL;
}

static void test_races(void)
{
	pthread_t threads[4];
	int a = device(), b = device();

	stop = 0;
	pthread_create(&threads[0], NULL, unmapper, NULL);
	pthread_create(&threads[1], NULL, attacher, (void *)(long)a);
	pthread_create(&threads[2], NULL, attacher, (void *)(long)a);
	pthread_create(&threads[3], NULL, attacher, (void *)(long)b);
	sleep(1);
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	close(a);
	close(b);
	CHECK(get("attachments") == 0 && pinned() == 0);
}

/* A full queue has the last abort of each caller. */
static void test_aborts(int fd)
{
	uint64_t last[200] = {0}, newest = 0;
	struct elisa_event e[200];
	int n, i, found = 0;

	set("flood_callers", 150);
	set("flood", 250);
	n = read(fd, e, sizeof(e)) / (int)sizeof(*e);
	for (i = 0; i < n; i++) {
		if (e[i].type != ELISA_EVENT_ABORT)
			continue;
		found += !last[e[i].vcpu];
		last[e[i].vcpu] = e[i].aborts;
		newest = e[i].aborts > newest ? e[i].aborts : newest;
	}
	CHECK(n == 151 && e[0].type == ELISA_EVENT_LOST && e[0].value == 100);
	CHECK(found == 150);
	for (i = 0; i < 150; i++)
		CHECK(last[i] > newest - 150);
	set("flood_callers", 1);
}

/* A manager that does not read does not fill the memory. */
static void test_many_aborts(int fd, int other)
{
	struct elisa_event e[64];
	int n, i, aborts = 0, lost = 0;

	set("flood_callers", 10000);
	for (i = 0; i < 20; i++) {
		set("flood", 250);
		CHECK(read(other, e, sizeof(e)) == -1 && errno == EAGAIN); /* fetches them */
	}
	while ((n = read(fd, e, sizeof(e)) / (int)sizeof(*e)) > 0)
		for (i = 0; i < n; i++) {
			aborts += e[i].type == ELISA_EVENT_ABORT;
			lost += e[i].type == ELISA_EVENT_LOST ? e[i].value : 0;
		}
	CHECK(aborts == 128 + 4096 && lost == 20 * 250 - aborts);
	set("flood_callers", 1);
}

static void test_events(void)
{
	struct elisa_event e[200];
	int fd = device(), other = device(), guest = device();
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int id, first, n;

	first = export_create(other);
	id = export_create(fd);
	CHECK(first > 0 && id > first);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	CHECK(read(fd, e, sizeof(e)) == -1 && errno == EAGAIN);
	CHECK(read(fd, e, sizeof(*e) - 1) == -1 && errno == EINVAL);
	CHECK(poll(&p, 1, 100) == 0);
	CHECK(!attach(guest, 0, NULL, 0));
	CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLIN);
	CHECK(read(fd, e, sizeof(e)) == sizeof(*e) && e[0].type == ELISA_EVENT_ATTACH);
	CHECK((int)e[0].export_id == id);
	set("flood", 250);
	n = read(fd, e, sizeof(e)) / (int)sizeof(*e);
	CHECK(n == 129 && e[0].type == ELISA_EVENT_LOST && e[0].value == 122);
	CHECK(n == 129 && e[1].type == ELISA_EVENT_ABORT && e[1].aborts == 1 &&
	      e[127].aborts == 127);
	CHECK(n == 129 && e[128].aborts == 250); /* the newest of the caller */
	test_aborts(fd);
	fcntl(other, F_SETFL, O_NONBLOCK);
	CHECK(read(other, e, sizeof(e)) == -1 && errno == EAGAIN); /* not its export */
	test_many_aborts(fd, other);
	fcntl(fd, F_SETFL, 0);
	if (!fork()) {
		usleep(200000);
		set("flood", 1);
		_exit(0);
	}
	CHECK(read(fd, e, sizeof(e)) == sizeof(*e)); /* waits for it */
	wait(NULL);
	p.fd = fd;
	if (!fork()) {
		usleep(200000);
		set("flood", 2);
		_exit(0);
	}
	CHECK(poll(&p, 1, 5000) == 1 && read(fd, e, sizeof(*e)) == sizeof(*e) &&
	      read(fd, e, sizeof(e)) == sizeof(*e));
	wait(NULL);
	close(guest);
	close(other);
	close(fd);
}

static int cpu1_online(const char *value)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	int ret = write(fd, value, 1) == 1 ? 0 : -errno;

	close(fd);
	return ret;
}

/* A vCPU that comes online is set up, if there is an attachment, or stays offline. */
static void test_hotplug(void)
{
	int fd = device(), before;

	CHECK(!cpu1_online("0"));
	CHECK(!attach(fd, 0, NULL, 0));
	before = get("syncs");
	CHECK(!cpu1_online("1") && get("syncs") == before + 1);
	CHECK(!cpu1_online("0"));
	set("fail_after", 0);
	set("fail_call", ELISA_HC_VCPU_SYNC);
	CHECK(cpu1_online("1") == -ENOMEM);
	close(fd);
	before = get("syncs");
	CHECK(!cpu1_online("1") && get("syncs") == before);
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
	RUN(test_export_failures());
	RUN(test_device_memory());
	RUN(test_physical_memory());
	RUN(test_attach());
	RUN(test_donate());
	RUN(test_attach_failures());
	RUN(test_window());
	RUN(test_escape());
	RUN(end_of_process(0));
	RUN(end_of_process(1));
	RUN(end_of_process(2));
	RUN(test_threads());
	RUN(test_races());
	RUN(test_events());
	RUN(test_memlock());
	RUN(test_hotplug());
	printf(">> %d failures\n", failures);
	return failures != 0;
}
