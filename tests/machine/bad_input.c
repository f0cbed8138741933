// SPDX-License-Identifier: Apache-2.0
/* Every hypercall with every wrong field: the errno, what was wrong, and the value. Nothing
 * of it changes anything. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define DEVICE_GPA    0xfee00000ULL /* the local APIC: no memory */
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
	/* KVM refuses ring 3 before the module looks at it */
	CHECK_EQ(hypercall_raw(vm, 0, 3, HYPERCALL_PAGE, &rax), -ENODEV);
	CHECK_EQ((long)rax, -EPERM);
	EXPECT(HELLO, -EPROTO, WHY_ABI, ELISA_ABI_VERSION);
	page->hello.abi = ELISA_ABI_VERSION + 1;
	EXPECT(HELLO, -EPROTO, WHY_ABI, ELISA_ABI_VERSION);
	check(__LINE__, 0, -ENOSYS, ELISA_WHY_CALL, 0);
	check(__LINE__, 0xffffffff, -ENOSYS, ELISA_WHY_CALL, 0xffffffff);
}

static void ungranted(void)
{
	page->hello.abi = ELISA_ABI_VERSION;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_HELLO), 0);
	CHECK_EQ(page->hello.flags, 0);
	memset(page, 0, PAGE_SIZE);
	strcpy(page->export_.name, "t.a");
	EXPECT(EXPORT_CREATE, -EPERM, WHY_NO_GRANT, 0);
	page->map.count = 1;
	page->map.prot = ELISA_PROT_READ;
	page->map.gpa[0] = OBJECT;
	EXPECT(EXPORT_MAP, -EPERM, WHY_NO_GRANT, 0);
	CHECK_EQ(attach_try(vm, "t.a", 0), -EPERM);
	CHECK_EQ(page->why, ELISA_WHY_NO_GRANT);
	memset(page, 0, PAGE_SIZE);
}

static void names(void)
{
	static const char *const bad[] = {"", "a b", "a/b", "t.*", "t.\xc3\xa9", "t.\n"};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(page->export_.name, bad[i]);
		EXPECT(EXPORT_CREATE, -EINVAL, WHY_NAME, strlen(bad[i]));
	}
	memset(page->export_.name, 'a', ELISA_NAME_SIZE);
	EXPECT(EXPORT_CREATE, -EINVAL, WHY_NAME, ELISA_NAME_SIZE);
	strcpy(page->export_.name, "t.a");
	page->export_.name[10] = 'x'; /* behind the end */
	EXPECT(EXPORT_CREATE, -EINVAL, WHY_NAME, 3);
	strcpy(page->export_.name, "u.a");
	EXPECT(EXPORT_CREATE, -EPERM, WHY_NO_GRANT, 0);
	strcpy(page->export_.name, "t.a");
	page->export_.flags = 0x80;
	EXPECT(EXPORT_CREATE, -EINVAL, WHY_FIELD, 0x80);
	strcpy(page->export_.name, "t.a");
	page->export_.suspend_us = ELISA_MIN_SUSPEND_US - 1;
	EXPECT(EXPORT_CREATE, -EINVAL, WHY_FIELD, ELISA_MIN_SUSPEND_US - 1);
	strcpy(page->export_.name, "t.a");
	page->export_.suspend_us = 60000001;
	EXPECT(EXPORT_CREATE, -EDQUOT, WHY_QUOTA, 60000000);
	strcpy(page->export_.name, "t.a");
	page->export_.flags = ELISA_EXPORT_PRIVATE; /* without a ticket */
	EXPECT(EXPORT_CREATE, -EINVAL, WHY_FIELD, ELISA_EXPORT_PRIVATE);
	strcpy(page->export_.name, "t.a");
	page->export_.ticket[31] = 1; /* not private */
	EXPECT(EXPORT_CREATE, -EINVAL, WHY_FIELD, 0);
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

static void map(uint32_t id, uint64_t offset, uint32_t prot, uint32_t count, uint64_t gpa)
{
	uint32_t i;

	memset(page, 0, PAGE_SIZE);
	page->map.id = id;
	page->map.offset = offset;
	page->map.prot = prot;
	page->map.count = count;
	for (i = 0; i < count && i < ELISA_HC_MAP_PAGES; i++)
		page->map.gpa[i] = gpa + (uint64_t)i * PAGE_SIZE;
}

