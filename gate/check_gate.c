// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds every page of every slot, in every variant, and checks it. The build stops if one page is
 * not safe, so no module exists without the proof. A build without this program compares the pages
 * with pages.sha256 instead (pages.c).
 */
#include <stdio.h>

#include "check.h"

static int fail(const char *page, unsigned int slot, const char *why)
{
	fprintf(stderr, "check_gate: %s of slot %u: %s\n", page, slot, why);
	return -1;
}

static int check_stubs(unsigned int slot)
{
	/* A pointer that is itself a VMFUNC: the worst that a manager can choose. */
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
