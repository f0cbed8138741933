/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager of the end-to-end tests: tries what must be refused, publishes the
 * function, and stays until it is killed or its last guest has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <elisa/elisa.h>
#include <elisa/extra.h>

#include "check.h"

#define RW (ELISA_PROT_READ | ELISA_PROT_WRITE)

static void *memory(size_t length, int protection)
{
	void *made = mmap(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (made == MAP_FAILED)
		exit(1);
	return made;
}

static void *file_memory(void)
{
	static const char page[4096];
	void *made;
	int fd;

	mkdir("/ram", 0755);
	mount("ram", "/ram", "ramfs", 0, "");
	fd = open("/ram/file", O_RDWR | O_CREAT, 0600);
	if (write(fd, page, sizeof(page)) != sizeof(page))
		exit(1);
	made = mmap(NULL, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return made;
}

static void try_bad_maps(struct elisa *elisa, struct elisa_export *e)
{
	void *page = memory(8192, PROT_READ | PROT_WRITE);
	void *gone = memory(4096, PROT_READ | PROT_WRITE);
	void *constant = memory(4096, PROT_READ);

	munmap(gone, 4096);
	memset(page, 1, 8192);
	CHECK_REFUSED(elisa, elisa_export_map(e, 0, gone, 4096, RW), -EFAULT, ELISA_WHY_ADDRESS);
	CHECK_REFUSED(elisa, elisa_export_map(e, 0, constant, 4096, ELISA_PROT_READ), -EFAULT,
		      ELISA_WHY_ADDRESS);
	CHECK_REFUSED(elisa, elisa_export_map(e, 0, file_memory(), 4096, RW), -EINVAL,
		      ELISA_WHY_FILE_BACKED);
	CHECK_REFUSED(elisa, elisa_export_map(e, 0, page, 0, RW), -EINVAL, ELISA_WHY_NO_PAGES);
	CHECK_REFUSED(elisa, elisa_export_map(e, 0, page, 4096, RW | ELISA_PROT_EXEC), -EINVAL,
		      ELISA_WHY_PROT);
	CHECK_REFUSED(elisa, elisa_export_map(e, 1, page, 4096, RW), -EINVAL, ELISA_WHY_RANGE);
	CHECK_REFUSED(elisa, elisa_export_map(e, ELISA_OBJECT_SIZE, page, 4096, RW), -EINVAL,
		      ELISA_WHY_RANGE);
	CHECK_REFUSED(elisa, elisa_export_map(e, 1ULL << 63, page, 4096, RW), -EINVAL,
		      ELISA_WHY_RANGE);
	CHECK_EQ(elisa_export_map(e, 0, page, 8192, RW), 0);
	CHECK_REFUSED(elisa, elisa_export_map(e, 4096, page, 4096, RW), -EEXIST, ELISA_WHY_OVERLAP);
	CHECK_REFUSED(elisa, elisa_export_publish(e, 0), -EINVAL, ELISA_WHY_ENTRY);
	CHECK_EQ(elisa_export_unmap(e, 0, 8192), 0);
}

static void wait_for_grant(struct elisa *elisa)
{
	struct elisa_export *made;
	int tries = 500;

	while (elisa_export_create(elisa, "e2e.probe", 0, 0, &made) == -EPERM && tries--)
		usleep(20000);
	CHECK_EQ(elisa_export_destroy(made), 0);
}

static void publish(struct elisa *elisa, const char *name, const char *file, uint32_t limit_us)
{
	struct elisa_extra_image *image;
	struct elisa_export *made;

	if (elisa_export_create(elisa, name, ELISA_EXPORT_GENERAL_REGS, limit_us, &made) < 0 ||
	    elisa_extra_load(made, file, 0, &image) < 0 ||
	    elisa_extra_publish(image, "entry_function") < 0) {
		printf("FAILED %s: %s\n", name, elisa_error(elisa));
		exit(1);
	}
}

/* The last line is what tests/e2e/host.sh compares with the host's own list. */
static void count(const struct elisa_event *event)
{
	static unsigned int seen[ELISA_EVENT_LOST + 1];

	printf("event %u of attachment %llu: %lld\n", event->type,
	       (unsigned long long)event->attachment, (long long)event->value);
	if (event->type <= ELISA_EVENT_LOST)
		seen[event->type]++;
	printf("attached=%u detached=%u lost=%u \n", seen[ELISA_EVENT_ATTACH],
	       seen[ELISA_EVENT_DETACH], seen[ELISA_EVENT_LOST]);
}

int main(int argc, char **argv)
{
	struct elisa_export *export_;
	struct elisa_event event;
	struct elisa *elisa;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || elisa_open(NULL, &elisa) < 0) {
		printf("FAILED %s\n", elisa_error(NULL));
		return 1;
	}
	wait_for_grant(elisa);
	CHECK_REFUSED(elisa, elisa_export_create(elisa, "other", 0, 0, &export_), -EPERM,
		      ELISA_WHY_NO_GRANT);
	CHECK_EQ(elisa_export_create(elisa, "e2e.bad", 0, 0, &export_), 0);
	try_bad_maps(elisa, export_);
	CHECK_EQ(elisa_export_destroy(export_), 0);
	publish(elisa, "e2e.main", argv[1], 0);
	publish(elisa, "e2e.slow", argv[1], 10000000);
	printf("manager is ready, %d failures\n", failures);
	if (failures)
		return 1;
	for (;;) {
		struct pollfd wait = {.fd = elisa_fd(elisa), .events = POLLIN};

		if (poll(&wait, 1, 120000) <= 0)
			return 1;
		while (elisa_events_read(elisa, &event, 1) > 0)
			count(&event);
	}
}
