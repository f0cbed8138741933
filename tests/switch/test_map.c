/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A region whose driver gives memory of its own: the switch sees it behind the file. Of a driver
 * that gives anything else nothing is mapped, and the switch does not wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <rvif/driver.h>
#include <rvif/switch.h>

#define FILE_PATH "/dev/shm/rvif-test-map"
#define PAGE	  4096u
#define SIZE	  (16 * PAGE)

struct fixture {
	struct rvif_config config;
	struct rvif_memory memory[3];
	struct rvif_sharing sharing;
	struct rvif_vnic vnic;
	struct rvif_mapping map;
	const char *why;
};

static int memory_file(uint64_t size)
{
	const int fd = memfd_create("driver", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* A vNIC with two pieces of one file; no switch has asked yet. */
static void open_vnic(struct fixture *f)
{
	const int fd = memory_file(SIZE);

	memset(f, 0, sizeof(*f));
	f->config = (struct rvif_config){.tx_queues = 1,
					 .rx_queues = 1,
					 .tx_ring = 8,
					 .rx_ring = 8,
					 .buffer_size = 2048,
					 .max_frame = 1522};
	f->memory[0] =
		(struct rvif_memory){.fd = fd, .at = 8 * PAGE, .size = 2 * PAGE, .page = PAGE};
	f->memory[1] = (struct rvif_memory){.fd = fd, .at = 0, .size = PAGE, .page = PAGE};
	f->sharing = (struct rvif_sharing){.memory = f->memory, .count = 2};
	assert_int_equal(rvif_configure(&f->config, 4 * PAGE), 0);
	assert_int_equal(rvif_configure_sharing(&f->config, &f->sharing), 0);
	assert_int_equal(rvif_open_sharing(&f->vnic, &rvif_shared_file, FILE_PATH, &f->config, NULL,
					   &f->sharing),
			 0);
}

static void close_vnic(struct fixture *f)
{
	rvif_unmap(&f->map);
	rvif_close(&f->vnic);
	close(f->memory[0].fd);
	/* neither the file nor its socket */
	assert_int_equal(system("! ls " FILE_PATH "* 2>/dev/null"), 0);
}

/* The switch asks, the driver answers. */
static int map(struct fixture *f)
{
	int error = rvif_map(&f->map, FILE_PATH, &f->why);

	assert_int_equal(error, -EAGAIN);
	assert_int_equal(rvif_map(&f->map, FILE_PATH, &f->why), -EAGAIN);
	rvif_share(&f->vnic);
	return rvif_map(&f->map, FILE_PATH, &f->why);
}

static void test_memory_is_there(void **state)
{
	struct fixture f;
	uint8_t *driver;

	(void)state;
	open_vnic(&f);
	driver = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.memory[0].fd, 0);
	assert_ptr_not_equal(driver, MAP_FAILED);
	assert_int_equal(map(&f), 0);
	assert_int_equal(f.map.size, f.config.region_size);
	driver[8 * PAGE] = 1;
	driver[10 * PAGE - 1] = 2;
	driver[0] = 3;
	f.vnic.region[f.vnic.size - 1] = 4;
	assert_int_equal(f.map.region[f.memory[0].offset], 1);
	assert_int_equal(f.map.region[f.memory[0].offset + 2 * PAGE - 1], 2);
	assert_int_equal(f.map.region[f.memory[1].offset], 3);
	assert_int_equal(f.map.region[f.memory[0].offset - 1], 4);
	munmap(driver, SIZE);
	close_vnic(&f);
}

/* Whatever is no memory of the right kind and size. */
static void test_false_memory(void **state)
{
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	for (unsigned int i = 0; i < 8; i++) {
		struct fixture f;
		struct rvif_memory *piece, good;
		int folder;

		open_vnic(&f);
		piece = &f.memory[1];
		good = *piece;
		folder = open("/dev/shm", O_RDONLY | O_DIRECTORY);
		switch (i) {
		case 0:
			piece->fd = pipes[1];
			break;
		case 1:
			piece->fd = folder;
			break;
		case 2:
			piece->size = SIZE + PAGE;
			break;
		case 3:
			piece->at = SIZE;
			break;
		case 4:
			piece->at = UINT64_MAX - PAGE + 1;
			break;
		case 5:
			piece->at = 100;
			break;
		case 6:
			piece->size = 0;
			break;
		case 7:
			piece->size = 100;
			break;
		}
		assert_true(map(&f) < 0);
		assert_non_null(f.why);
		assert_null(f.map.region);
		*piece = good;
		close(folder);
		close_vnic(&f);
	}
	close(pipes[0]);
	close(pipes[1]);
}

/* A file of a file system where an access may wait for another process. */
static void test_other_file_system(void **state)
{
	const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct fixture f;
	int own;

	(void)state;
	open_vnic(&f);
	own = f.memory[1].fd;
	f.memory[1].fd = fd;
	assert_int_equal(map(&f), -EINVAL);
	f.memory[1].fd = own;
	close(fd);
	close_vnic(&f);
}

/* Without the memory the region is only the file, so that attaching says what is missing. */
static void test_no_answer(void **state)
{
	struct fixture f;

	(void)state;
	open_vnic(&f);
	f.sharing.count = 0;
	assert_int_equal(map(&f), 0);
	assert_int_equal(f.map.size, f.vnic.size);
	assert_true(f.map.size < f.config.region_size);
	f.sharing.count = 2;
	close_vnic(&f);
}

/* One switch has it, and another one comes when that has let go. */
static void test_one_switch(void **state)
{
	struct rvif_mapping second = {.region = NULL};
	struct fixture f;

	(void)state;
	open_vnic(&f);
	assert_int_equal(map(&f), 0);
	assert_int_equal(rvif_map(&second, FILE_PATH, &f.why), -EBUSY);
	rvif_unmap(&f.map);
	assert_int_equal(map(&f), 0);
	assert_int_equal(rvif_map_is_old(&f.map, FILE_PATH), 0);
	close_vnic(&f);
	assert_int_equal(rvif_map_is_old(&f.map, FILE_PATH), 1);
}

/* A driver that goes down knows whether a switch has the region: if none has, it does not wait. */
static void test_stop_without_switch(void **state)
{
	struct fixture f;

	(void)state;
	open_vnic(&f);
	rvif_start(&f.vnic);
	assert_int_equal(map(&f), 0);
	rvif_header(&f.vnic)->sw.state = RVIF_SWITCH_ATTACHED;
	assert_int_equal(rvif_stop(&f.vnic, 1000), -ETIMEDOUT);
	rvif_unmap(&f.map);
	assert_int_equal(rvif_stop(&f.vnic, 1000), 0);
	assert_int_equal(rvif_header(&f.vnic)->sw.state, RVIF_SWITCH_DETACHED);
	close_vnic(&f);
}

static void test_places(void **state)
{
	struct rvif_memory memory[] = {{.size = PAGE, .page = PAGE},
				       {.size = 2 << 20, .page = 2 << 20}};

	(void)state;
	assert_int_equal(rvif_place(memory, 2, 5 * PAGE), 4 << 20);
	assert_int_equal(memory[0].offset, 5 * PAGE);
	assert_int_equal(memory[1].offset, 2 << 20);
	memory[1].size = RVIF_MAX_REGION;
	assert_int_equal(rvif_place(memory, 2, 0), 0);
	memory[1].size = 3 * PAGE;
	assert_int_equal(rvif_place(memory, 2, 0), 0);
	memory[1].page = 3;
	assert_int_equal(rvif_place(memory, 2, 0), 0);
	memory[1].page = 0;
	assert_int_equal(rvif_place(memory, 2, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_there),
		cmocka_unit_test(test_false_memory),
		cmocka_unit_test(test_other_file_system),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_one_switch),
		cmocka_unit_test(test_stop_without_switch),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
