// SPDX-License-Identifier: Apache-2.0
/* A call returns the function's result, changes shared data, and causes no exit. */
#include "../../gate/gate_page.h"
#include "harness.h"

int main(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	uint64_t before, after, cycles;
	struct outcome out;
	uint32_t slot;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.call", ELISA_EXPORT_GENERAL_REGS, 0);
	slot = attach(guest, "t.call", ELISA_STUB_TRUSTING, 0);
	out = call(guest, 0, slot, DO_ADD, 40, 2);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 42);
	out = call_loop(guest, 0, slot, DO_COUNT, 10, &cycles);
	CHECK_EQ(out.value, 10);
	before = vcpu_stat(guest, 0, "exits");
	out = call_loop(guest, 0, slot, DO_COUNT, 1000, &cycles);
	after = vcpu_stat(guest, 0, "exits");
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 1010);
	CHECK_EQ(*vm_u64(manager, OBJECT + PAGE_SIZE), 1010);
	printf("call: 1000 calls, %llu exits, %.2f instructions each with the loop\n",
	       (unsigned long long)(after - before), cycles / 1000.0);
	return 0;
}
