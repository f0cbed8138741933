// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds every page of every slot, in every variant, and checks it. The build stops if one page is
 * not safe, so no module exists without the proof. A build without this program compares the pages
 * with pages.sha256 instead (pages.c).
 *
 * What is checked for each slot, and what a fault there would mean:
 *
 *   gate-in, gate-out   gate_check() follows the code from every byte (check.c). In these pages the
 *                       list is writable. A fault could give a guest any EPT, and so the host.
 *   sub stubs           There is one page for each mode and for each set of flags that changes the
 *                       code. A second VMFUNC would let the manager's code arrive in default at a
 *                       place that the guest's page does not expect.
 *   guest stubs         There is one page for each mode and for all 32 sets of flags. Code at a
 *                       place where the manager can arrive would run with the manager's registers.
 *
 * Only one byte of the gates' code differs between slots: sub's index in gate-in. All slots are
 * checked nevertheless, because a guest may enter at this byte, and then it is an opcode.
 *
 * The host and the guest build the same pages at run time, from the same gate_page.c. No input of
 * theirs is missing here except the entry pointer. check_stubs() takes the worst pointer.
 */
#include <stdio.h>

#include "check.h"

static int fail(const char *page, unsigned int slot, const char *why)
{
	fprintf(stderr, "check_gate: %s of slot %u: %s\n", page, slot, why);
	return -1;
}

/* Checks the slot's stubs in all variants. */
static int check_stubs(unsigned int slot)
{
	/* this pointer's bytes are a VMFUNC themselves: a manager can choose no worse one */
	const __u64 entry = 0xd4010fULL << 16;
	__u8 page[ELISA_PAGE_SIZE];
	unsigned int mode, flags, call;
	char why[256];

	for (mode = ELISA_MODE_STRICT; mode <= ELISA_MODE_TRUSTED; mode++) {
		for (flags = 0; flags < ELISA_SUB_STUBS; flags++) {
			elisa_sub_stub_build(page, slot, mode, elisa_sub_stub_flags(flags), entry);
			if (sub_stub_check(page, slot, mode, why, sizeof(why)))
				return fail("sub stub", slot, why);
		}
		for (flags = 0; flags < 32; flags++) {
			call = elisa_guest_stub_build(page, slot, mode, flags);
			if (guest_stub_check(page, slot, mode, call, why, sizeof(why)))
				return fail("guest stub", slot, why);
		}
	}
	return 0;
}

int main(void)
{
	static struct gate_pages pages;
	char why[256];

	for (pages.slot = 0; pages.slot < ELISA_SLOTS; pages.slot++) {
		elisa_gate_in_build(pages.in, pages.slot);
		elisa_gate_out_build(pages.out, pages.slot);
		if (gate_check(&pages, why, sizeof(why)) < 0) {
			fprintf(stderr, "check_gate: %s\n", why);
			return 1;
		}
		if (check_stubs(pages.slot))
			return 1;
	}
	printf("check_gate: %u slots, every byte offset, 64-bit and compatibility mode: safe\n",
	       ELISA_SLOTS);
	return 0;
}
