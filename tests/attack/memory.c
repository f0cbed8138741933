// SPDX-License-Identifier: Apache-2.0
/*
 * A VMM and a manager change memory that the host has pinned or is asked to pin.
 *
 * The memory is punched, unmapped, replaced, shared by fork(), on userfaultfd, or secret. The
 * manager also exceeds its quota again and again. The failure would be an object that changes its
 * pages, a host that waits for a VMM, or pages that stay pinned. The test compares values that the
 * function and the VMM see, the reasons of refusals, and the count of pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "attack.h"

#define PRIVATE_GPA (64ULL << 20)
#define FAULT_GPA   (65ULL << 20)
#define SECRET_GPA  (66ULL << 20)
#define SIZE	    0x10000
#define PRIVATE_AT  0x100000 /* offset in the object area */
#define QUOTA	    64

static struct pair pair;

static void *add_slot(int number, uint64_t gpa, void *memory)
{
	struct kvm_userspace_memory_region region = {.slot = number,
						     .guest_phys_addr = gpa,
						     .memory_size = SIZE,
						     .userspace_addr = (uintptr_t)memory};

	CHECK(memory != MAP_FAILED);
	CHECK(!ioctl(pair.manager->fd, KVM_SET_USER_MEMORY_REGION, &region));
	return memory;
}

static int map(uint64_t offset, uint64_t gpa, uint32_t count)
{
	struct elisa_hc_map *m = &pair.manager->page->map;
	uint32_t i;

	memset(pair.manager->page, 0, PAGE_SIZE);
	m->id = pair.export_id;
	m->offset = offset;
	m->prot = ELISA_PROT_READ | ELISA_PROT_WRITE;
	m->count = count;
	for (i = 0; i < count; i++)
		m->gpa[i] = gpa + i * PAGE_SIZE;
	return hypercall(pair.manager, 0, ELISA_HC_EXPORT_MAP);
}

static int unmap(uint64_t offset, uint64_t count)
{
	memset(pair.manager->page, 0, PAGE_SIZE);
	pair.manager->page->unmap.id = pair.export_id;
	pair.manager->page->unmap.offset = offset;
	pair.manager->page->unmap.count = count;
	return hypercall(pair.manager, 0, ELISA_HC_EXPORT_UNMAP);
}

static long in_call(long function, uint64_t address, long value)
{
	struct outcome out = call(pair.guest, 0, pair.slot, function, address, value);

	return out.exit || out.error ? -1 : out.value;
}

static void *anonymous(int flags)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
}

/* The pinned pages stay the object, whatever the VMM later maps at their addresses. */
static void pulled_away(void)
{
	uint64_t *memory = add_slot(1, PRIVATE_GPA, anonymous(MAP_PRIVATE));
	const uint64_t at = ELISA_OBJECT_BASE + PRIVATE_AT;
	pid_t child;

	attack_try(map(PRIVATE_AT, PRIVATE_GPA, 2) == 0, "private memory is refused");
	attack_try(in_call(DO_WRITE, at, 0x111) == 0x111 && *memory == 0x111, "not shared");
	/* Copy on write must not separate the VMM's page from the pinned page. */
	child = fork();
	if (!child) {
		sleep(1);
		_exit(0);
	}
	*memory = 0x222;
	attack_try(in_call(DO_READ, at, 0) == 0x222, "fork parted the page");
	attack_try(in_call(DO_WRITE, at, 0x333) == 0x333 && *memory == 0x333, "fork parted it");
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(!madvise(memory, SIZE, MADV_DONTNEED));
	attack_try(*memory == 0 && in_call(DO_READ, at, 0) == 0x333, "MADV_DONTNEED");
	CHECK(mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE,
		   -1, 0) == memory);
	attack_try(in_call(DO_READ, at, 0) == 0x333, "another mapping in its place");
	CHECK(!munmap(memory, SIZE));
	attack_try(in_call(DO_READ, at, 0) == 0x333, "unmapped");
	attack_try(map(PRIVATE_AT + 0x10000, PRIVATE_GPA, 1) < 0, "mapped without memory");

	/*
	 * Shared memory: holes where the code and data of the export and the exchange buffer are.
	 */
	*object_data(pair.manager) = 41;
	CHECK(!madvise(pair.manager->memory + OBJECT, 2 * PAGE_SIZE, MADV_REMOVE));
	attack_try(*object_data(pair.manager) == 0, "no hole");
	attack_try(in_call(DO_COUNT, 0, 0) == 42, "a hole in the file behind the object");
	attack_try(*object_data(pair.manager) == 0, "the new page was written");
	CHECK(!madvise(pair.guest->memory + OBJECT + 0x100000, PAGE_SIZE, MADV_REMOVE));
	attack_try(in_call(DO_WRITE, code_page(pair.slot) + ELISA_EXCHANGE_OFFSET, 5) == 5 &&
			   *vm_u64(pair.guest, OBJECT + 0x100000) == 0,
		   "a hole behind the exchange buffer");
	CHECK(!madvise(pair.guest->memory, MEMORY_SIZE, MADV_DONTNEED));
	attack_try(in_call(DO_COUNT, 0, 0) == 43, "the guest's memory was dropped by the host");
}

