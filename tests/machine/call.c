// SPDX-License-Identifier: Apache-2.0
/*
 * A call passes six arguments in order, returns the function's result, changes shared data, and
 * causes no exit.
 *
 * The test runs in both modes, with both kinds of exports and of stubs. It compares sums and
 * counters, and prints the exits.
 */
#include "../../gate/gate_page.h"
#include "harness.h"

static struct vm *manager, *guest;

/* Each argument is another digit, so that a swapped or lost argument changes the sum. */
static void six_arguments(uint32_t slot)
{
	const struct kvm_regs regs = {.rdi = DO_MANY,
				      .rsi = 1,
				      .rdx = 1L << 10,
				      .r10 = 1L << 20,
				      .r8 = 1L << 30,
				      .r9 = 1L << 40,
				      .r11 = stub_entry(slot),
				      .rflags = 0x200};
	struct outcome out = run_at(guest, 0, 3, user_code(user_call), &regs);

	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 1 | 2L << 10 | 4L << 20 | 8L << 30 | 16L << 40);
}

static void calls(uint32_t slot)
{
	uint64_t before, after, cycles;
	struct outcome out;

	out = call(guest, 0, slot, DO_ADD, 40, 2);
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 42);
	*object_data(manager) = 0;
	out = call_loop(guest, 0, slot, DO_COUNT, 10, &cycles);
	CHECK_EQ(out.value, 10);
	before = vcpu_stat(guest, 0, "exits");
	out = call_loop(guest, 0, slot, DO_COUNT, 1000, &cycles);
	after = vcpu_stat(guest, 0, "exits");
	CHECK_EQ(out.exit, 0);
	CHECK_EQ(out.error, 0);
	CHECK_EQ(out.value, 1010);
	CHECK_EQ(*object_data(manager), 1010);
	printf("call: 1000 calls, %llu exits, %.2f instructions each with the loop\n",
	       (unsigned long long)(after - before), cycles / 1000.0);
}

static void test(void)
{
	char name[] = "t.call0";
	uint32_t slot;
	int kind;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	for (kind = 0; kind < 4; kind++) {
		name[6] = '0' + kind;
		export_new(manager, name, kind & 1 ? ELISA_EXPORT_GENERAL_REGS : 0, 0);
		slot = attach(guest, name, kind & 2 ? ELISA_STUB_XSAVE : ELISA_STUB_TRUSTING, 0);
		six_arguments(slot);
		calls(slot);
	}
}

int main(void)
{
	return in_both_modes(test);
}
