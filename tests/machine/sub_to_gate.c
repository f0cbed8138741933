// SPDX-License-Identifier: Apache-2.0
/*
 * A hostile manager's function executes VMFUNC itself.
 *
 * The attack would succeed if it entered gate-in of its own or another slot, or chose the stack on
 * which its caller goes on. The test tries VMFUNCs in the manager's code, in the stub, and in the
 * bytes of a planted entry address. It compares the error and the caller's RSP.
 */
#include <string.h>
#include "../../gate/gate_page.h"
#include "harness.h"

/*
 * An entry address with 0f 01 d4 (VMFUNC) in its low bytes. The entry stub's page contains it, as
 * code that the manager chose.
 */
#define PLANTED_ENTRY 0xd4010fULL
#define ENTRY_POINTER 0xf00
#define HOSTILE_STACK (ELISA_OBJECT_BASE + 2 * PAGE_SIZE - 64) /* in the function's own data */
#define CALLERS_STACK (USER_STACK - 0x800)		       /* in the caller's memory */

static struct vm *manager, *guest;

static struct outcome attack(uint32_t slot, uint64_t at, uint32_t index, uint64_t rsp)
{
	struct kvm_regs regs = {.rdi = DO_ATTACK,
				.rsi = at,
				.rdx = index,
				.r8 = rsp,
				.r9 = 0x1234,
				.r11 = stub_entry(slot),
				.rflags = 0x200,
				.rbx = 1};

	return run_at(guest, 0, 3, user_code(user_call), &regs);
}

static void check_error(const char *what, const struct outcome *out, enum elisa_call_error error)
{
	if (out->exit || out->error != error || out->regs.rsp != USER_STACK)
		printf("%s: at %#llx, RSP %#llx\n", what, (unsigned long long)out->at,
		       (unsigned long long)out->regs.rsp);
	CHECK_EQ(out->exit, 0);
	CHECK_EQ(out->error, error);
	CHECK_EQ(out->value, 0);
	CHECK_EQ(out->regs.rsp, USER_STACK);
}

static uint32_t plant(const char *name)
{
	uint32_t id;

	memset(manager->page, 0, PAGE_SIZE);
	strcpy(manager->page->export_.name, name);
	manager->page->export_.flags = ELISA_EXPORT_GENERAL_REGS;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_CREATE), 0);
	id = manager->page->export_.id;
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->map.id = id;
	manager->page->map.prot = ELISA_PROT_READ | ELISA_PROT_EXEC;
	manager->page->map.offset = PLANTED_ENTRY & ~0xfffULL;
	manager->page->map.count = 1;
	manager->page->map.gpa[0] = OBJECT + 0x20000;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_MAP), 0);
	/* entry: mov %edx, %ecx; mov %r8, %rsp; xor %eax, %eax; jmp *%rsi */
	memcpy(manager->memory + OBJECT + 0x20000 + (PLANTED_ENTRY & 0xfff),
	       "\x89\xd1\x4c\x89\xc4\x31\xc0\xff\xe6", 9);
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->publish.id = id;
	manager->page->publish.entry = PLANTED_ENTRY;
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_PUBLISH), 0);
	return attach(guest, name, ELISA_STUB_TRUSTING, 0);
}

