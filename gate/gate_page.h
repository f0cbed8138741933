/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Builds the code pages of a slot. Plain freestanding C: the host module builds gate-in,
 * gate-out and sub pages with it, the guest driver the stub page, and check_gate all of
 * them. A page is ELISA_PAGE_SIZE bytes; what is not code or data is int3.
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

/* `mode` is an enum elisa_mode, `export_flags` are ELISA_EXPORT_*, `entry` is the virtual
 * address of the export's function. */
void elisa_sub_stub_build(__u8 *page, unsigned int slot, unsigned int mode,
			  unsigned int export_flags, __u64 entry);

/* The export's flags that make another sub stub, in all combinations. */
#define ELISA_SUB_STUBS 4
static inline unsigned int elisa_sub_stub_flags(unsigned int which)
{
	return (which & 1 ? ELISA_EXPORT_GENERAL_REGS : 0) | (which & 2 ? ELISA_EXPORT_COUNTED : 0);
}

/* The caller trusts the manager with what its function does to registers. */
#define ELISA_STUB_TRUSTING 1u
/* The export is not ELISA_EXPORT_GENERAL_REGS. */
#define ELISA_STUB_FULL	    2u
/* The guest kernel has set CR4.FSGSBASE, CR4.PKE, CR4.OSXSAVE. */
#define ELISA_STUB_FSGSBASE 4u
#define ELISA_STUB_PKU	    8u
#define ELISA_STUB_XSAVE    16u

/*
 * Returns the offset to call: rdi, rsi, rdx, r10, r8, r9 hold the arguments; on return
 * rax is the result and rdx 0, or rax is 0 and rdx an enum elisa_call_error. All that the
 * C calling convention lets a function change is changed, and rbx and r12-r15 too: the caller
 * declares them. The call uses the stack below RSP: mind the red zone.
 */
unsigned int elisa_guest_stub_build(__u8 *page, unsigned int slot, unsigned int mode,
				    unsigned int flags);

#endif
