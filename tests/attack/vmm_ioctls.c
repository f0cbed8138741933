// SPDX-License-Identifier: Apache-2.0
/*
 * A hostile VMM makes every vCPU ioctl while its vCPU is in sub or anywhere on the path of a call.
 *
 * The attack would succeed if an answer held a register of the function, or if the function went on
 * after the VMM read the state. The test looks for the function's secret in each answer. The call
 * must end with ELISA_CALL_VMM, even if KVM does not know the ioctl, and later calls must work.
 */
#include <string.h>
#include <sys/ioctl.h>
#include "attack.h"

/*
 * A function that leaves a secret in all general registers but the callee-saved ones, and in vector
 * registers.
 */
CODE(secretive, "	movabs $0x5ec2e75ec2e75ec2, %rcx\n"
		"	mov %rcx, %rdx\n"
		"	mov %rcx, %rsi\n"
		"	mov %rcx, %rdi\n"
		"	mov %rcx, %r8\n"
		"	mov %rcx, %r9\n"
		"	mov %rcx, %r10\n"
		"	mov %rcx, %r11\n"
		"	movq %rcx, %xmm0\n"
		"	movq %rcx, %xmm15\n"
		"	xor %eax, %eax\n"
		"	ret\n");

static uint64_t buffer[0x4000 / 8];
static struct pair pair;

#define BOTH(name)                                    \
	{                                             \
#name, KVM_GET_##name, KVM_SET_##name \
	}
static const struct {
	const char *name;
	unsigned long get, set; /* 0: there is none */
} ioctls[] = {
	BOTH(REGS),
	BOTH(SREGS),
	BOTH(FPU),
	BOTH(LAPIC),
	BOTH(MP_STATE),
	BOTH(VCPU_EVENTS),
	BOTH(DEBUGREGS),
	BOTH(XSAVE),
	BOTH(XCRS),
	BOTH(MSRS),
	BOTH(CPUID2),
	BOTH(TSC_KHZ),
	BOTH(SREGS2),
	{"XSAVE2", KVM_GET_XSAVE2, 0},
	{"NESTED_STATE", KVM_GET_NESTED_STATE, 0},
	{"TRANSLATE", KVM_TRANSLATE, 0},
	{"TPR_ACCESS_REPORTING", KVM_TPR_ACCESS_REPORTING, 0},
	{"KVMCLOCK_CTRL", KVM_KVMCLOCK_CTRL, 0},
	{"ENABLE_CAP", KVM_ENABLE_CAP, 0},
	{"GUEST_DEBUG", 0, KVM_SET_GUEST_DEBUG},
	{"STATS_FD", KVM_GET_STATS_FD, 0},
	{"REG_LIST", KVM_GET_REG_LIST, 0},
	{"ONE_REG", KVM_GET_ONE_REG, 0},
	{"HYPERV_CPUID", KVM_GET_SUPPORTED_HV_CPUID, 0},
	{"no such", _IO(KVMIO, 0xff), 0},
};
#define IOCTLS (int)(sizeof(ioctls) / sizeof(ioctls[0]))

static bool has_secret(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(buffer) / 8; i++)
		if (buffer[i] == (uint64_t)SECRET)
			return true;
	return false;
}

/* Makes ioctl @i. Writes back what was read, so that the vCPU's state stays the same. */
static void make(int i)
{
	int vcpu = pair.guest->vcpu[0];

	memset(buffer, 0, sizeof(buffer));
	if (ioctls[i].get == KVM_GET_CPUID2)
		buffer[0] = 100;
	if (ioctls[i].get == KVM_GET_NESTED_STATE)
		buffer[0] = (uint64_t)sizeof(buffer) << 32;
	if (ioctls[i].get == KVM_TRANSLATE)
		buffer[0] = ELISA_OBJECT_BASE;
	if (ioctls[i].get && ioctl(vcpu, ioctls[i].get, buffer) < 0)
		return;
	attack_try(!has_secret(), "%s: a register of the function", ioctls[i].name);
	if (ioctls[i].set)
		ioctl(vcpu, ioctls[i].set, buffer);
}

static void in_sub(int i)
{
	struct outcome out;

	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	make(i);
	let_go(pair.manager);
	out = finish(pair.guest, 0);
	/* The statistics file shows no state of the vCPU, so the call goes on. */
	attack_try(!out.exit && out.regs.rsp == USER_STACK &&
			   out.error == (ioctls[i].get == KVM_GET_STATS_FD ? 0 : ELISA_CALL_VMM),
		   "%s in sub: exit %#x, error %ld", ioctls[i].name, out.exit, out.error);
	attack_try(attack_pair_works(&pair), "%s in sub: no call afterwards", ioctls[i].name);
}

