// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer target of the host module's hypercalls: sequences of hostile pages from two VMs, with
 * failing allocations, vCPUs that go, and grants that are taken back. Fields that say which export,
 * offset, page or root are drawn from few values, so that requests meet. No crash, no leak, no
 * lock or reference out of order (kernel.h, host_end()):
 *   build/fuzz/tests/host/fuzz_hypercall -max_len=4096 -len_control=0
 */
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static u64 take(struct input *input, unsigned int bytes)
{
	u64 value = 0;

	for (; bytes && input->left; bytes--, input->left--)
		value = value << 8 | *input->at++;
	return value;
}

/* Usually one of few, sometimes anything. */
static u64 choose(struct input *input, const u64 *values, unsigned int count)
{
	u64 n = take(input, 1);

	return n < 240 ? values[n % count] : take(input, 8);
}

static const u64 offsets[] = {0,
			      0x1000,
			      0x2000,
			      0x1ff000,
			      0x200000,
			      0x3ffff000,
			      0x40000000,
			      ELISA_OBJECT_SIZE - 0x2000,
			      ELISA_OBJECT_SIZE - 0x1000,
			      ELISA_OBJECT_SIZE};
static const u64 counts[] = {1, 2, 3, 8, 0, 200, ELISA_HC_MAP_PAGES, 512, 0x40000};
static const u64 names[] = {0x61, 0x62, 0x63, 0x6162};
static const u64 gpas[] = {GPA(1),	   GPA(2),	 GPA(3),	  GPA(READ_ONLY),
			   GPA(DIRTY_LOG), GPA(NO_SLOT), GPA(INTERNAL),	  GPA(FILE_BACKED),
			   GPA(DEVICE),	   GPA(TMPFS),	 GPA(UNPINNABLE), 0,
			   GPA(900),	   GPA(4) + 1};
/* of large pages; the last of them of none */
static const u64 large_gpas[] = {LARGE_GPA,
				 LARGE_GPA + 0x200000,
				 LARGE_GPA + 0x40000000,
				 LARGE_GPA + 0x40200000,
				 LARGE_GPA + 0x40201000,
				 GPA(0x100)};
static const u64 orders[] = {0, 0, ELISA_ORDER_2M, ELISA_ORDER_1G, 1};
static const u64 roots[] = {0x1000, 0x2000, 0x7ffff000, 0x80000000, 0, 1ULL << 40};
static const u64 prots[] = {1, 3, 5, 7};
static const u64 small[] = {0, 1, 2, 3, 4, 63, 64};

#define CHOOSE(input, values) choose(input, values, sizeof(values) / sizeof(*(values)))

static void fill_gpas(struct input *input, __u64 *to, unsigned int room, u64 count, u64 order)
{
	for (u64 i = 0; i < count && i < room; i++)
		if (order)
			to[i] = i < 4 ? CHOOSE(input, large_gpas) : LARGE_GPA + i * 0x200000;
		else
			to[i] = i < 4 ? CHOOSE(input, gpas) : GPA(8 + i);
}

