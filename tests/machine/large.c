// SPDX-License-Identifier: Apache-2.0
/*
 * Large pages of 2 MiB and 1 GiB that a manager maps or a guest donates.
 *
 * Guests must see the whole page. When a part is unmapped, only this part may go. No large page may
 * be executable. Memory that is not one page on the host must be refused as a large page and
 * accepted as small ones. The test writes and reads in the page from both sides, and compares the
 * counts of held pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define GIB	(1ULL << 30)
#define SIZE_2M (2ULL << 20)
#define AT	GIB	   /* offset in the object area */
#define PLACES	(8 * GIB)  /* one place of 1 GiB for each attachment */
#define GPA	(16 * GIB) /* of memory in addition to the VM's */
#define TRIES	2000
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#define MAP_HUGE_1GB (30 << 26)
#endif

static struct vm *manager, *guest, *donor;
static uint32_t id, slot;
static volatile sig_atomic_t buses;

static uint64_t size_of(uint32_t order)
{
	return (uint64_t)PAGE_SIZE << order;
}

static char *hugetlb(uint64_t size, int flag)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE | flag, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/*
 * Returns memory for transparent huge pages, aligned. The host's answer tells what the kernel made
 * of it.
 */
static char *transparent(uint64_t size)
{
	char *p = mmap(NULL, size + SIZE_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	CHECK(p != MAP_FAILED);
	p = (char *)(((uintptr_t)p + SIZE_2M - 1) & ~(SIZE_2M - 1));
	SYS(madvise(p, size, MADV_HUGEPAGE));
	for (uint64_t i = 0; i < size; i += PAGE_SIZE)
		p[i] = 1;
	return p;
}

/* Places the memory at GPA of the VM; size 0 removes it. */
static void give(struct vm *vm, char *memory, uint64_t size)
{
	struct kvm_userspace_memory_region region = {.slot = 1,
						     .guest_phys_addr = GPA,
						     .memory_size = size,
						     .userspace_addr = (uintptr_t)memory};

	SYS(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

static int map(uint64_t offset, uint32_t order, uint32_t count, uint32_t prot)
{
	struct elisa_hc_map *map = &manager->page->map;

	memset(manager->page, 0, PAGE_SIZE);
	*map = (struct elisa_hc_map){
		.id = id, .prot = prot, .offset = offset, .count = count, .order = order};
	for (uint32_t i = 0; i < count; i++)
		map->gpa[i] = GPA + i * size_of(order);
	return hypercall(manager, 0, ELISA_HC_EXPORT_MAP);
}

static int map_data(uint32_t order, uint32_t count)
{
	return map(AT, order, count, ELISA_PROT_READ | ELISA_PROT_WRITE);
}

static int unmap(uint64_t offset, uint64_t length)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->unmap = (struct elisa_hc_unmap){id, 0, offset, length / PAGE_SIZE};
	return hypercall(manager, 0, ELISA_HC_EXPORT_UNMAP);
}

static int donate(uint32_t order, uint32_t count, uint32_t from)
{
	struct elisa_hc_donate *gift = &donor->page->donate;

	memset(donor->page, 0, PAGE_SIZE);
	*gift = (struct elisa_hc_donate){.slot = from, .count = count, .order = order};
	for (uint32_t i = 0; i < count; i++)
		gift->gpa[i] = GPA + i * size_of(order);
	return hypercall(donor, 0, ELISA_HC_DONATE);
}

static void reads(uint64_t offset, uint64_t value)
{
	struct outcome out = call(guest, 0, slot, DO_READ, (long)(ELISA_OBJECT_BASE + offset), 0);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_OK);
	CHECK_EQ(out.value, value);
}

static void faults(long what, uint64_t offset)
{
	struct outcome out = call(guest, 0, slot, what, (long)(ELISA_OBJECT_BASE + offset), 1);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
}

/*
 * Checks some addresses of the memory: the guest reads the VMM's value, and its write reaches the
 * VMM.
 */
static void is_there(uint64_t offset, char *memory, uint64_t size)
{
	const uint64_t at[] = {0, PAGE_SIZE, SIZE_2M - 8, SIZE_2M, size / 2, size - 8};
	struct outcome out;

	for (unsigned int i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		uint64_t *word = (uint64_t *)(memory + at[i] % size);

		*word = 0x1000 + i;
		reads(offset + at[i] % size, 0x1000 + i);
		out = call(guest, 0, slot, DO_WRITE,
			   (long)(ELISA_OBJECT_BASE + offset + at[i] % size), 0x77);
		CHECK_EQ(out.error, ELISA_CALL_OK);
		CHECK_EQ(*word, 0x77);
	}
	faults(DO_JUMP, offset);
}

static struct elisa_host_export record(void)
{
	struct elisa_host_export exports[4];
	int n = admin_list(ELISA_HOST_EXPORTS, exports, sizeof(exports[0]), 4);

	CHECK_EQ(n, 1);
	return exports[0];
}

struct watch {
	uint64_t offset;
	struct outcome out;
};

static void *watcher(void *argument)
{
	struct watch *watch = argument;

	watch->out = call(guest, 0, slot, DO_WATCH, (long)(ELISA_OBJECT_BASE + watch->offset), 0);
	return NULL;
}

/*
 * Unmaps one small page of a large one while a function reads it all the time. This call must end.
 */
static void a_part_goes(uint32_t order, char *memory, uint64_t before)
{
	volatile uint64_t *data = object_data(manager);
	uint64_t held = pages_held(), size = size_of(order), hole = AT + size / 2;
	struct watch watch = {.offset = hole};
	pthread_t thread;

	data[1] = data[2] = 0;
	CHECK(!pthread_create(&thread, NULL, watcher, &watch));
	until_at_least(&data[1], 1000);
	CHECK_EQ(unmap(hole, PAGE_SIZE), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(watch.out.exit, 0);
	CHECK_EQ(watch.out.error, ELISA_CALL_FAULT);
	faults(DO_READ, hole);
	*(uint64_t *)(memory + size / 2 - 8) = 5;
	*(uint64_t *)(memory + size / 2 + PAGE_SIZE) = 6;
	*(uint64_t *)(memory + size - 8) = 7;
	reads(hole - 8, 5);
	reads(hole + PAGE_SIZE, 6);
	reads(AT + size - 8, 7);
	CHECK_EQ(pages_held(), held);
	CHECK_EQ(unmap(AT, size), 0);
	faults(DO_READ, AT);
	CHECK_EQ(pages_held(), before);
	CHECK_EQ(unmap(AT, size), -ENOENT);
}

/* @tables: the page tables that one such page adds. */
static void mapped(const char *what, uint32_t order, char *memory, uint32_t tables)
{
	struct elisa_host_export empty = record();
	uint64_t before = pages_held();

	give(manager, memory, size_of(order));
	CHECK_EQ(map_data(order, 1), 0);
	CHECK_EQ(pages_held(), before + size_of(order) / PAGE_SIZE);
	CHECK_EQ(record().pages, empty.pages + size_of(order) / PAGE_SIZE);
	CHECK_EQ(record().tables, empty.tables + tables);
	is_there(AT, memory, size_of(order));
	faults(DO_READ, AT + size_of(order));
	CHECK_EQ(map_data(ELISA_ORDER_4K, 1), -EEXIST);
	a_part_goes(order, memory, before);
	CHECK_EQ(map(AT, order, 1, ELISA_PROT_READ | ELISA_PROT_EXEC), -EINVAL);
	CHECK_EQ(manager->page->why, ELISA_WHY_PROT);
	give(manager, memory, 0);
	printf("large: %s: mapped, split, unmapped\n", what);
}

/* A donor takes its page back. Another guest's function that reads it must go on. */
static void donated(const char *what, uint32_t order, char *memory)
{
	volatile uint64_t *data = object_data(manager);
	uint64_t before = pages_held(), size = size_of(order);
	uint32_t from = attach(donor, "t.large", ELISA_STUB_TRUSTING, 0);
	uint64_t place = PLACES + donor->page->attach.place * GIB;
	struct watch watch = {.offset = place};
	pthread_t thread;

	give(donor, memory, size);
	CHECK_EQ(donate(order, 1, from), 0);
	CHECK_EQ(donor->page->donate.donated, size / PAGE_SIZE);
	CHECK_EQ(pages_held(), before + size / PAGE_SIZE);
	is_there(place, memory, size);
	data[1] = data[2] = 0;
	CHECK(!pthread_create(&thread, NULL, watcher, &watch));
	until_at_least(&data[1], 1000);
	CHECK_EQ(detach(donor, 0, from), 0);
	CHECK_EQ(pages_held(), before);
	until_at_least(&data[1], data[1] + 1000);
	let_go(manager);
	pthread_join(thread, NULL);
	CHECK_EQ(watch.out.error, ELISA_CALL_OK);
	*(uint64_t *)memory = 0x99;
	*(uint64_t *)(memory + size - 8) = 0x99;
	reads(place, 0);
	reads(place + size - 8, 0);
	give(donor, memory, 0);
	printf("large: %s: donated, taken back\n", what);
}

static void refused(const char *what, char *memory, uint64_t size)
{
	give(manager, memory, size);
	CHECK_EQ(map_data(ELISA_ORDER_2M, 1), -EINVAL);
	CHECK_EQ(manager->page->why, ELISA_WHY_ORDER);
	CHECK_EQ(manager->page->value, GPA);
	CHECK_EQ(map_data(ELISA_ORDER_4K, 3), 0);
	*(uint64_t *)(memory + 2 * PAGE_SIZE) = 0x55;
	reads(AT + 2 * PAGE_SIZE, 0x55);
	CHECK_EQ(unmap(AT, 3 * PAGE_SIZE), 0);
	give(manager, memory, 0);
	printf("large: %s: only in small pages\n", what);
}

/*
 * The memory is not one page on the host. For example, a child of the VMM has the folio, and the
 * VMM has a small page of its own in it.
 */
static void not_one_page(void)
{
	char *memory = transparent(2 * SIZE_2M);
	pid_t child;

	refused("aligned for the guest alone", memory + PAGE_SIZE, SIZE_2M);
	SYS(madvise(memory + 5 * PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED));
	memory[5 * PAGE_SIZE] = 1;
	refused("a page was thrown away", memory, SIZE_2M);
	memory = transparent(SIZE_2M);
	child = SYS(fork());
	if (!child) {
		pause();
		_exit(0);
	}
	memory[7 * PAGE_SIZE] = 2;
	refused("a page is the child's alone", memory, SIZE_2M);
	SYS(kill(child, SIGKILL));
	SYS(waitpid(child, NULL, 0));
	memory =
		mmap(NULL, 2 * SIZE_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory = (char *)(((uintptr_t)memory + SIZE_2M - 1) & ~(SIZE_2M - 1));
	SYS(madvise(memory, SIZE_2M, MADV_NOHUGEPAGE));
	refused("small pages", memory, SIZE_2M);
}

static void on_bus(int signal)
{
	(void)signal;
	buses++;
}

/*
 * One small page of a large page fails, and the export must end. Returns false if this kernel marks
 * no pages.
 */
static bool fails(char *memory, uint64_t at, uint64_t said_at)
{
	const struct elisa_hc_events *taken;
	int tries, n;

	give(manager, memory, SIZE_2M);
	CHECK_EQ(map_data(ELISA_ORDER_2M, 1), 0);
	while (take_events(manager)->count)
		;
	/* the kernel does not split a pinned folio, and reports a failure */
	if (madvise(memory + at, PAGE_SIZE, MADV_HWPOISON) && errno == EINVAL)
		return false;
	for (tries = 0; tries < TRIES; tries++) {
		taken = take_events(manager);
		for (n = 0; n < (int)taken->count; n++)
			if (taken->event[n].type == ELISA_EVENT_MEMORY)
				break;
		if (n < (int)taken->count)
			break;
		usleep(1000);
	}
	CHECK(tries < TRIES);
	CHECK_EQ(taken->event[n].value, AT + said_at);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).error, ELISA_CALL_REVOKED);
	CHECK_EQ(detach(guest, 0, slot), 0);
	CHECK_EQ(pages_held(), 0);
	give(manager, memory, 0);
	return true;
}

static void begin(void)
{
	id = export_new(manager, "t.large", ELISA_EXPORT_GENERAL_REGS, 60000000);
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->places = (struct elisa_hc_places){id, 8, PLACES, GIB / PAGE_SIZE};
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_PLACES), 0);
	slot = attach(guest, "t.large", ELISA_STUB_TRUSTING, 0);
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_bus};
	char *two = hugetlb(2 * SIZE_2M, MAP_HUGE_2MB), *one = hugetlb(GIB, MAP_HUGE_1GB);

	SYS(sigaction(SIGBUS, &action, NULL));
	manager = vm_new(1);
	guest = vm_new(1);
	donor = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 1 << 20) > 0);
	begin();
	/* a whole GiB first, as no page directory exists yet */
	mapped("1 GiB", ELISA_ORDER_1G, one, 0);
	mapped("2 MiB of hugetlb", ELISA_ORDER_2M, two, 0);
	mapped("2 MiB of transparent huge pages", ELISA_ORDER_2M, transparent(SIZE_2M), 0);
	donated("1 GiB", ELISA_ORDER_1G, one);
	donated("2 MiB of hugetlb", ELISA_ORDER_2M, two);
	donated("2 MiB of transparent huge pages", ELISA_ORDER_2M, transparent(SIZE_2M));
	not_one_page();
	if (fails(transparent(SIZE_2M), 9 * PAGE_SIZE, 9 * PAGE_SIZE)) {
		begin();
		CHECK(fails(two + SIZE_2M, 9 * PAGE_SIZE, 0));
		printf("large: a page failed, the export ended\n");
	} else {
		printf("large: this kernel marks no pages\n");
	}
	return 0;
}
