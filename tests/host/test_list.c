// SPDX-License-Identifier: Apache-2.0
/*
 * Which process CR3 names. Its address bits decide. A PCID, or the bits for linear address masking
 * of user pointers (LAM), must not change the result. The tests also check for how many levels of
 * page tables a vCPU's contexts are.
 */
#include <setjmp.h>
#include <cmocka.h>
#include "host.h"
#include "../../host/path/list.c"

#define LAM_U57 (1ULL << 61)
#define LAM_U48 (1ULL << 62)

static void roots(void **state)
{
	struct eh_attachment attachment = {.root = 0x123456789000};
	struct eh_context context = {.attachment = &attachment};
	const u64 root = attachment.root;

	(void)state;
	assert_true(eh_page_root_is(&context, root));
	for (int bit = 0; bit < 64; bit++)
		assert_int_equal(eh_page_root_is(&context, root ^ 1ULL << bit),
				 bit < 12 || bit >= 52);
	assert_true(eh_page_root_is(&context, root | LAM_U57 | LAM_U48 | 0xfff));
	assert_false(eh_page_root_is(&context, (root + PAGE_SIZE) | LAM_U48));
}

/* LAM has no say in whether a vCPU may use VMFUNC. */
static void predicate(void **state)
{
	struct kvm_vcpu *vcpu = &machines[GUEST].vcpu;

	(void)state;
	host_start();
	shim_vmcs[GUEST_CR3] = 0x1000 | LAM_U57 | LAM_U48;
	assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_NOT_CLOSED);
	vcpu->arch.cr4 |= 1ULL << 28; /* LAM_SUP */
	assert_int_equal(eh_predicate(vcpu, false, 4), ELISA_NOT_CLOSED);
	host_end();
}

/* Attachments may have been made by vCPUs of which some page with five levels. */
static void levels(void **state)
{
	static struct eh_attachment four = {.levels = 4}, five = {.levels = 5};
	static struct eh_context old = {.attachment = &four}, new = {.attachment = &five};
	static struct eh_vcpu vcpu;

	(void)state;
	assert_int_equal(eh_levels_of_contexts(&vcpu), 0);
	for (int slot = 0; slot < ELISA_SLOTS; slot++) {
		vcpu.slots[slot] = &old;
		set_bit(slot, vcpu.used);
		assert_int_equal(eh_levels_of_contexts(&vcpu), 4);
	}
	for (int slot = 0; slot < ELISA_SLOTS; slot++) {
		vcpu.slots[slot] = &new;
		assert_int_equal(eh_levels_of_contexts(&vcpu), slot + 1 < ELISA_SLOTS ? 0 : 5);
	}
	for (int slot = 0; slot < ELISA_SLOTS; slot++) {
		vcpu.slots[slot] = &old;
		assert_int_equal(eh_levels_of_contexts(&vcpu), slot + 1 < ELISA_SLOTS ? 0 : 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots),
		cmocka_unit_test(predicate),
		cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
