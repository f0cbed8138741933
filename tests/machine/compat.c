// SPDX-License-Identifier: Apache-2.0
/* VMFUNC from 32-bit code of the attached process, which can jump there at any time: the host and the
 * VM live, and the caller learns of it in 64-bit code. */
#include <string.h>
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "harness.h"

static struct vm *manager, *guest;
static uint32_t slot;

static struct outcome from_32_bit_code(uint32_t index)
{
	struct kvm_regs regs = {.rcx = index, .rflags = 0x202};
	struct kvm_sregs sregs;
	struct outcome out;

	memcpy(guest->memory + USER_DATA, "\x0f\x01\xd4\xcc", 4);
	start_at(guest, 0, 3, USER_DATA, &regs);
	/* what the stub's end takes from the stack: RBP, and where to go on */
	*vm_u64(guest, USER_STACK - 16) = 0;
	*vm_u64(guest, USER_STACK - 8) = user_code(user_out);
	regs.rsp = USER_STACK - 16;
	regs.rip = USER_DATA;
	CHECK(!ioctl(guest->vcpu[0], KVM_SET_REGS, &regs));
	sregs = get_sregs(guest, 0);
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	CHECK_EQ(set_sregs(guest, 0, &sregs), 0);
	out = finish(guest, 0);
	CHECK(out.exit != KVM_EXIT_FAIL_ENTRY);
	CHECK(out.exit != KVM_EXIT_SHUTDOWN);
	CHECK_EQ(get_sregs(guest, 0).cs.l, out.exit ? get_sregs(guest, 0).cs.l : 1);
	return out;
}

int main(void)
{
	struct outcome out;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.compat", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.compat", ELISA_STUB_TRUSTING, 0);
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, 1);

	out = from_32_bit_code(ELISA_INDEX_GATE_IN(slot));
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.value, 0);
	CHECK_EQ(out.error, ELISA_CALL_FAULT);
	out = from_32_bit_code(ELISA_INDEX_GATE_OUT(slot));
	CHECK_EQ(out.exit, 0);
	CHECK(out.error);
	CHECK_EQ(from_32_bit_code(ELISA_INDEX_SUB(slot)).exit, FAULT(UD));
	/* to default: nothing happens, and the next byte is INT3 */
	CHECK_EQ(from_32_bit_code(0).exit, FAULT(BP));
	CHECK_EQ(call(guest, 0, slot, DO_COUNT, 0, 0).value, 2);
	printf("compat: from 32-bit code no way leads in, and the VM goes on\n");
	return 0;
}
