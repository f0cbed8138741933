// SPDX-License-Identifier: Apache-2.0
/*
 * Events that the host's /dev/elisa files report to the administrator.
 *
 * The test reads records of different sizes, lets a reader sleep and another one be too slow. One
 * VM makes refused requests without end while another VM makes one. It also tests the answer that
 * makes a driver ask again. The failure would be an event that is lost without a note.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../gate/gate_page.h"
#include "harness.h"

#define BIT(n) (1u << ELISA_HOST_EVENT_##n)
#define ALL    ELISA_HOST_EVENT_KINDS
#define RING   256
#define KNOCKS 10000

static int open_admin(void)
{
	return SYS(open("/dev/elisa", O_RDWR | O_NONBLOCK | O_CLOEXEC));
}

static int watch(int fd, uint32_t kinds, uint32_t size, uint32_t flags)
{
	struct elisa_host_watch in = {.kinds = kinds, .size = size, .flags = flags};

	return ioctl(fd, ELISA_HOST_IOC_WATCH, &in) ? -errno : 0;
}

static int watching(uint32_t kinds, uint32_t flags)
{
	int fd = open_admin();

	CHECK_EQ(watch(fd, kinds, sizeof(struct elisa_host_event), flags), 0);
	return fd;
}

/* Reads the next record. Returns false if there is none. */
static bool next(int fd, struct elisa_host_event *event)
{
	ssize_t n = read(fd, event, sizeof(*event));

	CHECK(n == (ssize_t)sizeof(*event) || (n < 0 && errno == EAGAIN));
	return n > 0;
}

static void expect(int fd, uint32_t kind)
{
	struct elisa_host_event event;

	CHECK(next(fd, &event));
	CHECK_EQ(event.kind, kind);
	CHECK_EQ(event.pid, getpid());
	CHECK(event.time_ns > 0);
	if (kind == ELISA_HOST_EVENT_ABORTED)
		CHECK_EQ(event.value, ELISA_CALL_FORBIDDEN);
	CHECK(!strcmp(event.name, "t.told"));
}

static void bad_requests(void)
{
	char small[8];
	int fd = open_admin(), more[8], i;

	CHECK(read(fd, small, sizeof(small)) < 0 && errno == EINVAL);
	CHECK_EQ(watch(fd, 0, 136, 0), -EINVAL);
	CHECK_EQ(watch(fd, ALL | 1u << 20, 136, 0), -EINVAL);
	CHECK_EQ(watch(fd, ALL, 136, 0), 0);
	CHECK_EQ(watch(fd, ALL, 136, 0), -EEXIST);
	CHECK(read(fd, small, sizeof(small)) < 0 && errno == EINVAL);
	for (i = 0; i < 7; i++)
		more[i] = watching(BIT(GRANTED), 0);
	more[7] = open_admin();
	CHECK_EQ(watch(more[7], ALL, 0, 0), -EINVAL);
	CHECK_EQ(watch(more[7], ALL, 12, 0), -EINVAL);
	CHECK_EQ(watch(more[7], ALL, 1032, 0), -EINVAL);
	CHECK_EQ(watch(more[7], ALL, 136, 2), -EINVAL);
	CHECK_EQ(watch(more[7], BIT(GRANTED), 136, ELISA_HOST_ANSWERS), -EINVAL);
	CHECK_EQ(watch(more[7], ALL, 136, 0), -EBUSY);
	for (i = 0; i < 8; i++)
		close(more[i]);
	close(fd);
}

/* Reads records of other sizes than the module's. */
static void other_sizes(void)
{
	uint8_t bytes[3 * 200];
	int small = open_admin(), large = open_admin();
	struct elisa_host_event event;

	CHECK_EQ(watch(small, BIT(GRANTED), 16, 0), 0);
	CHECK_EQ(watch(large, BIT(GRANTED), 200, 0), 0);
	CHECK(grant(ELISA_GRANT_ATTACH, "t.sizes", 0) > 0);
	CHECK(grant(ELISA_GRANT_ATTACH, "t.again", 0) > 0);
	memset(bytes, 0xff, sizeof(bytes));
	CHECK_EQ(read(small, bytes, 40), 32);
	memcpy(&event, bytes + 16, 16);
	CHECK_EQ(event.kind, ELISA_HOST_EVENT_GRANTED);
	memset(bytes, 0xff, sizeof(bytes));
	CHECK_EQ(read(large, bytes, sizeof(bytes)), 400);
	memcpy(&event, bytes + 200, sizeof(event));
	CHECK(!strcmp(event.name, "t.again"));
	CHECK(!bytes[sizeof(event)] && !bytes[199] && bytes[400] == 0xff);
	close(small);
	close(large);
}