int main(void)
{
	const struct kvm_regs undefined = {.rcx = ELISA_INDEX_SUB(63), .rflags = 0x202};
	static const uint64_t stacks[] = {HOSTILE_STACK, CALLERS_STACK, 0, 1ULL << 60};
	uint32_t slot, other, planted, s;
	uint64_t free_vmfunc, stub_vmfunc, rsp;
	struct outcome out;
	unsigned int i;

	manager = vm_new(1);
	guest = vm_new(1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	export_new(manager, "t.hostile", ELISA_EXPORT_GENERAL_REGS, 0);
	export_at(manager, "t.other", ELISA_EXPORT_GENERAL_REGS, 0, OBJECT + 0x10000);
	slot = attach(guest, "t.hostile", ELISA_STUB_TRUSTING, 0);
	other = attach(guest, "t.other", ELISA_STUB_TRUSTING, 0);
	/* the other slot's data page has an old RSP */
	CHECK_EQ(call(guest, 0, other, DO_ADD, 1, 2).value, 3);
	/* data is not executable, so the manager writes VMFUNC; HLT to its code page */
	memcpy(manager->memory + OBJECT + 0xf00, "\x0f\x01\xd4\xf4", 4);
	free_vmfunc = ELISA_OBJECT_BASE + 0xf00;
	stub_vmfunc = code_page(slot) + ELISA_GATE_OUT_ENTRY(slot) - 3;
	/*
	 * an exception's handler and stack are in the EPT already, so that no exception below exits
	 */
	CHECK_EQ(run_at(guest, 0, 3, user_code(user_vmfunc), &undefined).exit, FAULT(UD));
	for (i = 0; i < 4; i++) {
		rsp = stacks[i];
		/* gate-in of its own slot, which would save another RSP, has an invalid entry */
		out = attack(slot, free_vmfunc, ELISA_INDEX_GATE_IN(slot), rsp);
		check_error("own gate-in", &out, ELISA_CALL_FORBIDDEN);
		out = attack(slot, stub_vmfunc, ELISA_INDEX_GATE_IN(slot), rsp);
		check_error("own gate-in from the stub", &out, ELISA_CALL_FORBIDDEN);
		/* gate-out from the right address is a return, on the caller's stack */
		out = attack(slot, stub_vmfunc, ELISA_INDEX_GATE_OUT(slot), rsp);
		CHECK_EQ(out.exit, 0);
		CHECK_EQ(out.error, 0);
		CHECK_EQ(out.value, 0x1234);
		CHECK_EQ(out.regs.rsp, USER_STACK);
		/* gate-out from another address ends the call */
		out = attack(slot, free_vmfunc, ELISA_INDEX_GATE_OUT(slot), rsp);
		check_error("gate-out elsewhere", &out, ELISA_CALL_FAULT);
		/* contexts of another slot */
		out = attack(slot, free_vmfunc, ELISA_INDEX_SUB(other), rsp);
		check_error("another's sub", &out, ELISA_CALL_FORBIDDEN);
		out = attack(slot, free_vmfunc, ELISA_INDEX_GATE_IN(other), rsp);
		check_error("another's gate-in", &out, ELISA_CALL_FAULT);
		out = attack(slot, stub_vmfunc, ELISA_INDEX_GATE_IN(other), rsp);
		check_error("another's gate-in from the stub", &out, ELISA_CALL_FAULT);
		out = attack(slot, free_vmfunc, ELISA_INDEX_GATE_OUT(other), rsp);
		check_error("another's gate-out", &out, ELISA_CALL_FAULT);
		out = attack(slot, stub_vmfunc, ELISA_INDEX_GATE_OUT(other), rsp);
		check_error("another's gate-out from the stub", &out, ELISA_CALL_FAULT);
		/* leaves sub without the gate: the vCPU faults in default */
		out = attack(slot, free_vmfunc, 0, rsp);
		CHECK_EQ(out.exit, FAULT(PF));
		CHECK_EQ(out.at, free_vmfunc + 3);
		CHECK_EQ(call(guest, 0, other, DO_ADD, 3, 4).value, 7);
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
		out = attack(slot, stub_vmfunc, 0, rsp);
		CHECK_EQ(out.exit, FAULT(BP));
		CHECK_EQ(out.at, stub_vmfunc + 3 + 1);
		CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	}
	/* the VMFUNC in the bytes of the manager's entry address */
	planted = plant("t.planted");
	for (i = 0; i < 4; i++) {
		static const uint32_t first[] = {ELISA_INDEX_GATE_IN(0), ELISA_INDEX_GATE_OUT(0)};

		for (s = 0; s < 2; s++) {
			out = attack(planted, code_page(planted) + ENTRY_POINTER,
				     first[s] + planted, stacks[i]);
			check_error("planted VMFUNC", &out,
				    s ? ELISA_CALL_FAULT : ELISA_CALL_FORBIDDEN);
		}
		out = attack(planted, code_page(planted) + ENTRY_POINTER, 0, stacks[i]);
		CHECK_EQ(out.exit, FAULT(BP));
		CHECK_EQ(out.at, code_page(planted) + ENTRY_POINTER + 3 + 1);
	}
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	printf("sub_to_gate: the caller goes on with its own stack, or not at all\n");
	return 0;
}
