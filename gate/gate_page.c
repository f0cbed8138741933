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
 *
 * A strict call passes four pages at the same addresses:
 *
 *   default    The guest's stub saves registers, and VMFUNC leads to gate-in.
 *   gate-in    It stores the caller's RSP, disarms its own entry, arms sub, and leaves for sub.
 *   sub        The host's stub calls the manager's function on a stack of its own.
 *   gate-out   It disarms sub, arms gate-in, loads the caller's RSP, and leaves for default.
 *
 * What can happen between two of these steps, and why it is safe:
 *
 * - A guest enters gate-in behind the RSP store. Only its own return then goes wrong, because the
 *   RSP slot belongs to this vCPU and attachment.
 * - A guest enters gate-out without a call. Sub is disarmed already. Gate-in is armed, and the vCPU
 *   returns to default at the designed place with an old RSP of its own.
 * - The manager's function executes VMFUNC to gate-in. Its entry is disarmed in strict mode, so the
 *   VMFUNC exits and the host ends the call.
 * - The manager's function executes VMFUNC to default. It arrives behind a VMFUNC of the sub page,
 *   where the guest's page has int3 in strict mode. Or it arrives outside of that page, where
 *   default maps nothing. So the guest's program does not go on with the manager's registers.
 * - An exit comes between two stores. The host knows the context by the EPTP, and writes the list
 *   only while the vCPU is not in guest mode. So no store of the gate competes with the host's.
 *
 * In trusted mode sub's stub disarms sub itself, and there is no gate-out. The manager can then
 * write the list page, which the administrator has accepted (docs/security.md).
 */
#include "gate_page.h"

#define INT3	      0xcc

/*
 * AND with DISARM_MASK turns ELISA_EPTP_ARMED into ELISA_EPTP_DISARMED, and OR with ARM_BITS turns
 * it back. Neither makes an entry of zeros valid, so a slot that the host took away stays closed.
 * Both may run twice without another effect. As the first byte of an instruction the mask is
 * `mov $imm32,%edx`, and the bits are `add $imm8,%al`: neither writes memory.
 */
#define DISARM_MASK   0xba
#define ARM_BITS      0x04

#define STACK_TOP     (ELISA_STACK_OFFSET + ELISA_STACK_PAGES * ELISA_PAGE_SIZE)

/*
 * The long variants of the sub stub lie here. Between sub's entry and gate-out's entry there is
 * room for the short variant only, so a long one jumps here and back to its VMFUNC.
 */
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

/* Fills a page with int3, so that an arrival at any byte without code ends the call. */
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

/*
 * The two stores write one byte of a list entry. They are `andb` and `orb`, because `movb` would
 * make an entry of zeros valid. They need no `lock`: only this vCPU and the host write the list,
 * and never at the same time.
 */
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

/*
 * Gate-in keeps the caller's RSP in the data page, which sub does not have. If a guest enters the
 * instruction one byte late, it stores 32 bits inside the same 8 bytes. Only the guest's own return
 * then goes wrong.
 */
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
 * Builds gate-in. The order of its three stores:
 *
 * 1. RSP is stored first, as long as it is the caller's.
 * 2. Gate-in closes itself. The manager's code could otherwise come back here, and overwrite the
 *    caller's saved RSP.
 * 3. Sub is armed last, right before the vCPU leaves for it.
 *
 * A caller that skips the first two, as a trusted slot's caller does, finds the third. A guest that
 * skips the third has sub disarmed, so its VMFUNC exits.
 *
 * CL alone is loaded, because ECX is the index of this context, below 256. The CLD has two uses.
 * Entered regularly, it clears DF for the C ABI. If the vCPU enters at CL's immediate, that byte is
 * an opcode and CLD is its operand.
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

/*
 * Builds gate-out, whose entry is armed at all times: the manager's code may arrive at any byte.
 *
 * ECX becomes 0, the index of default, before anything else. A path that skips the disarming store
 * has also skipped this, because it comes first. Such a path has gate-out's own index in ECX. Its
 * VMFUNC leads to gate-out again, where int3 follows. So no path leaves for default with sub armed.
 *
 * Gate-in is armed for the next call before RSP is loaded. If the vCPU exits between the two, it
 * still is in gate-out, and the host takes over there.
 */
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
 * Writes the image that XRSTOR loads. XSTATE_BV is 0, so XRSTOR puts every component that EDX:EAX
 * names into its initial configuration. MXCSR alone is read from the image even so (SDM vol. 1,
 * 13.8.1). It is 0x1f80 there, because 0 would unmask all SIMD exceptions.
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

/*
 * Builds the sub stub. What happens in which order:
 *
 * 1. Trusted mode disarms sub, and stores the caller's RSP at the top of the call's stack. Strict
 *    mode leaves both to the gates.
 * 2. RSP is loaded before anything is pushed: on arrival it is the caller's choice.
 * 3. The flags are set. The C ABI wants DF off. A caller's AC, TF or NT could cause a fault or trap
 *    in the function.
 * 4. The call is counted, if the export wants it. One vCPU is in one call of an attachment at a
 *    time, so the counter needs no `lock`.
 * 5. XRSTOR gives the function of a full export the ABI's vector and x87 state.
 * 6. The function is called through the entry pointer. The pointer is data, so no byte of the code
 *    is the manager's choice.
 * 7. The result goes to RDX, since VMFUNC needs EAX. The `xor`s clear the other general registers
 *    that the C ABI lets a function change, and XRSTOR clears the vector registers of a full
 *    export. So no data of the object leaves in them.
 * 8. VMFUNC leads to gate-out, or to default in trusted mode.
 *
 * In strict mode no step protects the guest or the host from the manager's code. That code may jump
 * to any byte of this page, or leave with a VMFUNC of its own. Gate-out and a guarded guest stub
 * are safe to enter without these steps. So a function that skips a step harms its own object only.
 */
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
 * The guest's stub. A guarded stub gives the manager only the arguments, and takes only the result.
 * It saves state that the calling convention or the system expects to be kept, and that a caller
 * cannot declare changed. It saves the state on the caller's stack, which sub cannot reach.
 *
 * The control words lie in the stub's own red zone, below PKRU. A signal steps over it, and no
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

/*
 * Saves the caller's state and clears registers that hold no argument. RDPKRU needs ECX = 0 and
 * clears EDX, so the third argument waits in R11 meanwhile.
 */
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
	/* for a full export, the sub stub does it before the function runs */
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
 * Makes RAX and RDX from the result or error in RDX, and opens the caller's stack. A VMFUNC to
 * default needs EAX = 0 and ECX = 0, so both are 0 here. The upper half of RAX is the manager's
 * choice. After an end without a return only RAX = 0 is certain (guest/trap.c).
 *
 * PKRU comes first. The manager's code may have closed the protection key of the stack. So all keys
 * are opened for the one `pop` that reads the caller's PKRU.
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

/*
 * Restores the caller's state, in the opposite order of emit_stub_save(). FNINIT precedes FLDCW,
 * which would raise an x87 exception that the function has left pending.
 */
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

/*
 * Builds the guest's stub: a call, a return, and a return for calls that the host has ended. The
 * host does not rely on the stub: a guest with a wrong one harms its own calls only.
 */
unsigned int elisa_guest_stub_build(__u8 *page, unsigned int slot, unsigned int mode,
				    unsigned int flags)
{
	int strict = mode == ELISA_MODE_STRICT;
	struct code c = {page, 0};
	unsigned int call;

	/* the VMFUNC has to end where gate-in begins: the first build finds the length */
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
