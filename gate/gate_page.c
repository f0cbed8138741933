// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The code of the gate and sub contexts and of the guest's stub, byte by byte.
 *
 * In the gate contexts the EPTP list is writable. So no byte sequence of a gate page may write
 * anything except the intended bits, wherever a hostile guest or manager enters it. The encodings
 * below are chosen for what they mean when they are entered in the middle. gate/check_gate.c
 * proves that for every offset; docs/gate.md explains each encoding.
 *
 * The code must not depend on a value that a guest or manager chose, except for the entry pointer,
 * which is data.
 */
#include "gate_page.h"

#define INT3	      0xcc

/* AND with it turns ELISA_EPTP_ARMED into ELISA_EPTP_DISARMED, OR with the other one turns
 * it back; both leave an entry of zeros invalid. As the first byte of an instruction the
 * one is `mov $imm32,%edx`, the other `add $imm8,%al`. */
#define DISARM_MASK   0xba
#define ARM_BITS      0x04

#define STACK_TOP     (ELISA_STACK_OFFSET + ELISA_STACK_PAGES * ELISA_PAGE_SIZE)

/* Where the long variants of the sub stub lie, apart from the offsets that the contexts
 * have in common. */
#define SUB_LONG_CODE 0x800

struct code {
	__u8 *page;
	unsigned int at;
};

static void emit(struct code *c, const __u8 *bytes, unsigned int count)
{
	while (count--)
		c->page[c->at++] = *bytes++;
}

#define EMIT(c, ...)                                \
	do {                                        \
		const __u8 bytes[] = {__VA_ARGS__}; \
		emit(c, bytes, sizeof(bytes));      \
	} while (0)

static void emit_u32(struct code *c, __u32 value)
{
	EMIT(c, value, value >> 8, value >> 16, value >> 24);
}

/* Displacement of a RIP-relative operand (or branch) to an offset in the slot; `trailing`
 * bytes of the instruction follow it. */
static void emit_rel32(struct code *c, __u32 target, unsigned int trailing)
{
	emit_u32(c, target - (ELISA_CODE_OFFSET + c->at + 4 + trailing));
}

static void page_fill(__u8 *page)
{
	unsigned int i;

	for (i = 0; i < ELISA_PAGE_SIZE; i++)
		page[i] = INT3;
}

static void emit_vmfunc(struct code *c)
{
	EMIT(c, 0x0f, 0x01, 0xd4);
}

static void emit_disarm(struct code *c, unsigned int index)
{
	EMIT(c, 0x80, 0x25); /* andb $DISARM_MASK, list[index](%rip) */
	emit_rel32(c, ELISA_LIST_OFFSET + 8 * index, 1);
	EMIT(c, DISARM_MASK);
}

static void emit_arm(struct code *c, unsigned int index)
{
	EMIT(c, 0x80, 0x0d); /* orb $ARM_BITS, list[index](%rip) */
	emit_rel32(c, ELISA_LIST_OFFSET + 8 * index, 1);
	EMIT(c, ARM_BITS);
}

static void emit_store_rsp(struct code *c, __u32 target)
{
	EMIT(c, 0x48, 0x89, 0x25); /* mov %rsp, target(%rip) */
	emit_rel32(c, target, 0);
}

static void emit_load_rsp(struct code *c, __u32 target)
{
	EMIT(c, 0x48, 0x8b, 0x25); /* mov target(%rip), %rsp */
	emit_rel32(c, target, 0);
}

static void emit_jmp(struct code *c, __u32 target)
{
	EMIT(c, 0xe9);
	emit_rel32(c, target, 0);
}

/*
 * Gate-in closes itself behind the caller: a manager's code that came back here would
 * overwrite the caller's saved RSP. A trusted manager's slot is entered at the arming
 * store.
 *
 * CL alone is loaded: ECX is the index of this context, below 256. Entered at the immediate,
 * CLD is its operand; entered regularly, it is what the C ABI wants.
 */
void elisa_gate_in_build(__u8 *page, unsigned int slot)
{
	struct code c = {page, ELISA_STRICT_ENTRY(slot)};

	page_fill(page);
	emit_store_rsp(&c, ELISA_DATA_OFFSET + ELISA_RSP_SLOT(slot));
	emit_disarm(&c, ELISA_INDEX_GATE_IN(slot));
	emit_arm(&c, ELISA_INDEX_SUB(slot));
	EMIT(&c, 0xb1, ELISA_INDEX_SUB(slot)); /* mov $index, %cl */
	EMIT(&c, 0xfc);			       /* cld */
	emit_vmfunc(&c);
}