/* A sleeping reader is woken. A slow reader gets the number of records that it has missed. */
static void slow_readers(void)
{
	struct pollfd waits = {.events = POLLIN};
	struct elisa_host_event event;
	int slow = watching(BIT(GRANTED), 0), i;
	uint32_t id;
	pid_t child;

	waits.fd = watching(BIT(REVOKED), 0);
	CHECK_EQ(poll(&waits, 1, 0), 0);
	id = grant(ELISA_GRANT_ATTACH, "t.slow", 0);
	child = SYS(fork());
	if (!child) {
		usleep(20000);
		_exit(revoke_grant(id) != 0);
	}
	CHECK_EQ(poll(&waits, 1, 10000), 1);
	CHECK(next(waits.fd, &event) && event.grant == id);
	SYS(waitpid(child, &i, 0));
	CHECK_EQ(i, 0);
	for (i = 1; i < RING + 5; i++)
		CHECK_EQ(revoke_grant(grant(ELISA_GRANT_ATTACH, "t.slow", 0)), 0);
	for (i = 0; i < RING; i++)
		CHECK(next(slow, &event) && event.kind == ELISA_HOST_EVENT_GRANTED);
	CHECK(next(slow, &event));
	CHECK_EQ(event.kind, ELISA_HOST_EVENT_LOST);
	CHECK_EQ(event.value, 5);
	CHECK(!next(slow, &event));
	close(slow);
	close(waits.fd);
}

static int knock(struct vm *vm, bool waits)
{
	memset(vm->page, 0, PAGE_SIZE);
	strcpy(vm->page->attach.name, "t.door");
	vm->page->why = waits ? ELISA_WHY_ASKED : ELISA_OK;
	return hypercall(vm, 0, ELISA_HC_ATTACH);
}

/* Starts a VMM that has no grant. Its VM makes @knocks requests. */
static pid_t stranger(int knocks)
{
	pid_t child = SYS(fork());
	struct vm *vm;

	if (child)
		return child;
	vm = vm_new(1);
	while (knocks--)
		CHECK_EQ(knock(vm, false), -EPERM);
	CHECK_EQ(knock(vm, true), -EAGAIN);
	CHECK_EQ(vm->page->why, ELISA_WHY_ASKED);
	_exit(0);
}

static void knocking(void)
{
	int policy = watching(BIT(UNKNOWN), ELISA_HOST_ANSWERS), status, of_hostile = 0,
	    of_other = 0;
	struct elisa_host_event event;
	double from = now_us();
	pid_t hostile, other;

	hostile = stranger(KNOCKS);
	other = stranger(1);
	SYS(waitpid(other, &status, 0));
	CHECK_EQ(status, 0);
	SYS(waitpid(hostile, &status, 0));
	CHECK_EQ(status, 0);
	while (next(policy, &event)) {
		CHECK_EQ(event.kind, ELISA_HOST_EVENT_UNKNOWN);
		CHECK_EQ(event.rights, ELISA_GRANT_ATTACH);
		CHECK(!strcmp(event.name, "t.door"));
		of_hostile += event.pid == hostile;
		of_other += event.pid == other;
	}
	printf("%d knocks in %.1f s: %d records, of another VM %d\n", KNOCKS,
	       (now_us() - from) / 1e6, of_hostile, of_other);
	CHECK(of_hostile >= 1 && of_hostile <= 2 + (now_us() - from) / 1e6);
	CHECK(of_other >= 1);
	close(policy);
}

static void all_kinds(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	int fd, grant_id;
	uint32_t id, slot;

	fd = watching(ALL & ~BIT(REFUSED), 0);
	grant_id = grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.told", 0);
	expect(fd, ELISA_HOST_EVENT_GRANTED);
	id = export_new(manager, "t.told", ELISA_EXPORT_GENERAL_REGS, 0);
	expect(fd, ELISA_HOST_EVENT_EXPORTED);
	slot = attach(guest, "t.told", ELISA_STUB_TRUSTING, 0);
	expect(fd, ELISA_HOST_EVENT_ATTACHED);
	CHECK_EQ(call(guest, 0, slot, DO_VMCALL, 0, 0).error, ELISA_CALL_FORBIDDEN);
	expect(fd, ELISA_HOST_EVENT_ABORTED);
	manager->page->evict = (struct elisa_hc_evict){.id = id, .attachment = 1};
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EVICT), 0);
	expect(fd, ELISA_HOST_EVENT_EVICTED);
	expect(fd, ELISA_HOST_EVENT_DETACHED);
	CHECK_EQ(revoke_grant(grant_id), 0);
	expect(fd, ELISA_HOST_EVENT_REVOKED);
	expect(fd, ELISA_HOST_EVENT_UNEXPORTED);
	/* the open file holds a reference to the module until it is closed, which run.sh checks */
	close(fd);
}

int main(void)
{
	bad_requests();
	other_sizes();
	slow_readers();
	knocking();
	all_kinds();
	printf("stream: bounded, counted, in order\n");
	return 0;
}
