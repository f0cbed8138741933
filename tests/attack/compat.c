// SPDX-License-Identifier: Apache-2.0
/*
 * VMFUNC from 32-bit and 16-bit code segments, with every index.
 *
 * The window is above 4 GiB, so a vCPU in these modes can execute no instruction of a gate. The
 * attack would succeed if the vCPU wrote the object or no later call worked. Instead the process
 * gets an error, and its VM lives.
 */
#include <string.h>
#include "attack.h"

#define CS_32 0x3b
#define CS_16 0x43

/*
 * ESI = index; RSP is given by the caller. A far jump leads from 64-bit code into the other
 * segment, which executes VMFUNC. A call that the host ends returns by the stub's error path to
 * [RSP + 8].
 */
CODE(switch_mode, "	ljmp *(%rbx)\n");
CODE(vmfunc_32, "	.code32\n"
		"	xor %eax, %eax\n"
		"	mov %esi, %ecx\n"
		"	vmfunc\n"
		"1:	out %al, $0x11\n"
		"	jmp 1b\n"
		"	.code64\n");
CODE(vmfunc_16, "	.code16\n"
		"	xor %eax, %eax\n"
		"	mov %esi, %ecx\n"
		"	vmfunc\n"
		"1:	out %al, $0x11\n"
		"	jmp 1b\n"
		"	.code64\n");

static struct kvm_sregs start; /* the vCPU in 64-bit code */

static struct outcome enter(const struct pair *pair, uint16_t cs, uint64_t at, uint32_t index)
{
	struct kvm_regs regs = {
		.rbx = USER_DATA, .rsi = index, .rsp = USER_STACK - 64, .rflags = 0x202};
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) target = {at, cs};

	CHECK_EQ(set_sregs(pair->guest, 0, &start), 0);
	memcpy(pair->guest->memory + USER_DATA, &target, sizeof(target));
	vm_u64(pair->guest, USER_STACK - 64)[0] = 0;
	vm_u64(pair->guest, USER_STACK - 64)[1] = user_code(user_out);
	return run_at(pair->guest, 0, 3, ATTACK_USER, &regs);
}

static void try_indexes(const struct pair *pair, uint16_t cs, uint64_t at)
{
	uint32_t index;
	struct outcome out;

	for (index = 0; index < 513; index++) {
		bool gate = index == ELISA_INDEX_GATE_IN(pair->slot) ||
			    index == ELISA_INDEX_GATE_OUT(pair->slot);

		out = enter(pair, cs, at, index);
		attack_try(!index ? out.exit == KVM_EXIT_IO && out.regs.rip < 1ULL << 32 :
			   gate	  ? out.exit >= FAULT(0) ||
					   (!out.exit && out.error == ELISA_CALL_FAULT) :
				  out.exit == FAULT(UD),
			   "CS %#x, index %#x: exit %#x, error %ld", cs, index, out.exit,
			   out.error);
		if (!gate)
			continue;
		CHECK_EQ(set_sregs(pair->guest, 0, &start), 0);
		attack_try(attack_pair_works(pair), "CS %#x: no call after index %#x", cs, index);
	}
}

int main(void)
{
	struct pair pair =
		attack_pair("t.compat", ELISA_EXPORT_GENERAL_REGS, 0, ELISA_STUB_TRUSTING, 0, 1);

	vm_u64(pair.guest, GDT)[CS_32 / 8] = 0x00cffb000000ffffULL;
	/* The segment's base is the address of the code, as offsets have only 16 bits. */
	vm_u64(pair.guest, GDT)[CS_16 / 8] = 0x008ffb000000ffffULL | (uint64_t)ATTACK_USER << 16;
	start = get_sregs(pair.guest, 0);
	start.gdt.limit = 0x4f;
	PLACE(pair.guest, ATTACK_USER, switch_mode);
	PLACE(pair.guest, ATTACK_USER + 0x100, vmfunc_32);
	PLACE(pair.guest, ATTACK_USER + 0x200, vmfunc_16);
	try_indexes(&pair, CS_16, 0x200);
	try_indexes(&pair, CS_32, ATTACK_USER + 0x100);
	CHECK_EQ(set_sregs(pair.guest, 0, &start), 0);
	attack_try(*object_data(pair.manager) == 0, "the object was written");
	attack_try(attack_pair_works(&pair), "no call afterwards");
	return 0;
}
