// SPDX-License-Identifier: Apache-2.0
/*
 * A vCPU stays settled only while nothing changes that the entry predicate depends on. The tests
 * change each of these values alone. They also repeat the list of exits after which nothing else
 * can have changed. So no exit reason joins the list by accident.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "host.h"
#include "../../host/path/settled.h"

atomic_t eh_poisonings;

#define ROOT   0x12345601eULL
#define REASON 10 /* CPUID */

static const u64 settled_controls = SECONDARY_EXEC_UNRESTRICTED_GUEST | 1ULL << 13;
static u64 list[512];
static struct eh_vm vm;
static struct kvm_vcpu kvm_vcpu;
static struct eh_vcpu vcpu;

/* As an entry leaves a vCPU with VMFUNC on, and then an exit. */
static void settle(void)
{
	memset(list, 0, sizeof(list));
	memset(&vm, 0, sizeof(vm));
	memset(&kvm_vcpu, 0, sizeof(kvm_vcpu));
	kvm_vcpu.arch.efer = EFER_LMA;
	vcpu = (struct eh_vcpu){.kvm_vcpu = &kvm_vcpu,
				.vm = &vm,
				.list = list,
				.vmfunc = EH_VMFUNC_OPEN,
				.known = EH_SETTLED,
				.watching = EH_WATCH_HERE,
				.default_eptp = ROOT,
				.seen = {.efer = EFER_LMA, .secondary = settled_controls}};
	vcpu.used[0] = 1 | 1ULL << (ELISA_SLOTS - 1);
	shim_vmcs[EPT_POINTER] = ROOT;
	shim_vmcs[SECONDARY_VM_EXEC_CONTROL] = settled_controls;
	shim_vmcs[VM_EXIT_REASON] = REASON;
}

static void stays(bool expected)
{
	const u64 entries = vcpu.entries;

	assert_int_equal(eh_stays_settled(&vcpu), expected);
	assert_int_equal(vcpu.entries, entries + expected);
	if (expected)
		assert_int_equal(vcpu.phase, EH_INSIDE);
}

static void all_as_it_was(void **state)
{
	(void)state;
	settle();
	stays(true);
	/* its exit does not come to the exit hook */
	stays(false);
	vcpu.phase = EH_OUTSIDE;
	stays(true);
}

static void each_input_of_the_entry(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		settle();
		kvm_vcpu.arch.efer ^= 1ULL << bit;
		stays(false);
		settle();
		kvm_vcpu.arch.pmu.pebs_enable = 1ULL << bit;
		stays(false);
		settle();
		shim_vmcs[SECONDARY_VM_EXEC_CONTROL] ^= 1ULL << bit;
		stays(false);
		settle();
		shim_vmcs[EPT_POINTER] ^= 1ULL << bit;
		stays(false);
		settle();
		vcpu.forget[0] = 1ULL << bit;
		stays(false);
		settle();
		kvm_vcpu.arch.hflags = 1U << bit % 32;
		stays(false);
	}
	settle();
	vm.allow_pcid = true;
	stays(false);
	settle();
	vcpu.known = EH_QUIET;
	stays(false);
	settle();
	vcpu.phase = EH_SUSPENDED;
	stays(false);
	settle();
	vcpu.stale = true;
	stays(false);
	settle();
	vcpu.watching = EH_WATCH_OFF;
	stays(false);
	settle();
	vcpu.cpu = 1;
	stays(false);
	settle();
	vcpu.poisonings = 1;
	stays(false);
	for (int what = 0; what < 2; what++) {
		settle();
		shim_cpu_has[what] = true;
		shim_trace_msr[what] = 1;
		stays(false);
		shim_trace_msr[what] = 0;
		stays(true);
		shim_cpu_has[what] = false;
	}
}