static void mappings(uint32_t id)
{
	const uint64_t last = ELISA_OBJECT_SIZE - PAGE_SIZE;
	const uint32_t rw = ELISA_PROT_READ | ELISA_PROT_WRITE;
	static const uint32_t prots[] = {0, 2, 4, 6, 7, 8, 9};
	unsigned int i;
	int fd;

	map(id, 0, rw, 0, FREE);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_NO_PAGES, 0);
	map(id, 0, rw, ELISA_HC_MAP_PAGES + 1, FREE);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_FIELD, ELISA_HC_MAP_PAGES + 1);
	map(id, 0, rw, 0xffffffff, FREE);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_FIELD, 0xffffffff);
	map(id, 8, rw, 1, FREE);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_RANGE, 8);
	map(id, ELISA_OBJECT_SIZE, rw, 1, FREE);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_RANGE, ELISA_OBJECT_SIZE);
	map(id, last, rw, 2, FREE);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_RANGE, last);
	map(id, ~0xfffULL, rw, 2, FREE);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_RANGE, ~0xfffULL);
	for (i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		map(id, 0, prots[i], 1, FREE);
		EXPECT(EXPORT_MAP, -EINVAL, WHY_PROT, prots[i]);
	}
	map(id, 0, rw, 1, FREE);
	page->map.pad = 1;
	EXPECT(EXPORT_MAP, -EINVAL, WHY_FIELD, 1);
	map(id + 1000, 0, rw, 1, FREE);
	EXPECT(EXPORT_MAP, -ENOENT, WHY_NO_EXPORT, id + 1000);
	/* memory that is none, or not the VM's to give */
	map(id, 0, rw, 1, FREE + 1);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_RANGE, FREE + 1);
	map(id, 0, rw, 1, NOWHERE_GPA);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, NOWHERE_GPA);
	map(id, 0, rw, 1, DEVICE_GPA);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, DEVICE_GPA);
	map(id, 0, rw, 3, MEMORY_SIZE - 2 * PAGE_SIZE);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, MEMORY_SIZE);
	slot(other, 1, OTHERS_GPA, anonymous(), 0);
	map(id, 0, rw, 1, OTHERS_GPA);
	EXPECT(EXPORT_MAP, -EFAULT, WHY_NOT_RAM, OTHERS_GPA);
	slot(vm, 1, READ_ONLY_GPA, anonymous(), KVM_MEM_READONLY);
	map(id, 0, ELISA_PROT_READ, 1, READ_ONLY_GPA);
	EXPECT(EXPORT_MAP, -EROFS, WHY_READ_ONLY, READ_ONLY_GPA);
	slot(vm, 3, LOGGED_GPA, anonymous(), KVM_MEM_LOG_DIRTY_PAGES);
	map(id, 0, rw, 1, LOGGED_GPA);
	EXPECT(EXPORT_MAP, -EBUSY, WHY_DIRTY_LOG, LOGGED_GPA);
	/* a file system that is neither tmpfs nor hugetlbfs */
	mkdir("/tmp/ramfs", 0700);
	CHECK(!mount("none", "/tmp/ramfs", "ramfs", 0, NULL));
	fd = open("/tmp/ramfs/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK(!ftruncate(fd, 1 << 16));
	slot(vm, 2, FILE_GPA, mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 0);
	map(id, 0, rw, 1, FILE_GPA);
	EXPECT(EXPORT_MAP, -EINVAL, WHY_FILE_BACKED, FILE_GPA);
	/* one bad page: none of them is mapped */
	map(id, 0, rw, 2, FREE);
	page->map.gpa[1] = FILE_GPA;
	EXPECT(EXPORT_MAP, -EINVAL, WHY_FILE_BACKED, FILE_GPA);

	map(id, 2 * PAGE_SIZE, rw, 2, FREE);
	EXPECT(EXPORT_MAP, 0, OK, 0);
	map(id, 0, rw, 3, FREE);
	EXPECT(EXPORT_MAP, -EEXIST, WHY_OVERLAP, 0);
	map(id, 3 * PAGE_SIZE, rw, 1, FREE);
	EXPECT(EXPORT_MAP, -EEXIST, WHY_OVERLAP, 3 * PAGE_SIZE);
	map(id, 4 * PAGE_SIZE, rw, 17, FREE);
	EXPECT(EXPORT_MAP, -EDQUOT, WHY_QUOTA, 16);
}

static void unmap(uint32_t id, uint64_t offset, uint64_t count)
{
	memset(page, 0, PAGE_SIZE);
	page->unmap.id = id;
	page->unmap.offset = offset;
	page->unmap.count = count;
}

