/* SPDX-License-Identifier: Apache-2.0 */
/* Why a vNIC over ELISA could not be opened: the library's reason has to reach the program. And how
 * long its frames wait in the ring. */
#include <errno.h>
#include <rvif/elisa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "test.h"
#include "fake.h"

int open_fake_instead(const char *path, struct elisa **handle);

static struct fake fake;

int open_fake_instead(const char *path, struct elisa **handle)
{
	(void)path;
	return fake_open(&fake, handle);
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	return 0;
}

/* A switch that takes each join, and leaves so many descriptors, held if it may: VMNET_HOLD beside
 * the queue comes back. */
long left;
void switch_stub(void);
__asm__(".pushsection .text\n"
	".type switch_stub, @function\n"
	"switch_stub:\n"
	"	endbr64\n"
	"	xor %eax, %eax\n"
	"	xor %edx, %edx\n"
	"	test %rdi, %rdi\n"
	"	jz 1f\n"
	"	mov %rsi, %rax\n"
	"	add left(%rip), %rax\n"
	"1:	ret\n"
	".popsection\n");

static const struct rvif_config small = {.tx_queues = 1,
					 .rx_queues = 1,
					 .tx_ring = 8,
					 .rx_ring = 8,
					 .buffer_size = 2048,
					 .max_frame = 1518};

/* What opening gives; all that was opened is closed again. */
static int open_vnic(const char *where)
{
	struct rvif_config config = small;
	struct rvif_vnic vnic;
	int error;

	assert_int_equal(rvif_configure(&config, 65536), 0);
	error = rvif_open(&vnic, &rvif_over_elisa, where, &config);
	assert_int_equal(fake.opened, fake.closed);
	return error;
}

static void fails(const char *where, int error, const char *text)
{
	assert_int_equal(open_vnic(where), error);
	if (!strstr(rvif_elisa_error(), text))
		fail_msg("'%s' does not say '%s'", rvif_elisa_error(), text);
}

static void no_driver(void **state)
{
	(void)state;
	fake.open_error = ENOENT;
	fails("vmnet", -ENOENT, "modprobe elisa-guest");
}

static void a_reason_of_the_host(void **state)
{
	(void)state;
	fake.error = EPERM;
	fake.fail_at = 3; /* the device's state, the doorbell, the attachment */
	fake.why = ELISA_WHY_PCID;
	fails("vmnet", -EPERM, "start this VM with -cpu ...,-pcid");
	assert_non_null(strstr(rvif_elisa_error(), "'vmnet'"));
}

/* The attachment that was made ends again, without another text. */
static void memory_that_cannot_be_donated(void **state)
{
	(void)state;
	fake.error = ENOMEM;
	fake.fail_at = 4;
	fake.why = ELISA_WHY_QUOTA;
	fake.value = 77;
	fails("vmnet", -ENOMEM, "(limit 77); share less");
	assert_int_equal(fake.request, ELISA_IOC_DETACH);
}

static uint8_t pages[3 * ELISA_PAGE_SIZE] __attribute__((aligned(ELISA_PAGE_SIZE)));

/* A vNIC whose region ends with one page, and with two that lie before it in memory. */
static int open_with_memory(struct rvif_vnic *vnic, struct rvif_sharing *sharing)
{
	struct rvif_config config = small;

	sharing->memory[0] = (struct rvif_memory){.address = pages + 2 * ELISA_PAGE_SIZE,
						  .size = ELISA_PAGE_SIZE,
						  .page = ELISA_PAGE_SIZE};
	sharing->memory[1] = (struct rvif_memory){
		.address = pages, .size = 2 * ELISA_PAGE_SIZE, .page = ELISA_PAGE_SIZE};
	sharing->count = 2;
	assert_int_equal(rvif_configure(&config, 65536), 0);
	assert_int_equal(rvif_configure_sharing(&config, sharing), 0);
	return rvif_open_sharing(vnic, &rvif_over_elisa, "vmnet", &config, NULL, sharing);
}

static void check_donation(unsigned int number, const void *address, uint64_t length)
{
	assert_ptr_equal((void *)(uintptr_t)fake.donate[number].address, address);
	assert_int_equal(fake.donate[number].length, length);
}

/* What is donated later lies behind what was donated before: the order is that of the region. */
static void memory_of_the_driver(void **state)
{
	struct rvif_memory memory[2];
	struct rvif_sharing sharing = {.memory = memory};
	struct rvif_vnic vnic;

	(void)state;
	fake.call = (uint64_t)(uintptr_t)switch_stub;
	left = 0;
	assert_int_equal(open_with_memory(&vnic, &sharing), 0);
	assert_int_equal(fake.donations, 3);
	check_donation(0, vnic.region, sharing.own);
	check_donation(1, pages + 2 * ELISA_PAGE_SIZE, ELISA_PAGE_SIZE);
	check_donation(2, pages, 2 * ELISA_PAGE_SIZE);
	assert_int_equal(rvif_header(&vnic)->config.region_size, sharing.own + 3 * ELISA_PAGE_SIZE);
	rvif_close(&vnic);
}

