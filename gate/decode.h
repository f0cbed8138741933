/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A decoder that knows a short list:
 * - instructions that touch registers only,
 * - the list stores and RSP accesses of the gate,
 * - opcodes that have been undefined in 64-bit mode since its invention.
 */
#ifndef ELISA_GATE_DECODE_H
#define ELISA_GATE_DECODE_H

#include <stdbool.h>

#include "gate_page.h"

enum kind {
	KIND_BAD,	/* not on the list */
	KIND_TRAP,	/* int3, or undefined: the call ends */
	KIND_REG,	/* changes registers at most */
	KIND_LIST_AND,	/* andb $imm, list(%rip) */
	KIND_LIST_OR,	/* orb $imm, list(%rip) */
	KIND_RSP_STORE, /* mov %rsp or %esp to data(%rip) */
	KIND_RSP_LOAD,
	KIND_LOW_MEMORY, /* compatibility mode: memory below 4 GiB */
	KIND_VMFUNC,
};

/* What is known of EAX or ECX. */
struct value {
	bool known;
	__u32 bits;
};

struct insn {
	enum kind kind;
	unsigned int length;
	__u32 target; /* of a RIP-relative operand: offset in the slot */
	__u8 imm;
	unsigned int width; /* of an RSP access */
	/* effect on EAX and ECX, for KIND_REG: */
	struct value eax, ecx;
};

static inline struct value constant(__u32 bits)
{
	return (struct value){true, bits};
}

/*
 * Decodes the instruction at this offset of a page, with these values of EAX and ECX before it.
 * Returns false if it is not on the list, or does not end on the page.
 */
bool gate_decode(const __u8 *page, unsigned int offset, bool mode64, struct value eax,
		 struct value ecx, struct insn *insn);

#endif