static void unmappings(uint32_t id)
{
	unmap(id, 0, 1);
	EXPECT(EXPORT_UNMAP, -ENOENT, WHY_RANGE, 0);
	unmap(id, 2 * PAGE_SIZE, 0);
	EXPECT(EXPORT_UNMAP, -EINVAL, WHY_NO_PAGES, 0);
	unmap(id, 2 * PAGE_SIZE, 1); /* cuts a mapping */
	EXPECT(EXPORT_UNMAP, -EINVAL, WHY_OVERLAP, 2 * PAGE_SIZE);
	unmap(id, 1, 1);
	EXPECT(EXPORT_UNMAP, -EINVAL, WHY_RANGE, 1);
	unmap(id, 0, 1ULL << 60);
	EXPECT(EXPORT_UNMAP, -EINVAL, WHY_RANGE, 0);
	unmap(id + 1000, 2 * PAGE_SIZE, 2);
	EXPECT(EXPORT_UNMAP, -ENOENT, WHY_NO_EXPORT, id + 1000);
	unmap(id, 2 * PAGE_SIZE, 2);
	page->unmap.pad = 2;
	EXPECT(EXPORT_UNMAP, -EINVAL, WHY_FIELD, 2);
}

static void publish(uint32_t id, uint64_t entry)
{
	memset(page, 0, PAGE_SIZE);
	page->publish.id = id;
	page->publish.entry = entry;
}

static void publishing(uint32_t id)
{
	CHECK_EQ(attach_try(vm, "t.new", 0), -EAGAIN);
	CHECK_EQ(page->why, ELISA_WHY_NOT_PUBLISHED);
	CHECK_EQ(page->value, id);
	publish(id, 2 * PAGE_SIZE); /* data */
	EXPECT(EXPORT_PUBLISH, -EINVAL, WHY_ENTRY, 2 * PAGE_SIZE);
	publish(id, 1ULL << 60);
	EXPECT(EXPORT_PUBLISH, -EINVAL, WHY_ENTRY, 1ULL << 60);
	publish(id + 1000, 0);
	EXPECT(EXPORT_PUBLISH, -ENOENT, WHY_NO_EXPORT, id + 1000);
	publish(id, 0);
	page->publish.pad = 5;
	EXPECT(EXPORT_PUBLISH, -EINVAL, WHY_FIELD, 5);
	map(id, 0, ELISA_PROT_READ | ELISA_PROT_EXEC, 1, OBJECT);
	EXPECT(EXPORT_MAP, 0, OK, 0);
	publish(id, PAGE_SIZE);
	EXPECT(EXPORT_PUBLISH, -EINVAL, WHY_ENTRY, PAGE_SIZE);
	publish(id, 0);
	EXPECT(EXPORT_PUBLISH, 0, OK, 0);
	publish(id, 0);
	EXPECT(EXPORT_PUBLISH, -EBUSY, WHY_PUBLISHED, id);
	strcpy(page->export_.name, "t.new");
	EXPECT(EXPORT_CREATE, -EEXIST, WHY_NAME_TAKEN, 0);
}

static void attach_request(const char *name)
{
	memset(page, 0, PAGE_SIZE);
	strcpy(page->attach.name, name);
	page->attach.root = ROOT;
	page->attach.user_cs = USER_CS;
	page->attach.user_ss = USER_SS;
}