static void quiet_reasons(void **state)
{
	/* external interrupt, windows, CPUID, HLT, VMCALL, RDMSR, WRMSR, PAUSE, TPR, timer */
	const u64 quiet = 1ULL << 1 | 1ULL << 7 | 1ULL << 8 | 1ULL << 10 | 1ULL << 12 | 1ULL << 18 |
			  1ULL << 31 | 1ULL << 32 | 1ULL << 40 | 1ULL << 43 | 1ULL << 52;

	(void)state;
	settle();
	for (u64 reason = 0; reason < 0x20000; reason++)
		assert_int_equal(eh_is_quiet(&kvm_vcpu, reason),
				 reason < 64 && (quiet >> reason & 1));
	/* a failed entry, one in SMM, one with a bus lock */
	for (int bit = 6; bit < 32; bit++)
		assert_false(eh_is_quiet(&kvm_vcpu, REASON | 1ULL << bit));
	for (u64 msr = 0; msr < 0x2000; msr++) {
		kvm_vcpu.arch.regs[VCPU_REGS_RCX] = msr | 1ULL << 40;
		assert_int_equal(eh_is_quiet(&kvm_vcpu, 32), msr != 0x1d9);
		assert_true(eh_is_quiet(&kvm_vcpu, 31));
	}
}

static void passes(bool expected)
{
	u64 exits = vcpu.exits[REASON];

	vcpu.phase = EH_INSIDE;
	assert_int_equal(eh_passes_by(&vcpu), expected);
	assert_int_equal(vcpu.phase, expected ? EH_OUTSIDE : EH_INSIDE);
	assert_int_equal(vcpu.exits[REASON], exits + expected);
}

static void each_input_of_the_exit(void **state)
{
	(void)state;
	settle();
	passes(true);
	assert_int_equal(vcpu.known, EH_SETTLED);
	settle();
	vcpu.known = EH_QUIET;
	passes(false);
	for (int bit = 0; bit < 64; bit++) {
		settle();
		shim_vmcs[EPT_POINTER] ^= 1ULL << bit;
		passes(false);
	}
	/* a sub that its function has left armed; in a slot that is not in use nothing is meant */
	for (int slot = 0; slot < ELISA_SLOTS; slot++) {
		settle();
		list[ELISA_INDEX_SUB(slot)] = ELISA_EPTP_DISARMED;
		passes(true);
		list[ELISA_INDEX_SUB(slot)] = ELISA_EPTP_ARMED;
		passes(!(vcpu.used[0] >> slot & 1));
	}
	/* neither nested guests nor vCPUs that are not set up concern the hook */
	settle();
	vcpu.known = EH_QUIET;
	assert_true(eh_passes_by(&vcpu));
	assert_int_equal(vcpu.exits[REASON], 0);
}

/* Other exits are KVM's as well, but the next entry looks at everything. */
static void exits_that_are_not_quiet(void **state)
{
	(void)state;
	for (u64 reason = 0; reason < 0x100; reason++) {
		settle();
		vcpu.phase = EH_INSIDE;
		vcpu.exit_cr3 = EH_NO_ROOT;
		shim_vmcs[VM_EXIT_REASON] = reason;
		shim_vmcs[GUEST_CR3] = 0x1000;
		/* accesses to descriptor tables, VMFUNC, and what is unknown */
		assert_int_equal(eh_passes_by(&vcpu), reason != 46 && reason != 47 &&
							      reason != 59 &&
							      reason < ELISA_EXIT_REASONS);
		if (vcpu.phase == EH_INSIDE || eh_is_quiet(&kvm_vcpu, reason))
			continue;
		assert_int_equal(vcpu.known, EH_UNKNOWN);
		assert_int_equal(vcpu.exit_cr3, 0x1000);
		vcpu.phase = EH_OUTSIDE;
		stays(false);
	}
	settle();
	vcpu.phase = EH_INSIDE;
	shim_vmcs[VM_EXIT_REASON] = 1ULL << 31 | 33; /* a failed entry */
	assert_false(eh_passes_by(&vcpu));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_as_it_was),
		cmocka_unit_test(each_input_of_the_entry),
		cmocka_unit_test(quiet_reasons),
		cmocka_unit_test(each_input_of_the_exit),
		cmocka_unit_test(exits_that_are_not_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
