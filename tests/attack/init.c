// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU gets INIT from another vCPU or from its VMM while it is in a call. The VMM also puts it
 * into other states.
 *
 * The attack would succeed if a register of the function became visible, or if VMFUNC did anything
 * in real mode. So the test looks for the function's secret in the vCPU's registers after each
 * INIT. It executes VMFUNC in real mode, where only #UD is right. The call ends or waits. When the
 * vCPU is set up again, calls must work.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include "attack.h"

#define VICTIM	  1	  /* At INIT, KVM restarts the first vCPU at once; others wait for SIPI. */
#define REAL_CODE 0x30000 /* SIPI vector 0x30 */
#define UD_SEEN	  0x13	  /* ports */
#define NO_UD	  0x14

/* RBX = the low word of the ICR. vCPU 0 sends the IPI to the other vCPU. */
CODE(send, "	mov $0xfee00310, %ecx\n"
	   "	movl $0x01000000, (%rcx)\n"
	   "	mov $0xfee00300, %ecx\n"
	   "	mov %ebx, (%rcx)\n"
	   "	out %al, $0x10\n"
	   "	hlt\n");
/* Code of a processor that starts in real mode. The vector of #UD is at 0x3000:0x20. */
CODE(real_mode, "	.code16\n"
		"	xor %eax, %eax\n"
		"	mov $0, %cx\n" /* storm() writes the index here */
		"	vmfunc\n"
		"	out %al, $0x14\n"
		"	hlt\n"
		"	.org real_mode + 32\n"
		"	out %al, $0x13\n"
		"	hlt\n"
		"	.code64\n");

static struct pair pair;
static struct kvm_sregs good;

static uint32_t state_of(void)
{
	struct kvm_mp_state state;

	CHECK(!ioctl(pair.guest->vcpu[VICTIM], KVM_GET_MP_STATE, &state));
	return state.mp_state;
}

static void set_state(uint32_t to)
{
	struct kvm_mp_state state = {.mp_state = to};

	ioctl(pair.guest->vcpu[VICTIM], KVM_SET_MP_STATE, &state);
}

static void no_secrets(const char *when)
{
	struct kvm_regs regs;
	struct kvm_fpu fpu;
	uint64_t *value;
	unsigned int i;
	bool found = false;

	CHECK(!ioctl(pair.guest->vcpu[VICTIM], KVM_GET_REGS, &regs));
	CHECK(!ioctl(pair.guest->vcpu[VICTIM], KVM_GET_FPU, &fpu));
	for (i = 0, value = (uint64_t *)&regs; i < sizeof(regs) / 8; i++)
		found |= value[i] == (uint64_t)SECRET;
	for (i = 0, value = (uint64_t *)&fpu; i < sizeof(fpu) / 8; i++)
		found |= value[i] == (uint64_t)SECRET;
	attack_try(!found, "%s: a register of the function", when);
}

/* Brings the vCPU up again, as a VMM and a guest's kernel do. */
static void restart(const char *when)
{
	set_state(KVM_MP_STATE_RUNNABLE);
	CHECK_EQ(set_sregs(pair.guest, VICTIM, &good), 0);
	CHECK_EQ(hypercall(pair.guest, VICTIM, ELISA_HC_VCPU_SYNC), 0);
	attack_try(call(pair.guest, VICTIM, pair.slot, DO_ADD, 30, 12).value == 42 &&
			   attack_pair_works(&pair),
		   "%s: no call afterwards", when);
}

static void init_by_vmm(void)
{
	msi(pair.guest, VICTIM, 5 << 8);
}

static void init_by_vcpu(void)
{
	struct kvm_regs regs = {.rbx = 5 << 8 | 0x4000};

	CHECK_EQ(run_at(pair.guest, 0, 0, ATTACK_KERNEL, &regs).exit, 0);
}

