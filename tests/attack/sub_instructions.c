// SPDX-License-Identifier: Apache-2.0
/*
 * A function executes every kind of instruction that could stop, trap, exit or change the
 * processor's state.
 *
 * The failure would be a call that ends with another result than designed. Other failures are a
 * caller that lost part of its state, and an event that reaches the guest. After each instruction
 * the test compares the error and the caller's registers, and makes another call.
 */
#include <string.h>
#include "attack.h"

#define OK	  ELISA_CALL_OK
#define FAULTS	  ELISA_CALL_FAULT
#define FORBIDDEN ELISA_CALL_FORBIDDEN
#define TIMEOUT	  ELISA_CALL_TIMEOUT
#define EITHER	  1 /* FAULT or FORBIDDEN: exit or privilege check comes first */

/* name, instructions (RSP is sub's stack; RET is appended), expected result */
#define CASES(X)                                                                                 \
	/* exceptions */                                                                         \
	X(divide, "xor %ecx, %ecx; div %ecx", FAULTS)                                            \
	X(idiv_overflow, "mov $-1, %ecx; mov $0x80000000, %eax; cltd; idiv %ecx", FAULTS)        \
	X(ud0, ".byte 0x0f, 0xff, 0xc0", FAULTS)                                                 \
	X(ud1, ".byte 0x0f, 0xb9, 0xc0", FAULTS)                                                 \
	X(ud2, "ud2", FAULTS)                                                                    \
	X(int3, "int3", FAULTS)                                                                  \
	X(int1, ".byte 0xf1", FAULTS)                                                            \
	X(int_2, "int $2", FAULTS)                                                               \
	X(int_0x20, "int $0x20", FAULTS)                                                         \
	X(int_0x80, "int $0x80", FAULTS)                                                         \
	X(int_0xff, "int $0xff", FAULTS)                                                         \
	X(non_canonical, "mov $1, %eax; shl $62, %rax; mov (%rax), %eax", FAULTS)                \
	X(stack_fault, "mov $1, %eax; shl $62, %rax; mov %rax, %rsp; push %rax", FAULTS)         \
	X(stack_overflow, "1: push %rax; jmp 1b", FAULTS)                                        \
	X(stack_underflow, "1: pop %rax; jmp 1b", FAULTS)                                        \
	X(recursion, "1: call 1b", FAULTS)                                                       \
	X(alignment, "pushfq; orl $0x40000, (%rsp); popfq; mov 1(%rsp), %eax", FAULTS)           \
	X(too_long, ".fill 15, 1, 0x2e; nop", FAULTS)                                            \
	X(lock_nop, ".byte 0xf0, 0x90", FAULTS)                                                  \
	X(simd_exception,                                                                        \
	  "push $0; ldmxcsr (%rsp); pop %rax; xorps %xmm0, %xmm0;"                               \
	  "divps %xmm0, %xmm0",                                                                  \
	  FAULTS)                                                                                \
	X(x87_exception, "push $0; fldcw (%rsp); pop %rax; fldz; fldz; fdivp; fwait", FAULTS)    \
	X(bad_mxcsr, "push $-1; ldmxcsr (%rsp); pop %rax", FAULTS)                               \
	X(jump_nowhere, "xor %eax, %eax; jmp *%rax", FAULTS)                                     \
	X(jump_kernel, "mov $0x10000, %eax; jmp *%rax", FAULTS)                                  \
	X(jump_stack, "push $0xc3; jmp *%rsp", FAULTS)                                           \
	X(write_code, "movb $0x90, 1f(%rip); 1: nop", FAULTS)                                    \
	X(read_apic, "mov $0xfee00000, %eax; mov (%rax), %eax", FAULTS)                          \
	X(read_kernel, "mov 0x6000, %eax", FAULTS)                                               \
	X(read_high_half, "mov $-4096, %rax; mov (%rax), %eax", FAULTS)                          \
	/* single-step: goes on */                                                               \
	X(trap_flag, "pushfq; orl $0x100, (%rsp); popfq; nop; nop; xor %eax, %eax", OK)          \
	X(resume_flag, "pushfq; orl $0x10100, (%rsp); popfq; nop; xor %eax, %eax", OK)           \
	X(pop_ss_step, "pushfq; orl $0x100, (%rsp); popfq; mov %ss, %eax; xor %eax, %eax", OK)   \
	/* instructions of ring 0 */                                                             \
	X(hlt, "hlt", FAULTS)                                                                    \
	X(cli, "cli", FAULTS)                                                                    \
	X(sti, "sti", FAULTS)                                                                    \
	X(clts, "clts", FAULTS)                                                                  \
	X(lmsw, "lmsw %ax", FAULTS)                                                              \
	X(mov_from_cr0, "mov %cr0, %rax", FAULTS)                                                \
	X(mov_to_cr0, "mov %rax, %cr0", FAULTS)                                                  \
	X(mov_to_cr3, "mov %rax, %cr3", FAULTS)                                                  \
	X(mov_to_cr4, "mov %rax, %cr4", FAULTS)                                                  \
	X(mov_to_cr8, "mov %rax, %cr8", FAULTS)                                                  \
	X(mov_from_dr7, "mov %dr7, %rax", EITHER)                                                \
	X(mov_to_dr7, "mov %rax, %dr7", EITHER)                                                  \
	X(lgdt, "lgdt (%rsp)", FAULTS)                                                           \
	X(lidt, "lidt (%rsp)", FAULTS)                                                           \
	X(lldt, "lldt %ax", FAULTS)                                                              \
	X(ltr, "ltr %ax", FAULTS)                                                                \
	X(invlpg, "invlpg (%rsp)", FAULTS)                                                       \
	X(invpcid, "invpcid (%rsp), %rax", FAULTS)                                               \
	X(invd, "invd", FAULTS)                                                                  \
	X(wbinvd, "wbinvd", FAULTS)                                                              \
	X(rdmsr, "mov $0x10, %ecx; rdmsr", FAULTS)                                               \
	X(wrmsr, "mov $0xc0000080, %ecx; wrmsr", FAULTS)                                         \
	X(wrmsr_fs_base, "mov $0xc0000100, %ecx; wrmsr", FAULTS)                                 \
	X(rdpmc, "xor %ecx, %ecx; rdpmc", FAULTS)                                                \
	X(xsetbv, "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv", EITHER)                \
	X(swapgs, "swapgs", FAULTS)                                                              \
	X(sysret, "sysretq", FAULTS)                                                             \
	X(sysexit, "sysexitq", FAULTS)                                                           \
	X(rsm, "rsm", FAULTS)                                                                    \
	X(monitor, "lea (%rsp), %rax; xor %ecx, %ecx; xor %edx, %edx; monitor", FAULTS)          \
	X(mwait, "xor %eax, %eax; xor %ecx, %ecx; mwait", FAULTS)                                \
	X(in_port, "in $0x10, %al", FAULTS)                                                      \
	X(out_port, "out %al, $0x10", FAULTS)                                                    \
	X(in_other_port, "mov $0x3f8, %edx; in %dx, %al", FAULTS)                                \
	X(outs, "mov %rsp, %rsi; mov $0x10, %edx; outsb", FAULTS)                                \
	X(clac, "clac", FAULTS)                                                                  \
	X(stac, "stac", FAULTS)                                                                  \
	/* of the hypervisor */                                                                  \
	X(vmcall, "mov $11, %eax; vmcall", EITHER)                                               \
	X(vmmcall, "vmmcall", EITHER)                                                            \
	X(vmlaunch, "vmlaunch", EITHER)                                                          \
	X(vmresume, "vmresume", EITHER)                                                          \
	X(vmxon, "vmxon (%rsp)", EITHER)                                                         \
	X(vmxoff, "vmxoff", EITHER)                                                              \
	X(vmread, "xor %eax, %eax; vmread %rax, %rcx", EITHER)                                   \
	X(vmwrite, "xor %eax, %eax; vmwrite %rcx, %rax", EITHER)                                 \
	X(vmptrld, "vmptrld (%rsp)", EITHER)                                                     \
	X(vmclear, "vmclear (%rsp)", EITHER)                                                     \
	X(invept, "invept (%rsp), %rax", EITHER)                                                 \
	X(invvpid, "invvpid (%rsp), %rax", EITHER)                                               \
	X(cpuid, "xor %eax, %eax; cpuid", FORBIDDEN)                                             \
	X(getsec, "getsec", EITHER)                                                              \
	X(sgdt, "sub $16, %rsp; sgdt (%rsp)", FORBIDDEN)                                         \
	X(sidt, "sub $16, %rsp; sidt (%rsp)", FORBIDDEN)                                         \
	X(sldt, "sldt %eax", FORBIDDEN)                                                          \
	X(str, "str %eax", FORBIDDEN)                                                            \
	/* ways into ring 0 and to other segments */                                             \
	X(syscall, "syscall", FAULTS)                                                            \
	X(sysenter, "sysenter", FAULTS)                                                          \
	X(iret,                                                                                  \
	  "mov %rsp, %rax; push $0x23; push %rax; pushfq; push $0x1b;"                           \
	  "lea 1f(%rip), %rax; push %rax; iretq; 1: xor %eax, %eax",                             \
	  FAULTS)                                                                                \
	X(far_return, "push $0x1b; lea 1f(%rip), %rax; push %rax; lretq; 1: nop", FAULTS)        \
	X(far_jump, "movabs $0x1b00000800, %rax; push %rax; ljmp *(%rsp)", FAULTS)               \
	X(far_call, "movabs $0x800000800, %rax; push %rax; lcall *(%rsp)", FAULTS)               \
	X(load_ds, "mov $0x23, %eax; mov %eax, %ds", FAULTS)                                     \
	X(load_ss, "mov $0x23, %eax; mov %eax, %ss", FAULTS)                                     \
	X(load_gs, "mov $0x10, %eax; mov %eax, %gs", FAULTS)                                     \
	X(null_ss, "xor %eax, %eax; mov %eax, %ss", FAULTS)                                      \
	X(null_ds_es, "xor %eax, %eax; mov %eax, %ds; mov %eax, %es", OK)                        \
	X(null_fs_gs, "mov $3, %eax; mov %eax, %fs; mov %eax, %gs; xor %eax, %eax", OK)          \
	X(lar, "mov $0x1b, %eax; lar %eax, %ecx", FAULTS)                                        \
	X(lsl, "mov $0x1b, %eax; lsl %eax, %ecx", FAULTS)                                        \
	X(verr, "mov $0x1b, %eax; verr %ax", FAULTS)                                             \
	/* the caller's state */                                                                 \
	X(wrfsbase, "mov $-1, %eax; wrfsbase %rax; xor %eax, %eax", OK)                          \
	X(wrgsbase, "mov $-1, %eax; wrgsbase %rax; xor %eax, %eax", OK)                          \
	X(wrpkru, "xor %eax, %eax; xor %ecx, %ecx; xor %edx, %edx; wrpkru", FAULTS)              \
	X(ldmxcsr, "push $0x1f00; ldmxcsr (%rsp); pop %rax; xor %eax, %eax", OK)                 \
	X(fldcw, "push $0x0c00; fldcw (%rsp); fld1; pop %rax; xor %eax, %eax", OK)               \
	X(x87_pending, "push $0; fldcw (%rsp); pop %rax; fldz; fldz; fdivp; xor %eax, %eax", OK) \
	X(direction, "std; xor %eax, %eax", OK)                                                  \
	X(all_flags, "push $-1; andl $0xfffbfeff, (%rsp); popfq; mov $0, %eax", OK)              \
	X(alignment_left, "pushfq; orl $0x40000, (%rsp); popfq; xor %eax, %eax", EITHER)         \
	X(callee_saved,                                                                          \
	  "mov $-1, %ebx; mov %ebx, %ebp; mov %ebx, %r12d; mov %ebx, %r13d;"                     \
	  "mov %ebx, %r14d; mov %ebx, %r15d; xor %eax, %eax",                                    \
	  OK)                                                                                    \
	X(vector, "mov $0x5ec2e75e, %eax; movd %eax, %xmm0; movd %eax, %xmm15; xor %eax, %eax",  \
	  OK)                                                                                    \
	/* harmless */                                                                           \
	X(rdtsc, "rdtsc; xor %eax, %eax", OK)                                                    \
	X(smsw, "smsw %eax; xor %eax, %eax", OK)                                                 \
	X(xgetbv, "xor %ecx, %ecx; xgetbv; xor %eax, %eax", OK)                                  \
	X(clflush, "clflush (%rsp); xor %eax, %eax", OK)                                         \
	/* no end */                                                                             \
	X(loop, "1: jmp 1b", TIMEOUT)                                                            \
	X(pause_loop, "1: pause; jmp 1b", TIMEOUT)                                               \
	X(locked_loop, "1: lock incl (%rsp); jmp 1b", TIMEOUT)                                   \
	X(step_loop, "1: pushfq; orl $0x100, (%rsp); popfq; jmp 1b", TIMEOUT)