static void fill(struct input *input, struct elisa_hc_page *page, u32 call, u32 last)
{
	u64 name = CHOOSE(input, names);
	u32 id = take(input, 1) % 8 ? last - take(input, 1) % 4 : take(input, 4);

	memset(page, 0, sizeof(*page));
	switch (call) {
	case ELISA_HC_HELLO:
		page->hello.abi = take(input, 1);
		break;
	case ELISA_HC_EXPORT_CREATE:
		memcpy(page->export_.name, &name, sizeof(name));
		page->export_.flags = take(input, 1) % 64;
		page->export_.ticket[31] = take(input, 1) % 4;
		page->export_.limit_us = take(input, 1);
		break;
	case ELISA_HC_EXPORT_MAP:
		page->map.id = id;
		page->map.offset = CHOOSE(input, offsets);
		page->map.count = CHOOSE(input, counts);
		page->map.prot = CHOOSE(input, prots);
		page->map.order = CHOOSE(input, orders);
		fill_gpas(input, page->map.gpa, ELISA_HC_MAP_PAGES, page->map.count,
			  page->map.order);
		break;
	case ELISA_HC_EXPORT_UNMAP:
		page->unmap.id = id;
		page->unmap.offset = CHOOSE(input, offsets);
		page->unmap.count = CHOOSE(input, counts);
		break;
	case ELISA_HC_EXPORT_PUBLISH:
		page->publish.id = id;
		page->publish.entry = CHOOSE(input, offsets);
		break;
	case ELISA_HC_EXPORT_DESTROY:
		page->destroy.id = id;
		break;
	case ELISA_HC_ATTACH:
		request_attach(page, "", CHOOSE(input, roots), 0);
		memcpy(page->attach.name, &name, sizeof(name));
		page->attach.ticket[31] = take(input, 1) % 4;
		page->attach.exchange_pages = CHOOSE(input, counts);
		fill_gpas(input, page->attach.exchange, ELISA_EXCHANGE_MAX_PAGES,
			  page->attach.exchange_pages, 0);
		break;
	case ELISA_HC_EXPORT_PLACES:
		page->places.id = id;
		page->places.count = CHOOSE(input, counts);
		page->places.offset = CHOOSE(input, offsets);
		page->places.size = CHOOSE(input, counts);
		break;
	case ELISA_HC_EXPORT_TICKET:
		page->ticket.id = id;
		page->ticket.place = CHOOSE(input, small);
		page->ticket.ticket[31] = take(input, 1) % 4;
		break;
	case ELISA_HC_DONATE:
		page->donate.slot = CHOOSE(input, small);
		page->donate.count = CHOOSE(input, counts);
		page->donate.order = CHOOSE(input, orders);
		fill_gpas(input, page->donate.gpa, ELISA_HC_DONATE_PAGES, page->donate.count,
			  page->donate.order);
		break;
	case ELISA_HC_DOORBELL:
		page->doorbell.gsi = take(input, 1) % 32;
		break;
	case ELISA_HC_DETACH:
		page->detach.slot = CHOOSE(input, small);
		break;
	case ELISA_HC_EVICT:
		page->evict.id = id;
		page->evict.attachment = CHOOSE(input, small);
		break;
	}
	/* and bytes that no field asked for */
	for (u64 n = take(input, 1); n > 250; n--)
		page->page[take(input, 2) % sizeof(page->page)] = take(input, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct elisa_hc_page page;
	u32 grants[4], last = 0;

	host_start();
	host_large_memory(MANAGER);
	host_large_memory(GUEST);
	for (int i = 0; i < 4; i++) {
		bool both = i == 3;

		grants[i] = host_grant(i % 2 || both ? GUEST : MANAGER,
				       both  ? ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH :
				       i % 2 ? ELISA_GRANT_ATTACH :
					       ELISA_GRANT_EXPORT |
						       (i ? ELISA_GRANT_TRUSTED_MANAGER : 0),
				       i < 2 ? "a*" : "*", i < 2 ? 500 : LARGE_PAGES);
	}
	while (input.left) {
		u32 what = take(&input, 1), call = take(&input, 1) % (ELISA_HC_COUNT + 1);
		int machine = what & 1 ? GUEST : MANAGER;

		if (call == ELISA_HC_COUNT) {
			u64 n = take(&input, 1);

			if (n < 4)
				eh_grant_remove(grants[n]);
			else if (n == 4 && host_vcpu(machine)) {
				host_settle();
				eh_vcpu_gone(&machines[machine].vcpu);
			}
			shim_run_work();
			continue;
		}
		if (what >= 0xe0)
			shim_fail_after = take(&input, 1) % 32;
		fill(&input, &page, call, last);
		if (!host_call(machine, call, &page) && call == ELISA_HC_EXPORT_CREATE)
			last = page.export_.id;
		shim_fail_after = -1;
	}
	host_end();
	return 0;
}
