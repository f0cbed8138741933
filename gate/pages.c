// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes every page that the modules can make to standard output: for each slot gate-in and
 * gate-out, the sub stubs, and the guest's stubs with the offset to call. Their checksum is in
 * pages.sha256. So a machine that builds the modules knows that its compiler makes of gate_page.c
 * what was proven elsewhere, without the prover and its disassembler. It needs no C library
 * either.
 */
#include "gate_page.h"

#define SYS_write 1
#define SYS_exit  60

/* Without a C library, the program writes and ends by system calls of its own. */
static long system_call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static void __attribute__((noreturn)) end(int status)
{
	for (;;)
		system_call(SYS_exit, status, 0, 0);
}

static void put(const void *from, unsigned long size)
{
	const char *at = from;

	while (size) {
		long written = system_call(SYS_write, 1, (long)at, (long)size);

		if (written <= 0)
			end(1);
		at += written;
		size -= (unsigned long)written;
	}
}

/*
 * Writes a slot's pages, in the order of check_gate.c. The same pages in another order would have
 * another checksum, so a change of this order needs `make sum`.
 */
static void put_slot(unsigned int slot)
{
	/* the same pointer as in check_gate.c */
	const __u64 entry = 0xd4010fULL << 16;
	static __u8 page[ELISA_PAGE_SIZE];
	unsigned int mode, flags, call;

	elisa_gate_in_build(page, slot);
	put(page, sizeof(page));
	elisa_gate_out_build(page, slot);
	put(page, sizeof(page));
	for (mode = ELISA_MODE_STRICT; mode <= ELISA_MODE_TRUSTED; mode++) {
		for (flags = 0; flags < ELISA_SUB_STUBS; flags++) {
			elisa_sub_stub_build(page, slot, mode, elisa_sub_stub_flags(flags), entry);
			put(page, sizeof(page));
		}
		for (flags = 0; flags < 32; flags++) {
			call = elisa_guest_stub_build(page, slot, mode, flags);
			put(page, sizeof(page));
			put(&call, sizeof(call));
		}
	}
}

/* The kernel starts the program here, with a stack that need not be aligned as for a call. */
void __attribute__((force_align_arg_pointer, noreturn)) _start(void);
void _start(void)
{
	unsigned int slot;

	for (slot = 0; slot < ELISA_SLOTS; slot++)
		put_slot(slot);
	end(0);
}
