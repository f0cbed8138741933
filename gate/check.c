// SPDX-License-Identifier: GPL-2.0-only
/*
 * Follows the gate's code from every byte offset, in 64-bit and in compatibility mode.
 *
 * Two decoders must agree. Ours knows a short list of instructions that touch registers
 * only, the list stores and RSP accesses of the gate, and the opcodes that have been
 * undefined in 64-bit mode since its invention; whatever is not on the list is a
 * violation, not a trap: Capstone's "invalid" alone proves nothing about a newer CPU.
 * Capstone must see the same length and the same memory operand, so that a mistake
 * in our list does not pass.
 */
#include <capstone/capstone.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define STEPS_MAX 64

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

enum context {
	IN_GATE,
	OUT_GATE
};

struct state {
	enum context context;
	unsigned int offset;
	struct value eax, ecx;
	__u8 list_sub, list_gate_in; /* low bytes of the entries */
	bool rsp_loaded;
};

struct check {
	const struct gate_pages *pages;
	csh capstone;
	bool long_mode;
	char *why;
	size_t size;
	/* where it began, for the message */
	enum context context;
	unsigned int start;
	/* what the path did, for the check of the designed paths */
	struct state end;
	bool reached_sub, reached_default, rsp_stored;
};

static const struct value unknown = {false, 0};

static struct value constant(__u32 bits)
{
	return (struct value){true, bits};
}

static int violation(struct check *check, unsigned int offset, const char *format, ...)
{
	va_list args;
	int n;

	n = snprintf(check->why, check->size,
		     "slot %u, %s, entered at %#x in %s mode, at %#x: ", check->pages->slot,
		     check->context == IN_GATE ? "gate-in" : "gate-out", check->start,
		     check->long_mode ? "64-bit" : "compatibility", offset);
	if (n < 0 || (size_t)n >= check->size)
		return -1;
	va_start(args, format);
	vsnprintf(check->why + n, check->size - n, format, args);
	va_end(args);
	return -1;
}

static __u32 le32(const __u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (__u32)p[3] << 24;
}

/* A register operand is written: what remains known of EAX and ECX. Byte registers 4-7
 * are AH, CH, DH, BH without REX and SPL, BPL, SIL, DIL with it: assume both. */
static void reg_written(struct insn *insn, unsigned int reg, bool byte)
{
	if (reg == 0 || (byte && reg == 4))
		insn->eax = unknown;
	if (reg == 1 || (byte && reg == 5))
		insn->ecx = unknown;
}

/* add, or, adc, sbb, and, sub, xor, cmp with AL or EAX and an immediate. */
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

/* mod 0, r/m 5: RIP-relative in 64-bit mode, an absolute 32-bit address else. */
#define IS_DISP32(modrm)   (((modrm)&0xc7) == 0x05)
#define MODRM_REG(modrm)   ((modrm) >> 3 & 7)
#define IS_REGISTER(modrm) ((modrm) >= 0xc0)

static bool decode(struct check *check, const struct state *state, const __u8 *page,
		   struct insn *insn)
{
	const unsigned int offset = state->offset;
	__u8 bytes[32];
	unsigned int at = 0, prefixes;
	__u8 rex = 0, opcode, modrm;
	bool mode64 = check->long_mode;

	/* What follows the page is not mapped: pad with bytes that are on no list. */
	memset(bytes, 0xf0, sizeof(bytes));
	memcpy(bytes, page + offset,
	       offset + sizeof(bytes) <= ELISA_PAGE_SIZE ? sizeof(bytes) :
							   ELISA_PAGE_SIZE - offset);
	memset(insn, 0, sizeof(*insn));
	insn->kind = KIND_BAD;
	insn->eax = state->eax;
	insn->ecx = state->ecx;

