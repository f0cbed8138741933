// SPDX-License-Identifier: Apache-2.0
/*
 * Hostile code of a manager jumps to every byte of the code page in sub, with registers of its
 * choice. A guest also tries to enter sub from default at every byte.
 *
 * The attack would succeed if the caller went on with another stack without an error, or if sub's
 * entry in the list stayed valid. The test checks RSP or the fault's address, and tries VMFUNC to
 * sub, which must cause #UD.
 */
#include "attack.h"

/*
 * RDX points to struct registers. The code loads the registers, RSP first, and jumps to the first
 * word by RET.
 */
CODE(jump, "	mov %rsi, %rdi\n" /* DO_JUMP's a1 is this code's address */
	   "	mov %rdx, %rax\n"
	   "	mov 8(%rax), %rsp\n"
	   "	mov 16(%rax), %rcx\n"
	   "	mov 24(%rax), %rdx\n"
	   "	mov %rdx, %rbx\n"
	   "	mov %rdx, %rsi\n"
	   "	mov %rdx, %rdi\n"
	   "	mov %rdx, %rbp\n"
	   "	mov %rdx, %r8\n"
	   "	mov %rdx, %r9\n"
	   "	mov %rdx, %r10\n"
	   "	mov %rdx, %r11\n"
	   "	mov %rdx, %r12\n"
	   "	push (%rax)\n"
	   "	xor %eax, %eax\n"
	   "	ret\n");
#define REGISTERS (ELISA_OBJECT_BASE + PAGE_SIZE + 0x100)

struct registers {
	uint64_t at, rsp, rcx, others;
};

static bool sub_is_shut(const struct pair *pair)
{
	struct kvm_regs regs = {.rcx = ELISA_INDEX_SUB(pair->slot), .rflags = 0x200};

	return run_at(pair->guest, 0, 3, user_code(user_vmfunc), &regs).exit == FAULT(UD);
}

static void from_sub(const struct pair *pair, unsigned int offset, const struct registers *values)
{
	struct registers *to = (struct registers *)(object_data(pair->manager) + 0x100 / 8);
	struct outcome out;

	*to = *values;
	to->at = code_page(pair->slot) + offset;
	/* RET takes the address from the stack, so the manager uses a writable stack of its own. */
	out = call(pair->guest, 0, pair->slot, DO_JUMP, ATTACK_FUNCTION, REGISTERS);
	attack_try((!out.exit && out.regs.rsp == USER_STACK) || out.exit == FAULT(BP) ||
			   out.exit == FAULT(PF),
		   "offset %#x: exit %#x, error %ld, RSP %#llx", offset, out.exit, out.error,
		   (unsigned long long)out.regs.rsp);
	/*
	 * The manager's own VMFUNC 0 leads to a fault in default. The fault must be in the window.
	 */
	if (out.exit)
		attack_try(out.at - ELISA_WINDOW_BASE < ELISA_WINDOW_SIZE,
			   "offset %#x: fault at %#llx", offset, (unsigned long long)out.at);
}

static void from_default(const struct pair *pair, unsigned int offset)
{
	uint8_t *page = pair->guest->memory + USER_CODE + 0x10000 + pair->slot * PAGE_SIZE;
	struct kvm_regs regs = {.rcx = ELISA_INDEX_SUB(pair->slot), .rflags = 0x200};
	struct outcome out;

	page[offset - 3] = 0x0f;
	page[offset - 2] = 0x01;
	page[offset - 1] = 0xd4;
	out = run_at(pair->guest, 0, 3, code_page(pair->slot) + offset - 3, &regs);
	attack_try(out.exit == FAULT(UD), "sub from default at %#x: exit %#x", offset, out.exit);
}

int main(void)
{
	static const uint64_t others[] = {0, ELISA_WINDOW_BASE + ELISA_LIST_OFFSET + 0x80,
					  ELISA_WINDOW_BASE + ELISA_DATA_OFFSET + 0x581};
	struct pair pair =
		attack_pair("t.sub-stub", ELISA_EXPORT_GENERAL_REGS, 0, ELISA_STUB_TRUSTING, 1, 1);
	const uint32_t indexes[] = {ELISA_INDEX_GATE_OUT(pair.slot), 0,
				    ELISA_INDEX_GATE_IN(pair.slot), ELISA_INDEX_SUB(pair.slot)};
	const uint64_t stack = REGISTERS + 0x800;
	unsigned int offset, i, step = 100 / attack_scale(100);

	PLACE(pair.manager, OBJECT + ATTACK_OBJECT, jump);
	for (offset = 0; offset < PAGE_SIZE; offset += step)
		for (i = 0; i < 4; i++) {
			struct registers values = {0, stack, indexes[i], others[i % 3]};

			/* most bytes of the page are INT3 */
			if (i && (offset < ELISA_STRICT_ENTRY(0) ||
				  (offset > ELISA_STRICT_RETURN(0) + 64 && offset < 0xef0)))
				continue;
			from_sub(&pair, offset, &values);
			if (offset % 64 == 0)
				attack_try(sub_is_shut(&pair), "sub is open after %#x", offset);
		}
	attack_try(sub_is_shut(&pair), "sub is open");
	for (offset = 3; offset <= PAGE_SIZE; offset += step)
		from_default(&pair, offset);
	map_stub(pair.guest, pair.slot, ELISA_MODE_STRICT, ELISA_STUB_TRUSTING);
	attack_try(attack_pair_works(&pair), "no call afterwards");
	return 0;
}
