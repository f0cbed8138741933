// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stubs in sub and in default: a VMFUNC is at the designed places and nowhere else.
 *
 * These pages need no proof by paths. The EPTP list is not writable from default, nor from sub in
 * strict mode. What matters is where a VMFUNC can lead: the manager's code may jump anywhere in the
 * sub stub, and may execute VMFUNC itself. So the guest's stub is int3 wherever sub can arrive in
 * default. The sub stub holds only its own VMFUNC, apart from the entry pointer, which the manager
 * chose.
 */
#include <stdbool.h>
#include <stdio.h>

#include "check.h"

static bool is_vmfunc(const __u8 *bytes)
{
	return bytes[0] == 0x0f && bytes[1] == 0x01 && bytes[2] == 0xd4;
}

/*
 * Checks that the page has one VMFUNC, at `only`. With `pointer`, bytes of the entry pointer do not
 * count: the manager chooses them, and guest_stub_check() covers an arrival behind them.
 */
static int one_vmfunc(const __u8 *page, unsigned int only, bool pointer, char *why, size_t size)
{
	unsigned int offset;
	bool found = false;

	for (offset = 0; offset + 3 <= ELISA_PAGE_SIZE; offset++) {
		if (!is_vmfunc(page + offset))
			continue;
		found |= offset == only;
		if (offset == only || (pointer && offset + 3 > ELISA_ENTRY_POINTER &&
				       offset < ELISA_ENTRY_POINTER + 8))
			continue;
		snprintf(why, size, "a VMFUNC at %#x", offset);
		return -1;
	}
	if (!found) {
		snprintf(why, size, "no VMFUNC at %#x", only);
		return -1;
	}
	return 0;
}

int sub_stub_check(const __u8 *page, unsigned int slot, unsigned int mode, char *why, size_t size)
{
	return one_vmfunc(page,
			  mode == ELISA_MODE_STRICT ? ELISA_GATE_OUT_ENTRY(slot) - 3 :
						      ELISA_TRUSTED_VMFUNC(slot),
			  true, why, size);
}

/*
 * Checks the guest's stub. A manager's code can leave sub for default by any VMFUNC in the sub
 * page, and arrives behind it. The sub page has one VMFUNC by design, and the bytes of the entry
 * pointer can be another one. In strict mode the guest's page must have int3 at both places. In
 * trusted mode the designed place is the return itself.
 */
int guest_stub_check(const __u8 *page, unsigned int slot, unsigned int mode, unsigned int call,
		     char *why, size_t size)
{
	const bool strict = mode == ELISA_MODE_STRICT;
	const unsigned int entry = strict ? ELISA_STRICT_ENTRY(slot) : ELISA_TRUSTED_ENTRY(slot);
	const unsigned int back = strict ? ELISA_STRICT_RETURN(slot) : ELISA_TRUSTED_RETURN(slot);
	unsigned int offset;

	if (one_vmfunc(page, entry - 3, false, why, size))
		return -1;
	if (call < ELISA_XRSTOR_IMAGE + ELISA_XRSTOR_IMAGE_SIZE) {
		snprintf(why, size, "the code at %#x overlaps the XRSTOR image", call);
		return -1;
	}
	for (offset = ELISA_ENTRY_POINTER - 16; offset < ELISA_PAGE_SIZE; offset++)
		if (page[offset] != 0xcc) {
			snprintf(why, size, "not filler at %#x", offset);
			return -1;
		}
	for (offset = entry; offset < back; offset++)
		if (page[offset] != 0xcc) {
			snprintf(why, size, "not filler at %#x", offset);
			return -1;
		}
	if (page[back] == 0xcc || page[ELISA_ERROR_RETURN(slot)] == 0xcc ||
	    page[ELISA_ERROR_RETURN(slot) - 1] != 0xcc) {
		snprintf(why, size, "a return path is missing or overwritten");
		return -1;
	}
	return 0;
}