static void attaching(void)
{
	static const uint16_t selectors[][2] = {{0x18, 0x23}, {0x1b, 0x20}, {3, 0x23},
						{0x1b, 3},    {0x1f, 0x23}, {0x1a, 0x23}};
	uint64_t limit;
	unsigned int i;

	page->hello.abi = ELISA_ABI_VERSION;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_HELLO), 0);
	limit = page->hello.root_limit;
	CHECK_EQ(page->hello.flags, ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH);
	attach_request("t.unknown");
	EXPECT(ATTACH, -ENOENT, WHY_NO_EXPORT, 0);
	attach_request("u.other");
	EXPECT(ATTACH, -EPERM, WHY_NO_GRANT, 0);
	attach_request("t.new");
	page->attach.flags = 1;
	EXPECT(ATTACH, -EINVAL, WHY_FIELD, 1);
	attach_request("t.new");
	memset(page->attach.name, 'a', ELISA_NAME_SIZE);
	EXPECT(ATTACH, -EINVAL, WHY_NAME, ELISA_NAME_SIZE);
	attach_request("t.new");
	page->attach.ticket[0] = 1; /* of no export */
	EXPECT(ATTACH, -ENOENT, WHY_NO_EXPORT, 0);
	attach_request("t.new");
	page->attach.root = 0;
	EXPECT(ATTACH, -EINVAL, WHY_ROOT, 0);
	attach_request("t.new");
	page->attach.root = ROOT | 8;
	EXPECT(ATTACH, -EINVAL, WHY_ROOT, ROOT | 8);
	attach_request("t.new");
	page->attach.root = limit;
	EXPECT(ATTACH, -EINVAL, WHY_ROOT, limit);
	attach_request("t.new");
	page->attach.root = ~0xfffULL;
	EXPECT(ATTACH, -EINVAL, WHY_ROOT, ~0xfffULL);
	for (i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
		attach_request("t.new");
		page->attach.user_cs = selectors[i][0];
		page->attach.user_ss = selectors[i][1];
		EXPECT(ATTACH, -EINVAL, WHY_SELECTOR,
		       (uint32_t)selectors[i][0] << 16 | selectors[i][1]);
	}
	attach_request("t.new");
	page->attach.exchange_pages = ELISA_EXCHANGE_MAX_PAGES + 1;
	EXPECT(ATTACH, -EINVAL, WHY_FIELD, ELISA_EXCHANGE_MAX_PAGES + 1);
	attach_request("t.new");
	page->attach.exchange_pages = 1;
	page->attach.exchange[0] = FILE_GPA;
	EXPECT(ATTACH, -EINVAL, WHY_FILE_BACKED, FILE_GPA);
	attach_request("t.new");
	page->attach.exchange_pages = 1;
	page->attach.exchange[0] = NOWHERE_GPA;
	EXPECT(ATTACH, -EFAULT, WHY_NOT_RAM, NOWHERE_GPA);
	attach_request("t.new");
	page->attach.exchange_pages = 1;
	page->attach.exchange[0] = OTHERS_GPA;
	EXPECT(ATTACH, -EFAULT, WHY_NOT_RAM, OTHERS_GPA);
	/* 3 pages are in use of 16 */
	CHECK_EQ(attach_try(vm, "t.new", 14), -EDQUOT);
	CHECK_EQ(page->why, ELISA_WHY_QUOTA);
	CHECK_EQ(attach_try(vm, "t.new", 13), 0);
	CHECK_EQ(page->attach.slot, 0);
	attach_request("t.new");
	EXPECT(ATTACH, -EEXIST, WHY_ATTACHED, 0);
	/* by as many processes as there are slots, then one more */
	for (i = 1; i < ELISA_SLOTS; i++) {
		attach_request("t.new");
		page->attach.root = ROOT + i * PAGE_SIZE;
		CHECK_EQ(hypercall(vm, 0, ELISA_HC_ATTACH), 0);
		CHECK_EQ(page->attach.slot, i);
	}
	attach_request("t.new");
	page->attach.root = 0x900000;
	EXPECT(ATTACH, -ENOSPC, WHY_NO_SLOT, ELISA_SLOTS);
	for (i = 0; i < ELISA_SLOTS; i++)
		CHECK_EQ(detach(vm, 0, i), 0);
	CHECK_EQ(detach(vm, 0, 0), -ENOENT);
	CHECK_EQ(page->why, ELISA_WHY_NO_ATTACHMENT);
	CHECK_EQ(detach(vm, 0, 64), -ENOENT);
	CHECK_EQ(page->value, 64);
	CHECK_EQ(detach(vm, 0, 0xffffffff), -ENOENT);
	memset(page, 0, PAGE_SIZE);
}

int main(void)
{
	struct elisa_host_grant_info grants[2];
	uint64_t errors;
	uint32_t id;

	vm = vm_new(1);
	other = vm_new(1);
	page = vm->page;
	/* the module knows both */
	CHECK_EQ(hypercall(other, 0, ELISA_HC_HELLO), -EPROTO);
	errors = counter(ELISA_COUNT_HYPERCALL_ERRORS);
	the_page();
	ungranted();
	CHECK(grant(0, "t.*", 0) < 0);
	CHECK(grant(ELISA_GRANT_EXPORT, "", 0) < 0);
	CHECK(grant(0x80 | ELISA_GRANT_EXPORT, "t.*", 0) < 0);
	CHECK(grant(ELISA_GRANT_TRUSTED_MANAGER, "t.*", 0) < 0);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 16) > 0);
	CHECK_EQ(admin_list(ELISA_HOST_GRANTS, grants, sizeof(grants[0]), 2), 1);
	CHECK_EQ(revoke_grant(grants[0].id + 1), -ENOENT);
	names();
	id = create("t.new");
	mappings(id);
	unmappings(id);
	publishing(id);
	attaching();
	/* another VM's export cannot be changed */
	vm = other;
	page = vm->page;
	page->destroy.id = id;
	EXPECT(EXPORT_DESTROY, -ENOENT, WHY_NO_EXPORT, id);
	map(id, 8 * PAGE_SIZE, ELISA_PROT_READ, 1, FREE);
	EXPECT(EXPORT_MAP, -ENOENT, WHY_NO_EXPORT, id);
	publish(id, 0);
	EXPECT(EXPORT_PUBLISH, -ENOENT, WHY_NO_EXPORT, id);
	map(create("t.others"), 0, ELISA_PROT_READ, 1, OTHERS_GPA);
	EXPECT(EXPORT_MAP, 0, OK, 0);
	printf("bad_input: %llu wrong requests, each with its reason\n",
	       (unsigned long long)(counter(ELISA_COUNT_HYPERCALL_ERRORS) - errors));
	return 0;
}
