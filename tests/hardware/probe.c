// SPDX-License-Identifier: Apache-2.0
/*
 * One look at what only a real processor shows, for tests/hardware/check. Prints "ok: ...",
 * "FAILED: ..." or "not available: ..." and returns 0, 1 or 77.
 *   attach        a vCPU attaches and calls
 *   refused WHY   attach is refused for this reason (a number of enum elisa_why), and VMFUNC is off
 *   msr N VALUE   attach, then calls are closed while the guest's MSR has this value
 *   cr4 BIT       the same for a bit of CR4
 *   timer         the guest's own APIC timer fires in calls: each interrupt comes once, in default
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include "../../gate/gate_page.h"
#include "../machine/harness.h"

#define NOT_AVAILABLE 77
#define TIMERS	      200
#define TIMER_CODE    (KERNEL_CODE + 0x8000)

/*
 * R8 = vector, R9 = count: the local APIC's timer, one shot, undivided. Then to ring 3's R13 with
 * RSP = R14, and no exit to the VMM: the timer is to fire in the call that is made there.
 */
asm(".pushsection .rodata\n"
    "timer_and_call:\n"
    "	mov $0xfee00000, %eax\n"
    "	movl $0xb, 0x3e0(%rax)\n"
    "	mov %r8d, 0x320(%rax)\n"
    "	mov %r9d, 0x380(%rax)\n"
    "	push $0x23\n"
    "	push %r14\n"
    "	push $0x202\n"
    "	push $0x1b\n"
    "	push %r13\n"
    "	iretq\n"
    "timer_and_call_end:\n"
    "	.popsection\n");
extern const uint8_t timer_and_call[], timer_and_call_end[];

static struct vm *manager, *guest;
static uint32_t slot;

static int say(int status, const char *format, ...)
{
	va_list arguments;

	printf("%s: ", !status ? "ok" : status == NOT_AVAILABLE ? "not available" : "FAILED");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	return status;
}

static bool works(void)
{
	return call(guest, 0, slot, DO_ADD, 30, 12).value == 42 &&
	       call(guest, 0, slot, DO_UD, 0, 0).error == ELISA_CALL_FAULT;
}

static int refused(uint32_t why)
{
	struct kvm_regs regs = {.rcx = ELISA_INDEX_GATE_IN(0), .rflags = 0x200};
	int r = attach_try(guest, "t.probe", 0);

	if (!r || guest->page->why != why)
		return say(1, "attach gives %d, reason %u, not reason %u", r, guest->page->why,
			   why);
	if (run_at(guest, 0, 3, user_code(user_vmfunc), &regs).exit != FAULT(UD))
		return say(1, "VMFUNC is on");
	return say(0, "attach is refused for reason %u, and VMFUNC is off", why);
}

static int closed(const char *what)
{
	struct outcome out = call(guest, 0, slot, DO_ADD, 1, 2);

	if (out.exit || out.error != ELISA_CALL_CLOSED)
		return say(1, "%s: a call gives exit %#x, error %ld", what, out.exit, out.error);
	return say(0, "%s: calls are closed", what);
}

static int with_msr(uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {.head.nmsrs = 1, .entry.index = index, .entry.data = value};
	bool has = ioctl(guest->vcpu[0], KVM_SET_MSRS, &msrs) == 1 &&
		   ioctl(guest->vcpu[0], KVM_GET_MSRS, &msrs) == 1 && msrs.entry.data == value;

	/* some bits KVM takes and drops */
	if (!has)
		return say(NOT_AVAILABLE, "KVM gives this guest no MSR %#x with %#llx", index,
			   (unsigned long long)value);
	return closed("MSR");
}

static int with_cr4(int bit)
{
	struct kvm_sregs sregs = get_sregs(guest, 0);

	sregs.cr4 |= 1ULL << bit;
	if (set_sregs(guest, 0, &sregs))
		return say(NOT_AVAILABLE, "KVM gives this guest no CR4 bit %d", bit);
	return closed("CR4");
}

/* With kvm_intel's preemption timer, or without: its exits are others then. */
static int with_timer(void)
{
	uint64_t exits = vcpu_stat(guest, 0, "exits"), traps = counter(ELISA_COUNT_RETURN_TRAPS);
	const struct kvm_regs spin = {.rsi = 100000, .rflags = 0x200};
	struct outcome out;
	uint64_t rip;
	int i;

	memcpy(guest->memory + TIMER_CODE, timer_and_call, timer_and_call_end - timer_and_call);
	for (i = 1; i <= TIMERS; i++) {
		const struct kvm_regs regs = {.r8 = 0x40,
					      .r9 = 1000 * i,
					      .rdi = DO_SPIN,
					      .rsi = 1000000,
					      .r11 = stub_entry(slot),
					      .r13 = user_code(user_call),
					      .r14 = USER_STACK};

		out = run_at(guest, 0, 0, TIMER_CODE, &regs);
		if (out.exit || out.error || out.value != 7)
			return say(1, "timer %d: exit %#x, error %ld", i, out.exit, out.error);
		while (*(volatile uint64_t *)&seen(guest)->interrupts < (uint64_t)i)
			CHECK_EQ(run_at(guest, 0, 3, user_code(user_spin), &spin).exit, 0);
		rip = seen(guest)->rip;
		if (seen(guest)->interrupts != (uint64_t)i ||
		    (rip - USER_CODE >= 0x10000 && rip - code_page(slot) >= PAGE_SIZE))
			return say(1, "timer %d: %llu interrupts, the last at %#llx", i,
				   (unsigned long long)seen(guest)->interrupts,
				   (unsigned long long)rip);
	}
	exits = vcpu_stat(guest, 0, "exits") - exits;
	traps = counter(ELISA_COUNT_RETURN_TRAPS) - traps;
	/* a call is as long as the longest of them, or nearly: most fire in it */
	return say(traps < TIMERS / 2,
		   "%d timers, each once and in default; %llu exits, %llu at returns", TIMERS,
		   (unsigned long long)exits, (unsigned long long)traps);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "attach";

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.probe", 0) > 0);
	export_new(manager, "t.probe", ELISA_EXPORT_GENERAL_REGS, 1000000);
	if (!strcmp(what, "refused") && argc == 3)
		return refused(strtoul(argv[2], NULL, 0));
	if (attach_try(guest, "t.probe", 0))
		return say(1, "attach is refused for reason %u, value %#llx", guest->page->why,
			   (unsigned long long)guest->page->value);
	slot = guest->page->attach.slot;
	map_stub(guest, slot, guest->page->attach.mode, ELISA_STUB_TRUSTING);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	if (!works())
		return say(1, "no call");
	if (!strcmp(what, "msr") && argc == 4)
		return with_msr(strtoul(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	if (!strcmp(what, "cr4") && argc == 3)
		return with_cr4(strtoul(argv[2], NULL, 0));
	if (!strcmp(what, "timer"))
		return with_timer();
	return say(0, "a vCPU attaches and calls");
}
