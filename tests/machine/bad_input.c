// SPDX-License-Identifier: Apache-2.0
/*
 * Wrong requests that need KVM or the kernel's memory to be seen as wrong.
 *
 * They come from ring 3, name addresses without RAM, or name memory slots and files that cannot be
 * shared. The host must refuse each with its errno, its reason and its value, and change nothing.
 * tests/host/test_*.c have the fields that are wrong in themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "harness.h"

#define DEVICE_GPA    0xfee00000ULL /* the local APIC, which is no memory */
#define READ_ONLY_GPA (64ULL << 20)
#define FILE_GPA      (65ULL << 20)
#define LOGGED_GPA    (66ULL << 20)
#define OTHERS_GPA    (67ULL << 20) /* memory of the other VM only */
#define NOWHERE_GPA   (1ULL << 38)
#define FREE	      OBJECT + 0x200000ULL

static struct vm *vm, *other;
static struct elisa_hc_page *page;

static void check(int line, uint32_t call, int error, enum elisa_why why, uint64_t value)
{
	int r = hypercall(vm, 0, call);

	if (r != error || page->why != why || page->value != value) {
		printf("FAILED %s:%d: errno %d (%d), why %u (%u), value %#llx (%#llx)\n", __FILE__,
		       line, -r, -error, page->why, why, (unsigned long long)page->value,
		       (unsigned long long)value);
		exit(1);
	}
	memset(page, 0, PAGE_SIZE);
}
#define EXPECT(call, error, why, value) \
	check(__LINE__, ELISA_HC_##call, error, ELISA_##why, (uint64_t)(value))

static void slot(struct vm *of, int number, uint64_t gpa, void *memory, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {.slot = number,
						     .guest_phys_addr = gpa,
						     .memory_size = 1 << 16,
						     .userspace_addr = (uintptr_t)memory,
						     .flags = flags};

	CHECK(memory != MAP_FAILED);
	CHECK(!ioctl(of->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

static void *anonymous(void)
{
	return mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void the_page(void)
{
	uint64_t rax = 0;

	CHECK_EQ(hypercall_raw(vm, 0, 0, HYPERCALL_PAGE + 8, &rax), -EINVAL);
	CHECK_EQ(hypercall_raw(vm, 0, 0, NOWHERE_GPA, &rax), -EFAULT);
	CHECK_EQ(hypercall_raw(vm, 0, 0, DEVICE_GPA, &rax), -EFAULT);
	CHECK_EQ(hypercall_raw(vm, 0, 0, ~0xfffULL, &rax), -EFAULT);
	/* KVM refuses a hypercall of ring 3 before the module sees it */
	CHECK_EQ(hypercall_raw(vm, 0, 3, HYPERCALL_PAGE, &rax), -ENODEV);
	CHECK_EQ((long)rax, -EPERM);
}

static uint32_t create(const char *name)
{
	uint32_t id;

	strcpy(page->export_.name, name);
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_EXPORT_CREATE), 0);
	id = page->export_.id;
	memset(page, 0, PAGE_SIZE);
	return id;
}

static void map(uint32_t id, uint32_t prot, uint32_t count, uint64_t gpa)
{
	memset(page, 0, PAGE_SIZE);
	page->map.id = id;
	page->map.prot = prot;
	page->map.count = count;
	for (uint32_t i = 0; i < count; i++)
		page->map.gpa[i] = gpa + (uint64_t)i * PAGE_SIZE;
}

/* Maps a file of a file system that is neither tmpfs nor hugetlbfs. */
static void *of_a_file(void)
{
	int fd;

	mkdir("/tmp/ramfs", 0700);
	CHECK(!mount("none", "/tmp/ramfs", "ramfs", 0, NULL));
	fd = open("/tmp/ramfs/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, 1 << 16));
	return mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* Maps addresses without memory, and memory that the VM may not share. */
static void memory(uint32_t id)
{
	const uint32_t rw = ELISA_PROT_READ | ELISA_PROT_WRITE;

	slot(other, 1, OTHERS_GPA, anonymous(), 0);
	slot(vm, 1, READ_ONLY_GPA, anonymous(), KVM_MEM_READONLY);
	slot(vm, 2, FILE_GPA, of_a_file(), 0);
	slot(vm, 3, LOGGED_GPA, anonymous(), KVM_MEM_LOG_DIRTY_PAGES);
	map(id, rw, 1, NOWHERE_GPA);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, NOWHERE_GPA);
	map(id, rw, 1, DEVICE_GPA);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, DEVICE_GPA);
	map(id, rw, 3, MEMORY_SIZE - 2 * PAGE_SIZE);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, MEMORY_SIZE);
	map(id, rw, 1, OTHERS_GPA);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, OTHERS_GPA);
	map(id, ELISA_PROT_READ, 1, READ_ONLY_GPA);
	EXPECT(EXPORT_MAP, -EROFS, WHY_READ_ONLY, READ_ONLY_GPA);
	map(id, rw, 1, LOGGED_GPA);
	EXPECT(EXPORT_MAP, -EBUSY, WHY_DIRTY_LOG, LOGGED_GPA);
	map(id, rw, 1, FILE_GPA);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_FILE_BACKED, FILE_GPA);
	/* one page of two is bad: the host maps none of them */
	map(id, rw, 2, FREE);
	page->map.gpa[1] = FILE_GPA;
	EXPECT(EXPORT_MAP, -EINVAL, WHY_FILE_BACKED, FILE_GPA);
	map(id, ELISA_PROT_READ | ELISA_PROT_EXEC, 2, FREE);
	EXPECT(EXPORT_MAP, 0, OK, 0);
	page->publish.id = id;
	EXPECT(EXPORT_PUBLISH, 0, OK, 0);
}

