// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists the instructions of a whole call for each variant, as the CPU executes them. The list goes
 * from the caller's `call` to the stub's `ret`, without the instructions of the function.
 *
 *   count [slot]
 *
 * The program follows the pages as VMFUNC does: from each VMFUNC it goes on at the same offset of
 * the next context's page. If that offset has no code, the offsets of two pages do not match, and
 * the program fails. docs/gate.md has the numbers of the table at the end.
 */
#include <capstone/capstone.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate_page.h"

enum context {
	DEFAULT,
	GATE_IN,
	SUB,
	GATE_OUT
};

static const char *const context_name[] = {"default", "gate-in", "sub", "gate-out"};

static csh capstone;

/* Prints from `at` to the VMFUNC or RET that ends the stay; returns the offset behind it. */
static unsigned int stay(enum context context, const __u8 *page, unsigned int slot, unsigned int at,
			 unsigned int *count, bool *done)
{
	const __u64 base = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE;
	cs_insn *insn;
	bool left = false;

	while (!left) {
		/* Capstone 4 does not know it */
		if (page[at] == 0x0f && page[at + 1] == 0x01 && (page[at + 2] & 0xfe) == 0xee) {
			printf("%3u  %-8s  %03x  %s\n", ++*count, context_name[context], at,
			       page[at + 2] & 1 ? "wrpkru" : "rdpkru");
			at += 3;
			continue;
		}
		if (!cs_disasm(capstone, page + at, ELISA_PAGE_SIZE - at, base + at, 1, &insn) ||
		    insn->id == X86_INS_INT3) {
			fprintf(stderr, "count: %s: no code at %#x\n", context_name[context], at);
			exit(1);
		}
		printf("%3u  %-8s  %03x  %s %s\n", ++*count, context_name[context], at,
		       insn->mnemonic, insn->op_str);
		at += insn->size;
		if (insn->id == X86_INS_JMP)
			at = insn->detail->x86.operands[0].imm - base;
		*done = insn->id == X86_INS_RET;
		left = *done || insn->id == X86_INS_VMFUNC;
		cs_free(insn, 1);
	}
	return at;
}

static unsigned int call(unsigned int slot, unsigned int mode, unsigned int export_flags,
			 unsigned int flags)
{
	static const enum context strict[] = {DEFAULT, GATE_IN, SUB, GATE_OUT, DEFAULT};
	static const enum context trusted[] = {DEFAULT, GATE_IN, SUB, DEFAULT};
	const enum context *way = mode == ELISA_MODE_STRICT ? strict : trusted;
	static __u8 page[4][ELISA_PAGE_SIZE];
	unsigned int at, count = 1;
	bool done = false;

	elisa_gate_in_build(page[GATE_IN], slot);
	elisa_gate_out_build(page[GATE_OUT], slot);
	elisa_sub_stub_build(page[SUB], slot, mode, export_flags, ELISA_OBJECT_BASE);
	if (!(export_flags & ELISA_EXPORT_GENERAL_REGS))
		flags |= ELISA_STUB_FULL;
	at = elisa_guest_stub_build(page[DEFAULT], slot, mode, flags);

	printf("  1  caller    ---  call stub\n");
	while (!done) {
		at = stay(*way, page[*way], slot, at, &count, &done);
		way++;
	}
	return count;
}

int main(int argc, char **argv)
{
	const unsigned int guarded = ELISA_STUB_FSGSBASE | ELISA_STUB_PKU | ELISA_STUB_XSAVE;
	unsigned int slot = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	unsigned int counts[16];
	unsigned int i;

	if (slot >= ELISA_SLOTS) {
		fprintf(stderr, "count: slot %u: there are %u\n", slot, ELISA_SLOTS);
		return 1;
	}
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &capstone) ||
	    cs_option(capstone, CS_OPT_DETAIL, CS_OPT_ON)) {
		fprintf(stderr, "count: Capstone does not start\n");
		return 1;
	}
	for (i = 0; i < 16; i++) {
		printf("%s, %s registers, %s caller%s\n", i & 4 ? "trusted" : "strict",
		       i & 1 ? "all" : "general", i & 2 ? "guarded" : "trusting",
		       i & 8 ? ", counted" : "");
		counts[i] = call(slot, i & 4 ? ELISA_MODE_TRUSTED : ELISA_MODE_STRICT,
				 (i & 1 ? 0 : ELISA_EXPORT_GENERAL_REGS) |
					 (i & 8 ? ELISA_EXPORT_COUNTED : 0),
				 i & 2 ? guarded : ELISA_STUB_TRUSTING);
		printf("\n");
	}
	printf("instructions         general  all  counted: general  all\n");
	for (i = 0; i < 8; i += 2)
		printf("%-8s %-8s        %3u  %3u               %3u  %3u\n",
		       i & 4 ? "trusted" : "strict", i & 2 ? "guarded" : "trusting", counts[i],
		       counts[i + 1], counts[i + 8], counts[i + 9]);
	return 0;
}