/* The attachment ends, with all that was donated before. */
static void memory_of_the_driver_that_is_too_much(void **state)
{
	struct rvif_memory memory[2];
	struct rvif_sharing sharing = {.memory = memory};
	struct rvif_vnic vnic;

	(void)state;
	fake.error = ENOMEM;
	fake.fail_at = 6; /* the second piece */
	fake.why = ELISA_WHY_QUOTA;
	fake.value = 77;
	assert_int_equal(open_with_memory(&vnic, &sharing), -ENOMEM);
	assert_int_equal(fake.request, ELISA_IOC_DETACH);
	assert_int_equal(fake.opened, fake.closed);
	assert_non_null(strstr(rvif_elisa_error(), "of the driver's memory, 8192 bytes behind"));
	assert_non_null(strstr(rvif_elisa_error(), "(limit 77)"));
}

/* The host names the pages that are left, and the message the size that all of it needs. */
static void memory_of_the_driver_that_has_no_room(void **state)
{
	struct rvif_memory memory[2];
	struct rvif_sharing sharing = {.memory = memory};
	struct rvif_vnic vnic;
	char size[64];

	(void)state;
	fake.error = ENOSPC;
	fake.fail_at = 6; /* the second piece */
	fake.why = ELISA_WHY_RANGE;
	fake.value = 1;
	assert_int_equal(open_with_memory(&vnic, &sharing), -ENOSPC);
	assert_int_equal(fake.request, ELISA_IOC_DETACH);
	snprintf(size, sizeof(size), "has %lu bytes", sharing.own + 3 * ELISA_PAGE_SIZE);
	assert_non_null(strstr(rvif_elisa_error(), size));
	assert_non_null(strstr(rvif_elisa_error(), "set port_mib of elisa-vmnet to 1 or more"));
}

/* Donations have no gaps, so a region with one cannot be made. */
static void memory_of_the_driver_behind_a_gap(void **state)
{
	struct rvif_memory memory[2];
	struct rvif_sharing sharing = {.memory = memory};
	struct rvif_config config = small;
	struct rvif_vnic vnic;

	(void)state;
	memory[0] = (struct rvif_memory){
		.address = pages, .size = ELISA_PAGE_SIZE, .page = ELISA_PAGE_SIZE};
	memory[1] = (struct rvif_memory){
		.address = pages, .size = 2 * ELISA_PAGE_SIZE, .page = 2 * ELISA_PAGE_SIZE};
	sharing.count = 2;
	assert_int_equal(rvif_configure(&config, 65536), 0);
	/* the first piece ends at an odd number of pages, so that the second one does not follow */
	config.region_size += config.region_size % (2 * ELISA_PAGE_SIZE);
	assert_int_equal(rvif_configure_sharing(&config, &sharing), 0);
	assert_int_equal(rvif_open_sharing(&vnic, &rvif_over_elisa, "vmnet", &config, NULL,
					   &sharing),
			 -EINVAL);
	assert_int_equal(fake.donations, 0);
	assert_non_null(strstr(rvif_elisa_error(), "piece 1 of the driver's memory"));
}

static void tickets(void **state)
{
	char file[] = "/tmp/test_rvif_elisaXXXXXX";
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	fails(file, -EINVAL, "it does not hold a ticket, 64 hexadecimal digits");
	close(fd);
	unlink(file);
	fails(file, -ENOENT, "its ticket cannot be read: No such file or directory");
}

static void start(struct rvif_vnic *vnic)
{
	struct rvif_config config = small;

	fake.call = (uint64_t)(uintptr_t)switch_stub;
	left = 0;
	assert_int_equal(rvif_configure(&config, 65536), 0);
	assert_int_equal(rvif_open(vnic, &rvif_over_elisa, "vmnet", &config), 0);
	rvif_publish(&rvif_tx_queue(vnic->region, &vnic->layout, 0)->posted, 5);
	left = 5;
}

/* Frames that wait are tried again, but not for ever, and then not for longer. */
static void a_receiver_without_room(void **state)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	struct rvif_vnic vnic;
	int busy = 0;

	(void)state;
	start(&vnic);
	vnic.hold_us = 50000;
	while (rvif_over_elisa.kick(&vnic, 0) == -EBUSY) {
		assert_true(busy++ < 1000);
		nanosleep(&nap, NULL);
	}
	assert_true(busy > 1);
	assert_int_equal(rvif_over_elisa.kick(&vnic, 0), 0);
	rvif_close(&vnic);
}

static void a_driver_that_does_not_try_again(void **state)
{
	struct rvif_vnic vnic;

	(void)state;
	start(&vnic);
	assert_int_equal(rvif_over_elisa.kick(&vnic, 0), 0);
	rvif_close(&vnic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_driver, setup),
		cmocka_unit_test_setup(a_reason_of_the_host, setup),
		cmocka_unit_test_setup(memory_that_cannot_be_donated, setup),
		cmocka_unit_test_setup(memory_of_the_driver, setup),
		cmocka_unit_test_setup(memory_of_the_driver_that_is_too_much, setup),
		cmocka_unit_test_setup(memory_of_the_driver_that_has_no_room, setup),
		cmocka_unit_test_setup(memory_of_the_driver_behind_a_gap, setup),
		cmocka_unit_test_setup(tickets, setup),
		cmocka_unit_test_setup(a_receiver_without_room, setup),
		cmocka_unit_test_setup(a_driver_that_does_not_try_again, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
