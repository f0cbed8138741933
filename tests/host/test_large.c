// SPDX-License-Identifier: Apache-2.0
/*
 * Large pages of 2 MiB and 1 GiB. The tests check of which memory they may be, what an existing
 * attachment's EPT has for them, and what they cost in tables and pins. They also check what is
 * left of a large page when a part of it is unmapped.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "tables/ept.h"
#include "requests.h"
#include "walk.h"

#define ORDER_2M ELISA_ORDER_2M
#define ORDER_1G ELISA_ORDER_1G
#define SIZE_2M	 (2ULL << 20)
#define PAGES	 LARGE_PAGES
#define PLACES	 (8 * GIB)
#define R_W	 (EPT_READ | EPT_WRITE)

static u32 id;
/* An export with two places from @offset on, and an attachment to it. */
static void publish_at(u64 offset)
{
	struct elisa_hc_page places = {.places = {.count = 2, .offset = offset, .size = PAGES}};

	id = create("shop");
	map(id, 0, 1);
	places.places.id = id;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &places), 0);
	publish(id, 0, 0, ELISA_OK, 0);
	assert_int_equal(host_attach("shop", ROOT, 0), 0);
}

static int start(void **state)
{
	(void)state;
	host_start();
	eh_ept_2m = eh_ept_1g = true;
	host_large_memory(MANAGER);
	host_large_memory(GUEST);
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop", PAGES);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop", PAGES);
	publish_at(PLACES);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	host_large_memory_free();
	return 0;
}

static struct page *page_of(int machine, u64 at)
{
	return &machines[machine].mm.more.pages[at / PAGE_SIZE];
}

/* Where a slot's sub context leads at an offset of the object, by which leaf; 0: nowhere. */
static u64 leads_to(u32 slot, u64 offset, u64 *size)
{
	u64 gpa = eh_root_limit() + EH_GPA_OBJECT + offset;
	u64 entry = host_vcpu(GUEST)->slots[slot]->eptp[EH_IN_SUB];
	int level = 5;

	do {
		entry = ((u64 *)__va(entry & EPT_ADDRESS))[level_index(gpa, --level)];
		if (!(entry & EPT_TABLE))
			return 0;
	} while (level > 1 && !(entry & EPT_LARGE));
	assert_false(entry & EPT_EXEC);
	*size = level_size(level);
	return (entry & EPT_ADDRESS) + gpa % *size;
}

static void is_at(u64 offset, int machine, u64 at, u64 size)
{
	u64 found = 0;

	assert_int_equal(leads_to(0, offset, &found), __pa(machines[machine].mm.more.memory) + at);
	assert_int_equal(found, size);
}

static void is_nowhere(u64 offset)
{
	u64 size;

	assert_int_equal(leads_to(0, offset, &size), 0);
}

static int map_large(u64 offset, u32 order, u32 count, u64 at, u32 prot)
{
	memset(&page, 0, sizeof(page));
	page.map = (struct elisa_hc_map){
		.id = id, .prot = prot, .offset = offset, .count = count, .order = order};
	for (u32 i = 0; i < count; i++)
		page.map.gpa[i] = LARGE_GPA + at + i * ((u64)PAGE_SIZE << order);
	return host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page);
}

static void refuse(u64 offset, u32 order, u64 at, u32 prot, u32 why, u64 value)
{
	assert_int_equal(map_large(offset, order, 1, at, prot), -EINVAL);
	assert_int_equal(machines[MANAGER].why, why);
	assert_int_equal(machines[MANAGER].value, value);
}

static int unmap(u64 offset, u64 length)
{
	memset(&page, 0, sizeof(page));
	page.unmap = (struct elisa_hc_unmap){id, 0, offset, length / PAGE_SIZE};
	return host_call(MANAGER, ELISA_HC_EXPORT_UNMAP, &page);
}

