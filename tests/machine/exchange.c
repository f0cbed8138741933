// SPDX-License-Identifier: Apache-2.0
/*
 * The exchange buffer consists of the guest's own pages, which the function sees at the slot's
 * fixed address.
 *
 * The function must reach all these pages and nothing beside them. It must not execute them, nor
 * see the buffer of another attachment. The test reads and writes at the edges of the buffer, from
 * both sides.
 */
#include "../../gate/gate_page.h"
#include "harness.h"

#define PAGES  5
#define BUFFER (OBJECT + 0x100000) /* the pages that attach() passes */

int main(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	uint64_t window, last = PAGES * PAGE_SIZE - 8;
	uint32_t slot, other;
	struct outcome out;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.none", ELISA_EXPORT_GENERAL_REGS, 0);
	export_new(manager, "t.exchange", ELISA_EXPORT_GENERAL_REGS, 0);
	other = attach(guest, "t.none", ELISA_STUB_TRUSTING, 0);
	slot = attach(guest, "t.exchange", ELISA_STUB_TRUSTING, PAGES);
	CHECK(slot != other);
	window = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE + ELISA_EXCHANGE_OFFSET;

	*vm_u64(guest, BUFFER) = 0x1111;
	*vm_u64(guest, BUFFER + last) = 0x2222;
	out = call(guest, 0, slot, DO_READ, window, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 0x1111);
	out = call(guest, 0, slot, DO_READ, window + last, 0);
	CHECK_EQ(out.value, 0x2222);
	out = call(guest, 0, slot, DO_WRITE, window + last, 0x3333);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(*vm_u64(guest, BUFFER + last), 0x3333);
	/* the guest changes the buffer between calls, and the function sees the change at once */
	*vm_u64(guest, BUFFER) = 0x4444;
	out = call(guest, 0, slot, DO_READ, window, 0);
	CHECK_EQ(out.value, 0x4444);

	out = call(guest, 0, slot, DO_READ, window + last + 8, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	out = call(guest, 0, slot, DO_READ, window - 8, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	out = call(guest, 0, slot, DO_JUMP, window, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	/* one attachment's function does not see another's buffer */
	out = call(guest, 0, other, DO_READ, window, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	CHECK_EQ(*vm_u64(guest, BUFFER + PAGES * PAGE_SIZE), 0);
	CHECK_EQ(*vm_u64(guest, BUFFER - 8), 0);
	printf("exchange: %d pages read and written by the function, nothing beside them\n", PAGES);
	return 0;
}
