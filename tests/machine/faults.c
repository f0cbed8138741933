// SPDX-License-Identifier: Apache-2.0
/*
 * A function does something wrong: it faults or executes a forbidden instruction.
 *
 * Each case must end the call with the designed error. The VM must live, the next call must work,
 * and the manager must get one event.
 */
#include "../../gate/gate_page.h"
#include "harness.h"

#define OBJECT_DATA (ELISA_OBJECT_BASE + PAGE_SIZE)

static const struct {
	const char *what;
	long function, a1, a2;
	enum elisa_call_error error;
	bool strict_only; /* a trusted manager's function may do it */
} cases[] = {
	{"read where nothing is mapped", DO_READ, ELISA_OBJECT_BASE + (1 << 20), 0,
	 ELISA_CALL_FAULT},
	{"read where no page table is", DO_READ, ELISA_OBJECT_BASE + (50ULL << 30), 0,
	 ELISA_CALL_FAULT},
	{"read the caller's memory", DO_READ, USER_DATA, 0, ELISA_CALL_FAULT},
	{"read the gate's list", DO_READ, ELISA_WINDOW_BASE + ELISA_LIST_OFFSET, 0,
	 ELISA_CALL_FAULT, true},
	{"read the saved RSP", DO_READ, ELISA_WINDOW_BASE + ELISA_DATA_OFFSET, 0, ELISA_CALL_FAULT},
	{"read a non-canonical address", DO_READ, 1L << 62, 0, ELISA_CALL_FAULT},
	{"write to its code", DO_WRITE, ELISA_OBJECT_BASE, 0x90, ELISA_CALL_FAULT},
	{"write to the entry stub", DO_WRITE, ELISA_WINDOW_BASE, 0x90, ELISA_CALL_FAULT},
	{"jump to data", DO_JUMP, OBJECT_DATA, 0, ELISA_CALL_FAULT},
	{"jump to the caller", DO_JUMP, USER_CODE, 0, ELISA_CALL_FAULT},
	{"undefined instruction", DO_UD, 0, 0, ELISA_CALL_FAULT},
	{"breakpoint", DO_INT3, 0, 0, ELISA_CALL_FAULT},
	{"software interrupt", DO_INT80, 0, 0, ELISA_CALL_FAULT},
	{"division by 0", DO_DIVIDE, 0, 0, ELISA_CALL_FAULT},
	{"halt", DO_HLT, 0, 0, ELISA_CALL_FAULT},
	{"system call", DO_SYSCALL, 0, 0, ELISA_CALL_FAULT},
	{"old system call", DO_SYSENTER, 0, 0, ELISA_CALL_FAULT},
	{"hypercall", DO_VMCALL, 0, 0, ELISA_CALL_FORBIDDEN},
	{"VMFUNC to an empty entry", DO_VMFUNC, 0, 3, ELISA_CALL_FORBIDDEN},
	{"VMFUNC beyond the list", DO_VMFUNC, 0, 512, ELISA_CALL_FORBIDDEN},
	{"another VM function", DO_VMFUNC, 1, 0, ELISA_CALL_FORBIDDEN},
	{"CPUID", DO_CPUID, 0, 0, ELISA_CALL_FORBIDDEN},
	{"port", DO_OUT, 0, 0, ELISA_CALL_FAULT},
};
#define CASES (int)(sizeof(cases) / sizeof(cases[0]))

static void test(void)
{
	struct vm *manager = vm_new(1), *guest = vm_new(1);
	static const uint32_t stubs[] = {ELISA_STUB_TRUSTING, ELISA_STUB_XSAVE};
	char name[] = "t.faults0";
	struct outcome out;
	uint32_t slot;
	int i, stub;

	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	for (stub = 0; stub < 2; stub++) {
		name[8] = '0' + stub;
		export_new(manager, name, stub ? 0 : ELISA_EXPORT_GENERAL_REGS, 0);
		slot = attach(guest, name, stubs[stub], 0);
		events(manager, 0, 0);
		for (i = 0; i < CASES; i++) {
			if (cases[i].strict_only && trusted)
				continue;
			out = call(guest, 0, slot, cases[i].function, cases[i].a1, cases[i].a2);
			if (out.exit || out.error != cases[i].error || out.value)
				printf("case \"%s\":\n", cases[i].what);
			CHECK_EQ(out.exit, 0);
			CHECK_EQ(out.error, cases[i].error);
			CHECK_EQ(out.value, 0);
			CHECK_EQ(out.regs.rsp, USER_STACK);
			/* no address that the function used */
			CHECK_EQ(get_sregs(guest, 0).cr2, 0);
			CHECK_EQ(events(manager, ELISA_EVENT_ABORT, cases[i].error), 1);
			out = call(guest, 0, slot, DO_ADD, i, 1);
			CHECK_EQ(out.exit, 0);
			CHECK_EQ(out.error, 0);
			CHECK_EQ(out.value, i + 1);
		}
	}
	CHECK_EQ(*vm_u64(guest, SEEN), 0);
	printf("faults: %d ways to fail, twice, each with its error and an event\n", CASES);
}

int main(void)
{
	return in_both_modes(test);
}
