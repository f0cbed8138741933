// SPDX-License-Identifier: Apache-2.0
/*
 * A function leaves sub by its own VMFUNC 0, with a stack pointer of its choice.
 *
 * The attack would succeed if an event were delivered to the guest on that stack, or if the guest
 * could enter sub again. The host must end the call on the caller's own stack. The test compares
 * RSP and the counter of #DB, and then tries VMFUNC to sub.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "../../gate/gate_page.h"
#include "harness.h"

/* xor eax, eax; xor ecx, ecx; push TF; popfq; vmfunc; hlt */
static const uint8_t single_step[] = {0x31, 0xc0, 0x31, 0xc9, 0x68, 0x02, 0x01,
				      0x00, 0x00, 0x9d, 0x0f, 0x01, 0xd4, 0xf4};
/* xor eax, eax; xor ecx, ecx; mov rsp, rdx; vmfunc; hlt, or jmp *rsi */
static const uint8_t escape[] = {0x31, 0xc0, 0x31, 0xc9, 0x48, 0x89, 0xd4, 0x0f, 0x01, 0xd4, 0xf4};
static const uint8_t jump[] = {0x31, 0xc0, 0x31, 0xc9, 0x48, 0x89, 0xd4, 0xff, 0xe6};

int main(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	struct kvm_regs regs = {.rcx = ELISA_INDEX_SUB(63), .rflags = 0x202};
	struct outcome out;
	uint32_t slot;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.escape", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.escape", 0 /* guarded */, 0);

	/*
	 * The trap of single-step comes after VMFUNC, in default. The host ends the call on the
	 * caller's stack.
	 */
	memcpy(manager->memory + OBJECT, single_step, sizeof(single_step));
	out = call(guest, 0, slot, 0, 0, 0);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_FORBIDDEN);
	CHECK_EQ(out.regs.rsp, USER_STACK);
	CHECK_EQ(seen(guest)->debugs, 0);

	/*
	 * The host must bring in the page tables of the address where the vCPU lands. An interrupt
	 * may come meanwhile.
	 */
	map_user(guest, ELISA_OBJECT_BASE + PAGE_SIZE, USER_DATA);
	CHECK(!madvise(guest->memory + guest->tables - PAGE_SIZE, PAGE_SIZE, MADV_DONTNEED));
	memcpy(manager->memory + OBJECT, escape, sizeof(escape));
	out = call(guest, 0, slot, 0, 0, 0x12345678);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, ELISA_CALL_FORBIDDEN);
	CHECK_EQ(out.regs.rsp, USER_STACK);

	/*
	 * An exception's handler and stack are in the EPT already, so that the next exception
	 * causes no exit.
	 */
	CHECK_EQ(run_at(guest, 0, 3, user_code(user_vmfunc), &regs).exit, FAULT(UD));
	/*
	 * A jump to the VMFUNC of sub's stub ends at an INT3 of the guest's stub. The guest's
	 * kernel handles it.
	 */
	memcpy(manager->memory + OBJECT, jump, sizeof(jump));
	out = call(guest, 0, slot, 0, code_page(slot) + ELISA_GATE_OUT_ENTRY(slot) - 3, 0x12345678);
	CHECK_EQ(out.exit, FAULT(BP));
	CHECK_EQ(out.at, code_page(slot) + ELISA_GATE_OUT_ENTRY(slot) + 1);
	/* the next exit has made sub's entry invalid */
	regs.rcx = ELISA_INDEX_SUB(slot);
	CHECK_EQ(run_at(guest, 0, 3, user_code(user_vmfunc), &regs).exit, FAULT(UD));

	memcpy(manager->memory + OBJECT, functions, functions_end - functions);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, 1);
	printf("escape: no event came on a stack of the function's choice\n");
	return 0;
}
