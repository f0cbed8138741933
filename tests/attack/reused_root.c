// SPDX-License-Identifier: Apache-2.0
/*
 * A process gets the page-table root that an ended process had.
 *
 * The attack would succeed if the new process could use the old one's attachment. It would also
 * succeed if translations of a process, global ones among them, were used in a gate or in sub. The
 * test counts in two objects, and puts HLT at global pages that gate and sub must not execute.
 */
#include <errno.h>
#include <string.h>
#include "attack.h"

#define GLOBAL 0x100

static struct vm *manager, *guest;

static uint32_t attach_as(const char *name, uint64_t root)
{
	uint32_t slot;

	CHECK_EQ(attach_root_try(guest, name, 0, root), 0);
	slot = guest->page->attach.slot;
	map_stub(guest, slot, ELISA_MODE_STRICT, ELISA_STUB_TRUSTING);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	return slot;
}

static void run_as(uint64_t root)
{
	struct kvm_regs regs = {.rdi = root};

	CHECK_EQ(run_at(guest, 0, 0, kernel_code(load_cr3), &regs).exit, 0);
}

static uint64_t *entry_of(uint64_t address)
{
	uint64_t table = ROOT;
	int level;

	for (level = 4; level > 1; level--)
		table = vm_u64(guest, table)[address >> (12 + 9 * (level - 1)) & 511] & ~0xfffULL;
	return vm_u64(guest, table) + (address >> 12 & 511);
}

static void next_process(unsigned long i)
{
	uint64_t a = vm_u64(manager, OBJECT + PAGE_SIZE)[0];
	uint32_t slot = attach_as(i % 2 ? "t.a" : "t.b", ROOT_OTHER);
	struct outcome out;

	/*
	 * The process of ROOT_OTHER is attached. The process of ROOT is running and has no right to
	 * this slot.
	 */
	out = call(guest, 0, slot, DO_COUNT, 0, 0);
	attack_try(out.exit == FAULT(UD), "another process: exit %#x, error %ld", out.exit,
		   out.error);
	run_as(ROOT_OTHER);
	out = call(guest, 0, slot, DO_COUNT, 0, 0);
	attack_try(!out.exit && !out.error, "the process: exit %#x, error %ld", out.exit,
		   out.error);
	attack_try(vm_u64(manager, OBJECT + PAGE_SIZE)[0] == a + i % 2, "which object?");
	/* The process ends. The next process gets the same root and tries the old slot. */
	CHECK_EQ(detach(guest, 0, slot), 0);
	out = call(guest, 0, slot, DO_COUNT, 0, 0);
	attack_try(out.exit == FAULT(UD), "the old slot: exit %#x, error %ld", out.exit, out.error);
	attack_try(vm_u64(manager, OBJECT + PAGE_SIZE)[0] == a + i % 2, "the function ran");
	run_as(ROOT);
}

/*
 * The caller's mappings of the code page and of the object's addresses are global. Gate and sub
 * must not use these translations.
 */
static void global_pages(uint32_t slot)
{
	uint8_t *stub = guest->memory + USER_CODE + 0x10000 + slot * PAGE_SIZE;
	uint64_t *entry = entry_of(code_page(slot)), before = *object_data(manager);
	struct outcome out;
	int i;

	map_user(guest, ELISA_OBJECT_BASE, USER_DATA);
	map_user(guest, ELISA_OBJECT_BASE + PAGE_SIZE, USER_DATA);
	*entry_of(ELISA_OBJECT_BASE) |= GLOBAL;
	*entry_of(ELISA_OBJECT_BASE + PAGE_SIZE) |= GLOBAL;
	*entry |= GLOBAL;
	/* HLT, which gate and sub must not execute */
	memset(guest->memory + USER_DATA, 0xf4, PAGE_SIZE);
	for (i = 0; i < 20; i++) {
		run_as(i % 2 ? ROOT : ROOT_OTHER);
		run_as(ROOT);
		out = call(guest, 0, slot, DO_COUNT, 0, 0);
		attack_try(!out.exit && !out.error && out.value == (long)before + i + 1,
			   "global: exit %#x, error %ld, value %ld", out.exit, out.error,
			   out.value);
		/* in default the address is the process's own page again */
		out = run_at(guest, 0, 3, ELISA_OBJECT_BASE, &(struct kvm_regs){0});
		attack_try(out.exit == FAULT(GP), "default runs the object: exit %#x", out.exit);
		attack_try(stub[0] == 0xcc, "the stub changed");
	}
}

int main(void)
{
	unsigned long i, count = attack_scale(100);
	uint32_t slot;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_at(manager, "t.b", ELISA_EXPORT_GENERAL_REGS, 0, OBJECT + 0x10000);
	export_new(manager, "t.a", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.a", ELISA_STUB_TRUSTING, 0);
	for (i = 0; i < count; i++)
		next_process(i);
	global_pages(slot);
	return 0;
}