static int donate(u32 slot, u32 order, u32 count, u64 at)
{
	memset(&page, 0, sizeof(page));
	page.donate = (struct elisa_hc_donate){.slot = slot, .count = count, .order = order};
	for (u32 i = 0; i < count; i++)
		page.donate.gpa[i] = LARGE_GPA + at + i * ((u64)PAGE_SIZE << order);
	return host_call(GUEST, ELISA_HC_DONATE, &page);
}

static void detach(u32 slot)
{
	memset(&page, 0, sizeof(page));
	page.detach.slot = slot;
	assert_int_equal(host_call(GUEST, ELISA_HC_DETACH, &page), 0);
}

static u32 tables(void)
{
	struct eh_export *export = eh_export_of(host_vm(MANAGER), id);
	u32 tables = export->tables;

	eh_export_put(export);
	return tables;
}

static struct eh_vmm *vmm_of(int machine)
{
	return host_vm(machine)->vmm;
}

static void each_size_is_shown_to_all(void **state)
{
	u32 before = tables();
	u64 pins = vmm_of(MANAGER)->pins;

	(void)state;
	assert_int_equal(map_large(GIB, ORDER_2M, 3, GIB, RW), 0);
	assert_int_equal(tables(), before + 1);
	assert_int_equal(map_large(2 * GIB, ORDER_1G, 1, 0, RW), 0);
	assert_int_equal(tables(), before + 1);
	assert_int_equal(vmm_of(MANAGER)->pins, pins + 4);
	for (u64 at = 0; at < 3 * SIZE_2M; at += SIZE_2M / 2)
		is_at(GIB + at, MANAGER, GIB + at, SIZE_2M);
	is_nowhere(GIB + 3 * SIZE_2M);
	is_at(2 * GIB, MANAGER, 0, GIB);
	is_at(3 * GIB - PAGE_SIZE, MANAGER, GIB - PAGE_SIZE, GIB);
	is_nowhere(3 * GIB);
	/* 2 MiB of a hugetlb page of 1 GiB, read only, in the second attachment */
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	assert_int_equal(map_large(4 * GIB, ORDER_2M, 1, 5 * SIZE_2M, ELISA_PROT_READ), 0);
	is_at(4 * GIB, MANAGER, 5 * SIZE_2M, SIZE_2M);
	assert_int_equal(unmap(GIB, 2 * GIB), 0);
	is_nowhere(GIB);
	is_nowhere(2 * GIB);
	is_nowhere(3 * GIB - PAGE_SIZE);
	assert_int_equal(vmm_of(MANAGER)->pins, pins + 1);
}

static void what_is_not_aligned_is_refused(void **state)
{
	(void)state;
	refuse(GIB + PAGE_SIZE, ORDER_2M, GIB, RW, ELISA_WHY_RANGE, GIB + PAGE_SIZE);
	refuse(GIB + SIZE_2M, ORDER_1G, 0, RW, ELISA_WHY_RANGE, GIB + SIZE_2M);
	refuse(GIB, ORDER_2M, GIB + PAGE_SIZE, RW, ELISA_WHY_RANGE, LARGE_GPA + GIB + PAGE_SIZE);
	refuse(64 * GIB, ORDER_1G, 0, RW, ELISA_WHY_RANGE, 64 * GIB);
	assert_int_equal(map_large(63 * GIB, ORDER_1G, 2, 0, RW), -EINVAL);
	refuse(GIB, 7, GIB, RW, ELISA_WHY_FIELD, 7);
	refuse(GIB, 27, GIB, RW, ELISA_WHY_FIELD, 27);
	refuse(GIB, ORDER_2M, GIB, RX, ELISA_WHY_PROT, RX);
	refuse(GIB, ORDER_1G, 0, RX, ELISA_WHY_PROT, RX);
	eh_ept_1g = false;
	refuse(GIB, ORDER_1G, 0, RW, ELISA_WHY_FIELD, ORDER_1G);
	eh_ept_2m = false;
	refuse(GIB, ORDER_2M, GIB, RW, ELISA_WHY_FIELD, ORDER_2M);
	is_nowhere(GIB);
}