#define SNIPPET(name, text, error) CODE(c_##name, text "; ret");
#define ENTRY(name, text, error)   {#name, c_##name, c_##name##_end, error},

CASES(SNIPPET)

static const struct {
	const char *name;
	const uint8_t *code, *end;
	long error;
} cases[] = {CASES(ENTRY)};

/*
 * Tells whether the caller has its state. RBX and R12 to R15 are not compared: the caller of a stub
 * declares them clobbered.
 */
static bool caller_has_all(struct vm *guest, const struct kvm_regs *regs)
{
	struct kvm_sregs sregs = get_sregs(guest, 0);

	return regs->rsp == USER_STACK && regs->rbp == 0xbb && sregs.fs.base == 0xf5000 &&
	       sregs.gs.base == 0x65000 && sregs.cs.dpl == 3 && sregs.cs.l && sregs.ss.dpl == 3 &&
	       sregs.cr3 == ROOT && !(regs->rflags & 0x40500);
}

static void run_case(const struct pair *pair, unsigned int i)
{
	struct kvm_regs regs = {.rdi = DO_JUMP,
				.rsi = ATTACK_FUNCTION,
				.r11 = stub_entry(pair->slot),
				.rbp = 0xbb,
				.rflags = 0x202};
	struct outcome out;

	attack_place(pair->manager, OBJECT + ATTACK_OBJECT, cases[i].code, cases[i].end);
	out = run_at(pair->guest, 0, 3, user_code(user_call), &regs);
	attack_try(!out.exit && out.value == 0 &&
			   (cases[i].error == EITHER ?
				    out.error == FAULTS || out.error == FORBIDDEN :
				    out.error == cases[i].error),
		   "%s: exit %#x, value %#lx, error %ld, not %ld", cases[i].name, out.exit,
		   out.value, out.error, cases[i].error);
	attack_try(caller_has_all(pair->guest, &out.regs), "%s: the caller lost something",
		   cases[i].name);
	attack_try(attack_pair_works(pair), "%s: no call afterwards", cases[i].name);
}