/* ECX becomes 0, the default context, first: no path that skips the disarming store can
 * leave for it. */
void elisa_gate_out_build(__u8 *page, unsigned int slot)
{
	struct code c = {page, ELISA_GATE_OUT_ENTRY(slot)};

	page_fill(page);
	EMIT(&c, 0xb1, 0x00); /* mov $0, %cl */
	EMIT(&c, 0xfc);	      /* cld: operand of the immediate */
	emit_disarm(&c, ELISA_INDEX_SUB(slot));
	emit_arm(&c, ELISA_INDEX_GATE_IN(slot));
	emit_load_rsp(&c, ELISA_DATA_OFFSET + ELISA_RSP_SLOT(slot));
	emit_vmfunc(&c);
}

/*
 * XSTATE_BV is 0, so XRSTOR puts every component that EDX:EAX names into its initial
 * configuration; only MXCSR is read from the image even so (SDM vol. 1, 13.8.1), and 0
 * would unmask all SIMD exceptions.
 */
static void xrstor_image_build(__u8 *page)
{
	unsigned int i;

	for (i = 0; i < ELISA_XRSTOR_IMAGE_SIZE; i++)
		page[ELISA_XRSTOR_IMAGE + i] = 0;
	page[ELISA_XRSTOR_IMAGE + 24] = 0x80;
	page[ELISA_XRSTOR_IMAGE + 25] = 0x1f;
}

/*
 * Uses eax. PKRU (component 9) is the guest's and stays. EDX, the other half of the mask, is an
 * argument or the result, and selects nothing: the entry predicate wants XCR0[63:32] = 0.
 */
static void emit_xrstor(struct code *c)
{
	EMIT(c, 0xb8, 0xff, 0xfd, 0xff, 0xff); /* mov $~(1 << 9), %eax */
	EMIT(c, 0x0f, 0xae, 0x2d);	       /* xrstor image(%rip) */
	emit_rel32(c, ELISA_XRSTOR_IMAGE, 0);
}

void elisa_sub_stub_build(__u8 *page, unsigned int slot, unsigned int mode,
			  unsigned int export_flags, __u64 entry)
{
	struct code c = {page, ELISA_SUB_ENTRY(slot)};
	int strict = mode == ELISA_MODE_STRICT;
	int full = !(export_flags & ELISA_EXPORT_GENERAL_REGS);
	int counted = !!(export_flags & ELISA_EXPORT_COUNTED);
	unsigned int vmfunc;
	unsigned int i;

	page_fill(page);
	vmfunc = strict ? ELISA_GATE_OUT_ENTRY(slot) - 3 : ELISA_TRUSTED_VMFUNC(slot);

	if (full)
		xrstor_image_build(page);
	if (full || counted) {
		emit_jmp(&c, SUB_LONG_CODE);
		c.at = SUB_LONG_CODE;
	}

	if (!strict) {
		emit_disarm(&c, ELISA_INDEX_SUB(slot));
		emit_store_rsp(&c, STACK_TOP - 8);
	}
	EMIT(&c, 0x48, 0x8d, 0x25); /* lea stack(%rip), %rsp */
	emit_rel32(&c, strict && !counted ? STACK_TOP : STACK_TOP - 16, 0);
	EMIT(&c, 0x6a, 0x02); /* push $2 */
	EMIT(&c, 0x9d);	      /* popfq: AC, DF, TF, NT off */
	if (counted) {
		EMIT(&c, 0x48, 0xff, 0x05); /* incq calls(%rip): this vCPU is in one of them */
		emit_rel32(&c, ELISA_CALLS_OFFSET, 0);
	}
	if (full)
		emit_xrstor(&c);
	EMIT(&c, 0x4c, 0x89, 0xd1); /* mov %r10, %rcx: the fourth */
	EMIT(&c, 0xff, 0x15);	    /* call *entry(%rip) */
	emit_rel32(&c, ELISA_ENTRY_POINTER, 0);

	EMIT(&c, 0x48, 0x89, 0xc2); /* mov %rax, %rdx: the result */
	if (full)
		emit_xrstor(&c);
	if (!strict)
		emit_load_rsp(&c, STACK_TOP - 8);
	EMIT(&c, 0x31, 0xc0); /* xor %eax, %eax */
	if (strict)
		EMIT(&c, 0x40, 0x31, 0xf6); /* xor %esi, %esi; with REX: one byte longer, see */
	else				    /* ELISA_GATE_OUT_ENTRY */
		EMIT(&c, 0x31, 0xf6);
	EMIT(&c, 0x31, 0xff);	    /* xor %edi, %edi */
	EMIT(&c, 0x45, 0x31, 0xc0); /* xor %r8d, %r8d */
	EMIT(&c, 0x45, 0x31, 0xc9); /* xor %r9d, %r9d */
	EMIT(&c, 0x45, 0x31, 0xd2); /* xor %r10d, %r10d */
	EMIT(&c, 0x45, 0x31, 0xdb); /* xor %r11d, %r11d */
	if (strict) {
		EMIT(&c, 0xb9); /* mov $index, %ecx */
		emit_u32(&c, ELISA_INDEX_GATE_OUT(slot));
	} else {
		EMIT(&c, 0x31, 0xc9); /* xor %ecx, %ecx */
	}
	if (full || counted)
		emit_jmp(&c, vmfunc);

	c.at = vmfunc;
	emit_vmfunc(&c);

	for (i = 0; i < 8; i++)
		page[ELISA_ENTRY_POINTER + i] = entry >> (8 * i);
}

