// SPDX-License-Identifier: GPL-2.0-only
/*
 * The proof of the gate pages: follows their code from every byte offset, in 64-bit and in
 * compatibility mode.
 *
 * Why every offset. VMFUNC keeps RIP, so a guest or a manager may arrive in a gate page at any
 * byte. They choose the offset and all registers except EAX and ECX, which VMFUNC itself needs. So
 * a path begins with EAX = 0 and ECX = the index of the gate, and everything else is unknown.
 *
 * What a path may do. In a gate context the EPTP list is writable. A path may store to the two
 * entries of its own slot only, in the one direction that its page exists for, and only so that the
 * exact armed or disarmed byte results. It may store RSP in gate-in and load it in gate-out, within
 * the 8 bytes of the RSP slot. In 64-bit mode it may touch no other memory. Compatibility mode
 * reaches memory below 4 GiB only, and nothing of ours lies there.
 *
 * How a path ends well:
 * - at a trap, which ends the call;
 * - at a VMFUNC that exits, because its function does not exist or its entry is disarmed;
 * - in sub, from gate-in, at the entry of sub's stub;
 * - in default, from gate-out, at the designed return, with sub disarmed, gate-in armed and RSP
 *   loaded;
 * - in compatibility mode, in a gate of the neighbouring slot, which maps nothing at that address.
 * A VMFUNC to the gate itself continues behind it. All other ends are violations. So is a path of
 * more than STEPS_MAX instructions, because no designed path is nearly as long.
 *
 * The list entries. A path starts from each of the four states of the two entries, armed or not,
 * since a hostile guest may have skipped a store (one_offset()).
 *
 * Two decoders must agree. An instruction that is not on our list (decode.h) is a violation.
 * Capstone must see the same length and the same memory operand, so that a mistake in our list
 * does not pass.
 */
#include <capstone/capstone.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "decode.h"

#define STEPS_MAX 64

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

/*
 * Capstone's opinion on the same bytes: the same length, a trap where we see one, a VMFUNC where we
 * see one, memory operands only where our list has them and at the same address. It may see no
 * branch and no privileged instruction in what we take for a register instruction.
 */
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

/*
 * A store to the list must be one of the two that this page exists for. Gate-in arms sub and
 * disarms gate-in; gate-out disarms sub and arms gate-in. The result must be the exact byte, so
 * that a store which is entered in the middle, with another mask, does not pass.
 */
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
	/*
	 * An entry that the host took away is 0, and must stay invalid. An entry is valid with
	 * memory type 0 or 6, and with 3 in bits 3 to 5.
	 */
	if (!and&&(insn->imm & 0x38) == 0x18)
		return violation(check, state->offset, "would make an entry of zeros valid");
	return 0;
}

/*
 * A VMFUNC with what the path knows of EAX, ECX and the list. 1: the path continues in `state`;
 * 0: it ends well. An unknown ECX could name any context, so it is a violation.
 */
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

/*
 * Follows one path to its end. There are no branches in the gate, so a start has one path. It
 * records what the path did in `check`, for designed_paths().
 */
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
		if (!gate_decode(page, state.offset, check->long_mode, state.eax, state.ecx, &insn))
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

/* The state right after the VMFUNC that enters a gate: EAX and ECX are the CPU's operands. */
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

/*
 * Follows the path from one offset, for every state of the list that a vCPU can meet there. Sub is
 * armed if the vCPU comes from sub. Gate-in is disarmed unless a hostile guest has skipped that
 * store.
 */
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

/*
 * The paths of a call do what they exist for. Safety alone would also hold for a page of int3. So
 * the three designed entries must lead to sub or default, with RSP stored and the list as the
 * next step needs it.
 */
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

/*
 * Checks the proof's assumptions about addresses, once for each slot. The window lies above 4 GiB,
 * where compatibility mode cannot fetch. List, data and stack share one 2 MiB region, which has one
 * page table in each context. The saved RSP is not aligned, so that no page-table entry consists of
 * bytes that a guest chose alone. The indexes of slots and contexts do not overlap.
 */
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

/* Opens Capstone for one of the two modes. */
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
