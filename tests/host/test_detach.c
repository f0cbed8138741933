// SPDX-License-Identifier: Apache-2.0
/*
 * A guest detaches while another vCPU is between an exit in the context and its exit hook.
 *
 * No thread may wait for this vCPU. The process's pages must be released at once, and the context
 * must be freed only when the vCPU has passed its exit hook.
 */
#include <setjmp.h>
#include <cmocka.h>

#include "host.h"

#define ROOT 0x7654000ULL

static int start(void **state)
{
	(void)state;
	host_start();
	host_grant(MANAGER, ELISA_GRANT_EXPORT, "*", 0);
	host_grant(GUEST, ELISA_GRANT_ATTACH, "*", 0);
	host_publish("shop");
	assert_int_equal(host_attach("shop", ROOT, 2), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	host_end();
	return 0;
}

/* Puts the vCPU between an exit in a context and its exit hook. */
static void goes_in(struct eh_vcpu *vcpu)
{
	vcpu->entries++;
	vcpu->phase = EH_INSIDE;
}

static void sync(void)
{
	struct elisa_hc_page page = {0};

	assert_int_equal(host_call(GUEST, ELISA_HC_VCPU_SYNC, &page), 0);
}

/* Detaches as another vCPU of the VM. */
static void detach(void)
{
	struct eh_refusal refusal;

	assert_int_equal(eh_detach(host_vm(GUEST), 0, &refusal), 0);
}

static void the_context_outlives_the_detach(void **state)
{
	struct eh_context *c;
	struct eh_vcpu *vcpu;

	(void)state;
	sync();
	vcpu = host_vcpu(GUEST);
	c = vcpu->slots[0];
	vcpu->vmfunc = EH_VMFUNC_CLOSED;
	goes_in(vcpu);
	detach();
	assert_null(host_vm(GUEST)->slots[0]);
	assert_int_equal(atomic64_read(&machines[GUEST].mm.pinned_vm), 0);
	shim_run_work();
	assert_ptr_equal(vcpu->slots[0], c);
	assert_true(c->revoked && c->dead);
	/* the exit hook needs the attachment's fields */
	assert_int_equal(c->attachment->root, ROOT);

	vcpu->phase = EH_OUTSIDE;
	shim_run_work();
	assert_null(vcpu->slots[0]);
	assert_int_equal(hooks_armed, 1);
	vcpu->vmfunc = EH_VMFUNC_OFF;
	eh_vm_work_soon(vcpu->vm);
	shim_run_work();
	assert_int_equal(hooks_armed, 0);
}

static void a_fast_path_passes_the_entry_hook(void **state)
{
	struct eh_vcpu *vcpu;

	(void)state;
	sync();
	vcpu = host_vcpu(GUEST);
	goes_in(vcpu);
	detach();
	goes_in(vcpu);
	shim_run_work();
	assert_null(vcpu->slots[0]);
}

static void the_slot_is_taken_again(void **state)
{
	struct eh_vcpu *vcpu;

	(void)state;
	sync();
	vcpu = host_vcpu(GUEST);
	goes_in(vcpu);
	detach();
	vcpu->phase = EH_OUTSIDE;
	assert_int_equal(host_attach("shop", ROOT + PAGE_SIZE, 0), 0);
	sync();
	assert_non_null(vcpu->slots[0]);
	assert_int_equal(vcpu->slots[0]->attachment->root, ROOT + PAGE_SIZE);
	assert_false(vcpu->slots[0]->dead);
}

static void the_vcpu_is_freed_first(void **state)
{
	struct eh_vcpu *vcpu;

	(void)state;
	sync();
	vcpu = host_vcpu(GUEST);
	goes_in(vcpu);
	detach();
	/* end() frees the vCPU, and looks whether all memory is back */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_context_outlives_the_detach),
		TEST(a_fast_path_passes_the_entry_hook),
		TEST(the_slot_is_taken_again),
		TEST(the_vcpu_is_freed_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
