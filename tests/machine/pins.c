// SPDX-License-Identifier: Apache-2.0
/*
 * One page of a huge page pins the whole huge page.
 *
 * It must be counted so in the host's list, in VmPin of the VMM, against the grant and against
 * RLIMIT_MEMLOCK. When the VMM ends, the host must hold nothing of it, even if another process
 * keeps its VM. The failure would be a VMM that pins more memory than it may, or pages that stay
 * pinned. The test compares the host's and the kernel's counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define HUGE	    (2UL << 20)
#define HUGE_PAGES  (HUGE / PAGE_SIZE)
#define HUGE_GPA    (64ULL << 20)
#define HUGE_COUNT  4
#define MAP_AT	    0x100000
#define OWN_PAGES   2 /* of export_new() */
#define STALE_TRIES 2000

static struct vm *manager;
static uint32_t id;

static void check_held(long pages)
{
	CHECK_EQ(pages_held(), pages);
	CHECK_EQ(process_pins(), pages);
}

static int map(uint64_t offset, uint64_t gpa, uint32_t count)
{
	struct elisa_hc_map *m = &manager->page->map;
	uint32_t i;

	memset(manager->page, 0, PAGE_SIZE);
	m->id = id;
	m->offset = offset;
	m->prot = ELISA_PROT_READ | ELISA_PROT_WRITE;
	m->count = count;
	for (i = 0; i < count; i++)
		m->gpa[i] = gpa + i * PAGE_SIZE;
	return hypercall(manager, 0, ELISA_HC_EXPORT_MAP);
}

static void unmap(uint64_t offset, uint64_t count)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->unmap.id = id;
	manager->page->unmap.offset = offset;
	manager->page->unmap.count = count;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
}

static void refused(int r, uint32_t why, uint64_t value)
{
	CHECK_EQ(r, -EDQUOT);
	CHECK_EQ(manager->page->why, why);
	CHECK_EQ(manager->page->value, value);
}

static uint8_t *add_huge(int slot, uint64_t gpa, uint8_t *memory)
{
	struct kvm_userspace_memory_region region = {.slot = slot,
						     .guest_phys_addr = gpa,
						     .memory_size = HUGE_COUNT * HUGE,
						     .userspace_addr = (uintptr_t)memory};

	SYS(ioctl(manager->fd, KVM_SET_USER_MEMORY_REGION, &region));
	return memory;
}

static void set(const char *file, const char *value)
{
	FILE *f = fopen(file, "w");

	CHECK(f && fprintf(f, "%s", value) > 0 && !fclose(f));
}

