// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs whole calls through the pages, natively. VMFUNC is an undefined instruction outside of a VM.
 * The SIGILL handler looks up the list entry and maps the code page of the other context, as the
 * CPU would switch to it; list, data and stack become accessible as in that context. Then the
 * thread continues behind the VMFUNC.
 *
 * The test compares arguments, results, errors, and the registers that each stub promises to keep
 * or to clear. If the build machine has no FSGSBASE or protection keys, the handler emulates these
 * instructions, too. The test cannot show execute-only pages and exits.
 *
 * A call runs in this order:
 *
 * 1. one_call() builds the four pages of the slot into `memory`, and maps default's page.
 * 2. run_caller() fills every register, calls the guest's stub, and stores every register.
 * 3. Each VMFUNC raises SIGILL. The handler checks the list entry as a CPU does, maps the next
 *    context's page at the same address, and steps over the VMFUNC. A store of the gate to a page
 *    that the context does not have would be a SIGSEGV, which ends the test.
 * 4. A VMFUNC that a CPU would refuse ends the call as the host does (abort_call()).
 * 5. one_call() compares registers, the number of switches, and both list entries.
 *
 * The handler runs on a stack of its own, because RSP may be any value in a hostile function.
 *
 * The functions stand for managers:
 *
 *   honest    keeps the registers that the C ABI wants to be kept
 *   vectors   likewise, and changes all vector registers
 *   hostile   changes each register that it must keep
 *   bad       leaves by a VMFUNC that exits
 *   looks     looks for the caller's data in registers, and fails if there is any
 *   upper     jumps to the stub's VMFUNC with the upper half of RAX set
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "gate_page.h"

enum context {
	DEFAULT,
	GATE_IN,
	SUB,
	GATE_OUT
};

#define ERROR (-1000)

static int memory[4];
static unsigned int slot, mode;
static enum context now;
static unsigned int switches;