/* The memory is the VMM's: what it is there decides, whatever the guest says of its own. */
static void memory_that_is_not_one_page(void **state)
{
	struct mm_struct *mm = &machines[MANAGER].mm;
	struct kvm_memory_slot *slot = &machines[MANAGER].kvm.slots[7];
	u64 gpa = LARGE_GPA + GIB;
	u32 i;

	(void)state;
	/* 512 folios in a row */
	for (i = 0; i < 512; i++)
		page_of(MANAGER, GIB)[i].head = NULL;
	page_of(MANAGER, GIB)->folio_pages = 0;
	refuse(GIB, ORDER_2M, GIB, RW, ELISA_WHY_ORDER, gpa);
	/* two folios, of which each is large */
	refuse(GIB, ORDER_1G, GIB, RW, ELISA_WHY_ORDER, gpa);
	/* a part of the folio is not the process's any more, or is not there */
	mm->vma[7].hugetlb = true;
	refuse(GIB, ORDER_1G, GIB, RW, ELISA_WHY_ORDER, gpa);
	mm->vma[7].hugetlb = false;
	gpa += SIZE_2M;
	page_of(MANAGER, GIB + SIZE_2M + 0x7000)->lost = true;
	refuse(GIB, ORDER_2M, GIB + SIZE_2M, RW, ELISA_WHY_ORDER, gpa);
	page_of(MANAGER, GIB + SIZE_2M + 0x7000)->lost = false;
	page_of(MANAGER, GIB + 2 * SIZE_2M - PAGE_SIZE)->unpinnable = true;
	refuse(GIB, ORDER_2M, GIB + SIZE_2M, RW, ELISA_WHY_ORDER, gpa);
	page_of(MANAGER, GIB + 2 * SIZE_2M - PAGE_SIZE)->unpinnable = false;
	/* the mapping ends before the page does, the slot does */
	mm->vma[7].vm_end -= PAGE_SIZE;
	refuse(GIB, ORDER_2M, 2 * GIB - SIZE_2M, RW, ELISA_WHY_ORDER,
	       LARGE_GPA + 2 * GIB - SIZE_2M);
	mm->vma[7].vm_end += PAGE_SIZE;
	slot->npages--;
	refuse(GIB, ORDER_2M, 2 * GIB - SIZE_2M, RW, ELISA_WHY_ORDER,
	       LARGE_GPA + 2 * GIB - SIZE_2M);
	slot->npages++;
	/* aligned for the guest, not for the host */
	slot->userspace_addr += PAGE_SIZE;
	refuse(GIB, ORDER_2M, 0, RW, ELISA_WHY_ORDER, LARGE_GPA);
	slot->userspace_addr -= PAGE_SIZE;
	is_nowhere(GIB);
	assert_int_equal(vmm_of(MANAGER)->held, 1);
	assert_int_equal(map_large(GIB, ORDER_2M, 1, GIB + SIZE_2M, RW), 0);
}

static void overlaps(void **state)
{
	(void)state;
	assert_int_equal(map_large(0, ORDER_2M, 1, GIB, RW), -EEXIST);
	assert_int_equal(map_large(0, ORDER_1G, 1, 0, RW), -EEXIST);
	assert_int_equal(map_large(PLACES, ORDER_1G, 1, 0, RW), -EEXIST);
	assert_int_equal(map_large(GIB, ORDER_1G, 1, 0, RW), 0);
	assert_int_equal(map_large(GIB + SIZE_2M, ORDER_2M, 1, GIB, RW), -EEXIST);
	assert_int_equal(map_large(2 * GIB - PAGE_SIZE, 0, 1, GIB, RW), -EEXIST);
	/* a page directory stays */
	assert_int_equal(map_large(2 * GIB, 0, 1, GIB, RW), 0);
	assert_int_equal(unmap(2 * GIB, PAGE_SIZE), 0);
	refuse(2 * GIB, ORDER_1G, 0, RW, ELISA_WHY_ORDER, 2 * GIB);
	assert_int_equal(map_large(2 * GIB, ORDER_2M, 1, GIB, RW), 0);
}

