/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Proves that the gate pages of a slot are safe to enter at any offset with any register values:
 * see docs/gate.md, "What is proven". This code runs at build time only.
 */
#ifndef ELISA_GATE_CHECK_H
#define ELISA_GATE_CHECK_H

#include <stddef.h>

#include "gate_page.h"

struct gate_pages {
	unsigned int slot;
	__u8 in[ELISA_PAGE_SIZE];
	__u8 out[ELISA_PAGE_SIZE];
};

/* Checks both gate pages of a slot. Returns 0, or -1 with the first violation in `why`. */
int gate_check(const struct gate_pages *pages, char *why, size_t size);

/* Checks one byte offset of gate-out, in 64-bit mode. For tests. */
int gate_out_check_at(const struct gate_pages *pages, unsigned int offset, char *why, size_t size);

/*
 * Check the sub stub and the guest's stub. They must have no VMFUNC except the intended ones, and
 * int3 wherever a manager's code could arrive from another context. They return as gate_check().
 */
int sub_stub_check(const __u8 *page, unsigned int slot, unsigned int mode, char *why, size_t size);
int guest_stub_check(const __u8 *page, unsigned int slot, unsigned int mode, unsigned int call,
		     char *why, size_t size);

#endif
