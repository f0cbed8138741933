// SPDX-License-Identifier: Apache-2.0
/*
 * A manager's function reads and writes addresses all over the address space of sub.
 *
 * Writes may succeed in the object's data, the stack and the exchange buffer only. Reads may
 * succeed there, and in the code and the entry stub. Any other access must end the call with
 * ELISA_CALL_FAULT, which the test compares for each address.
 */
#include "attack.h"

#define EXCHANGE_PAGES 4

static struct pair pair;

enum {
	READ,
	WRITE
};

static bool allowed(uint64_t address, int how)
{
	const uint64_t slot = ELISA_WINDOW_BASE + pair.slot * ELISA_SLOT_SIZE;

	if (address - slot < PAGE_SIZE) /* the entry stub */
		return how == READ;
	if (address - ELISA_OBJECT_BASE < PAGE_SIZE)
		return how == READ;
	if (address - ELISA_OBJECT_BASE - PAGE_SIZE < PAGE_SIZE)
		return true;
	if (address - slot - ELISA_STACK_OFFSET < ELISA_STACK_PAGES * PAGE_SIZE)
		return true;
	return address - slot - ELISA_EXCHANGE_OFFSET < EXCHANGE_PAGES * PAGE_SIZE;
}

static void touch(uint64_t address, int how)
{
	struct outcome out =
		call(pair.guest, 0, pair.slot, how == READ ? DO_READ : DO_WRITE, address, 0x6b);

	attack_try(!out.exit && out.regs.rsp == USER_STACK &&
			   out.error == (allowed(address, how) ? ELISA_CALL_OK : ELISA_CALL_FAULT),
		   "%s of %#llx: exit %#x, error %ld", how == READ ? "read" : "write",
		   (unsigned long long)address, out.exit, out.error);
}

static void both(uint64_t address)
{
	touch(address, READ);
	/* the running call needs its return address */
	if (address != code_page(pair.slot) + ELISA_STACK_OFFSET + 3 * PAGE_SIZE - 16)
		touch(address, WRITE);
}

int main(void)
{
	const uint64_t far = attack_scale(100);
	uint64_t base, i;

	pair = attack_pair("t.writes", ELISA_EXPORT_GENERAL_REGS, 0, ELISA_STUB_TRUSTING,
			   EXCHANGE_PAGES, 1);
	/* every page around the areas of this slot, and one page of each area of all slots */
	for (i = 0; i < ELISA_SLOTS; i++) {
		base = ELISA_WINDOW_BASE + i * ELISA_SLOT_SIZE;
		both(base);
		both(base + ELISA_LIST_OFFSET + 8 * ELISA_INDEX_SUB(i));
		both(base + ELISA_DATA_OFFSET + ELISA_RSP_SLOT(i));
		both(base + ELISA_STACK_OFFSET);
		both(base + ELISA_EXCHANGE_OFFSET);
	}
	base = ELISA_WINDOW_BASE + pair.slot * ELISA_SLOT_SIZE;
	for (i = 0; i < 4 * far; i++) {
		both(base + i * PAGE_SIZE);
		both(base + ELISA_STACK_OFFSET + (i - 8) * PAGE_SIZE);
		both(base + ELISA_EXCHANGE_OFFSET + (i - 8) * PAGE_SIZE);
		both(ELISA_OBJECT_BASE + (i - 8) * PAGE_SIZE);
	}
	/* every 2 MiB of the slot, every GiB of the window and beyond, every entry of level 4 */
	for (i = 1; i < 5 * far; i++)
		both(base + i * 0x200000);
	for (i = 1; i < 6 * far; i++)
		both(ELISA_WINDOW_BASE - 0x800000000 + 0x1000 + i * 0x40000000 * (100 / far));
	for (i = 0; i < 512; i += 100 / far)
		both((i >= 256 ? 0xffffULL << 48 : 0) | i << 39 | 0x1000);
	both(USER_CODE);
	both(USER_STACK - 8);
	both(OBJECT);
	both(1ULL << 47);
	both(~0xfffULL);
	attack_try(attack_pair_works(&pair), "no call afterwards");
	return 0;
}