#define FLAGS_ALL 0x4cd7 /* a caller can set all but AC, TF and IF */
#define FLAGS_BAD 0x44500

/*
 * The function must not get the caller's flags, and the caller must have its flags after the call.
 */
static void callers_flags(const struct pair *pair)
{
	struct kvm_regs regs = {
		.rdi = DO_FLAGS, .r11 = stub_entry(pair->slot), .rflags = 0x200 | FLAGS_ALL};
	struct outcome out = run_at(pair->guest, 0, 3, user_code(user_call), &regs);

	attack_try(!out.exit && !out.error && !(out.value & FLAGS_BAD),
		   "the caller's flags: exit %#x, error %ld, flags %#lx", out.exit, out.error,
		   out.value);
	attack_try((out.regs.rflags & FLAGS_ALL) == FLAGS_ALL, "the caller's flags are gone: %#llx",
		   (unsigned long long)out.regs.rflags);
}

int main(void)
{
	struct pair pair = attack_pair("t.instructions", 0, 10000,
				       ELISA_STUB_XSAVE | ELISA_STUB_FSGSBASE, 0, 1);
	struct kvm_sregs sregs = get_sregs(pair.guest, 0);
	unsigned int i;

	sregs.fs.base = 0xf5000;
	sregs.gs.base = 0x65000;
	CHECK_EQ(set_sregs(pair.guest, 0, &sregs), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(&pair, i);
	callers_flags(&pair);
	attack_try(!seen(pair.guest)->interrupts && !seen(pair.guest)->nmis,
		   "something was delivered to the guest");
	return 0;
}
