// SPDX-License-Identifier: Apache-2.0
/*
 * Random and mutated hypercalls from ring 0, VMCALLs with random registers from ring 3, before,
 * during and after attach, from a VM that may export and attach. The host answers each, no memory
 * but the hypercall's page changes, and a bystander's attachment works on.
 */
#include <errno.h>
#include <string.h>
#include "attack.h"

static uint64_t state = 88172645463325252;

static uint64_t random_u64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t one_of(const uint64_t *values, unsigned int count)
{
	uint64_t r = random_u64();

	return r % 16 ? values[(r >> 8) % count] : random_u64();
}
#define ONE_OF(...) one_of((const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / 8)

static struct vm *vm;
static uint32_t last_id = 1;

/* A request that could be right, often with something wrong in it. */
static void make_request(struct elisa_hc_page *page)
{
	static const char *const names[] = {"r.a", "r.b", "r.c", "t.bystander", "", "r.\xff"};
	uint32_t id = random_u64() % 4 ? last_id : random_u64() % 64;
	const char *name = names[random_u64() % 6];
	unsigned int i, n;

	memset(page, 0, PAGE_SIZE);
	page->call = ONE_OF(1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0,
			    ELISA_HC_COUNT);
	switch (page->call) {
	case ELISA_HC_HELLO:
		page->hello.abi = ONE_OF(ELISA_ABI_VERSION, 0);
		break;
	case ELISA_HC_EXPORT_CREATE:
		strcpy(page->export_.name, name);
		page->export_.flags = ONE_OF(0, 1, 2, 4, 5, 7, 8, 16, 17, 31, 32);
		page->export_.ticket[0] = ONE_OF(0, 0, 1);
		page->export_.limit_us = ONE_OF(0, 1, 5000, ~0U);
		break;
	case ELISA_HC_EXPORT_MAP:
		page->map.id = id;
		page->map.prot = ONE_OF(1, 3, 5, 7);
		page->map.offset =
			ONE_OF(0, 0x1000, 0x1ff000, 0x3ffff000, ELISA_OBJECT_SIZE - 0x1000);
		page->map.count = ONE_OF(1, 2, 3, 448, 0, 449);
		page->map.order = ONE_OF(0, 0, 9, 18, 1);
		for (i = 0; i < ELISA_HC_MAP_PAGES; i++)
			page->map.gpa[i] = ONE_OF(OBJECT, OBJECT + 0x1000, 0, HYPERCALL_PAGE, ROOT,
						  MEMORY_SIZE - 0x1000, MEMORY_SIZE, 0xfee00000);
		break;
	case ELISA_HC_EXPORT_UNMAP:
		page->unmap.id = id;
		page->unmap.offset = ONE_OF(0, 0x1000, 0x1ff000, 0x3ffff000);
		page->unmap.count = ONE_OF(1, 2, 3, 448, 0, 1ULL << 52);
		break;
	case ELISA_HC_EXPORT_PUBLISH:
		page->publish.id = id;
		page->publish.entry = ONE_OF(0, 0x10, 0x1000, 0x1ff000);
		break;
	case ELISA_HC_EXPORT_DESTROY:
		page->destroy.id = id;
		break;
	case ELISA_HC_ATTACH:
		strcpy(page->attach.name, name);
		page->attach.root = ONE_OF(ROOT, ROOT_OTHER, 0x900000, 0, 1ULL << 38);
		page->attach.user_cs = ONE_OF(USER_CS, USER_CS, 8);
		page->attach.user_ss = ONE_OF(USER_SS, USER_SS, 0);
		page->attach.exchange_pages = ONE_OF(0, 1, 3, 256, 257);
		for (i = 0; i < ELISA_EXCHANGE_MAX_PAGES; i++)
			page->attach.exchange[i] = OBJECT + 0x100000 + i * PAGE_SIZE;
		break;
	case ELISA_HC_EXPORT_PLACES:
		page->places.id = id;
		page->places.count = ONE_OF(1, 4, 256, 257, 0);
		page->places.offset = ONE_OF(1ULL << 30, 0, 0x1ff000, 0x1001, ~0xfffULL);
		page->places.size = ONE_OF(1, 8, 0, 1ULL << 24, 1ULL << 52);
		break;
	case ELISA_HC_EXPORT_TICKET:
		page->ticket.id = id;
		page->ticket.place = ONE_OF(0, 1, 3, 4, 255, 256, ~0u);
		page->ticket.ticket[0] = random_u64() % 3;
		break;
	case ELISA_HC_DONATE:
		page->donate.slot = ONE_OF(0, 1, 63, 64);
		page->donate.count = ONE_OF(1, 2, 448, 449, 0);
		page->donate.order = ONE_OF(0, 0, 0, 9, 18, 1);
		for (i = 0; i < ELISA_HC_DONATE_PAGES; i++)
			page->donate.gpa[i] = OBJECT + 0x100000 + i * PAGE_SIZE;
		break;
	case ELISA_HC_DOORBELL:
		page->doorbell.gsi = ONE_OF(ELISA_NO_DOORBELL, 5, 0, 23, 24, 1u << 31);
		break;
	case ELISA_HC_DETACH:
		page->detach.slot = ONE_OF(0, 1, 2, 63, 64);
		break;
	case ELISA_HC_EVICT:
		page->evict.id = id;
		page->evict.attachment = ONE_OF(0, 1, 2, 3, random_u64() % 1000, ~0ULL);
		break;
	}
	for (n = random_u64() % 4 ? 0 : random_u64() % 8; n; n--)
		((uint8_t *)page)[random_u64() % (random_u64() % 2 ? 256 : PAGE_SIZE)] ^=
			1 << random_u64() % 8;
}

