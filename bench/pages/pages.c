// SPDX-License-Identifier: Apache-2.0
/*
 * What donating and mapping memory costs the host, in pages of each size. It counts the
 * instructions of all requests, from the guest's VMCALL to the next instruction, and the host's
 * memory for tables. Each line is for an export and an attachment of its own. See
 * docs/bench-pages.md.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "../../gate/gate_page.h"
#include "../../tests/machine/harness.h"

#define MIB	     (1ULL << 20)
#define GIB	     (1ULL << 30)
#define GPA	     (16 * GIB)
#define AT	     (8 * GIB) /* in the object area, where there are no tables yet */
#define TRANSPARENT  (64 * MIB)
#define MAP_HUGE_1GB (30 << 26)

struct memory {
	const char *name;
	char *at;
	uint64_t size;
};

static struct vm *manager, *guest;

static uint64_t size_of(uint32_t order)
{
	return (uint64_t)PAGE_SIZE << order;
}

static uint32_t tables(void)
{
	struct elisa_host_export record;

	CHECK_EQ(admin_list(ELISA_HOST_EXPORTS, &record, sizeof(record), 1), 1);
	return record.tables;
}

static void give(struct vm *vm, const struct memory *memory, uint64_t size)
{
	struct kvm_userspace_memory_region region = {.slot = 1,
						     .guest_phys_addr = GPA,
						     .memory_size = size,
						     .userspace_addr = (uintptr_t)memory->at};

	SYS(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

/* Fills in the pages of one request from byte @done on. If the memory is smaller than @bytes, its
 * pages come again. */
static uint32_t fill(__u64 *gpa, uint64_t done, uint64_t bytes, uint32_t order, uint64_t memory)
{
	uint32_t n;

	for (n = 0; n < ELISA_HC_MAP_PAGES && done < bytes; n++, done += size_of(order))
		gpa[n] = GPA + done % memory;
	return n;
}

static uint64_t asked(struct vm *vm, uint32_t call)
{
	uint64_t before = __rdtsc();
	int r = hypercall(vm, 0, call);
	uint64_t insns = __rdtsc() - before;

	CHECK_EQ(r, 0);
	return insns;
}

static uint64_t map(uint32_t id, uint64_t bytes, uint32_t order, uint64_t memory)
{
	struct elisa_hc_map *map = &manager->page->map;
	uint64_t done, insns = 0;

	for (done = 0; done < bytes; done += map->count * size_of(order)) {
		memset(manager->page, 0, PAGE_SIZE);
		map->id = id;
		map->prot = ELISA_PROT_READ | ELISA_PROT_WRITE;
		map->offset = AT + done;
		map->order = order;
		map->count = fill(map->gpa, done, bytes, order, memory);
		insns += asked(manager, ELISA_HC_EXPORT_MAP);
	}
	return insns;
}

static uint64_t donate(uint32_t slot, uint64_t bytes, uint32_t order, uint64_t memory)
{
	struct elisa_hc_donate *gift = &guest->page->donate;
	uint64_t done, insns = 0;

	for (done = 0; done < bytes; done += gift->count * size_of(order)) {
		memset(guest->page, 0, PAGE_SIZE);
		gift->slot = slot;
		gift->order = order;
		gift->count = fill(gift->gpa, done, bytes, order, memory);
		insns += asked(guest, ELISA_HC_DONATE);
	}
	return insns;
}

static void measure(const char *what, const struct memory *memory, uint64_t bytes, uint32_t order)
{
	bool gift = !strcmp(what, "donate");
	uint64_t insns, size = bytes < memory->size ? bytes : memory->size;
	uint32_t id = export_new(manager, "t.pages", ELISA_EXPORT_GENERAL_REGS, 0), slot, before;

	if (gift) {
		memset(manager->page, 0, PAGE_SIZE);
		manager->page->places = (struct elisa_hc_places){id, 1, AT, bytes / PAGE_SIZE};
		CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_PLACES), 0);
	}
	slot = attach(guest, "t.pages", ELISA_STUB_TRUSTING, 0);
	before = tables();
	give(gift ? guest : manager, memory, size);
	insns = gift ? donate(slot, bytes, order, size) : map(id, bytes, order, size);
	*(uint64_t *)(memory->at + size - 8) = bytes;
	CHECK_EQ(call(guest, 0, slot, DO_READ, (long)(ELISA_OBJECT_BASE + AT + bytes - 8), 0).value,
		 bytes);
	printf("result bench=pages what=%s bytes=%llu page=%llu memory=%s table_bytes=%u "
	       "insns=%llu\n",
	       what, (unsigned long long)bytes, (unsigned long long)size_of(order), memory->name,
	       (tables() - before) * PAGE_SIZE, (unsigned long long)insns);
	CHECK_EQ(detach(guest, 0, slot), 0);
	CHECK_EQ(destroy(manager, id), 0);
	give(gift ? guest : manager, memory, 0);
}

int main(void)
{
	static const uint32_t orders[] = {ELISA_ORDER_4K, ELISA_ORDER_2M, ELISA_ORDER_1G};
	struct memory hugetlb = {"hugetlb", NULL, GIB}, thp = {"transparent", NULL, TRANSPARENT};
	int i;

	hugetlb.at = mmap(NULL, GIB, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
	thp.at = mmap(NULL, 2 * TRANSPARENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	CHECK(hugetlb.at != MAP_FAILED && thp.at != MAP_FAILED);
	thp.at = (char *)(((uintptr_t)thp.at + TRANSPARENT - 1) & ~(TRANSPARENT - 1));
	SYS(madvise(thp.at, TRANSPARENT, MADV_HUGEPAGE));
	memset(thp.at, 1, TRANSPARENT);
	hugetlb.at[0] = 1;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 4 * GIB) > 0);
	for (i = 0; i < 2; i++)
		measure("donate", &thp, TRANSPARENT, orders[i]);
	for (i = 0; i < 2; i++)
		measure("donate", &hugetlb, 64 * MIB, orders[i]);
	for (i = 0; i < 3; i++)
		measure("donate", &hugetlb, GIB, orders[i]);
	for (i = 0; i < 3; i++)
		measure("map", &hugetlb, 4 * GIB, orders[i]);
	return 0;
}
