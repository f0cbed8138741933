// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of instructions that the gate's code may consist of, entered at any byte.
 *
 * An instruction that is not on the list is bad, not a trap. Another decoder may call it invalid,
 * but that proves nothing about a newer CPU. Only one-byte opcodes that the manual leaves undefined
 * in 64-bit mode count as traps.
 *
 * The decoder also tracks EAX and ECX as far as constants determine them, because VMFUNC takes its
 * function and its index from there. A write that it does not model makes the register unknown,
 * and a VMFUNC with an unknown ECX is a violation (check.c).
 */
#include <string.h>

#include "decode.h"

static const struct value unknown = {false, 0};

static __u32 le32(const __u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (__u32)p[3] << 24;
}

/*
 * Forgets EAX or ECX if the register operand may be a part of it. The byte registers 4-7 are AH,
 * CH, DH, BH without REX, and SPL, BPL, SIL, DIL with it. The function assumes both.
 */
static void reg_written(struct insn *insn, unsigned int reg, bool byte)
{
	if (reg == 0 || (byte && reg == 4))
		insn->eax = unknown;
	if (reg == 1 || (byte && reg == 5))
		insn->ecx = unknown;
}

/*
 * Computes EAX after add, or, adc, sbb, and, sub, xor or cmp of AL or EAX and an immediate. Guests
 * reach these by entering a store at its second byte: `25 disp32` is an `and`, `0d disp32` an `or`.
 */
static struct value alu_eax(unsigned int op, struct value eax, __u32 imm, __u32 mask)
{
	__u32 result;

	if (op == 7)
		return eax;
	if (!eax.known)
		return unknown;
	switch (op) {
	case 0:
		result = eax.bits + imm;
		break;
	case 1:
		result = eax.bits | imm;
		break;
	case 4:
		result = eax.bits & imm;
		break;
	case 5:
		result = eax.bits - imm;
		break;
	case 6:
		result = eax.bits ^ imm;
		break;
	default: /* adc, sbb: the carry is not known */
		return unknown;
	}
	return constant((eax.bits & ~mask) | (result & mask));
}

/* mod 0, r/m 5: RIP-relative in 64-bit mode, an absolute 32-bit address in compatibility mode. */
#define IS_DISP32(modrm)   (((modrm)&0xc7) == 0x05)
#define MODRM_REG(modrm)   ((modrm) >> 3 & 7)
#define IS_REGISTER(modrm) ((modrm) >= 0xc0)

/*
 * Decodes one instruction. The branches below are the list: an opcode without a branch stays
 * KIND_BAD. Memory operands are accepted in three forms only. The first is a list store without a
 * prefix. The second is an RSP access without a prefix or with REX.W alone. The third exists in
 * compatibility mode only: memory below 4 GiB, at a constant address or on the stack.
 */
bool gate_decode(const __u8 *page, unsigned int offset, bool mode64, struct value eax,
		 struct value ecx, struct insn *insn)
{
	__u8 bytes[32];
	unsigned int at = 0, prefixes;
	__u8 rex = 0, opcode, modrm;

	/* the address behind the page is not mapped: these bytes (lock) are not on the list */
	memset(bytes, 0xf0, sizeof(bytes));
	memcpy(bytes, page + offset,
	       offset + sizeof(bytes) <= ELISA_PAGE_SIZE ? sizeof(bytes) :
							   ELISA_PAGE_SIZE - offset);
	memset(insn, 0, sizeof(*insn));
	insn->kind = KIND_BAD;
	insn->eax = eax;
	insn->ecx = ecx;

	/* segment overrides do not change a register operand; other prefixes are not on the list */
	while (at < 8 && (bytes[at] == 0x26 || bytes[at] == 0x2e || bytes[at] == 0x36 ||
			  bytes[at] == 0x3e || (mode64 && (bytes[at] & 0xf0) == 0x40))) {
		/* REX counts only right before the opcode */
		rex = mode64 && (bytes[at] & 0xf0) == 0x40 ? bytes[at] : 0;
		at++;
	}
	prefixes = at;
	opcode = bytes[at++];
	modrm = bytes[at];