/* Sends one or more INITs, each time at another moment, and then a SIPI that starts real mode. */
static void storm(unsigned long i)
{
	struct kvm_regs regs = {
		.rdi = DO_HOLD, .rsi = 200000, .r11 = stub_entry(pair.slot), .rflags = 0x200};
	struct kvm_run *run = pair.guest->run[VICTIM];
	uint16_t index = i % 3 == 0 ? ELISA_INDEX_GATE_IN(pair.slot) :
			 i % 3 == 1 ? ELISA_INDEX_SUB(pair.slot) :
				      0;
	int more, r;

	start_at(pair.guest, VICTIM, 3, user_code(user_call), &regs);
	timer(20 + i * 13 % 1500, 0);
	r = run_once(pair.guest, VICTIM);
	if (!r)
		return; /* the call had returned already */
	for (more = i % 4; more >= 0; more--)
		i % 2 ? init_by_vmm() : init_by_vcpu();
	timer(500, 0);
	r = run_once(pair.guest, VICTIM);
	if (!r) /* the call ended before the INIT */
		r = run_once(pair.guest, VICTIM);
	attack_try(state_of() == KVM_MP_STATE_INIT_RECEIVED, "INIT %lu: state %u", i, state_of());
	no_secrets("after INIT");
	memcpy(pair.guest->memory + REAL_CODE, real_mode, real_mode_end - real_mode);
	memcpy(pair.guest->memory + REAL_CODE + 4, &index, sizeof(index));
	memcpy(pair.guest->memory + 4 * UD, "\x20\x00\x00\x30", 4);
	msi(pair.guest, VICTIM, 6 << 8 | REAL_CODE >> 12);
	timer(5000, 0);
	r = run_once(pair.guest, VICTIM);
	timer(0, 0);
	attack_try(!r && run->exit_reason == KVM_EXIT_IO && run->io.port == UD_SEEN,
		   "VMFUNC %u in real mode: %d, exit %u, port %#x", index, r, run->exit_reason,
		   run->io.port);
	restart("after INIT");
}

/* Tries all states of KVM, and some numbers that are no state. */
static void states(void)
{
	uint32_t state;

	for (state = 0; state < 12; state++) {
		wait_in_sub(pair.guest, VICTIM, pair.slot, pair.manager);
		set_state(state);
		no_secrets("another state");
		timer(500, 0);
		ioctl(pair.guest->vcpu[VICTIM], KVM_RUN, 0);
		timer(0, 0);
		no_secrets("another state, after running");
		restart("another state");
	}
}

/* The VMM says that the vCPU is in system management mode and has a latched INIT. */
static void latched(void)
{
	struct kvm_vcpu_events events = {.flags = KVM_VCPUEVENT_VALID_SMM};

	wait_in_sub(pair.guest, VICTIM, pair.slot, pair.manager);
	events.smi.smm = events.smi.latched_init = 1;
	CHECK(!ioctl(pair.guest->vcpu[VICTIM], KVM_SET_VCPU_EVENTS, &events));
	timer(500, 0);
	ioctl(pair.guest->vcpu[VICTIM], KVM_RUN, 0);
	timer(0, 0);
	no_secrets("latched INIT");
	events.smi.smm = events.smi.latched_init = 0;
	CHECK(!ioctl(pair.guest->vcpu[VICTIM], KVM_SET_VCPU_EVENTS, &events));
	restart("latched INIT");
}

int main(void)
{
	struct kvm_userspace_memory_region memory = {.slot = 1 << 16, .memory_size = MEMORY_SIZE};
	unsigned long i, count = attack_scale(200);

	pair = attack_pair("t.init", 0, 1000000, ELISA_STUB_XSAVE, 0, 2);
	good = get_sregs(pair.guest, VICTIM);
	PLACE(pair.guest, ATTACK_KERNEL, send);
	memory.userspace_addr = (uintptr_t)pair.guest->memory;
	CHECK(!ioctl(pair.guest->fd, KVM_SET_USER_MEMORY_REGION, &memory));
	for (i = 0; i < count; i++)
		storm(i);
	states();
	latched();
	return 0;
}