static void attach_request(uint64_t root)
{
	memset(page, 0, PAGE_SIZE);
	strcpy(page->attach.name, "t.new");
	page->attach.root = root;
	page->attach.user_cs = USER_CS;
	page->attach.user_ss = USER_SS;
}

static void exchange(uint64_t gpa, int error, enum elisa_why why)
{
	attach_request(ROOT);
	page->attach.exchange_pages = 1;
	page->attach.exchange[0] = gpa;
	check(__LINE__, ELISA_HC_ATTACH, error, why, gpa);
}

static void attaching(void)
{
	uint64_t limit;

	page->hello.abi = ELISA_ABI_VERSION;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_HELLO), 0);
	CHECK_EQ(page->hello.flags, ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH |
					    ELISA_HELLO_TAKES_2M | ELISA_HELLO_TAKES_1G);
	limit = page->hello.root_limit; /* the width of this CPU's physical addresses */
	attach_request(limit);
	EXPECT(ATTACH, -EINVAL, WHY_ROOT, limit);
	attach_request(~0xfffULL);
	EXPECT(ATTACH, -EINVAL, WHY_ROOT, ~0xfffULL);
	exchange(FILE_GPA, -EINVAL, ELISA_WHY_FILE_BACKED);
	exchange(NOWHERE_GPA, -EFAULT, ELISA_WHY_NOT_RAM);
	exchange(OTHERS_GPA, -EFAULT, ELISA_WHY_NOT_RAM);
	CHECK_EQ(attach_try(vm, "t.new", 1), 0);
	CHECK_EQ(page->attach.slot, 0);
	CHECK_EQ(detach(vm, 0, 0), 0);
	memset(page, 0, PAGE_SIZE);
}

int main(void)
{
	uint64_t errors;

	vm = vm_new(1);
	other = vm_new(1);
	page = vm->page;
	/* the module knows both VMs from here on */
	CHECK_EQ(hypercall(other, 0, ELISA_HC_HELLO), -EPROTO);
	errors = counter(ELISA_COUNT_HYPERCALL_ERRORS);
	the_page();
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 16) > 0);
	memory(create("t.new"));
	attaching();
	/* the other VM may export its own memory */
	vm = other;
	page = vm->page;
	map(create("t.others"), ELISA_PROT_READ, 1, OTHERS_GPA);
	EXPECT(EXPORT_MAP, 0, OK, 0);
	printf("bad_input: %llu wrong requests, each with its reason\n",
	       (unsigned long long)(counter(ELISA_COUNT_HYPERCALL_ERRORS) - errors));
	return 0;
}