/*
 * The guest's stub. A guarded stub gives the manager nothing but the arguments and takes
 * nothing but the result: it saves on the caller's stack, which sub cannot reach, what the
 * calling convention or the system expects to be kept and the caller cannot declare changed.
 *
 * The control words lie in the stub's own red zone, below PKRU: signals step over it, and no
 * function that is called from here runs on this stack.
 */
static void emit_control_words_save(struct code *c)
{
	EMIT(c, 0x0f, 0xae, 0x5c, 0x24, 0xf0); /* stmxcsr -16(%rsp) */
	EMIT(c, 0xd9, 0x7c, 0x24, 0xf4);       /* fnstcw -12(%rsp) */
}

static void emit_control_words_restore(struct code *c)
{
	EMIT(c, 0xd9, 0x6c, 0x24, 0xf4);       /* fldcw -12(%rsp) */
	EMIT(c, 0x0f, 0xae, 0x54, 0x24, 0xf0); /* ldmxcsr -16(%rsp) */
}

static void emit_stub_save(struct code *c, unsigned int flags)
{
	EMIT(c, 0x55); /* push %rbp */
	if (flags & ELISA_STUB_TRUSTING) {
		if (flags & ELISA_STUB_FULL)
			emit_control_words_save(c);
		return;
	}
	EMIT(c, 0x9c); /* pushfq */
	if (flags & ELISA_STUB_FSGSBASE) {
		EMIT(c, 0xf3, 0x48, 0x0f, 0xae, 0xc0, 0x50); /* rdfsbase %rax; push %rax */
		EMIT(c, 0xf3, 0x48, 0x0f, 0xae, 0xc8, 0x50); /* rdgsbase %rax; push %rax */
	}
	emit_control_words_save(c);
	if (flags & ELISA_STUB_PKU) {
		EMIT(c, 0x49, 0x89, 0xd3); /* mov %rdx, %r11: the third argument */
		EMIT(c, 0x31, 0xc9);	   /* xor %ecx, %ecx */
		EMIT(c, 0x0f, 0x01, 0xee); /* rdpkru: eax; edx = 0 */
		EMIT(c, 0x50);		   /* push %rax */
		EMIT(c, 0x49, 0x87, 0xd3); /* xchg %rdx, %r11 */
	} else {
		EMIT(c, 0x45, 0x31, 0xdb); /* xor %r11d, %r11d */
	}
	/* In sub, a full export's stub does it before the function runs. */
	if (flags & ELISA_STUB_XSAVE && !(flags & ELISA_STUB_FULL))
		emit_xrstor(c);
	EMIT(c, 0x31, 0xdb);	   /* xor %ebx, %ebx */
	EMIT(c, 0x31, 0xed);	   /* xor %ebp, %ebp */
	EMIT(c, 0x45, 0x31, 0xe4); /* xor %r12d, %r12d */
	EMIT(c, 0x45, 0x31, 0xed); /* xor %r13d, %r13d */
	EMIT(c, 0x45, 0x31, 0xf6); /* xor %r14d, %r14d */
	EMIT(c, 0x45, 0x31, 0xff); /* xor %r15d, %r15d */
}