	/* Segment overrides mean nothing to a register operand; all other prefixes are
	 * not on the list. */
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
		insn->eax = alu_eax(opcode >> 3, state->eax, bytes[at], 0xff);
		at += 1;
	} else if (opcode < 0x40 && (opcode & 7) == 5) {
		insn->kind = KIND_REG;
		insn->eax = alu_eax(opcode >> 3, state->eax, le32(bytes + at), 0xffffffff);
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
			insn->eax = state->ecx;
			insn->ecx = state->eax;
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
		if ((opcode & 7) == 0 && state->eax.known && !(rex & 1))
			insn->eax = constant((state->eax.bits & ~0xffu) | bytes[at]);
		else if ((opcode & 7) == 1 && state->ecx.known && !(rex & 1))
			insn->ecx = constant((state->ecx.bits & ~0xffu) | bytes[at]);
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
		if ((opcode & 7) == 0 && state->eax.known)
			insn->eax = constant(state->eax.bits + (opcode & 8 ? -1 : 1));
		else if ((opcode & 7) == 1 && state->ecx.known)
			insn->ecx = constant(state->ecx.bits + (opcode & 8 ? -1 : 1));
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

/* Capstone's opinion on the same bytes. */
static int second_opinion(struct check *check, const __u8 *page, unsigned int offset,
			  const struct insn *insn)
{
	bool may_touch_memory = insn->kind == KIND_LIST_AND || insn->kind == KIND_LIST_OR ||
				insn->kind == KIND_RSP_STORE || insn->kind == KIND_RSP_LOAD ||
				insn->kind == KIND_LOW_MEMORY;
	cs_insn *decoded;
	cs_x86 *x86;
	size_t count;
	int result = 0;
	int i;

	count = cs_disasm(check->capstone, page + offset, ELISA_PAGE_SIZE - offset,
			  ELISA_WINDOW_BASE + check->pages->slot * ELISA_SLOT_SIZE + offset, 1,
			  &decoded);
	if (insn->kind == KIND_TRAP) {
		if (count && decoded->id != X86_INS_INT3)
			result = violation(check, offset, "Capstone sees `%s %s', not a trap",
					   decoded->mnemonic, decoded->op_str);
		goto out;
	}
	if (!count)
		return violation(check, offset, "Capstone cannot decode it");
	if (decoded->size != insn->length) {
		result = violation(check, offset, "Capstone sees %u bytes, not %u", decoded->size,
				   insn->length);
		goto out;
	}
	if ((insn->kind == KIND_VMFUNC) != (decoded->id == X86_INS_VMFUNC)) {
		result = violation(check, offset, "Capstone sees `%s'", decoded->mnemonic);
		goto out;
	}
	x86 = &decoded->detail->x86;
	for (i = 0; i < x86->op_count; i++) {
		const cs_x86_op *op = &x86->operands[i];

		if (op->type != X86_OP_MEM)
			continue;
		if (!may_touch_memory)
			result = violation(check, offset, "Capstone sees memory in `%s %s'",
					   decoded->mnemonic, decoded->op_str);
		else if (check->long_mode &&
			 (op->mem.base != X86_REG_RIP || op->mem.index != X86_REG_INVALID ||
			  op->mem.segment != X86_REG_INVALID ||
			  offset + insn->length + (__u32)op->mem.disp != insn->target))
			result = violation(check, offset, "Capstone sees `%s %s'",
					   decoded->mnemonic, decoded->op_str);
		else if (!check->long_mode &&
			 (op->mem.base != X86_REG_INVALID || op->mem.index != X86_REG_INVALID))
			result = violation(check, offset, "register-indirect `%s %s'",
					   decoded->mnemonic, decoded->op_str);
	}
	if (insn->kind == KIND_REG && (cs_insn_group(check->capstone, decoded, X86_GRP_JUMP) ||
				       cs_insn_group(check->capstone, decoded, X86_GRP_CALL) ||
				       cs_insn_group(check->capstone, decoded, X86_GRP_RET) ||
				       cs_insn_group(check->capstone, decoded, X86_GRP_INT) ||
				       cs_insn_group(check->capstone, decoded, X86_GRP_IRET) ||
				       cs_insn_group(check->capstone, decoded, X86_GRP_PRIVILEGE)))
		result = violation(check, offset, "Capstone sees `%s %s'", decoded->mnemonic,
				   decoded->op_str);
out:
	if (count)
		cs_free(decoded, count);
	return result;
}

static bool in_rsp_slot(const struct check *check, const struct insn *insn)
{
	__u32 slot = ELISA_DATA_OFFSET + ELISA_RSP_SLOT(check->pages->slot);

	return insn->target >= slot && insn->target + insn->width <= slot + 8;
}

/* A store to the list must be one of the two that this page is there for. */
static int list_store(struct check *check, struct state *state, const struct insn *insn)
{
	const unsigned int slot = check->pages->slot;
	const __u32 sub = ELISA_LIST_OFFSET + 8 * ELISA_INDEX_SUB(slot);
	const __u32 gate_in = ELISA_LIST_OFFSET + 8 * ELISA_INDEX_GATE_IN(slot);
	const bool and = insn->kind == KIND_LIST_AND;
	__u8 *entry;

	if (insn->target == sub && and == (state->context == OUT_GATE))
		entry = &state->list_sub;
	else if (insn->target == gate_in && and == (state->context == IN_GATE))
		entry = &state->list_gate_in;
	else
		return violation(check, state->offset, "store to %#x", insn->target);
	if (and)
		*entry &= insn->imm;
	else
		*entry |= insn->imm;
	if (*entry != (and? ELISA_EPTP_DISARMED : ELISA_EPTP_ARMED))
		return violation(check, state->offset, "stores %#x", *entry);
	/* An entry that the host took away must stay invalid: memory types 0 and 6 are
	 * not, and bits 3 to 5 must be 3. */
	if (!and&&(insn->imm & 0x38) == 0x18)
		return violation(check, state->offset, "would make an entry of zeros valid");
	return 0;
}

/* 1: go on in `state`, 0: the path ends well. */
static int vmfunc(struct check *check, struct state *state, const struct insn *insn)
{
	const unsigned int slot = check->pages->slot;
	const unsigned int end = state->offset + insn->length;
	const unsigned int own_index = state->context == IN_GATE ? ELISA_INDEX_GATE_IN(slot) :
								   ELISA_INDEX_GATE_OUT(slot);

	/* Only function 0 exists; any other value exits or is #UD. Unknown counts as 0. */
	if (state->eax.known && state->eax.bits)
		return 0;
	if (!state->ecx.known)
		return violation(check, state->offset, "VMFUNC with an unknown ECX");
	check->end = *state;

	if (state->ecx.bits == 0) {
		if (state->list_sub != ELISA_EPTP_DISARMED)
			return violation(check, state->offset, "default with sub armed");
		if (state->list_gate_in != ELISA_EPTP_ARMED)
			return violation(check, state->offset, "default with gate-in disarmed");
		if (!state->rsp_loaded)
			return violation(check, state->offset, "default with the manager's RSP");
		if (state->context != OUT_GATE || end != ELISA_STRICT_RETURN(slot))
			return violation(check, state->offset, "default at an odd place");
		check->reached_default = true;
		return 0;
	}
	if (state->ecx.bits == (unsigned int)ELISA_INDEX_SUB(slot)) {
		if (state->list_sub != ELISA_EPTP_ARMED)
			return 0; /* exits */
		if (state->context != IN_GATE || end != ELISA_SUB_ENTRY(slot))
			return violation(check, state->offset, "sub at an odd place");
		check->reached_sub = true;
		return 0;
	}
	if (state->ecx.bits != own_index) {
		/* `inc %ecx' and `dec %ecx' exist in compatibility mode only: a gate of the
		 * neighbouring slot, which maps nothing at this address. */
		if (!check->long_mode && state->ecx.bits - own_index + 1 <= 2)
			return 0;
		return violation(check, state->offset, "VMFUNC to %#x", state->ecx.bits);
	}
	/* To itself: goes on behind the VMFUNC (or exits, if disarmed). */
	state->eax = constant(0);
	return 1;
}

static int follow(struct check *check, struct state state)
{
	const __u8 *page = state.context == IN_GATE ? check->pages->in : check->pages->out;
	unsigned int steps;
	struct insn insn;
	int go_on;

	check->context = state.context;
	check->start = state.offset;
	check->reached_sub = check->reached_default = check->rsp_stored = false;

	for (steps = 0; steps < STEPS_MAX; steps++) {
		if (state.offset >= ELISA_PAGE_SIZE)
			return violation(check, state.offset, "runs off the page");
		if (!decode(check, &state, page, &insn))
			return violation(check, state.offset,
					 "not on the list: %02x %02x %02x %02x %02x %02x",
					 page[state.offset], page[(state.offset + 1) % 4096],
					 page[(state.offset + 2) % 4096],
					 page[(state.offset + 3) % 4096],
					 page[(state.offset + 4) % 4096],
					 page[(state.offset + 5) % 4096]);
		if (second_opinion(check, page, state.offset, &insn))
			return -1;

		switch (insn.kind) {
		case KIND_TRAP:
			return 0;
		case KIND_REG:
			state.eax = insn.eax;
			state.ecx = insn.ecx;
			break;
		case KIND_LIST_AND:
		case KIND_LIST_OR:
			if (list_store(check, &state, &insn))
				return -1;
			break;
		case KIND_RSP_STORE:
			if (state.context != IN_GATE || !in_rsp_slot(check, &insn))
				return violation(check, state.offset, "store to %#x", insn.target);
			check->rsp_stored |= insn.width == 8;
			break;
		case KIND_RSP_LOAD:
			if (state.context != OUT_GATE || !in_rsp_slot(check, &insn))
				return violation(check, state.offset, "load from %#x", insn.target);
			state.rsp_loaded |= insn.width == 8;
			break;
		case KIND_LOW_MEMORY:
			break; /* gate_check() asserts that nothing of ours is low */
		case KIND_VMFUNC:
			go_on = vmfunc(check, &state, &insn);
			if (go_on <= 0)
				return go_on;
			break;
		case KIND_BAD:
			return violation(check, state.offset, "bad");
		}
		state.offset += insn.length;
	}
	return violation(check, state.offset, "does not end");
}

static struct state arrival(const struct check *check, enum context context, unsigned int offset)
{
	const unsigned int slot = check->pages->slot;

	return (struct state){
		.context = context,
		.offset = offset,
		.eax = constant(0),
		.ecx = constant(context == IN_GATE ? ELISA_INDEX_GATE_IN(slot) :
						     ELISA_INDEX_GATE_OUT(slot)),
		.list_sub = ELISA_EPTP_DISARMED,
		.list_gate_in = ELISA_EPTP_ARMED,
	};
}

/* Every state of the list that can be met there: sub is armed if the arrival is from sub,
 * gate-in is disarmed unless a hostile guest skipped that store. */
static int one_offset(struct check *check, enum context context, unsigned int offset)
{
	struct state state;
	unsigned int bits;

	for (bits = 4; bits-- > 0;) {
		state = arrival(check, context, offset);
		if (bits & 1)
			state.list_sub = ELISA_EPTP_ARMED;
		if (bits & 2)
			state.list_gate_in = ELISA_EPTP_DISARMED;
		if (follow(check, state))
			return -1;
	}
	return 0;
}

static int every_offset(struct check *check)
{
	enum context context;
	unsigned int offset;

	for (context = IN_GATE; context <= OUT_GATE; context++)
		for (offset = 0; offset < ELISA_PAGE_SIZE; offset++)
			if (one_offset(check, context, offset))
				return -1;
	return 0;
}

/* The paths that a call takes do what they are for. */
static int designed_paths(struct check *check)
{
	const unsigned int slot = check->pages->slot;
	struct state state;

	state = arrival(check, IN_GATE, ELISA_STRICT_ENTRY(slot));
	if (follow(check, state))
		return -1;
	if (!check->reached_sub || !check->rsp_stored ||
	    check->end.list_gate_in != ELISA_EPTP_DISARMED)
		return violation(check, state.offset, "not the way to sub (strict)");

	state = arrival(check, IN_GATE, ELISA_TRUSTED_ENTRY(slot));
	if (follow(check, state))
		return -1;
	if (!check->reached_sub || check->rsp_stored)
		return violation(check, state.offset, "not the way to sub (trusted)");

	state = arrival(check, OUT_GATE, ELISA_GATE_OUT_ENTRY(slot));
	state.list_sub = ELISA_EPTP_ARMED;
	state.list_gate_in = ELISA_EPTP_DISARMED;
	if (follow(check, state))
		return -1;
	if (!check->reached_default || check->end.offset != ELISA_GATE_OUT_VMFUNC(slot))
		return violation(check, state.offset, "not the way to default");
	return 0;
}

#define REGION_OF(offset) ((offset) >> 21)

static const char *layout_fault(unsigned int slot)
{
	const __u64 base = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE;

	if (base >> 32 == 0 || (base + ELISA_SLOT_SIZE) >> 47)
		return "the slot is not in user space above 4 GiB";
	if (base + ELISA_SLOT_SIZE > ELISA_OBJECT_BASE)
		return "the slot overlaps the object area";
	if (ELISA_CODE_OFFSET != 0)
		return "displacements are computed for a code page at offset 0";
	if (ELISA_DATA_OFFSET % ELISA_PAGE_SIZE || ELISA_LIST_OFFSET % ELISA_PAGE_SIZE)
		return "list or data page unaligned";
	if (ELISA_DATA_OFFSET == ELISA_LIST_OFFSET)
		return "list and data page are one";
	if (REGION_OF(ELISA_DATA_OFFSET) != REGION_OF(ELISA_LIST_OFFSET) ||
	    REGION_OF(ELISA_DATA_OFFSET) != REGION_OF(ELISA_STACK_OFFSET))
		return "list, data and stack are not in one 2 MiB region";
	if (ELISA_DATA_OFFSET < ELISA_STACK_OFFSET + ELISA_STACK_PAGES * ELISA_PAGE_SIZE &&
	    ELISA_LIST_OFFSET + ELISA_PAGE_SIZE > ELISA_STACK_OFFSET)
		return "the stack overlaps list or data page";
	if (ELISA_RSP_SLOT(slot) % 8 != 1 || ELISA_RSP_SLOT(slot) + 8 > ELISA_PAGE_SIZE)
		return "the saved RSP could make a page-table entry";
	if (ELISA_INDEX_GATE_OUT(slot) > 255 || ELISA_INDEX_SUB(0) == 0 ||
	    ELISA_INDEX_SUB(ELISA_SLOTS) > ELISA_INDEX_GATE_IN(0) ||
	    ELISA_INDEX_GATE_IN(ELISA_SLOTS) > ELISA_INDEX_GATE_OUT(0))
		return "list indexes overlap";
	return NULL;
}

static int begin(struct check *check, bool long_mode)
{
	check->long_mode = long_mode;
	if (!cs_open(CS_ARCH_X86, long_mode ? CS_MODE_64 : CS_MODE_32, &check->capstone) &&
	    !cs_option(check->capstone, CS_OPT_DETAIL, CS_OPT_ON))
		return 0;
	snprintf(check->why, check->size, "Capstone does not start");
	return -1;
}

int gate_out_check_at(const struct gate_pages *pages, unsigned int offset, char *why, size_t size)
{
	struct check check = {.pages = pages, .why = why, .size = size};
	int result;

	if (begin(&check, true))
		return -1;
	result = one_offset(&check, OUT_GATE, offset);
	cs_close(&check.capstone);
	return result;
}

int gate_check(const struct gate_pages *pages, char *why, size_t size)
{
	struct check check = {.pages = pages, .why = why, .size = size};
	const char *fault = layout_fault(pages->slot);
	int mode, result = 0;

	if (fault) {
		snprintf(why, size, "slot %u: %s", pages->slot, fault);
		return -1;
	}
	for (mode = 0; mode < 2 && !result; mode++) {
		if (begin(&check, mode == 0))
			return -1;
		result = every_offset(&check);
		if (!result && check.long_mode)
			result = designed_paths(&check);
		cs_close(&check.capstone);
	}
	return result;
}

static bool is_vmfunc(const __u8 *bytes)
{
	return bytes[0] == 0x0f && bytes[1] == 0x01 && bytes[2] == 0xd4;
}

/* No VMFUNC in the page but at `only`; the bytes of the entry pointer do not count. */
static int one_vmfunc(const __u8 *page, unsigned int only, bool pointer, char *why, size_t size)
{
	unsigned int offset;
	bool found = false;

	for (offset = 0; offset + 3 <= ELISA_PAGE_SIZE; offset++) {
		if (!is_vmfunc(page + offset))
			continue;
		found |= offset == only;
		if (offset == only || (pointer && offset + 3 > ELISA_ENTRY_POINTER &&
				       offset < ELISA_ENTRY_POINTER + 8))
			continue;
		snprintf(why, size, "a VMFUNC at %#x", offset);
		return -1;
	}
	if (!found) {
		snprintf(why, size, "no VMFUNC at %#x", only);
		return -1;
	}
	return 0;
}

int sub_stub_check(const __u8 *page, unsigned int slot, unsigned int mode, char *why, size_t size)
{
	return one_vmfunc(page,
			  mode == ELISA_MODE_STRICT ? ELISA_GATE_OUT_ENTRY(slot) - 3 :
						      ELISA_TRUSTED_VMFUNC(slot),
			  true, why, size);
}

/*
 * A manager's code can leave sub with VMFUNC 0 at the end of each VMFUNC in the sub page;
 * the entry pointer, which the manager chose, can be one. In default, those are int3.
 */
int guest_stub_check(const __u8 *page, unsigned int slot, unsigned int mode, unsigned int call,
		     char *why, size_t size)
{
	const bool strict = mode == ELISA_MODE_STRICT;
	const unsigned int entry = strict ? ELISA_STRICT_ENTRY(slot) : ELISA_TRUSTED_ENTRY(slot);
	const unsigned int back = strict ? ELISA_STRICT_RETURN(slot) : ELISA_TRUSTED_RETURN(slot);
	unsigned int offset;

	if (one_vmfunc(page, entry - 3, false, why, size))
		return -1;
	if (call < ELISA_XRSTOR_IMAGE + ELISA_XRSTOR_IMAGE_SIZE) {
		snprintf(why, size, "the code at %#x overlaps the XRSTOR image", call);
		return -1;
	}
	for (offset = ELISA_ENTRY_POINTER - 16; offset < ELISA_PAGE_SIZE; offset++)
		if (page[offset] != 0xcc) {
			snprintf(why, size, "not filler at %#x", offset);
			return -1;
		}
	for (offset = entry; offset < back; offset++)
		if (page[offset] != 0xcc) {
			snprintf(why, size, "not filler at %#x", offset);
			return -1;
		}
	if (page[back] == 0xcc || page[ELISA_ERROR_RETURN(slot)] == 0xcc ||
	    page[ELISA_ERROR_RETURN(slot) - 1] != 0xcc) {
		snprintf(why, size, "a return path is missing or overwritten");
		return -1;
	}
	return 0;
}
