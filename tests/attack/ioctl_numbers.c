// SPDX-License-Identifier: Apache-2.0
/*
 * A VMM makes nonsense ioctls on a vCPU's file while the vCPU is in sub.
 *
 * The test tries every ioctl number with every direction and some sizes. It also tries every ioctl
 * that KVM has for a vCPU, with meaningless bytes. The attack would succeed if the VMM read a
 * register of the function or changed the object. It would also succeed if the function ran on with
 * a changed vCPU. The test looks for the function's secret in the buffer and in the registers, and
 * compares the object.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "attack.h"

#define NUMBERS 256
#define BUFFER	0x4000

static const unsigned long known[] = {
	KVM_GET_REGS,
	KVM_SET_REGS,
	KVM_GET_SREGS,
	KVM_SET_SREGS,
	KVM_TRANSLATE,
	KVM_INTERRUPT,
	KVM_GET_MSRS,
	KVM_SET_MSRS,
	KVM_SET_CPUID,
	KVM_SET_SIGNAL_MASK,
	KVM_GET_FPU,
	KVM_SET_FPU,
	KVM_GET_LAPIC,
	KVM_SET_LAPIC,
	KVM_SET_CPUID2,
	KVM_GET_CPUID2,
	KVM_TPR_ACCESS_REPORTING,
	KVM_SET_VAPIC_ADDR,
	KVM_GET_MP_STATE,
	KVM_SET_MP_STATE,
	KVM_NMI,
	KVM_SMI,
	KVM_SET_GUEST_DEBUG,
	KVM_X86_SETUP_MCE,
	KVM_X86_SET_MCE,
	KVM_GET_VCPU_EVENTS,
	KVM_SET_VCPU_EVENTS,
	KVM_GET_DEBUGREGS,
	KVM_SET_DEBUGREGS,
	KVM_ENABLE_CAP,
	KVM_GET_XSAVE,
	KVM_SET_XSAVE,
	KVM_GET_XCRS,
	KVM_SET_XCRS,
	KVM_SET_TSC_KHZ,
	KVM_GET_TSC_KHZ,
	KVM_KVMCLOCK_CTRL,
	KVM_GET_NESTED_STATE,
	KVM_SET_NESTED_STATE,
	KVM_GET_SUPPORTED_HV_CPUID,
	KVM_GET_SREGS2,
	KVM_SET_SREGS2,
	KVM_GET_STATS_FD,
	KVM_GET_XSAVE2,
	KVM_XEN_VCPU_GET_ATTR,
	KVM_XEN_VCPU_SET_ATTR,
	KVM_SET_DEVICE_ATTR,
	KVM_GET_DEVICE_ATTR,
	KVM_HAS_DEVICE_ATTR,
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static uint64_t buffer[BUFFER / 8];
static struct pair pair;

static void new_guest(void)
{
	struct kvm_userspace_memory_region memory = {.slot = 1 << 16, .memory_size = MEMORY_SIZE};

	if (pair.guest)
		vm_free(pair.guest);
	pair.guest = vm_new(1);
	/*
	 * The manager's queue of events about ended attachments is bounded, so the test empties it.
	 */
	events(pair.manager, ELISA_EVENT_ATTACH, 0);
	pair.slot = attach(pair.guest, "t.numbers", ELISA_STUB_XSAVE, 0);
	/* an SMI finds memory with an RSM */
	memory.userspace_addr = (uintptr_t)pair.guest->memory;
	CHECK(!ioctl(pair.guest->fd, KVM_SET_USER_MEMORY_REGION, &memory));
	memcpy(pair.guest->memory + 0x38000, "\x0f\xaa", 2);
}

static bool has_secret(const void *bytes, unsigned int size)
{
	const uint64_t *value = bytes;
	unsigned int i;

	for (i = 0; i < size / 8; i++)
		if (value[i] == (uint64_t)SECRET)
			return true;
	return false;
}

/* Fills the buffer with one of four kinds of nonsense. */
static void fill(int kind)
{
	unsigned int i;

	memset(buffer, kind == 1 ? 0xff : 0, sizeof(buffer));
	if (kind == 2)
		for (i = 0; i < BUFFER / 8; i++)
			buffer[i] = (uint64_t)random() << 33 ^ random() << 11 ^ random();
	if (kind == 3) /* mostly small numbers, like counts and indexes */
		for (i = 0; i < 64; i++)
			buffer[i] = random() % 4 ? (uint64_t)random() % 20 : (uint64_t)random();
}

static void attempt(unsigned long request, int kind)
{
	static void *const nowhere[] = {NULL, (void *)1, (void *)-4096L,
					(void *)0xffff800000000000};
	int vcpu = pair.guest->vcpu[0], r;
	uint64_t object, counter;
	struct outcome out;
	struct kvm_regs regs;
	struct kvm_fpu fpu;

	wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
	object = *object_data(pair.manager);
	fill(kind);
	r = ioctl(vcpu, request, kind < 4 ? buffer : nowhere[kind - 4]);
	attack_try(r < 0 || !has_secret(buffer, sizeof(buffer)), "%#lx: a register of the function",
		   request);
	if (request == KVM_GET_STATS_FD && r >= 0)
		close(r);
	CHECK(!ioctl(vcpu, KVM_GET_REGS, &regs));
	CHECK(!ioctl(vcpu, KVM_GET_FPU, &fpu));
	attack_try(!has_secret(&regs, sizeof(regs)) && !has_secret(&fpu, sizeof(fpu)),
		   "%#lx: a register of the function afterwards", request);
	if (r >= 0) {
		/*
		 * The VMM changed the vCPU, so any state is allowed. Only the function must not run
		 * on.
		 */
		counter = object_data(pair.manager)[1];
		timer(1000, 1000);
		ioctl(vcpu, KVM_RUN, 0);
		timer(0, 0);
		attack_try(object_data(pair.manager)[1] == counter, "%#lx: it went on", request);
		new_guest();
	} else {
		let_go(pair.manager);
		out = finish(pair.guest, 0);
		attack_try(!out.exit && out.error == ELISA_CALL_VMM && out.regs.rsp == USER_STACK,
			   "%#lx: exit %#x, error %ld", request, out.exit, out.error);
	}
	attack_try(*object_data(pair.manager) == object, "%#lx: the object changed", request);
}

int main(void)
{
	static const unsigned int sizes[] = {0, 4, 8, 24, 64};
	unsigned long tries = KNOWN * 8 + NUMBERS * 20, i, count = attack_scale(tries);
	unsigned long request;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.numbers", 0) > 0);
	pair.manager = vm_new(1);
	export_new(pair.manager, "t.numbers", 0, 1000000);
	new_guest();
	/* With a smaller scale, the tries are an even selection of all. */
	for (i = 0; i < tries; i++) {
		if (i * count / tries == (i + 1) * count / tries)
			continue;
		if (i < KNOWN * 8) {
			attempt(known[i / 8], i % 8);
			continue;
		}
		request = (i - KNOWN * 8) / 20 | KVMIO << 8 | i % 4 << 30 |
			  (unsigned long)sizes[i / 4 % 5] << 16;
		if (request != KVM_RUN)
			attempt(request, random() % 8);
	}
	attack_try(attack_pair_works(&pair), "no call afterwards");
	return 0;
}