/* All that was mapped is, but for one page. */
static void all_but(u64 offset, u64 length, u64 at, u64 hole)
{
	static struct reaches found;
	u64 base = eh_root_limit() + EH_GPA_OBJECT, bytes = 0;

	ept_enumerate(host_vcpu(GUEST)->slots[0]->eptp[EH_IN_SUB], &found);
	for (unsigned int i = 0; i < found.count; i++) {
		const struct reach *reach = &found.at[i];

		if (reach->from < base + offset || reach->from >= base + offset + length)
			continue;
		assert_int_equal(reach->to - __pa(machines[MANAGER].mm.more.memory) - at,
				 reach->from - base - offset);
		assert_int_equal(reach->rights, R_W);
		assert_false(hole - (reach->from - base) < reach->size);
		bytes += reach->size;
	}
	assert_int_equal(bytes, length - PAGE_SIZE);
}

static void a_part_goes(u64 offset, u32 order, u64 at)
{
	u64 size = (u64)PAGE_SIZE << order, hole = offset + size / 2 + 5 * PAGE_SIZE;
	u64 pins = vmm_of(MANAGER)->pins, held = vmm_of(MANAGER)->held;
	unsigned long flushes;

	assert_int_equal(map_large(offset, order, 1, at, RW), 0);
	flushes = shim_flushes;
	assert_int_equal(unmap(hole, PAGE_SIZE), 0);
	assert_true(shim_flushes > flushes);
	all_but(offset, size, at, hole);
	assert_int_equal(unmap(hole, PAGE_SIZE), -ENOENT);
	/* the folio stays until nothing of it is mapped; another page may be where the part was */
	assert_int_equal(vmm_of(MANAGER)->pins, pins + 1);
	assert_int_equal(map_large(hole, 0, 1, GIB + 4 * SIZE_2M, RW), 0);
	is_at(hole, MANAGER, GIB + 4 * SIZE_2M, PAGE_SIZE);
	assert_int_equal(unmap(hole + PAGE_SIZE, offset + size - hole - PAGE_SIZE), 0);
	assert_int_equal(vmm_of(MANAGER)->pins, pins + 2);
	flushes = shim_flushes;
	assert_int_equal(unmap(offset, hole - offset), 0);
	assert_int_equal(vmm_of(MANAGER)->pins, pins + 1);
	assert_true(page_of(MANAGER, at)->unpinned_at > flushes);
	is_at(hole, MANAGER, GIB + 4 * SIZE_2M, PAGE_SIZE);
	is_nowhere(hole - PAGE_SIZE);
	is_nowhere(hole + PAGE_SIZE);
	assert_int_equal(unmap(0, 8 * GIB), 0);
	assert_int_equal(vmm_of(MANAGER)->pins, 0);
	assert_int_equal(vmm_of(MANAGER)->held, 0);
	assert_int_equal(held, 1);
	is_nowhere(hole);
}

static void a_part_of_2m_goes(void **state)
{
	(void)state;
	a_part_goes(GIB, ORDER_2M, GIB + SIZE_2M);
}

static void a_part_of_1g_goes(void **state)
{
	(void)state;
	a_part_goes(GIB, ORDER_1G, 0);
}

