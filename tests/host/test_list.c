// SPDX-License-Identifier: Apache-2.0
/*
 * Whose page tables CR3 names: its address bits decide, and neither a PCID nor the bits for linear
 * address masking of user pointers (LAM) make another process or the same one of it.
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

/* LAM has no say in whether a vCPU may use VMFUNC; what is set for ring 0's pointers has. */
static void predicate(void **state)
{
	struct kvm_vcpu *vcpu = &machines[GUEST].vcpu;

	(void)state;
	host_start();
	shim_vmcs[GUEST_CR3] = 0x1000 | LAM_U57 | LAM_U48;
	assert_int_equal(eh_predicate(vcpu, false), ELISA_NOT_CLOSED);
	vcpu->arch.cr4 |= 1ULL << 28; /* LAM_SUP */
	assert_int_equal(eh_predicate(vcpu, false), ELISA_CLOSED_CR4);
	host_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots),
		cmocka_unit_test(predicate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
