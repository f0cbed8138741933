/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compares a guest's bytes with the instruction that has exited, as the VMCS describes it. Another
 * vCPU may have written the bytes since the exit. This part of descriptor.c needs no kernel, so
 * native tests cover it.
 */
#ifndef ELISA_HOST_DESCRIPTOR_H
#define ELISA_HOST_DESCRIPTOR_H

#include <linux/types.h>

#define EH_INSTRUCTION_MAX  15

/* The second opcode byte: SLDT, STR, LLDT, LTR, and SGDT, SIDT, LGDT, LIDT. */
#define EH_OPCODE_LDTR_TR   0x00
#define EH_OPCODE_GDTR_IDTR 0x01

static inline bool eh_is_prefix(u8 byte, bool code64)
{
	switch (byte) {
	case 0x26: /* segments */
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66: /* operand and address size */
	case 0x67:
	case 0xf0: /* LOCK: #UD */
	case 0xf2:
	case 0xf3:
		return true;
	}
	return code64 && (byte & 0xf0) == 0x40; /* REX */
}

/*
 * Tells whether the bytes are the instruction that has exited. @which is bits 29:28 of the VM-exit
 * instruction information (SDM vol. 3, the formats for GDTR and IDTR, and for LDTR and TR). They
 * count as ModRM's reg field does. With a register operand, GDTR_IDTR's opcode is another
 * instruction, such as VMCALL.
 */
static inline bool eh_is_descriptor_access(const u8 *code, u32 size, bool code64, u8 opcode,
					   u32 which)
{
	u32 at = 0;

	while (at < size && eh_is_prefix(code[at], code64))
		at++;
	return at + 3 <= size && code[at] == 0x0f && code[at + 1] == opcode &&
	       ((code[at + 2] >> 3) & 7) == which &&
	       (opcode == EH_OPCODE_LDTR_TR || code[at + 2] < 0xc0);
}

#endif
