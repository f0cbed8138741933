// SPDX-License-Identifier: Apache-2.0
/* A manager's code leaves sub with a VMFUNC 0 of its own at every address of its page, and of a
 * page at the end of the object area: the process ends up at an inaccessible address, and the
 * next call is as if nothing had been. */
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
	/* the guest's fault, or the host has seen it there and ended the call on its own stack */
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

	/* where the functions themselves are, the copy under attack would be spoilt */
	for (offset = first; offset < PAGE_SIZE - 2; offset += step) {
		leave_at(&pair, offset);
		/* the exit has shut sub's entry, which no exit hook has disarmed */
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
