// SPDX-License-Identifier: Apache-2.0
/*
 * Events in the guest driver.
 *
 * The tests check which file gets an event, that it wakes a waiting thread, and what a full queue
 * keeps. The failure would be a lost abort, or a manager that does not read and fills the memory.
 */
#include <poll.h>
#include <sys/wait.h>

#include "driver.h"

/* A full queue must have the last abort of each caller. */
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

/* A manager that does not read its events must not fill the kernel's memory. */
static void test_many_aborts(int fd, int other)
{
	struct elisa_event e[64];
	int n, i, aborts = 0, lost = 0;

	set("flood_callers", 10000);
	for (i = 0; i < 20; i++) {
		set("flood", 250);
		CHECK(read(other, e, sizeof(e)) == -1 && errno == EAGAIN); /* fetches the events */
	}
	while ((n = read(fd, e, sizeof(e)) / (int)sizeof(*e)) > 0)
		for (i = 0; i < n; i++) {
			aborts += e[i].type == ELISA_EVENT_ABORT;
			lost += e[i].type == ELISA_EVENT_LOST ? e[i].value : 0;
		}
	CHECK(aborts == 128 + 4096 && lost == 20 * 250 - aborts);
	set("flood_callers", 1);
}

/* Fault events must take no room from aborts, and each missing abort must be reported. */
static void test_faults(int fd)
{
	struct elisa_event e[200];
	int n, i, faults = 0, aborts = 0;

	set("flood_callers", 100);
	set("flood_faults", 1);
	set("flood", 100);
	n = read(fd, e, sizeof(e)) / (int)sizeof(*e);
	for (i = 0; i < n; i++) {
		CHECK(e[i].type != ELISA_EVENT_LOST);
		faults += e[i].type == ELISA_EVENT_FAULT;
		aborts += e[i].type == ELISA_EVENT_ABORT;
	}
	CHECK(faults == 32 && aborts == 100); /* 64 of 128 records */
	set("flood_faults", 0);
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
	CHECK(read(other, e, sizeof(e)) == -1 && errno == EAGAIN); /* another file's export */
	test_many_aborts(fd, other);
	test_faults(fd);
	fcntl(fd, F_SETFL, 0);
	if (!fork()) {
		usleep(200000);
		set("flood", 1);
		_exit(0);
	}
	CHECK(read(fd, e, sizeof(e)) == sizeof(*e)); /* waits for the event */
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

int main(void)
{
	setbuf(stdout, NULL);
	RUN(test_events());
	printf(">> %d failures\n", failures);
	return failures != 0;
}
