// SPDX-License-Identifier: Apache-2.0
/*
 * VMFUNC with every leaf from 0 to 63 and every index from 0 to 600.
 *
 * It is executed by attached and unattached VMs, in default in ring 3 and ring 0, and in sub. The
 * attack would succeed if a VMFUNC switched that is not designed to. The code counts each VMFUNC
 * that passes and each that causes #UD.
 */
#include "attack.h"

#define LEAVES	    64
#define INDEXES	    601
#define UNDEFINED   (SEEN + 0x30) /* the handler counts #UD here */
#define KERNEL_DATA (SEEN + 0x40)

struct sweep {
	uint64_t leaf, index, end, passed, expected, stub;
};

/*
 * RBP = struct sweep. The code counts a VMFUNC that passes. The handler skips one that causes #UD.
 */
CODE(sweep, "	lea 2f(%rip), %r9\n"
	    "	mov 8(%rbp), %rbx\n"
	    "1:	mov (%rbp), %eax\n"
	    "	mov %ebx, %ecx\n"
	    "2:	vmfunc\n"
	    "	incq 24(%rbp)\n"
	    "	inc %ebx\n"
	    "	cmp 16(%rbp), %rbx\n"
	    "	jb 1b\n"
	    "3:	out %al, $0x10\n"
	    "	jmp 3b\n");
/*
 * The handler of #UD. If the VMFUNC at R9 caused it, skips this VMFUNC and the INC that counts it.
 */
CODE(undefined, "	cmp %r9, (%rsp)\n"
		"	jne 1f\n"
		"	incq 0x6030\n"
		"	addq $7, (%rsp)\n"
		"	iretq\n"
		"1:	mov (%rsp), %rdx\n"
		"	mov $6, %ebx\n"
		"	out %al, $0x12\n"
		"	hlt\n");
/*
 * RBP = struct sweep. Calls a function that executes VMFUNC. Counts calls that end with another
 * error than expected.
 */
CODE(sub_sweep, "1:	mov $7, %edi\n"
		"	mov (%rbp), %rsi\n"
		"	mov 8(%rbp), %rdx\n"
		"	mov 40(%rbp), %r11\n"
		"	call *%r11\n"
		"	cmp 32(%rbp), %rdx\n"
		"	je 2f\n"
		"	incq 24(%rbp)\n"
		"2:	incq 8(%rbp)\n"
		"	mov 8(%rbp), %rax\n"
		"	cmp 16(%rbp), %rax\n"
		"	jb 1b\n"
		"3:	out %al, $0x10\n"
		"	jmp 3b\n");

static struct vm *guest;

/* Executes VMFUNC in default with the indexes [first, end) of @leaf, none of which may pass. */
static void sweep_default(int cpl, uint64_t leaf, uint64_t first, uint64_t end)
{
	uint64_t data = cpl ? USER_DATA : KERNEL_DATA;
	struct kvm_regs regs = {.rbp = data, .rflags = 0x200};
	struct sweep *s = (struct sweep *)(guest->memory + data);
	struct outcome out;

	if (first >= end)
		return;
	*s = (struct sweep){.leaf = leaf, .index = first, .end = end};
	*vm_u64(guest, UNDEFINED) = 0;
	out = run_at(guest, 0, cpl, cpl ? ATTACK_USER : ATTACK_KERNEL, &regs);
	attack_tries(end - first,
		     out.exit || s->passed ? end - first : end - first - *vm_u64(guest, UNDEFINED),
		     "VMFUNC from default");
}

static void all_from_default(int cpl, const uint64_t *skip, int skips)
{
	uint64_t leaf, first = 0;
	int i;

	for (i = 0; i < skips; i++) {
		sweep_default(cpl, 0, first, skip[i]);
		first = skip[i] + 1;
	}
	sweep_default(cpl, 0, first, INDEXES);
	for (leaf = 1; leaf < attack_scale(LEAVES); leaf++)
		sweep_default(cpl, leaf, 0, INDEXES);
}