static int user_fault(void *memory)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.range = {(uintptr_t)memory, SIZE},
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, UFFDIO_API, &api));
	CHECK(!ioctl(fd, UFFDIO_REGISTER, &range));
	return fd;
}

/*
 * Asks for memory that the VMM does not provide. The host must refuse it at once, without waiting.
 * Secret memory must be refused, too.
 */
static void not_provided(void)
{
	void *memory = anonymous(MAP_PRIVATE);
	int fd = user_fault(memory);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)memory, .src = (uintptr_t)pair.manager->memory, .len = PAGE_SIZE};

	add_slot(2, FAULT_GPA, memory);
	attack_try(map(0x200000, FAULT_GPA, 1) < 0, "pinned a page that is not there");
	attack_try(pair.manager->page->why == ELISA_WHY_PIN, "why %u", pair.manager->page->why);
	attack_try(attack_pair_works(&pair), "no call afterwards");
	CHECK(!ioctl(fd, UFFDIO_COPY, &copy));
	attack_try(map(0x200000, FAULT_GPA, 1) == 0, "refused a page that is there");
	CHECK_EQ(unmap(0x200000, 1), 0);
	close(fd);
	fd = syscall(SYS_memfd_secret, 0);
	if (fd < 0) {
		printf("memory: no secret memory on this kernel (%s)\n", strerror(errno));
		return;
	}
	CHECK(!ftruncate(fd, SIZE));
	add_slot(3, SECRET_GPA, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	attack_try(map(0x200000, SECRET_GPA, 1) == -EINVAL, "secret memory was mapped");
	attack_try(pair.manager->page->why == ELISA_WHY_FILE_BACKED, "why %u",
		   pair.manager->page->why);
}

/* Maps one page again and again until the quota is reached, then unmaps. No page may be left. */
static void quota(void)
{
	unsigned long round, rounds = attack_scale(20);
	unsigned int pages;

	for (round = 0; round < rounds; round++) {
		for (pages = 0; !map(0x400000 + pages * PAGE_SIZE, OBJECT + 0x10000, 1); pages++)
			CHECK(pages < 2 * QUOTA);
		attack_try(pair.manager->page->why == ELISA_WHY_QUOTA, "why %u",
			   pair.manager->page->why);
		/*
		 * Both VMs belong to one VMM: 2 pages of the export and 2 more, 1 of the exchange
		 * buffer.
		 */
		attack_try(pages == QUOTA - 5, "%u pages of a quota of %d", pages, QUOTA);
		attack_try(!unmap(0x400000, pages), "not unmapped");
	}
	attack_try(pages_held() == 5, "pages are left");
}

/*
 * The VMM places memory slots at the guest-physical addresses that the contexts use for themselves.
 */
static void laid_over(void)
{
	static const uint64_t offsets[] = {
		0x20000,    0x40000,	(1 << 30) + 0x10000, (1 << 30) + 0x20000,
		2ULL << 30, 64ULL << 30};
	uint64_t base, *memory = anonymous(MAP_SHARED);
	unsigned int i;

	memset(pair.guest->page, 0, PAGE_SIZE);
	pair.guest->page->hello.abi = ELISA_ABI_VERSION;
	CHECK_EQ(hypercall(pair.guest, 0, ELISA_HC_HELLO), 0);
	base = pair.guest->page->hello.root_limit;
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct kvm_userspace_memory_region region = {.slot = 5,
							     .guest_phys_addr = base + offsets[i],
							     .memory_size = SIZE,
							     .userspace_addr = (uintptr_t)memory};

		memset(memory, 0xff, SIZE);
		CHECK(!ioctl(pair.guest->fd, KVM_SET_USER_MEMORY_REGION, &region));
		attack_try(attack_pair_works(&pair), "no call with memory at %#llx",
			   (unsigned long long)offsets[i]);
		attack_try(in_call(DO_COUNT, 0, 0) == 44 + (long)i, "another object");
		attack_try(memory[0] == ~0ULL && memory[SIZE / 8 - 1] == ~0ULL, "it was written");
		region.memory_size = 0;
		CHECK(!ioctl(pair.guest->fd, KVM_SET_USER_MEMORY_REGION, &region));
	}
}

int main(void)
{
	pair.manager = vm_new(1);
	pair.guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.memory", QUOTA) > 0);
	pair.export_id = export_new(pair.manager, "t.memory", ELISA_EXPORT_GENERAL_REGS, 0);
	pair.slot = attach(pair.guest, "t.memory", ELISA_STUB_TRUSTING, 1);
	pulled_away();
	not_provided();
	quota();
	laid_over();
	return 0;
}
