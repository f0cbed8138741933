/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * Where code meets code in a slot's code page: the offsets that the guest's stub and
 * the host's gate pages share, and the indexes of a slot's contexts in the EPTP list.
 * They are part of the ABI; gate/ builds and checks the pages that use them.
 */
#ifndef ELISA_GATE_LAYOUT_H
#define ELISA_GATE_LAYOUT_H

/* Indexes in the EPTP list (0 is the default context; 256 and up stay invalid). */
#define ELISA_INDEX_SUB(slot) (0x10 + (slot))
#define ELISA_INDEX_GATE_IN(slot) (0x50 + (slot))
#define ELISA_INDEX_GATE_OUT(slot) (0x90 + (slot))

/* Offsets in the code page, all numbers of bytes from its start. */
#define ELISA_ARM_OFFSET(slot) (8 * ELISA_INDEX_SUB(slot) + 0xd2)
/* strict: the caller's VMFUNC ends here, in gate-in */
#define ELISA_STRICT_ENTRY(slot) (ELISA_ARM_OFFSET(slot) - 14)
/* trusted: ... here, in gate-in */
#define ELISA_TRUSTED_ENTRY(slot) ELISA_ARM_OFFSET(slot)
/* gate-in's VMFUNC ends here, in sub */
#define ELISA_SUB_ENTRY(slot) (ELISA_ARM_OFFSET(slot) + 13)

#endif