static void sweep_sub(uint32_t slot, uint64_t leaf, uint64_t first, uint64_t end,
		      enum elisa_call_error error)
{
	struct sweep *s = (struct sweep *)(guest->memory + USER_DATA);
	struct kvm_regs regs = {.rbp = USER_DATA, .rflags = 0x200};
	struct outcome out;

	if (first >= end)
		return;
	*s = (struct sweep){leaf, first, end, 0, (int64_t)error, stub_entry(slot)};
	out = run_at(guest, 0, 3, ATTACK_USER + 0x100, &regs);
	attack_tries(end - first, out.exit ? end - first : s->passed, "VMFUNC from sub");
}

int main(void)
{
	struct vm *unattached = vm_new(1);
	struct pair pair =
		attack_pair("t.vmfunc", ELISA_EXPORT_GENERAL_REGS, 0, ELISA_STUB_TRUSTING, 0, 1);
	const uint64_t sub = ELISA_INDEX_SUB(pair.slot), in = ELISA_INDEX_GATE_IN(pair.slot),
		       gate_out = ELISA_INDEX_GATE_OUT(pair.slot);
	const uint64_t designed[] = {0, in, gate_out};
	struct vm *const vms[] = {unattached, pair.guest};
	struct kvm_regs regs = {.rcx = in, .rflags = 0x200, .rsp = KERNEL_STACK};
	struct outcome out;
	uint64_t leaf;
	int i;

	for (i = 0; i < 2; i++) {
		guest = vms[i];
		PLACE(guest, ATTACK_USER, sweep);
		PLACE(guest, ATTACK_USER + 0x100, sub_sweep);
		PLACE(guest, ATTACK_KERNEL, sweep);
		PLACE(guest, ATTACK_KERNEL + 0x100, undefined);
		set_gate(guest, UD, ATTACK_KERNEL + 0x100, 0);
		all_from_default(3, designed, i ? 3 : 0);
		all_from_default(0, designed, i ? 3 : 0);
	}
	set_gate(guest, UD, kernel_code(isr_fault) + 16 * UD, 0);

	/*
	 * In sub: gate-in's entry is invalid, gate-out cannot be entered from here, and index 0
	 * ends in a fault.
	 */
	sweep_sub(pair.slot, 0, 1, sub, ELISA_CALL_FORBIDDEN);
	sweep_sub(pair.slot, 0, sub, sub + 1, ELISA_CALL_OK); /* sub itself */
	sweep_sub(pair.slot, 0, sub + 1, gate_out, ELISA_CALL_FORBIDDEN);
	sweep_sub(pair.slot, 0, gate_out, gate_out + 1, ELISA_CALL_FAULT);
	sweep_sub(pair.slot, 0, gate_out + 1, INDEXES, ELISA_CALL_FORBIDDEN);
	for (leaf = 1; leaf < attack_scale(LEAVES); leaf++)
		sweep_sub(pair.slot, leaf, 0, INDEXES, ELISA_CALL_FORBIDDEN);
	out = call(guest, 0, pair.slot, DO_VMFUNC, 0, 0);
	attack_try(out.exit == FAULT(PF), "VMFUNC 0 from sub: exit %#x", out.exit);
	attack_try(attack_pair_works(&pair), "after VMFUNC 0 from sub");

	/*
	 * sub's entry is also invalid after a call that a fault has ended, for which the host wrote
	 * the list
	 */
	PLACE(guest, ATTACK_USER, sweep);
	set_gate(guest, UD, ATTACK_KERNEL + 0x100, 0);
	CHECK_EQ(call(guest, 0, pair.slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	sweep_default(3, 0, sub, sub + 1);
	set_gate(guest, UD, kernel_code(isr_fault) + 16 * UD, 0);

	/* The guest's kernel enters gate-in. It must not reach sub. */
	*vm_u64(guest, ATTACK_KERNEL + 0x200) = 0xd4010f; /* vmfunc */
	out = run_at(guest, 0, 0, ATTACK_KERNEL + 0x200, &regs);
	attack_try(out.exit, "gate-in from ring 0: went on");
	attack_try(*object_data(pair.manager) == 0, "the object was written");
	attack_try(attack_pair_works(&pair), "after gate-in from ring 0");
	return 0;
}
