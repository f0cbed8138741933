// SPDX-License-Identifier: Apache-2.0
/*
 * A manager's function leaves sub by its own VMFUNC 0, at every address behind the functions of its
 * code page.
 *
 * The attack would succeed if the vCPU executed anything in default there, or if sub stayed open.
 * The process must fault at an address that default does not map, or the host ends the call. The
 * test compares the fault's address, and then makes calls and tries VMFUNC to sub.
 */
#include <string.h>
#include "attack.h"

static void leave_at(const struct pair *pair, unsigned int offset)
{
	uint8_t *page = pair->manager->memory + OBJECT;
	struct kvm_regs regs = {.rdi = DO_ATTACK,
				.rsi = ELISA_OBJECT_BASE + offset,
				.r8 = USER_STACK - 0x800,
				.r11 = stub_entry(pair->slot),
				.rflags = 0x200};
	uint8_t kept[3];
	struct outcome out;

	memcpy(kept, page + offset, 3);
	memcpy(page + offset, "\x0f\x01\xd4", 3);
	out = run_at(pair->guest, 0, 3, user_code(user_call), &regs);
	memcpy(page + offset, kept, 3);
	/*
	 * Either the guest faults there, or the host has seen the vCPU there and ended the call on
	 * the caller's stack.
	 */
	attack_try((out.exit == FAULT(PF) && out.at == ELISA_OBJECT_BASE + offset + 3) ||
			   (!out.exit && out.error == ELISA_CALL_FORBIDDEN &&
			    out.regs.rsp == USER_STACK),
		   "VMFUNC 0 at %#x: exit %#x at %#llx, error %ld", offset, out.exit,
		   (unsigned long long)out.at, out.error);
}

int main(void)
{
	struct pair pair =
		attack_pair("t.vmfunc0", ELISA_EXPORT_GENERAL_REGS, 0, ELISA_STUB_TRUSTING, 0, 1);
	const unsigned int first = functions_end - functions, step = 100 / attack_scale(100);
	const struct kvm_regs to_sub = {.rcx = ELISA_INDEX_SUB(pair.slot), .rflags = 0x200};
	unsigned int offset;

	/*
	 * Bytes of the functions stay as they are: an overwritten function could not make the
	 * attack.
	 */
	for (offset = first; offset < PAGE_SIZE - 2; offset += step) {
		leave_at(&pair, offset);
		/* The exit must have made sub's entry invalid, as no gate-out has disarmed it. */
		if (offset % 32 < step)
			attack_try(run_at(pair.guest, 0, 3, user_code(user_vmfunc), &to_sub).exit ==
					   FAULT(UD),
				   "sub is open after %#x", offset);
		if (offset % 32 < step)
			attack_try(attack_pair_works(&pair), "no call after %#x", offset);
	}
	attack_try(*object_data(pair.manager) == 0, "the object was written");
	return 0;
}
