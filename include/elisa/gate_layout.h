/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * The offsets that the guest's stub and the host's gate pages share in a slot's code page. Also the
 * indexes of a slot's contexts in the EPTP list. They are part of the ABI; gate/ builds and checks
 * the pages that use them, and docs/gate.md explains them.
 *
 * A search found these constants. Every byte of the gate's code must be harmless when it is
 * executed as the first byte of an instruction. If a constant changes, gate/check_gate will very
 * likely refuse the page.
 */
#ifndef ELISA_GATE_LAYOUT_H
#define ELISA_GATE_LAYOUT_H

/* ISO C wants a declaration in each translation unit, also in one that includes nothing else. */
#include <linux/types.h>

/* Indexes in the EPTP list (0 is the default context; 256 and up stay invalid). */
#define ELISA_INDEX_SUB(slot)	    (0x10 + (slot))
#define ELISA_INDEX_GATE_IN(slot)   (0x50 + (slot))
#define ELISA_INDEX_GATE_OUT(slot)  (0x90 + (slot))

/* Low byte of a list entry (SDM vol. 3C, EPTP): write-back and 4 levels. In a disarmed entry the
 * memory type is the reserved value 2, so that a VMFUNC to it exits. */
#define ELISA_EPTP_ARMED	    0x1e
#define ELISA_EPTP_DISARMED	    0x1a

/* Pages of the gate contexts, offsets in the slot. */
#define ELISA_DATA_OFFSET	    0x27274000
#define ELISA_LIST_OFFSET	    0x27275000

/* Byte offset of the caller's saved RSP in the data page. Its address is 1 mod 8, so that the page,
 * taken as a page table, can only map address 0. */
#define ELISA_RSP_SLOT(slot)	    (8 * ELISA_INDEX_SUB(slot) + 0x501)

/*
 * Offsets in the code page. VMFUNC keeps RIP: where it ends in one context, the next
 * context goes on. All move by 8 bytes per slot, as the list entries do, so that every
 * displacement in the gate is the same for all slots.
 */
#define ELISA_ARM_OFFSET(slot)	    (8 * ELISA_INDEX_SUB(slot) + 0x269)
/* default -> gate-in, strict: the caller's VMFUNC ends here */
#define ELISA_STRICT_ENTRY(slot)    (ELISA_ARM_OFFSET(slot) - 14)
/* default -> gate-in, trusted: ... here */
#define ELISA_TRUSTED_ENTRY(slot)   ELISA_ARM_OFFSET(slot)
/* gate-in -> sub */
#define ELISA_SUB_ENTRY(slot)	    (ELISA_ARM_OFFSET(slot) + 13)
/* sub -> gate-out, strict */
#define ELISA_GATE_OUT_ENTRY(slot)  (ELISA_SUB_ENTRY(slot) + 49)
/* gate-out -> default, strict: the VMFUNC and where default goes on */
#define ELISA_GATE_OUT_VMFUNC(slot) (ELISA_GATE_OUT_ENTRY(slot) + 24)
#define ELISA_STRICT_RETURN(slot)   (ELISA_GATE_OUT_ENTRY(slot) + 27)
/* sub -> default, trusted */
#define ELISA_TRUSTED_VMFUNC(slot)  (ELISA_SUB_ENTRY(slot) + 63)
#define ELISA_TRUSTED_RETURN(slot)  (ELISA_SUB_ENTRY(slot) + 66)

/* In the guest's stub: where the host resumes the caller of an aborted call. RSP is as it was at
 * the caller's VMFUNC, RDX is the error, all other registers are 0. */
#define ELISA_ERROR_RETURN(slot)    (0x600 + 0 * (slot))

#endif
