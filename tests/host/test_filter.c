// SPDX-License-Identifier: Apache-2.0
/*
 * The filter before the exit-path hooks. The failure would be a filter that leaves out a vCPU which
 * is set up.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "host.h"

#define FIRST	   0x123456789000ULL
#define NEIGHBOUR  (FIRST + (1 << EH_FILTER_SHIFT))
#define SAME_BYTE  (FIRST + (1ULL << 32))
#define MORE_VCPUS (U8_MAX + 10)

static u8 byte(u64 address)
{
	return eh_vcpu_filter[(u32)address >> EH_FILTER_SHIFT];
}

static void set_up(u64 address, bool on)
{
	struct eh_vm vm = {.id = 1};
	struct eh_vcpu vcpu = {.kvm_vcpu = (struct kvm_vcpu *)address, .vm = &vm};

	spin_lock(&vm.lock);
	eh_vcpu_set_up(&vcpu, on);
	spin_unlock(&vm.lock);
	assert_int_equal(vcpu.counted, on);
}

static void test_shared_byte(void **state)
{
	(void)state;
	assert_int_equal(byte(FIRST), 0);
	set_up(FIRST, true);
	assert_int_not_equal(byte(FIRST), 0);
	assert_int_equal(byte(NEIGHBOUR), 0);
	set_up(SAME_BYTE, true);
	set_up(FIRST, false);
	assert_int_not_equal(byte(SAME_BYTE), 0);
	set_up(SAME_BYTE, false);
	assert_int_equal(byte(SAME_BYTE), 0);
}

static void test_full_byte(void **state)
{
	u64 i;

	(void)state;
	for (i = 0; i < MORE_VCPUS; i++) {
		set_up(FIRST + (i << 32), true);
		assert_int_not_equal(byte(FIRST), 0);
	}
	for (i = 1; i < MORE_VCPUS; i++) {
		set_up(FIRST + (i << 32), false);
		assert_int_not_equal(byte(FIRST), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_byte),
		cmocka_unit_test(test_full_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
