// SPDX-License-Identifier: Apache-2.0
/*
 * A guest enters gate-in and gate-out by VMFUNC at every byte of their page, with registers that
 * point at the EPTP list.
 *
 * The attack would succeed if this opened a way into sub. Host and VM must live, the vCPU must
 * return, trap or be aborted, and no other entry of the list may become valid. The test tries these
 * entries by VMFUNC, which must cause #UD.
 */
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

static struct vm *manager, *guest;
static uint8_t *page; /* the guest's page at the window's code page */
static uint32_t slot;

static struct outcome enter(uint32_t index, unsigned int offset, uint64_t hostile)
{
	struct kvm_regs regs = {.rcx = index,
				.rbx = hostile,
				.rdx = hostile,
				.rsi = hostile,
				.rdi = hostile,
				.rbp = hostile,
				.r8 = hostile,
				.r9 = hostile,
				.r10 = hostile,
				.r11 = hostile,
				.r12 = hostile,
				.r13 = hostile,
				.r14 = hostile,
				.r15 = hostile,
				.rsp = hostile,
				.rflags = 0x202};

	memset(page, 0xcc, PAGE_SIZE);
	memcpy(page + ELISA_ERROR_RETURN(slot), "\xe6\x10", 2); /* out %al, $0x10 */
	memcpy(page + ELISA_STRICT_RETURN(slot), "\xe6\x10", 2);
	memcpy(page + offset - 3, "\x0f\x01\xd4", 3);
	return run_at(guest, 0, 3, code_page(slot) + offset - 3, &regs);
}

/* Checks that sub's entry in the list and the free entries let no VMFUNC pass. */
static void check_list_shut(void)
{
	uint32_t indexes[] = {ELISA_INDEX_SUB(slot),
			      ELISA_INDEX_SUB(slot) + 1,
			      ELISA_INDEX_GATE_IN(slot) + 1,
			      ELISA_INDEX_GATE_OUT(slot) + 1,
			      1,
			      0x100,
			      511};
	struct kvm_regs regs = {0};
	unsigned int i;

	for (i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		regs.rcx = indexes[i];
		CHECK_EQ(run_at(guest, 0, 3, user_code(user_vmfunc), &regs).exit, FAULT(UD));
	}
}

int main(void)
{
	static const uint64_t targets[] = {ELISA_LIST_OFFSET + 8 * ELISA_INDEX_SUB(0),
					   ELISA_DATA_OFFSET + 0x800};
	unsigned int offset, i, side, returned[2] = {0}, aborted = 0, trapped = 0;
	uint32_t index[2];
	struct outcome out;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.entry", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.entry", ELISA_STUB_TRUSTING, 0);
	page = guest->memory + USER_CODE + 0x10000 + slot * PAGE_SIZE;
	index[0] = ELISA_INDEX_GATE_IN(slot);
	index[1] = ELISA_INDEX_GATE_OUT(slot);
	for (side = 0; side < 2; side++)
		for (offset = 3; offset <= PAGE_SIZE; offset++)
			for (i = 0; i < 2; i++) {
				/*
				 * most of the page is INT3: the second value is tried only where
				 * code is
				 */
				if (i && (offset < ELISA_STRICT_ENTRY(0) ||
					  offset > ELISA_STRICT_RETURN(0) + 3))
					continue;
				out = enter(index[side], offset,
					    code_page(slot) + targets[i] - ELISA_CODE_OFFSET);
				if (!out.exit &&
				    out.regs.rip == code_page(slot) + ELISA_STRICT_RETURN(slot))
					returned[side]++;
				else if (!out.exit)
					aborted++;
				else if (out.exit == FAULT(BP) || out.exit == FAULT(UD) ||
					 out.exit == FAULT(PF) || out.exit == FAULT(GP))
					trapped++;
				else if (out.exit == KVM_EXIT_IO && offset >= 0x601 &&
					 offset <= 0x604)
					continue; /* this VMFUNC overlaps the OUT */
				else
					printf("offset %#x of index %#x:\n", offset, index[side]);
				CHECK(!out.exit || out.exit >= FAULT(0));
				if (offset % 64 == 0 ||
				    (!out.exit && offset >= ELISA_STRICT_ENTRY(0) &&
				     offset <= ELISA_STRICT_RETURN(0)))
					check_list_shut();
			}
	printf("gate_entry: %u aborted, %u trapped, %u and %u returned (gate-in, gate-out)\n",
	       aborted, trapped, returned[0], returned[1]);
	CHECK(returned[1] > 0);
	CHECK_EQ(*object_data(manager), 0);
	map_stub(guest, slot, ELISA_MODE_STRICT, ELISA_STUB_TRUSTING);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, 1);
	return 0;
}