	if (opcode == 0xcc) {
		insn->kind = KIND_TRAP;
	} else if (mode64 &&
		   (opcode == 0x06 || opcode == 0x07 || opcode == 0x0e || opcode == 0x16 ||
		    opcode == 0x17 || opcode == 0x1e || opcode == 0x1f || opcode == 0x27 ||
		    opcode == 0x2f || opcode == 0x37 || opcode == 0x3f || opcode == 0xd4)) {
		/* push and pop of segments, decimal adjust: #UD (SDM vol. 2, opcode map) */
		insn->kind = KIND_TRAP;
	} else if (opcode < 0x40 && (opcode & 7) < 4) {
		/* ALU r/m and r */
		at++;
		if (!IS_REGISTER(modrm))
			return false;
		insn->kind = KIND_REG;
		if (opcode >> 3 != 7)
			reg_written(insn, opcode & 2 ? MODRM_REG(modrm) : modrm & 7, !(opcode & 1));
	} else if (opcode < 0x40 && (opcode & 7) == 4) {
		insn->kind = KIND_REG;
		insn->eax = alu_eax(opcode >> 3, eax, bytes[at], 0xff);
		at += 1;
	} else if (opcode < 0x40 && (opcode & 7) == 5) {
		insn->kind = KIND_REG;
		insn->eax = alu_eax(opcode >> 3, eax, le32(bytes + at), 0xffffffff);
		at += 4;
	} else if (opcode == 0x80 && (IS_REGISTER(modrm) || IS_DISP32(modrm))) {
		at++;
		if (IS_REGISTER(modrm)) {
			insn->kind = KIND_REG;
			reg_written(insn, modrm & 7, true);
			at++;
		} else if (prefixes) {
			return false;
		} else {
			at += 4;
			insn->imm = bytes[at++];
			insn->target = offset + at + le32(bytes + at - 5);
			insn->kind = !mode64		   ? KIND_LOW_MEMORY :
				     MODRM_REG(modrm) == 4 ? KIND_LIST_AND :
				     MODRM_REG(modrm) == 1 ? KIND_LIST_OR :
							     KIND_BAD;
		}
	} else if (opcode == 0x89 || opcode == 0x8b) {
		at++;
		if (IS_REGISTER(modrm)) {
			insn->kind = KIND_REG;
			reg_written(insn, opcode == 0x8b ? MODRM_REG(modrm) : modrm & 7, false);
		} else if (IS_DISP32(modrm) && MODRM_REG(modrm) == 4 &&
			   (prefixes == 0 || (prefixes == 1 && rex == 0x48))) {
			at += 4;
			insn->width = rex ? 8 : 4;
			insn->target = offset + at + le32(bytes + at - 4);
			insn->kind = !mode64	    ? KIND_LOW_MEMORY :
				     opcode == 0x89 ? KIND_RSP_STORE :
						      KIND_RSP_LOAD;
		}
	} else if ((opcode & 0xf8) == 0x90) {
		insn->kind = KIND_REG;
		if (opcode == 0x91 && !(rex & 1)) {
			insn->eax = ecx;
			insn->ecx = eax;
		} else if (opcode != 0x90 || rex & 1) {
			insn->eax = unknown;
		}
	} else if (opcode == 0x98 || opcode == 0x9f) { /* cwde, lahf */
		insn->kind = KIND_REG;
		insn->eax = unknown;
	} else if (opcode == 0x99 || opcode == 0x9e || opcode == 0xf5 || opcode == 0xf8 ||
		   opcode == 0xf9 || opcode == 0xfc || opcode == 0xfd) {
		insn->kind = KIND_REG; /* cdq, sahf, flags */
	} else if ((opcode & 0xf8) == 0xb0) {
		insn->kind = KIND_REG;
		if ((opcode & 7) == 0 && eax.known && !(rex & 1))
			insn->eax = constant((eax.bits & ~0xffu) | bytes[at]);
		else if ((opcode & 7) == 1 && ecx.known && !(rex & 1))
			insn->ecx = constant((ecx.bits & ~0xffu) | bytes[at]);
		else
			reg_written(insn, opcode & 7, true);
		at += 1;
	} else if ((opcode & 0xf8) == 0xb8) {
		insn->kind = KIND_REG;
		reg_written(insn, opcode & 7, false);
		at += rex & 8 ? 8 : 4;
	} else if (opcode == 0x0f && bytes[at] == 0x01 && bytes[at + 1] == 0xd4) {
		insn->kind = KIND_VMFUNC;
		at += 2;
	} else if (!mode64 && (opcode & 0xf0) == 0x40) { /* inc, dec */
		insn->kind = KIND_REG;
		if ((opcode & 7) == 0 && eax.known)
			insn->eax = constant(eax.bits + (opcode & 8 ? -1 : 1));
		else if ((opcode & 7) == 1 && ecx.known)
			insn->ecx = constant(ecx.bits + (opcode & 8 ? -1 : 1));
	} else if (!mode64 && (opcode == 0x27 || opcode == 0x2f || opcode == 0x37 ||
			       opcode == 0x3f || opcode == 0xd4)) {
		insn->kind = KIND_REG; /* daa, das, aaa, aas, aam */
		insn->eax = unknown;
		at += opcode == 0xd4;
	} else if (!mode64 &&
		   (opcode == 0x16 || opcode == 0x17 || opcode == 0x1e || opcode == 0x1f)) {
		insn->kind = KIND_LOW_MEMORY; /* push, pop: the stack, too, is low */
	}
	insn->length = at;
	return insn->kind != KIND_BAD && offset + at <= ELISA_PAGE_SIZE;
}