/* Of a run of small pages, too: each is let go. */
static void a_part_of_a_run_goes(void **state)
{
	u64 pins = vmm_of(MANAGER)->pins;

	(void)state;
	assert_int_equal(map_large(GIB - 4 * PAGE_SIZE, 0, 8, GIB, RW), 0);
	assert_int_equal(unmap(GIB - 2 * PAGE_SIZE, 3 * PAGE_SIZE), 0);
	assert_int_equal(vmm_of(MANAGER)->pins, pins + 5);
	is_at(GIB - 3 * PAGE_SIZE, MANAGER, GIB + PAGE_SIZE, PAGE_SIZE);
	is_nowhere(GIB - 2 * PAGE_SIZE);
	is_nowhere(GIB);
	is_at(GIB + PAGE_SIZE, MANAGER, GIB + 5 * PAGE_SIZE, PAGE_SIZE);
	/* two runs, both cut; then what is left of both */
	assert_int_equal(map_large(GIB - 2 * PAGE_SIZE, 0, 3, GIB + SIZE_2M, RW), 0);
	assert_int_equal(unmap(GIB - 3 * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	assert_int_equal(vmm_of(MANAGER)->pins, pins + 6);
	assert_int_equal(unmap(GIB - 4 * PAGE_SIZE, 8 * PAGE_SIZE), 0);
	assert_int_equal(vmm_of(MANAGER)->pins, pins);
}

/* Nothing is done by halves, whichever allocation fails. */
static void no_memory_for_a_split(void **state)
{
	u64 size;
	int n, r = -ENOMEM;

	(void)state;
	assert_int_equal(map_large(GIB, ORDER_1G, 1, 0, RW), 0);
	for (n = 0; r; n++) {
		shim_fail_after = n;
		r = unmap(GIB + 3 * PAGE_SIZE, SIZE_2M);
		shim_fail_after = -1;
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_int_not_equal(leads_to(0, GIB + 3 * PAGE_SIZE, &size), 0);
		}
	}
	assert_true(n > 4);
	is_nowhere(GIB + 3 * PAGE_SIZE);
	is_at(GIB + 2 * PAGE_SIZE, MANAGER, 2 * PAGE_SIZE, PAGE_SIZE);
	is_at(GIB + 3 * PAGE_SIZE + SIZE_2M, MANAGER, 3 * PAGE_SIZE + SIZE_2M, PAGE_SIZE);
	is_at(GIB + 2 * SIZE_2M, MANAGER, 2 * SIZE_2M, SIZE_2M);
}

/*
 * An export with a run of so many times the same page, of which the first bytes were unmapped and
 * are a place since; the guest is attached to it, and to nothing else.
 */
static void with_a_hole(u64 offset, u32 order, u32 count, u64 at, u64 hole)
{
	struct elisa_hc_page places = {
		.places = {.count = 1, .offset = offset, .size = hole / PAGE_SIZE}};

	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop2", PAGES);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "shop2", PAGES);
	id = create("shop2");
	request_map(&page, id, offset, count, RW)->map.order = order;
	for (u32 i = 0; i < count; i++)
		page.map.gpa[i] = LARGE_GPA + at;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_MAP, &page), 0);
	assert_int_equal(unmap(offset, hole), 0);
	map(id, 0, 1);
	places.places.id = id;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_PLACES, &places), 0);
	publish(id, 0, 0, ELISA_OK, 0);
	detach(0);
	assert_int_equal(host_attach("shop2", ROOT, 0), 0);
}

/*
 * A run that lost its first page, with a place there since: what is unmapped of the run is nothing
 * of what a guest gives, and the gift stays one large page.
 */
static void a_hole_with_a_gift(u32 order, u64 at, u64 offset)
{
	const u64 size = (u64)PAGE_SIZE << order;
	u32 before;

	with_a_hole(offset, order, 2, at, size);
	assert_int_equal(donate(0, order, 1, at), 0);
	is_at(offset, GUEST, at, size);
	before = tables();
	assert_int_equal(unmap(offset + PAGE_SIZE, PAGE_SIZE), -ENOENT);
	assert_int_equal(unmap(offset + PAGE_SIZE, size), 0);
	is_at(offset, GUEST, at, size);
	/* that of the run's second page, of which a part went */
	assert_int_equal(tables() - before, order == ORDER_1G ? 2 : 1);
}