static int next;

static void make_next(struct vm *vm, int vcpu)
{
	(void)vm, (void)vcpu;
	make(next++ % IOCTLS);
}

/*
 * Makes the ioctls wherever the host's timer stops the vCPU: in gate-in, sub, gate-out or default.
 */
static void anywhere(unsigned long count)
{
	struct kvm_debugregs debug = {.dr6 = 0xffff0ff0, .dr7 = 0x402, .db = {0x123000}};
	unsigned long ended = 0, i;
	struct outcome out;

	/* an armed breakpoint makes the emulator check for interrupts at each instruction */
	CHECK(!ioctl(pair.guest->vcpu[0], KVM_SET_DEBUGREGS, &debug));
	PLACE(pair.manager, OBJECT + ATTACK_OBJECT, secretive);
	on_signal = make_next;
	for (i = 0; i < count; i++) {
		timer(200 + i % 37, 301);
		out = call_loop_with(pair.guest, 0, pair.slot, DO_JUMP, ATTACK_FUNCTION, 500, NULL);
		timer(0, 0);
		attack_try(!out.exit && (!out.error || out.error == ELISA_CALL_VMM),
			   "on the way: exit %#x, error %ld", out.exit, out.error);
		ended += !!out.error;
	}
	on_signal = NULL;
	attack_try(count < 20 || ended > count / 4, "only %lu of %lu hit a call", ended, count);
	attack_try(attack_pair_works(&pair), "no call afterwards");
}

/* Restores a vCPU of unknown state, so that it can make calls. */
static void restore(struct kvm_sregs *sregs)
{
	struct kvm_vcpu_events events = {.flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
						  KVM_VCPUEVENT_VALID_SHADOW |
						  KVM_VCPUEVENT_VALID_SMM};
	struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_RUNNABLE};

	CHECK(!ioctl(pair.guest->vcpu[0], KVM_SET_VCPU_EVENTS, &events));
	CHECK(!ioctl(pair.guest->vcpu[0], KVM_SET_MP_STATE, &state));
	CHECK_EQ(set_sregs(pair.guest, 0, sregs), 0);
	CHECK_EQ(hypercall(pair.guest, 0, ELISA_HC_VCPU_SYNC), 0);
}

/* Makes KVM_RUN load registers that differ from the shown ones in one field. */
static void dirty_fields(void)
{
	struct kvm_run *run = pair.guest->run[0];
	struct kvm_sregs sregs = get_sregs(pair.guest, 0);
	unsigned int field, fields = sizeof(run->s.regs) / 8;
	uint64_t object, *word;

	run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	for (field = 0; field < fields; field++) {
		wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
		memcpy(buffer, &run->s.regs, sizeof(run->s.regs));
		attack_try(!has_secret(), "a register of the function in the shared page");
		object = *object_data(pair.manager);
		word = (uint64_t *)&run->s.regs + field;
		*word ^= 0x1000;
		run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
		let_go(pair.manager);
		timer(2000, 0);
		/*
		 * The VMM changed the vCPU, so any state is allowed. Only the function must not run
		 * on.
		 */
		ioctl(pair.guest->vcpu[0], KVM_RUN, 0);
		timer(0, 0);
		run->kvm_dirty_regs = 0;
		attack_try(*object_data(pair.manager) == object, "field %u: the object changed",
			   field);
		restore(&sregs);
		attack_try(attack_pair_works(&pair), "field %u: no call afterwards", field);
	}
	run->kvm_valid_regs = 0;
}

int main(void)
{
	struct kvm_userspace_memory_region memory = {.slot = 1 << 16, .memory_size = MEMORY_SIZE};
	int i;

	pair = attack_pair("t.ioctls", 0, 1000000, ELISA_STUB_XSAVE, 0, 1);
	/* An SMI finds memory with an RSM. Otherwise KVM would end the VM. */
	memory.userspace_addr = (uintptr_t)pair.guest->memory;
	CHECK(!ioctl(pair.guest->fd, KVM_SET_USER_MEMORY_REGION, &memory));
	memcpy(pair.guest->memory + 0x38000, "\x0f\xaa", 2);
	for (i = 0; i < IOCTLS; i++)
		in_sub(i);
	anywhere(attack_scale(1000));
	dirty_fields();
	return 0;
}
