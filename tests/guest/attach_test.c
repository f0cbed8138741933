// SPDX-License-Identifier: Apache-2.0
/*
 * Attachments in the guest driver.
 *
 * The driver must refuse wrong requests. Whatever ends a process or a file must end its
 * attachments, and no page may stay pinned. The test compares the errors, the fake host's counters
 * and VmPin.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <elisa/elisa.h>
#include <elisa/gate_layout.h>
#include "driver.h"

static struct elisa_result call(uint64_t address)
{
	struct elisa_attachment a = {address};

	return elisa_call(&a, 1, 2, 3, 4, 5, 6);
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

	/* each kind of stub in the same slot: the driver replaces the page under the mapping */
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

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void on_alarm(int number)
{
	(void)number;
}

/* The host answers that it asks for a grant. The driver must try again, for about a second. */
static void test_asked(void)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	int fd = device(), id;
	double since;

	set("asked", 3);
	CHECK(!attach(fd, 0, NULL, 0) && last.status.why == ELISA_OK && get("asked") == 0);
	CHECK(!detach(fd, last.slot));
	set("asked", 3);
	id = export_create(fd);
	CHECK(id > 0 && get("asked") == 0);
	set("asked", -1);
	since = seconds();
	CHECK(attach(fd, 0, NULL, 0) && errno == EPERM && last.status.why == ELISA_WHY_NO_GRANT);
	CHECK(seconds() - since > 0.9 && seconds() - since < 5);
	sigaction(SIGALRM, &action, NULL);
	ualarm(100000, 0);
	since = seconds();
	CHECK(attach(fd, 0, NULL, 0) && errno == EINTR);
	CHECK(seconds() - since < 0.9 && get("attachments") == 0);
	set("asked", 0);
	close(fd);
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
	/* more pages than one hypercall takes, and then another page */
	CHECK(!donate(fd, last.slot, p, 4 << 20) && last_gift.donated == 4 << 20);
	CHECK(!donate(fd, last.slot, p + (4 << 20), 4096) && get("donated") == 1025);
	CHECK(pinned() == 4100);
	/* pages donated before a failure stay, until the attachment ends */
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

static void test_donate_large_pages(void)
{
	size_t size = 16 << 20;
	char *p = large_memory(size);
	int fd = device(), before = get("large"), taken;

	takes_large(fd, 1);
	CHECK(!attach(fd, 0, NULL, 0) && !donate(fd, last.slot, p, size));
	CHECK(last_gift.donated == size && pinned() == 16384);
	taken = get("large") - before;
	CHECK(taken == 5);
	/* what came before a failure stays */
	set("fail_after", 2);
	set("fail_call", ELISA_HC_DONATE);
	CHECK(donate(fd, last.slot, p, size) && last_gift.status.value == 4711);
	CHECK(get("donated") > 4096 && pinned() == 4 * get("donated"));
	CHECK(!detach(fd, last.slot) && pinned() == 0);
	takes_large(fd, 0);
	close(fd);
	munmap(p, size);
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
	/* the driver cannot write its answer: the memory is read-only */
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
	CHECK(*(volatile unsigned char *)base != 0x100); /* the process can read the stub */
	if (!fork()) {
		*(volatile char *)(base + ELISA_STACK_OFFSET);
		_exit(0);
	}
	wait(&status);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV); /* the window is not inherited */
	if (!fork()) { /* a child uses an inherited file */
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

/* A child that is attached ends in some way while another process has its file open. */
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

/* Executes an INT3 at @at in a process that handles SIGTRAP. Returns how the process ended. */
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

/*
 * A manager's code that left sub with a stack of its choice reaches an INT3 of the stub's page, or
 * an unmapped address. No signal handler may run on that stack. An INT3 of a process that is not
 * attached is its own affair.
 */
static void test_escape(void)
{
	const char *base = (const char *)ELISA_WINDOW_BASE;
	int status;

	/* without other attachments, the child gets slot 0 */
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

/*
 * A host that has forgotten this VM assigns slots again. A process must end only its own
 * attachment.
 */
static void test_forgotten(void)
{
	int first = device(), second = device(), later = device();
	char *p = memory(8192);

	CHECK(!attach(first, 0, NULL, 0) && last.slot == 0);
	CHECK(!attach(second, 0, p, 8192) && last.slot == 1);
	set("forget", 1);
	CHECK(!attach(later, 0, NULL, 0) && last.slot == 0);
	CHECK(!attach(later, 0, NULL, 0) && last.slot == 1 && get("attachments") == 2);
	CHECK(donate(second, 1, p, 4096) && last_gift.status.why == ELISA_WHY_NO_ATTACHMENT);
	CHECK(!donate(later, 1, p, 4096) && get("donated") == 1);
	CHECK(!detach(second, 1) && get("attachments") == 2 && pinned() == 4);
	close(first);
	CHECK(get("attachments") == 2);

	/* one file has a new attachment with the slot of its old one */
	set("forget", 1);
	CHECK(!attach(later, 0, NULL, 0) && last.slot == 0);
	CHECK(!donate(later, 0, p + 4096, 4096) && get("donated") == 1);
	CHECK(!detach(later, 0) && get("attachments") == 1);
	CHECK(!detach(later, 0) && get("attachments") == 0);
	CHECK(detach(later, 0) && errno == ENOENT);
	close(later);
	close(second);
	CHECK(pinned() == 0);
	munmap(p, 8192);
}

static int cpu1_online(const char *value)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY);
	int ret = write(fd, value, 1) == 1 ? 0 : -errno;

	close(fd);
	return ret;
}

/* A vCPU that comes online is set up if there is an attachment. If this fails, it stays offline. */
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

int main(void)
{
	setbuf(stdout, NULL);
	RUN(test_attach());
	RUN(test_asked());
	RUN(test_donate());
	RUN(test_donate_large_pages());
	RUN(test_attach_failures());
	RUN(test_window());
	RUN(test_escape());
	RUN(end_of_process(0));
	RUN(end_of_process(1));
	RUN(end_of_process(2));
	RUN(test_threads());
	RUN(test_races());
	RUN(test_forgotten());
	RUN(test_hotplug());
	printf(">> %d failures\n", failures);
	return failures != 0;
}