static void from_ring_0(void)
{
	uint64_t gpa = random_u64() % 32 ?
			       HYPERCALL_PAGE :
			       ONE_OF(0, ~0xfffULL, 0xfee00000, HYPERCALL_PAGE + 1, ROOT_OTHER);
	struct elisa_hc_page *page = vm->page;
	int r;

	make_request(page);
	r = hypercall_raw(vm, 0, 0, gpa, NULL);
	attack_try(r <= 0 && r > -4096 && r != -ENODEV, "answer %d", r);
	if (!r && page->call == ELISA_HC_EXPORT_CREATE && gpa == HYPERCALL_PAGE)
		last_id = page->export_.id;
	if (gpa == HYPERCALL_PAGE)
		attack_try(page->why < ELISA_WHY_COUNT && (r || !page->why), "why %u of %d",
			   page->why, r);
	/* calls through whatever is attached now, and without */
	if (random_u64() % 8 == 0) {
		struct kvm_regs regs = {.rcx = ELISA_INDEX_GATE_IN(random_u64() % 2),
					.rsp = USER_STACK - 64,
					.rflags = 0x200};
		struct outcome out;

		vm_u64(vm, USER_STACK - 64)[1] = user_code(user_out);
		out = run_at(vm, 0, 3, user_code(user_vmfunc), &regs);
		attack_try(out.exit == FAULT(UD) || (!out.exit && out.error < 0),
			   "VMFUNC: exit %#x, error %ld", out.exit, out.error);
	}
}

static void from_ring_3(void)
{
	struct kvm_regs regs = {.rax = ONE_OF(ELISA_HC_RAX, 1, 5, 9, 10, 12),
				.rbx = ONE_OF(ELISA_HC_MAGIC, 0, ~0ULL),
				.rcx = ONE_OF(HYPERCALL_PAGE, 0),
				.rdx = random_u64(),
				.rsi = random_u64()};
	uint64_t rbx = regs.rbx;
	struct outcome out;

	make_request(vm->page);
	out = run_at(vm, 0, 3, user_code(user_vmcall), &regs);
	attack_try(!out.exit && out.value == -EPERM && out.regs.rbx == rbx,
		   "VMCALL from ring 3: exit %#x, %ld", out.exit, out.value);
}

int main(void)
{
	struct pair bystander =
		attack_pair("t.bystander", ELISA_EXPORT_GENERAL_REGS, 0, ELISA_STUB_TRUSTING, 1, 1);
	unsigned long i, count = attack_scale(30000);
	uint64_t canary;

	vm = vm_new(1);
	mask_pic(vm);
	/* where calls that are ended come back to; the harness keeps one kind of stub a slot */
	map_stub(vm, 0, ELISA_MODE_STRICT, ELISA_STUB_TRUSTING);
	map_stub(vm, 1, ELISA_MODE_STRICT, ELISA_STUB_TRUSTING);
	canary = MEMORY_SIZE - 0x2000;
	*vm_u64(vm, canary) = 0xca11;
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "r.*", 2000) > 0);
	for (i = 0; i < count; i++) {
		from_ring_0();
		if (i % 4 == 0)
			from_ring_3();
		if (i % 256 == 0)
			attack_try(attack_pair_works(&bystander), "the bystander's call failed");
		if (i % 64 == 0)
			attack_try(*vm_u64(vm, canary) == 0xca11, "memory was written");
	}
	attack_try(attack_pair_works(&bystander), "the bystander's call failed");
	vm_free(vm);
	return 0;
}