static void a_gift_of_2m_in_a_hole(void **state)
{
	(void)state;
	a_hole_with_a_gift(ORDER_2M, GIB, 2 * GIB);
}

static void a_gift_of_1g_in_a_hole(void **state)
{
	(void)state;
	a_hole_with_a_gift(ORDER_1G, 0, 2 * GIB);
}

/* A part of a page of 1 GiB went, and a guest gives 2 MiB there. */
static void a_gift_of_2m_in_a_page_of_1g(void **state)
{
	u32 before;

	(void)state;
	with_a_hole(2 * GIB, ORDER_1G, 1, 0, SIZE_2M);
	assert_int_equal(donate(0, ORDER_2M, 1, GIB), 0);
	is_at(2 * GIB, GUEST, GIB, SIZE_2M);
	before = tables();
	assert_int_equal(unmap(2 * GIB + PAGE_SIZE, PAGE_SIZE), -ENOENT);
	is_at(2 * GIB, GUEST, GIB, SIZE_2M);
	assert_int_equal(tables(), before);
}

/* A page of 1 GiB is one pin, but may have 513 tables. */
static void tables_count_as_pins(void **state)
{
	struct eh_vmm *vmm = vmm_of(MANAGER);
	u64 pins = vmm->pins, left = 2;

	(void)state;
	assert_int_equal(map_large(GIB, ORDER_1G, 1, 0, RW), 0);
	assert_int_equal(unmap(GIB, PAGE_SIZE), 0);
	assert_int_equal(vmm->tables, 2);
	for (; left < 512 && vmm->tables < 40; left++)
		assert_int_equal(unmap(GIB + left * SIZE_2M, PAGE_SIZE), 0);
	assert_int_equal(vmm->tables, 40);
	/* as if the grant allowed no more than that */
	vmm->pins += PAGES - 40 - vmm->pins - 2;
	assert_int_equal(unmap(GIB + left * SIZE_2M, PAGE_SIZE), -EDQUOT);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_QUOTA);
	assert_int_equal(machines[MANAGER].value, PAGES);
	/* what needs no table is unmapped all the same */
	assert_int_equal(unmap(GIB + left * SIZE_2M, SIZE_2M), 0);
	vmm->pins = pins + 1;
	assert_int_equal(unmap(GIB + ++left * SIZE_2M, PAGE_SIZE), 0);
	assert_int_equal(vmm->tables, 41);
	assert_int_equal(unmap(GIB, GIB), 0);
	assert_int_equal(vmm->tables, 0);
	assert_int_equal(vmm->pins, pins);
}

static void gifts(u32 order, u64 at, u64 offset)
{
	u64 size = (u64)PAGE_SIZE << order, found, sink, one;
	unsigned long flushes;

	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	assert_int_equal(donate(1, order, 1, at), 0);
	assert_int_equal(page.donate.donated, size / PAGE_SIZE);
	is_at(offset, GUEST, at, size);
	is_at(offset + size - PAGE_SIZE, GUEST, at + size - PAGE_SIZE, size);
	flushes = shim_flushes;
	detach(1);
	/* the second: the first is of the donor's own contexts */
	assert_true(page_of(GUEST, at)->unpinned_at > flushes + 1);
	sink = leads_to(0, offset, &found);
	one = leads_to(0, offset + size - PAGE_SIZE, &found);
	assert_int_not_equal(sink, 0);
	assert_int_equal(sink, one);
	assert_int_equal(found, PAGE_SIZE);
	assert_int_not_equal(sink & ~(GIB - 1), __pa(machines[GUEST].mm.more.memory) & ~(GIB - 1));
	is_nowhere(offset + size);
	/* the next one's are smaller: what it does not give leads to the sink still */
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	flushes = shim_flushes;
	assert_int_equal(donate(1, 0, 3, GIB + 8 * SIZE_2M), 0);
	assert_true(shim_flushes > flushes);
	is_at(offset + 2 * PAGE_SIZE, GUEST, GIB + 8 * SIZE_2M + 2 * PAGE_SIZE, PAGE_SIZE);
	assert_int_equal(leads_to(0, offset + 3 * PAGE_SIZE, &found), sink);
	assert_int_equal(leads_to(0, offset + size - PAGE_SIZE, &found), sink);
	/* not aligned now: refused, and small ones are taken */
	assert_int_equal(donate(1, ORDER_2M, 1, GIB), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_ORDER);
	assert_int_equal(machines[GUEST].value, offset + 3 * PAGE_SIZE);
	assert_int_equal(donate(1, 0, 1, GIB), 0);
	detach(1);
}