/*
 * From RDX, what a call came to, makes RAX and RDX, and opens the caller's stack. After a VMFUNC to
 * default EAX and ECX are 0, for the CPU does none otherwise; the upper half of RAX is the
 * manager's choice. An end without a return has only RAX = 0 in common (guest/trap.c).
 */
static void emit_stub_result(struct code *c, unsigned int flags, int ended)
{
	if (flags & ELISA_STUB_TRUSTING) {
		if (!ended)
			EMIT(c, 0x48, 0x92); /* xchg %rax, %rdx: sub left the result and 0 */
		return;
	}
	if (!(flags & ELISA_STUB_PKU)) {
		if (!ended)
			EMIT(c, 0x48, 0x89, 0xd0, 0x31, 0xd2); /* mov %rdx, %rax; xor %edx, %edx */
		return;
	}
	EMIT(c, 0x48, 0x89, 0xd6, 0x31, 0xd2); /* mov %rdx, %rsi; xor %edx, %edx */
	if (ended)
		EMIT(c, 0x31, 0xc9);	 /* xor %ecx, %ecx */
	EMIT(c, 0x0f, 0x01, 0xef);	 /* wrpkru: the stack must be readable */
	EMIT(c, 0x58, 0x0f, 0x01, 0xef); /* pop %rax; wrpkru */
	if (ended)
		EMIT(c, 0x31, 0xc0, 0x48, 0x89, 0xf2); /* xor %eax, %eax; mov %rsi, %rdx */
	else
		EMIT(c, 0x48, 0x89, 0xf0); /* mov %rsi, %rax */
}

static void emit_stub_return(struct code *c, unsigned int flags, int ended)
{
	emit_stub_result(c, flags, ended);
	if (!(flags & ELISA_STUB_TRUSTING))
		EMIT(c, 0xdb, 0xe3); /* fninit: no pending exception, no full stack */
	if (!(flags & ELISA_STUB_TRUSTING) || flags & ELISA_STUB_FULL)
		emit_control_words_restore(c);
	if (!(flags & ELISA_STUB_TRUSTING)) {
		if (flags & ELISA_STUB_FSGSBASE) {
			EMIT(c, 0x59, 0xf3, 0x48, 0x0f, 0xae, 0xd9); /* pop; wrgsbase %rcx */
			EMIT(c, 0x59, 0xf3, 0x48, 0x0f, 0xae, 0xd1); /* pop; wrfsbase %rcx */
		}
		EMIT(c, 0x9d); /* popfq */
	}
	EMIT(c, 0x5d); /* pop %rbp */
	EMIT(c, 0xc3); /* ret */
}

static void emit_stub_call(struct code *c, unsigned int slot, unsigned int flags)
{
	emit_stub_save(c, flags);
	EMIT(c, 0x31, 0xc0); /* xor %eax, %eax */
	EMIT(c, 0xb9);	     /* mov $index, %ecx */
	emit_u32(c, ELISA_INDEX_GATE_IN(slot));
	emit_vmfunc(c);
}

unsigned int elisa_guest_stub_build(__u8 *page, unsigned int slot, unsigned int mode,
				    unsigned int flags)
{
	int strict = mode == ELISA_MODE_STRICT;
	struct code c = {page, 0};
	unsigned int call;

	/* The VMFUNC has to end where gate-in begins: build once to learn the length. */
	emit_stub_call(&c, slot, flags);
	call = (strict ? ELISA_STRICT_ENTRY(slot) : ELISA_TRUSTED_ENTRY(slot)) - c.at;

	page_fill(page);
	if (!(flags & ELISA_STUB_TRUSTING) && flags & ELISA_STUB_XSAVE)
		xrstor_image_build(page);
	c.at = call;
	emit_stub_call(&c, slot, flags);

	c.at = strict ? ELISA_STRICT_RETURN(slot) : ELISA_TRUSTED_RETURN(slot);
	emit_stub_return(&c, flags, 0);
	c.at = ELISA_ERROR_RETURN(slot);
	emit_stub_return(&c, flags, 1);
	return call;
}