static __u8 *at(__u64 offset)
{
	return (__u8 *)(ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE + offset);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void protect(__u64 offset, unsigned int pages, bool usable)
{
	if (mprotect(at(offset), pages * ELISA_PAGE_SIZE,
		     usable ? PROT_READ | PROT_WRITE : PROT_NONE))
		die("mprotect");
}

/* Makes the slot look as in this context: its code page, and the pages that it may access. */
static void enter(enum context context)
{
	bool gate = context == GATE_IN || context == GATE_OUT;

	if (mmap(at(ELISA_CODE_OFFSET), ELISA_PAGE_SIZE, PROT_READ | PROT_EXEC,
		 MAP_SHARED | MAP_FIXED, memory[context], 0) == MAP_FAILED)
		die("mmap");
	protect(ELISA_LIST_OFFSET, 1, gate || (context == SUB && mode == ELISA_MODE_TRUSTED));
	protect(ELISA_DATA_OFFSET, 1, gate);
	protect(ELISA_STACK_OFFSET, ELISA_STACK_PAGES, context == SUB);
	now = context;
}

/* Writes the list entries as they are between calls. The root addresses are arbitrary. */
static void list_reset(void)
{
	__u64 *list = (__u64 *)at(ELISA_LIST_OFFSET);

	list[ELISA_INDEX_GATE_IN(slot)] = 0x3000 | ELISA_EPTP_ARMED;
	list[ELISA_INDEX_SUB(slot)] = 0x4000 | ELISA_EPTP_DISARMED;
	if (mode == ELISA_MODE_STRICT)
		list[ELISA_INDEX_GATE_OUT(slot)] = 0x5000 | ELISA_EPTP_ARMED;
}

/* Ends the call with an error, as the host does after a bad VMFUNC. */
static void abort_call(greg_t *regs)
{
	__u64 rsp = regs[REG_RSP];
	int i;

	if (now != GATE_IN) {
		enter(GATE_IN);
		memcpy(&rsp, at(ELISA_DATA_OFFSET + ELISA_RSP_SLOT(slot)), 8);
	}
	list_reset();
	for (i = REG_R8; i <= REG_RCX; i++)
		regs[i] = 0;
	regs[REG_RDX] = ERROR;
	regs[REG_RSP] = rsp;
	regs[REG_RIP] = (greg_t)at(ELISA_ERROR_RETURN(slot));
	enter(DEFAULT);
}

#define FS_BASE 0xf5000
#define GS_BASE 0x65000
#define PKRU	0x55555554

/* The registers of FSGSBASE and of protection keys, for a CPU without them. */
static struct {
	__u64 base[2];
	__u32 pkru;
} played;

/* Emulates RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE (RAX or RCX), RDPKRU or WRPKRU. */
static bool play(greg_t *regs)
{
	const __u8 *code = (const __u8 *)regs[REG_RIP];
	greg_t *operand;

	if (!memcmp(code, "\xf3\x48\x0f\xae", 4) && (code[4] & 0xe6) == 0xc0) {
		operand = &regs[code[4] & 1 ? REG_RCX : REG_RAX];
		if (code[4] & 0x10)
			played.base[code[4] >> 3 & 1] = *operand;
		else
			*operand = played.base[code[4] >> 3 & 1];
		regs[REG_RIP] += 5;
		return true;
	}
	if (memcmp(code, "\x0f\x01", 2) || (code[2] & 0xfe) != 0xee)
		return false;
	if ((__u32)regs[REG_RCX] || (code[2] & 1 && (__u32)regs[REG_RDX]))
		abort(); /* a CPU has #GP */
	if (code[2] & 1)
		played.pkru = regs[REG_RAX];
	else
		regs[REG_RAX] = played.pkru;
	regs[REG_RDX] = 0;
	regs[REG_RIP] += 3;
	return true;
}

static void on_sigill(int signal, siginfo_t *info, void *ucontext)
{
	greg_t *regs = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	unsigned int index = regs[REG_RCX];
	__u8 entry = 0;

	(void)signal;
	(void)info;
	if (play(regs))
		return;
	if (memcmp((void *)regs[REG_RIP], "\x0f\x01\xd4", 3))
		abort();
	if (index && index < 256) {
		protect(ELISA_LIST_OFFSET, 1, true);
		entry = at(ELISA_LIST_OFFSET)[8 * index];
	}
	if ((__u32)regs[REG_RAX] || (index && entry != ELISA_EPTP_ARMED)) {
		abort_call(regs);
		return;
	}
	regs[REG_RIP] += 3;
	switches++;
	enter(index == 0					? DEFAULT :
	      index == (unsigned int)ELISA_INDEX_SUB(slot)	? SUB :
	      index == (unsigned int)ELISA_INDEX_GATE_IN(slot)	? GATE_IN :
	      index == (unsigned int)ELISA_INDEX_GATE_OUT(slot) ? GATE_OUT :
								  (abort(), DEFAULT));
}

/* The caller: fills every register, calls, stores every register. */
struct caller {
	__u64 stub, argument[6];
	__u64 rax, rdx, rbx, rbp, r12, r13, r14, r15, rdi, rsi, rcx, r8, r9, r10, r11;
	__u64 rflags, unused[2];
	__u32 mxcsr;
	__u16 fcw;
	__u8 xmm[16][16] __attribute__((aligned(16)));
};
struct caller caller;
void run_caller(void);

/* The functions of the manager, copied into the object area. */
extern char function_honest[], function_vectors[], function_hostile[], function_bad[];
extern char function_looks[], function_upper[], function_target[], functions_end[];

#define SUM                                                                                 \
	"	mov %rdi, %rax\n"                                                                 \
	"	lea (%rsi, %rsi, 2), %r11\n"                                                      \
	"	add %r11, %rax\n"                                                                 \
	"	lea (%rdx, %rdx, 4), %r11\n"                                                      \
	"	add %r11, %rax\n"                                                                 \
	"	imul $7, %rcx, %rcx\n"                                                            \
	"	add %rcx, %rax\n"                                                                 \
	"	imul $11, %r8, %r8\n"                                                             \
	"	add %r8, %rax\n"                                                                  \
	"	imul $13, %r9, %r9\n"                                                             \
	"	add %r9, %rax\n" /* wrong if the stack is unaligned, or DF, NT or TF set */ \
	"	lea 8(%rsp), %r11\n"                                                              \
	"	and $15, %r11\n"                                                                  \
	"	add %r11, %rax\n"                                                                 \
	"	pushfq\n"                                                                         \
	"	pop %r11\n"                                                                       \
	"	and $0x44500, %r11\n"                                                             \
	"	add %r11, %rax\n"                                                                 \
	"	mov $-1, %rdi\n"                                                                  \
	"	mov %rdi, %rsi\n"                                                                 \
	"	mov %rdi, %rdx\n"                                                                 \
	"	mov %rdi, %rcx\n"                                                                 \
	"	mov %rdi, %r8\n"                                                                  \
	"	mov %rdi, %r9\n"                                                                  \
	"	mov %rdi, %r10\n"                                                                 \
	"	mov %rdi, %r11\n"

#define FOR_XMM(op)                                                                             \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) \
		op(14) op(15)
#define XMM_ONES(n)  "	pcmpeqd %xmm" #n ", %xmm" #n "\n"
#define XMM_STORE(n) "	movups %xmm" #n ", 16 * " #n "(%r11)\n"

/* clang-format off */
asm(".text\n"
    ".p2align 6\n"
    "function_honest:\n"
    SUM
    "	ret\n"
    "function_vectors:\n"
    "	sub $8, %rsp\n"
    "	stmxcsr (%rsp)\n"
    "	fnstcw 4(%rsp)\n"
    "	pop %r11\n"
    "	mov $0x037f00001f80, %r10\n"
    "	shl $16, %r11\n"
    "	shl $16, %r10\n"
    "	cmp %r10, %r11\n"
    "	jne function_bad\n"
    SUM
    FOR_XMM(XMM_ONES)
    "	fld1\n"
    "	ret\n"
    "function_hostile:\n"
    SUM
    "	mov %rdi, %rbx\n"
    "	mov %rdi, %rbp\n"
    "	mov %rdi, %r12\n"
    "	mov %rdi, %r13\n"
    "	mov %rdi, %r14\n"
    "	mov %rdi, %r15\n"
    "	fld1\n"
    "	push $0x1f00\n"
    "	ldmxcsr (%rsp)\n"
    "	fldcw (%rsp)\n"
    "	pop %rdi\n"
    "	std\n"
    "	ret\n"
    "function_bad:\n"
    "	mov $0xff, %ecx\n"
    "	xor %eax, %eax\n"
    "	mov $-1, %rbx\n"
    "	mov %rbx, %rbp\n"
    "	mov %rbx, %r12\n"
    "	mov %rbx, %rsp\n"
    "	.byte 0x0f, 0x01, 0xd4\n"
    "	ud2\n"
    "function_looks:\n" /* wrong if a register holds anything but an argument */
    "	mov %rbx, %rax\n"
    "	or %rbp, %rax\n"
    "	or %r11, %rax\n"
    "	or %r12, %rax\n"
    "	or %r13, %rax\n"
    "	or %r14, %rax\n"
    "	or %r15, %rax\n"
    "	jnz function_bad\n"
    "	ptest %xmm0, %xmm0\n"
    "	jnz function_bad\n"
    "	ptest %xmm15, %xmm15\n"
    "	jnz function_bad\n"
    "	jmp function_honest\n"
    "function_upper:\n" /* leaves by itself, with half of RAX */
    SUM
    "	mov %rax, %rdx\n"
    "	mov 8 + function_target(%rip), %ecx\n"
    "	mov $1, %eax\n"
    "	shl $32, %rax\n"
    "	jmp *function_target(%rip)\n"
    "function_target:\n" /* VMFUNC of the strict stub, and its ECX */
    "	.quad 0, 0\n"
    "functions_end:\n"

    "run_caller:\n"
    "	push %rbp\n"
    "	push %rbx\n"
    "	push %r12\n"
    "	push %r13\n"
    "	push %r14\n"
    "	push %r15\n"
    "	lea caller(%rip), %rbx\n"
    "	mov 8(%rbx), %rdi\n"
    "	mov 16(%rbx), %rsi\n"
    "	mov 24(%rbx), %rdx\n"
    "	mov 32(%rbx), %r10\n"
    "	mov 40(%rbx), %r8\n"
    "	mov 48(%rbx), %r9\n"
    FOR_XMM(XMM_ONES)
    "	mov $0xb0b0, %ebp\n"
    "	mov $0x1212, %r12d\n"
    "	mov $0x1313, %r13d\n"
    "	mov $0x1414, %r14d\n"
    "	mov $0x1515, %r15d\n"
    "	mov $0xbbbb, %ebx\n"
    "	mov $-1, %rax\n"
    "	mov $-1, %rcx\n"
    "	mov $-1, %r11\n"
    "	call *caller(%rip)\n"
    "	push %r11\n"
    "	pushfq\n"
    "	cld\n"
    "	lea caller(%rip), %r11\n"
    "	mov %rax, 56(%r11)\n"
    "	mov %rdx, 64(%r11)\n"
    "	mov %rbx, 72(%r11)\n"
    "	mov %rbp, 80(%r11)\n"
    "	mov %r12, 88(%r11)\n"
    "	mov %r13, 96(%r11)\n"
    "	mov %r14, 104(%r11)\n"
    "	mov %r15, 112(%r11)\n"
    "	mov %rdi, 120(%r11)\n"
    "	mov %rsi, 128(%r11)\n"
    "	mov %rcx, 136(%r11)\n"
    "	mov %r8, 144(%r11)\n"
    "	mov %r9, 152(%r11)\n"
    "	mov %r10, 160(%r11)\n"
    "	pop 176(%r11)\n"
    "	pop 168(%r11)\n"
    "	stmxcsr 200(%r11)\n"
    "	fnstcw 204(%r11)\n"
    "	add $208, %r11\n"
    FOR_XMM(XMM_STORE)
    "	pop %r15\n"
    "	pop %r14\n"
    "	pop %r13\n"
    "	pop %r12\n"
    "	pop %rbx\n"
    "	pop %rbp\n"
    "	ret\n");
/* clang-format on */

_Static_assert(__builtin_offsetof(struct caller, r11) == 168, "run_caller's offsets");
_Static_assert(__builtin_offsetof(struct caller, mxcsr) == 200, "run_caller's offsets");
_Static_assert(__builtin_offsetof(struct caller, xmm) == 208, "run_caller's offsets");

static int failures;

static void expect(const char *what, __u64 value, __u64 expected)
{
	if (value == expected)
		return;
	failures++;
	fprintf(stderr, "test_call: slot %u, mode %u: %s is %#llx, not %#llx\n", slot, mode, what,
		(unsigned long long)value, (unsigned long long)expected);
}

/*
 * Makes one call and compares its end. The list must be as before the call, whether the function
 * has returned or has ended by a bad VMFUNC, because the next call starts from it.
 */
static void one_call(char *function, unsigned int export_flags, unsigned int stub_flags)
{
	const __u64 entry = ELISA_OBJECT_BASE + (function - function_honest);
	const bool full = !(export_flags & ELISA_EXPORT_GENERAL_REGS);
	const bool ends = function != function_bad;
	__u64 *target = (__u64 *)(ELISA_OBJECT_BASE + (function_target - function_honest));
	__u64 *calls = (__u64 *)at(ELISA_CALLS_OFFSET);
	__u8 page[ELISA_PAGE_SIZE];
	unsigned int i;
	__u64 sum = 0;

	enter(SUB);
	*calls = 1000;
	enter(GATE_IN);
	list_reset();
#define PAGE_BUILT(context)                                                         \
	do {                                                                        \
		if (pwrite(memory[context], page, sizeof(page), 0) != sizeof(page)) \
			die("pwrite");                                              \
	} while (0)
	elisa_gate_in_build(page, slot);
	PAGE_BUILT(GATE_IN);
	elisa_gate_out_build(page, slot);
	PAGE_BUILT(GATE_OUT);
	elisa_sub_stub_build(page, slot, mode, export_flags, entry);
	PAGE_BUILT(SUB);
	memset(&caller, 0, sizeof(caller));
	caller.stub = (__u64)at(elisa_guest_stub_build(page, slot, mode,
						       stub_flags | (full ? ELISA_STUB_FULL : 0)));
	PAGE_BUILT(DEFAULT);
	enter(DEFAULT);

	target[0] = (__u64)at(ELISA_GATE_OUT_ENTRY(slot) - 3);
	target[1] = ELISA_INDEX_GATE_OUT(slot);
	for (i = 0; i < 6; i++) {
		caller.argument[i] = 0x100000001ULL << i;
		sum += caller.argument[i] * ((const unsigned int[]){1, 3, 5, 7, 11, 13})[i];
	}
	switches = 0;
	played = (typeof(played)){{FS_BASE, GS_BASE}, PKRU};
	run_caller();
	expect("FS base", played.base[0], FS_BASE);
	expect("GS base", played.base[1], GS_BASE);
	expect("PKRU", played.pkru, PKRU);

	expect("RAX", caller.rax, ends ? sum : 0);
	expect("RDX", caller.rdx, ends ? 0 : ERROR);
	expect("MXCSR", caller.mxcsr, 0x1f80);
	expect("FCW", caller.fcw, 0x37f);
	expect("RBP", caller.rbp, 0xb0b0);
	expect("DF", caller.rflags & 0x400, 0);
	if (function != function_upper) {
		expect("R8", caller.r8, 0);
		expect("R9", caller.r9, 0);
		expect("R10", caller.r10, 0);
		expect("R11", caller.r11, 0);
	}
	for (i = 0; ends && full && i < 16; i++) {
		expect("XMM low", *(__u64 *)caller.xmm[i], 0);
		expect("XMM high", *(__u64 *)(caller.xmm[i] + 8), 0);
	}
	if (ends)
		expect("switches", switches, mode == ELISA_MODE_STRICT ? 4 : 3);
	enter(SUB);
	if (export_flags & ELISA_EXPORT_COUNTED)
		expect("calls", *calls, 1001);
	enter(GATE_IN);
	expect("sub's entry", at(ELISA_LIST_OFFSET)[8 * ELISA_INDEX_SUB(slot)],
	       ELISA_EPTP_DISARMED);
	expect("gate-in's entry", at(ELISA_LIST_OFFSET)[8 * ELISA_INDEX_GATE_IN(slot)],
	       ELISA_EPTP_ARMED);
}

static void calls(unsigned int guards)
{
	const unsigned int counted = ELISA_EXPORT_COUNTED;

	one_call(function_honest, counted | ELISA_EXPORT_GENERAL_REGS, ELISA_STUB_TRUSTING);
	one_call(function_vectors, counted, guards);
	one_call(function_honest, ELISA_EXPORT_GENERAL_REGS, ELISA_STUB_TRUSTING);
	one_call(function_honest, ELISA_EXPORT_GENERAL_REGS, guards);
	one_call(function_vectors, 0, ELISA_STUB_TRUSTING);
	one_call(function_vectors, 0, guards);
	one_call(function_hostile, ELISA_EXPORT_GENERAL_REGS, guards);
	one_call(function_hostile, 0, guards);
	one_call(function_looks, ELISA_EXPORT_GENERAL_REGS, guards);
	one_call(function_looks, 0, guards);
	if (mode == ELISA_MODE_STRICT) {
		one_call(function_bad, 0, guards);
		one_call(function_upper, ELISA_EXPORT_GENERAL_REGS, guards);
	}
}

static void map_slot(void)
{
	void *at_window = mmap(at(0), ELISA_SLOT_SIZE, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			       -1, 0);

	if (at_window == MAP_FAILED)
		die("mmap of the window");
}

int main(void)
{
	static __u8 signal_stack[65536];
	const stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
	const struct sigaction action = {.sa_sigaction = on_sigill,
					 .sa_flags = SA_SIGINFO | SA_ONSTACK};
	void *object;
	int i;

	for (i = 0; i < 4; i++) {
		memory[i] = memfd_create("page", 0);
		if (memory[i] < 0 || ftruncate(memory[i], ELISA_PAGE_SIZE))
			die("memfd");
	}
	object = mmap((void *)ELISA_OBJECT_BASE, ELISA_PAGE_SIZE,
		      PROT_READ | PROT_WRITE | PROT_EXEC,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (object == MAP_FAILED)
		die("mmap of the object");
	memcpy(object, function_honest, functions_end - function_honest);
	if (sigaltstack(&stack, NULL) || sigaction(SIGILL, &action, NULL))
		die("signal");

	for (slot = 0; slot < ELISA_SLOTS; slot++) {
		map_slot();
		for (mode = ELISA_MODE_STRICT; mode <= ELISA_MODE_TRUSTED; mode++) {
			calls(ELISA_STUB_XSAVE);
			calls(ELISA_STUB_XSAVE | ELISA_STUB_FSGSBASE);
			calls(ELISA_STUB_XSAVE | ELISA_STUB_FSGSBASE | ELISA_STUB_PKU);
			if (failures)
				return 1;
		}
	}
	printf("test_call: %u slots, strict and trusted, guarded and trusting: calls return\n",
	       slot);
	return 0;
}
