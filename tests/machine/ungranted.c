// SPDX-License-Identifier: Apache-2.0
/*
 * A VM without a grant gets answers, but leaves no trace in the host: no VM, no memory, no
 * interrupt.
 *
 * If the administrator grants later, everything must work. The failure would be a stranger that can
 * fill the host's memory. The test compares the host's lists.
 */
#include <errno.h>
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define RIGHTS (ELISA_HELLO_MAY_EXPORT | ELISA_HELLO_MAY_ATTACH)

static uint32_t vms(void)
{
	struct elisa_host_vm vm[8];

	return admin_list(ELISA_HOST_VMS, vm, sizeof(vm[0]), 8);
}

static void expect(struct vm *vm, int vcpu, uint32_t call, int error, uint32_t why)
{
	int r;

	memset(vm->page, 0, PAGE_SIZE);
	if (call == ELISA_HC_HELLO)
		vm->page->hello.abi = ELISA_ABI_VERSION;
	r = hypercall(vm, vcpu, call);
	if (r != error || vm->page->why != why)
		printf("call %u\n", call);
	CHECK_EQ(r, error);
	CHECK_EQ(vm->page->why, why);
}

int main(void)
{
	struct vm *vm = vm_new(2), *manager = vm_new(1);
	uint32_t before = vms(), slot, what;
	int vcpu;

	for (vcpu = 0; vcpu < 2; vcpu++) {
		expect(vm, vcpu, ELISA_HC_HELLO, 0, ELISA_OK);
		CHECK_EQ(vm->page->hello.flags & RIGHTS, 0);
		CHECK(vm->page->hello.root_limit > 0);
		for (what = ELISA_HC_EXPORT_CREATE; what < ELISA_HC_COUNT; what++)
			switch (what) {
			case ELISA_HC_VCPU_SYNC:
			case ELISA_HC_RESET:
			case ELISA_HC_EVENTS:
				expect(vm, vcpu, what, 0, ELISA_OK);
				break;
			case ELISA_HC_DETACH:
				expect(vm, vcpu, what, -ENOENT, ELISA_WHY_NO_ATTACHMENT);
				break;
			case ELISA_HC_EXPORT_DESTROY:
				expect(vm, vcpu, what, -ENOENT, ELISA_WHY_NO_EXPORT);
				break;
			default:
				expect(vm, vcpu, what, -EPERM, ELISA_WHY_NO_GRANT);
			}
		expect(vm, vcpu, ELISA_HC_COUNT, -ENOSYS, ELISA_WHY_CALL);
	}
	CHECK_EQ(vms(), before);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	expect(vm, 0, ELISA_HC_HELLO, 0, ELISA_OK);
	CHECK_EQ(vm->page->hello.flags & RIGHTS, RIGHTS);
	export_new(manager, "t.late", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(vm, "t.late", ELISA_STUB_TRUSTING, 0);
	for (vcpu = 0; vcpu < 2; vcpu++)
		CHECK_EQ(call(vm, vcpu, slot, DO_ADD, 1, 2).value, 3);
	CHECK_EQ(vms(), before + 2);
	printf("ungranted: answered, and forgotten\n");
	return 0;
}