/* Returns transparent huge pages, aligned. With little memory the kernel makes none. */
static uint8_t *transparent(void)
{
	uint8_t *memory = mmap(NULL, (HUGE_COUNT + 1) * HUGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	memory += -(uintptr_t)memory & (HUGE - 1);
	SYS(madvise(memory, HUGE_COUNT * HUGE, MADV_HUGEPAGE));
	memset(memory, 1, HUGE_COUNT * HUGE);
	return memory;
}

/*
 * With the limit @limit, one page of each of three huge pages is mapped, and a page of a fourth is
 * refused.
 */
static void counted(uint64_t gpa, uint64_t limit)
{
	uint32_t i;

	for (i = 0; i < 3; i++) {
		CHECK_EQ(map(MAP_AT + i * HUGE, gpa + i * HUGE + 5 * PAGE_SIZE, 1), 0);
		check_held(OWN_PAGES + (i + 1) * HUGE_PAGES);
	}
	refused(map(MAP_AT + 3 * HUGE, gpa + 3 * HUGE, 1), ELISA_WHY_QUOTA, limit);
	/* more pages of these three huge pages cost nothing, even across the border of two */
	CHECK_EQ(map(MAP_AT + 3 * HUGE, gpa + HUGE - 8 * PAGE_SIZE, 16), 0);
	check_held(OWN_PAGES + 3 * HUGE_PAGES);
}

static void let_go_of_them(void)
{
	unmap(MAP_AT, 1);
	check_held(OWN_PAGES + 3 * HUGE_PAGES);
	unmap(MAP_AT + 3 * HUGE, 16);
	check_held(OWN_PAGES + 2 * HUGE_PAGES);
	unmap(MAP_AT + HUGE, 1);
	unmap(MAP_AT + 2 * HUGE, 1);
	check_held(OWN_PAGES);
}

static void of_one_kind(void)
{
	const uint64_t limit = OWN_PAGES + 3 * HUGE_PAGES + 17;
	uint8_t *memory;

	CHECK(grant(ELISA_GRANT_EXPORT, "t.pins", limit) > 0);
	manager = vm_new(1);
	id = export_new(manager, "t.pins", ELISA_EXPORT_GENERAL_REGS, 0);
	memory = add_huge(1, HUGE_GPA, transparent());
	counted(HUGE_GPA, limit);
	/* The VMM splits the huge page in its own page tables. The held pages stay the same. */
	SYS(mprotect(memory + PAGE_SIZE, PAGE_SIZE, PROT_READ));
	SYS(madvise(memory + 64 * PAGE_SIZE, 64 * PAGE_SIZE, MADV_DONTNEED));
	SYS(madvise(memory, HUGE_COUNT * HUGE, MADV_PAGEOUT));
	SYS(munmap(memory + HUGE, HUGE / 2));
	check_held(OWN_PAGES + 3 * HUGE_PAGES);
	let_go_of_them();
	set("/proc/sys/vm/nr_hugepages", "4");
	memory = mmap(NULL, HUGE_COUNT * HUGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	CHECK(memory != MAP_FAILED);
	add_huge(2, 2 * HUGE_GPA, memory);
	counted(2 * HUGE_GPA, limit);
	let_go_of_them();
	printf("pins: a page of a huge one counts %lu\n", HUGE_PAGES);
}

static void memlock(void)
{
	struct rlimit limit = {(OWN_PAGES + HUGE_PAGES) * PAGE_SIZE,
			       (OWN_PAGES + HUGE_PAGES) * PAGE_SIZE};

	CHECK(grant(ELISA_GRANT_EXPORT, "t.pins", 0) > 0);
	SYS(setrlimit(RLIMIT_MEMLOCK, &limit));
	manager = vm_new(1);
	id = export_new(manager, "t.pins", ELISA_EXPORT_GENERAL_REGS, 0);
	add_huge(1, HUGE_GPA, transparent());
	SYS(setuid(1000));
	CHECK_EQ(map(MAP_AT, HUGE_GPA, 1), 0);
	refused(map(2 * MAP_AT, HUGE_GPA + HUGE, 1), ELISA_WHY_MEMLOCK, OWN_PAGES + HUGE_PAGES);
	CHECK_EQ(process_pins(), OWN_PAGES + HUGE_PAGES);
}

/* ---- the end of a VMM whose VM another process keeps */

static int live(enum elisa_host_kind kind)
{
	static const uint32_t sizes[] = {0, sizeof(struct elisa_host_vm),
					 sizeof(struct elisa_host_grant_info),
					 sizeof(struct elisa_host_export),
					 sizeof(struct elisa_host_attachment)};

	return admin_list(kind, NULL, sizes[kind], 0);
}

static void await(const char *what, enum elisa_host_kind kind, int count)
{
	int tries = 0;

	while (live(kind) != count) {
		if (tries++ == STALE_TRIES) {
			printf("FAILED %d %s are left, not %d\n", live(kind), what, count);
			exit(1);
		}
		usleep(1000);
	}
}

/* Keeps the VM's files. Tells for each request to a vCPU whether KVM refused it. */
static void keep(struct vm *vm, int from, int to)
{
	char byte;

	while (read(from, &byte, 1) == 1) {
		byte = ioctl(vm->vcpu[0], KVM_RUN, 0) < 0 && errno == EIO;
		CHECK_EQ(write(to, &byte, 1), 1);
	}
	_exit(0);
}

/*
 * A VMM's process: reports when it is ready, gives its VM's files to a child, and waits to be
 * killed.
 */
static void vmm(bool exports, int from_keeper, int to_keeper, int ready)
{
	char byte;

	while (live(ELISA_HOST_GRANTS) < 3)
		usleep(1000);
	manager = vm_new(2);
	if (exports) {
		id = export_new(manager, "t.other", ELISA_EXPORT_GENERAL_REGS, 0);
		add_huge(1, HUGE_GPA, transparent());
		CHECK_EQ(map(MAP_AT, HUGE_GPA, 1), 0);
		CHECK_EQ(process_pins(), OWN_PAGES + HUGE_PAGES);
	} else {
		attach(manager, "t.pins", ELISA_STUB_TRUSTING, 3);
	}
	if (!SYS(fork()))
		keep(manager, from_keeper, to_keeper);
	byte = 1;
	CHECK_EQ(write(ready, &byte, 1), 1);
	for (;;)
		pause();
}

static void ends(bool exports)
{
	int to_keeper[2], from_keeper[2], ready[2];
	struct vm *guest;
	struct outcome out;
	uint32_t slot = 0;
	pid_t pid;
	char byte;
	int tries;

	CHECK(!pipe(to_keeper) && !pipe(from_keeper) && !pipe(ready));
	fflush(stdout);
	pid = SYS(fork());
	if (!pid) {
		close(to_keeper[1]);
		vmm(exports, to_keeper[0], from_keeper[1], ready[1]);
	}
	CHECK(grant_to(pid, exports ? ELISA_GRANT_EXPORT : ELISA_GRANT_ATTACH,
		       exports ? "t.other" : "t.pins", 0) > 0);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	guest = exports ? vm_new(1) : NULL;
	if (guest) {
		slot = attach(guest, "t.other", ELISA_STUB_TRUSTING, 2);
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	} else {
		CHECK_EQ(live(ELISA_HOST_ATTACHMENTS), 1);
		CHECK(host_flags() & ELISA_HOST_ARMED);
	}
	SYS(kill(pid, SIGKILL));
	SYS(waitpid(pid, NULL, 0));
	/* no process has granted or listed anything meanwhile */
	await("grants", ELISA_HOST_GRANTS, 2);
	await("exports", ELISA_HOST_EXPORTS, 1);
	if (guest) {
		out = call(guest, 0, slot, DO_ADD, 1, 2);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, ELISA_CALL_REVOKED);
		CHECK_EQ(live(ELISA_HOST_ATTACHMENTS), 1);
		/* the host has let go of the guest's exchange buffer before the guest detaches */
		check_held(OWN_PAGES);
		CHECK_EQ(detach(guest, 0, slot), 0);
		vm_free(guest);
	} else {
		await("attachments", ELISA_HOST_ATTACHMENTS, 0);
		check_held(OWN_PAGES);
		/* the hooks stay for 2 s */
		for (tries = 0; tries < 1000 && (host_flags() & ELISA_HOST_ARMED); tries++)
			usleep(10000);
		CHECK(!(host_flags() & ELISA_HOST_ARMED));
	}
	/* The VM still exists, as another process has its files. This process cannot use them. */
	CHECK_EQ(live(ELISA_HOST_VMS), 2);
	CHECK_EQ(write(to_keeper[1], "r", 1), 1);
	CHECK_EQ(read(from_keeper[0], &byte, 1), 1);
	CHECK_EQ(byte, 1);
	close(to_keeper[1]);
	await("VMs", ELISA_HOST_VMS, 1);
	close(to_keeper[0]), close(from_keeper[0]), close(from_keeper[1]);
	close(ready[0]), close(ready[1]);
	printf("pins: nothing is left of a VMM that %s\n", exports ? "exported" : "was attached");
}

static void in_process(void (*test)(void))
{
	int status;
	pid_t pid = SYS(fork());

	if (!pid) {
		test();
		exit(0);
	}
	SYS(waitpid(pid, &status, 0));
	CHECK_EQ(status, 0);
	await("VMs", ELISA_HOST_VMS, 0);
	await("grants", ELISA_HOST_GRANTS, 0);
}

static void both_ends(void)
{
	CHECK(grant(ELISA_GRANT_EXPORT, "t.pins", 0) > 0);
	CHECK(grant(ELISA_GRANT_ATTACH, "t.other", 0) > 0);
	manager = vm_new(1);
	id = export_new(manager, "t.pins", ELISA_EXPORT_GENERAL_REGS, 0);
	ends(true);
	ends(false);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	set("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	in_process(of_one_kind);
	in_process(memlock);
	in_process(both_ends);
	/*
	 * Restores the machine: with huge pages, the kernel keeps more memory free and in its
	 * caches.
	 */
	set("/proc/sys/vm/nr_hugepages", "0");
	set("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	return 0;
}
