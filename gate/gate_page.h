/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Builds the code pages of a slot, in freestanding C. The host module builds gate-in, gate-out and
 * sub pages with it. The guest driver builds the stub page, and check_gate builds all pages. A page
 * has ELISA_PAGE_SIZE bytes. Bytes that are neither code nor data are int3.
 */
#ifndef ELISA_GATE_PAGE_H
#define ELISA_GATE_PAGE_H

#include <elisa/abi.h>
#include <elisa/gate_layout.h>

/* In the sub page: the init image that XRSTOR loads, and the address of the function. */
#define ELISA_XRSTOR_IMAGE	0x0
#define ELISA_XRSTOR_IMAGE_SIZE 576
#define ELISA_ENTRY_POINTER	0xf00

/*
 * Offset in the slot, in the stack's last page: the calls of an export that is
 * ELISA_EXPORT_COUNTED. The function can write there, as on its stack.
 */
#define ELISA_CALLS_OFFSET	(ELISA_STACK_OFFSET + ELISA_STACK_PAGES * ELISA_PAGE_SIZE - 16)

void elisa_gate_in_build(__u8 *page, unsigned int slot);
void elisa_gate_out_build(__u8 *page, unsigned int slot);

/*
 * `mode` is an enum elisa_mode, `export_flags` are ELISA_EXPORT_*, `entry` is the virtual address
 * of the export's function.
 */
void elisa_sub_stub_build(__u8 *page, unsigned int slot, unsigned int mode,
			  unsigned int export_flags, __u64 entry);

/* All combinations of the export's flags that change the sub stub. */
#define ELISA_SUB_STUBS 4
static inline unsigned int elisa_sub_stub_flags(unsigned int which)
{
	return (which & 1 ? ELISA_EXPORT_GENERAL_REGS : 0) | (which & 2 ? ELISA_EXPORT_COUNTED : 0);
}

/* The caller trusts the manager's function to keep registers as the C ABI says. */
#define ELISA_STUB_TRUSTING 1u
/* The export is not ELISA_EXPORT_GENERAL_REGS. */
#define ELISA_STUB_FULL	    2u
/* The guest kernel has set CR4.FSGSBASE, CR4.PKE, CR4.OSXSAVE. */
#define ELISA_STUB_FSGSBASE 4u
#define ELISA_STUB_PKU	    8u
#define ELISA_STUB_XSAVE    16u

/*
 * Returns the offset to call. RDI, RSI, RDX, R10, R8 and R9 hold the arguments. On return RAX is
 * the result and RDX is 0, or RAX is 0 and RDX is an enum elisa_call_error. The call changes all
 * registers that the C calling convention lets a function change. It also changes RBX and R12-R15,
 * so the caller declares these. The call uses the stack below RSP, so a caller with a red zone
 * moves RSP first.
 */
unsigned int elisa_guest_stub_build(__u8 *page, unsigned int slot, unsigned int mode,
				    unsigned int flags);

#endif
