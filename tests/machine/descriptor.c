// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptor tables inside the window close VMFUNC.
 *
 * A CPU that reads a descriptor table in the window would read memory of sub during a call. The
 * guest's kernel loads such a table, or its VMM sets it between calls or during a call. Calls must
 * end with ELISA_CALL_CLOSED until the table is elsewhere again.
 */
#include <errno.h>
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define POINTER 0x5000 /* operand of LIDT and LGDT, in ring 0's memory */

static struct vm *manager, *guest;
static uint32_t slot;

static void load(const uint8_t *code, uint64_t base, uint16_t limit)
{
	struct kvm_regs regs = {.rdi = POINTER};

	memcpy(guest->memory + POINTER, &limit, 2);
	memcpy(guest->memory + POINTER + 2, &base, 8);
	CHECK_EQ(run_at(guest, 0, 0, kernel_code(code), &regs).exit, 0);
}

static void check_call(enum elisa_call_error error)
{
	struct outcome out = call(guest, 0, slot, DO_ADD, 1, 2);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, error);
	CHECK_EQ(out.value, error ? 0 : 3);
}

int main(void)
{
	/*
	 * in the exchange buffer, the object, the stub's page, the end of the window, and reaching
	 * into it
	 */
	const uint64_t places[] = {ELISA_WINDOW_BASE + ELISA_EXCHANGE_OFFSET,
				   ELISA_OBJECT_BASE + PAGE_SIZE, ELISA_WINDOW_BASE,
				   ELISA_WINDOW_BASE + ELISA_WINDOW_SIZE - 16,
				   ELISA_WINDOW_BASE - 0x800};
	struct kvm_sregs good, bad;
	uint64_t exits, closed;
	struct outcome out;
	unsigned int i, which;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.descriptor", ELISA_EXPORT_GENERAL_REGS, 1000000);
	slot = attach(guest, "t.descriptor", ELISA_STUB_TRUSTING, 1);
	check_call(ELISA_CALL_OK);
	good = get_sregs(guest, 0);
	exits = counter(ELISA_COUNT_DESC_EXITS);
	closed = counter(ELISA_COUNT_CLOSED);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		/* the guest's kernel loads the table */
		load(load_idt, places[i], 0xfff);
		check_call(ELISA_CALL_CLOSED);
		load(load_idt, IDT, 0xfff);
		check_call(ELISA_CALL_OK);
		load(load_gdt, places[i], 0x37);
		check_call(ELISA_CALL_CLOSED);
		load(load_gdt, GDT, 0x37);
		check_call(ELISA_CALL_OK);
		/* its VMM sets the table, between calls and during one */
		for (which = 0; which < 4; which++) {
			bad = good;
			*(which == 0 ? &bad.idt.base :
			  which == 1 ? &bad.gdt.base :
			  which == 2 ? &bad.tr.base :
				       &bad.ldt.base) = places[i];
			bad.ss = bad.ds;
			bad.cs = good.cs;
			CHECK_EQ(set_sregs(guest, 0, &bad), 0);
			out = call(guest, 0, slot, DO_COUNT, 0, 0);
			/* OUT faults without the TSS, so the guest cannot report */
			if (which != 2) {
				CHECK_EQ(out.exit, 0);
				CHECK_EQ(out.error, ELISA_CALL_CLOSED);
			}
			CHECK_EQ(set_sregs(guest, 0, &good), 0);
			check_call(ELISA_CALL_OK);
			wait_in_sub(guest, 0, slot, manager);
			CHECK_EQ(set_sregs(guest, 0, &bad), 0);
			let_go(manager);
			out = finish(guest, 0);
			CHECK(which == 2 || out.error == ELISA_CALL_CLOSED);
			CHECK_EQ(set_sregs(guest, 0, &good), 0);
			check_call(ELISA_CALL_OK);
		}
	}
	CHECK_EQ(*object_data(manager), 0);
	CHECK(counter(ELISA_COUNT_DESC_EXITS) >= exits + 4 * i);
	CHECK(counter(ELISA_COUNT_CLOSED) >= closed + 6 * i);
	printf("descriptor: IDT, GDT, LDT and TSS at %u places of the window: closed\n", i);
	return 0;
}