/* The place of the second attachment. */
#define PLACE (PLACES + PAGES * PAGE_SIZE)

static void a_gift_of_2m(void **state)
{
	(void)state;
	gifts(ORDER_2M, GIB + SIZE_2M, PLACE);
}

static void a_gift_of_1g(void **state)
{
	(void)state;
	gifts(ORDER_1G, 0, PLACE);
	/* a directory is there now */
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	assert_int_equal(donate(1, ORDER_1G, 1, 0), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_ORDER);
}

static void a_gift_comes_again(void **state)
{
	u32 before;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
		assert_int_equal(donate(1, i == 1 ? ORDER_2M : ORDER_1G, 1, 0),
				 i == 2 ? -EINVAL : 0);
		if (i < 2)
			is_at(PLACE, GUEST, 0, i == 1 ? SIZE_2M : GIB);
		detach(1);
	}
	before = tables();
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	assert_int_equal(donate(1, ORDER_2M, 4, GIB), 0);
	assert_int_equal(tables(), before);
	assert_int_equal(donate(1, ORDER_1G, 2, 0), -ENOSPC);
}

static void destroy(void)
{
	memset(&page, 0, sizeof(page));
	page.destroy.id = id;
	assert_int_equal(host_call(MANAGER, ELISA_HC_EXPORT_DESTROY, &page), 0);
	host_settle();
}

static void a_place_that_is_not_aligned(void **state)
{
	(void)state;
	destroy();
	detach(0);
	publish_at(PLACES + PAGE_SIZE);
	assert_int_equal(donate(0, ORDER_2M, 1, GIB), -EINVAL);
	assert_int_equal(machines[GUEST].why, ELISA_WHY_ORDER);
	assert_int_equal(machines[GUEST].value, PLACES + PAGE_SIZE);
	/* 511 pages later it is */
	assert_int_equal(donate(0, 0, 448, GIB), 0);
	assert_int_equal(donate(0, 0, 63, GIB), 0);
	assert_int_equal(donate(0, ORDER_2M, 1, GIB + SIZE_2M), 0);
	is_at(PLACES + SIZE_2M, GUEST, GIB + SIZE_2M, SIZE_2M);
}

static void the_end_of_the_export(void **state)
{
	(void)state;
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	assert_int_equal(donate(1, ORDER_1G, 1, 0), 0);
	assert_int_equal(donate(0, ORDER_2M, 2, GIB), 0);
	assert_int_equal(map_large(GIB, ORDER_1G, 1, 0, RW), 0);
	assert_int_equal(unmap(GIB + PAGE_SIZE, PAGE_SIZE), 0);
	destroy();
	assert_int_equal(atomic64_read(&machines[MANAGER].mm.pinned_vm), 0);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
}

