// SPDX-License-Identifier: Apache-2.0
/*
 * System management interrupts (SMI) arrive during calls.
 *
 * The failure would be an SMI that is lost, delivered twice, or delivered in sub, or a guest that
 * cannot call afterwards. The SMI handler counts, and the test reads its counter in sub and after
 * the call.
 */
#include <string.h>
#include <sys/ioctl.h>
#include "attack.h"

#define SMIS  (SEEN + 0x38)
#define SMRAM 0x38000

static void send_smi(struct vm *vm)
{
	msi(vm, 0, 2 << 8); /* delivery mode SMI */
}

int main(void)
{
	struct kvm_userspace_memory_region memory = {.slot = 1 << 16, .memory_size = MEMORY_SIZE};
	struct pair pair =
		attack_pair("t.smi", ELISA_EXPORT_GENERAL_REGS, 1000000, ELISA_STUB_TRUSTING, 0, 1);
	unsigned long i, count = attack_scale(50);
	struct outcome out;

	/* KVM has separate memory slots for system management mode */
	memory.userspace_addr = (uintptr_t)pair.guest->memory;
	CHECK(!ioctl(pair.guest->fd, KVM_SET_USER_MEMORY_REGION, &memory));
	/* incw SMIS; rsm */
	memcpy(pair.guest->memory + SMRAM, "\xff\x06\x38\x60\x0f\xaa", 6);
	for (i = 1; i <= count; i++) {
		wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
		send_smi(pair.guest);
		timer(1000, 0);
		CHECK(run_once(pair.guest, 0));
		attack_try(*vm_u64(pair.guest, SMIS) == i - 1, "SMI %lu came in sub", i);
		let_go(pair.manager);
		out = finish(pair.guest, 0);
		attack_try(!out.exit && !out.error && out.value == 7,
			   "SMI %lu: exit %#x, error %ld", i, out.exit, out.error);
		attack_try(*vm_u64(pair.guest, SMIS) == i, "SMI %lu was lost", i);
		attack_try(attack_pair_works(&pair), "no call after SMI %lu", i);
		if (!attack_pair_works(&pair))
			return 0;
	}
	return 0;
}
