// SPDX-License-Identifier: Apache-2.0
/*
 * The hypercall itself: the ring and the page from which a guest makes it, where the answer goes,
 * and what it costs the caller.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "requests.h"

static int raw_call(u64 gpa)
{
	struct kvm_vcpu *vcpu = &machines[MANAGER].vcpu;

	current = &shim_tasks[MANAGER];
	vcpu->arch.regs[VCPU_REGS_RCX] = gpa;
	eh_hypercall(vcpu, ELISA_HC_MAGIC);
	return (int)vcpu->arch.regs[VCPU_REGS_RCX];
}

static void calls_refused(void **state)
{
	(void)state;
	assert_int_equal(raw_call(GPA(0) + 8), -EINVAL);
	assert_int_equal(raw_call(0), -EFAULT);
	assert_int_equal(raw_call(-PAGE_SIZE), -EFAULT);
	assert_int_equal(raw_call(GPA(NO_SLOT)), -EFAULT);
	assert_int_equal(raw_call(GPA(INTERNAL)), -EFAULT);
	assert_int_equal(raw_call(GPA(GUEST_MEMFD)), -EINVAL);
	machines[MANAGER].kvm.confidential = true;
	assert_int_equal(raw_call(GPA(0)), -EOPNOTSUPP);
	machines[MANAGER].kvm.confidential = false;
	machines[MANAGER].vcpu.arch.hflags = HF_GUEST_MASK;
	assert_int_equal(raw_call(GPA(0)), -EOPNOTSUPP);
	machines[MANAGER].vcpu.arch.hflags = 0;
	shim_vmcs[GUEST_SS_AR_BYTES] = 0xf3;
	assert_int_equal(raw_call(GPA(0)), -EPERM);
	shim_vmcs[GUEST_SS_AR_BYTES] = 0;
	shim_fail_after = 0;
	assert_int_equal(raw_call(GPA(0)), -ENOMEM);
	shim_fail_after = -1;
	memset(&page, 0, sizeof(page));
	expect(MANAGER, 0, -ENOSYS, ELISA_WHY_CALL, 0);
	expect(MANAGER, ELISA_HC_COUNT, -ENOSYS, ELISA_WHY_CALL, ELISA_HC_COUNT);
	expect(MANAGER, ~0u, -ENOSYS, ELISA_WHY_CALL, ~0u);
	page.hello.abi = ELISA_ABI_VERSION + 1;
	expect(MANAGER, ELISA_HC_HELLO, -EPROTO, ELISA_WHY_ABI, ELISA_ABI_VERSION);
	page.hello.abi = ELISA_ABI_VERSION;
	expect(MANAGER, ELISA_HC_HELLO, 0, ELISA_OK, 0);
	assert_int_equal(page.hello.flags,
			 ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_TAKES_2M | ELISA_HELLO_TAKES_1G);
	assert_int_equal(page.hello.root_limit, eh_root_limit());
}

/* What the VMM gave read-only, its firmware for example, no hypercall writes. */
static void answers_do_not_go_to_read_only_memory(void **state)
{
	u8 *memory = guest_memory(MANAGER, GPA(READ_ONLY));

	(void)state;
	assert_int_not_equal(raw_call(GPA(READ_ONLY)), 0);
	assert_null(memchr_inv(memory, 0, PAGE_SIZE));
}

/* Calls of a VM until it had to wait, with the clock at @tick ns a call. */
static u32 calls_until_asleep(int machine, u32 call)
{
	u32 n = 0;

	for (shim_slept = 0; !shim_slept && n < 100000; n++) {
		memset(&page, 0, sizeof(page));
		page.hello.abi = ELISA_ABI_VERSION;
		assert_int_equal(host_call(machine, call, &page), 0);
	}
	return n;
}

/* A second's worth at once, then each is waited for; another VM does not wait for it. */
static void calls_are_paid_for(void **state)
{
	(void)state;
	shim_tick = 0;
	host_call(GUEST, ELISA_HC_RESET, &page);
	assert_in_range(calls_until_asleep(GUEST, ELISA_HC_RESET), 990, 1001);
	assert_int_equal(calls_until_asleep(GUEST, ELISA_HC_RESET), 1);
	assert_int_equal(shim_slept, 1000000);
	assert_int_equal(calls_until_asleep(GUEST, ELISA_HC_HELLO), 1);
	assert_int_equal(shim_slept, 20000);
	shim_slept = 0;
	memset(&page, 0, sizeof(page));
	assert_int_equal(host_call(MANAGER, ELISA_HC_RESET, &page), 0);
	assert_int_equal(shim_slept, 0);
	/* no limit */
	eh_calls_per_second = 0;
	assert_int_equal(host_call(GUEST, ELISA_HC_RESET, &page), 0);
	assert_int_equal(shim_slept, 0);
	eh_calls_per_second = 1000;
	shim_tick = 100000;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, requests_start, requests_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_refused),
		TEST(answers_do_not_go_to_read_only_memory),
		TEST(calls_are_paid_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