/* What is held is the folio, whatever is mapped of it. A pin is a page of the mapped size. */
static void costs(void **state)
{
	(void)state;
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "shop", 0);
	assert_int_equal(map_large(GIB, ORDER_2M, 1, 0, RW), 0);
	assert_int_equal(vmm_of(MANAGER)->held, 1 + PAGES / 2);
	assert_int_equal(vmm_of(MANAGER)->pins, 2);
	assert_int_equal(map_large(2 * GIB, ORDER_1G, 1, 0, RW), 0);
	assert_int_equal(vmm_of(MANAGER)->held, 1 + PAGES / 2);
	assert_int_equal(vmm_of(MANAGER)->pins, 3);
	assert_int_equal(map_large(3 * GIB, ORDER_2M, 448, GIB, RW), 0);
	assert_int_equal(vmm_of(MANAGER)->held, 1 + PAGES / 2 + 448 * 512);
	assert_int_equal(map_large(4 * GIB, ORDER_2M, 64, GIB + 448 * SIZE_2M, RW), -EDQUOT);
	assert_int_equal(machines[MANAGER].why, ELISA_WHY_QUOTA);
	assert_int_equal(vmm_of(MANAGER)->held, 1 + PAGES / 2 + 448 * 512);
}

static u64 failed_at(void)
{
	memset(&page, 0, sizeof(page));
	host_settle();
	assert_int_equal(host_call(MANAGER, ELISA_HC_EVENTS, &page), 0);
	for (u32 i = 0; i < page.events.count; i++)
		if (page.events.event[i].type == ELISA_EVENT_MEMORY)
			return page.events.event[i].value;
	return 0;
}

static void a_page_of_2m_fails(void **state)
{
	(void)state;
	assert_int_equal(map_large(GIB, ORDER_2M, 2, GIB, RW), 0);
	shim_fail_page(page_of(MANAGER, GIB + 2 * SIZE_2M));
	assert_int_equal(failed_at(), 0);
	shim_fail_page(page_of(MANAGER, GIB + SIZE_2M + 9 * PAGE_SIZE));
	assert_int_equal(failed_at(), GIB + SIZE_2M + 9 * PAGE_SIZE);
	assert_int_equal(atomic64_read(&machines[MANAGER].mm.pinned_vm), 0);
}

static void a_page_of_1g_fails(void **state)
{
	(void)state;
	assert_int_equal(map_large(GIB, ORDER_1G, 1, 0, RW), 0);
	shim_fail_page(page_of(MANAGER, 77 * PAGE_SIZE));
	assert_int_equal(failed_at(), GIB);
}

static void a_page_of_a_gift_fails(void **state)
{
	u64 found, sink;

	(void)state;
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	assert_int_equal(donate(1, ORDER_2M, 2, GIB), 0);
	shim_fail_page(page_of(GUEST, GIB + SIZE_2M + PAGE_SIZE));
	host_settle();
	sink = leads_to(0, PLACE + SIZE_2M, &found);
	assert_int_equal(found, PAGE_SIZE);
	assert_int_equal(leads_to(0, PLACE, &found), sink);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
	/* and one that has failed is not taken */
	assert_int_equal(donate(0, ORDER_2M, 1, GIB + SIZE_2M), -EHWPOISON);
	assert_int_equal(machines[GUEST].value, LARGE_GPA + GIB + SIZE_2M + PAGE_SIZE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_size_is_shown_to_all),
		TEST(what_is_not_aligned_is_refused),
		TEST(memory_that_is_not_one_page),
		TEST(overlaps),
		TEST(a_part_of_2m_goes),
		TEST(a_part_of_1g_goes),
		TEST(a_part_of_a_run_goes),
		TEST(no_memory_for_a_split),
		TEST(a_gift_of_2m_in_a_hole),
		TEST(a_gift_of_1g_in_a_hole),
		TEST(a_gift_of_2m_in_a_page_of_1g),
		TEST(tables_count_as_pins),
		TEST(a_gift_of_2m),
		TEST(a_gift_of_1g),
		TEST(a_gift_comes_again),
		TEST(a_place_that_is_not_aligned),
		TEST(the_end_of_the_export),
		TEST(costs),
		TEST(a_page_of_2m_fails),
		TEST(a_page_of_1g_fails),
		TEST(a_page_of_a_gift_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
