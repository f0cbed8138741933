// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checker must be able to fail. Each test plants one fault in good gate pages: a hidden store,
 * a skipped disarm, an exchanged order, an ECX from a register. It is an error if the checker
 * accepts such a page, or refuses it for another reason than the planted one.
 *
 * Why the reason counts. A planted byte often breaks something else, too: a later instruction, or a
 * displacement. A checker that misses the planted fault would then still refuse the page. The text
 * of the violation shows which rule has found it.
 *
 * Where faults are planted. At 0x800 the pages of this slot have int3 only, so a fault there is
 * reached by a hostile arrival only. Faults at ARM and OUT change the designed code of gate-in and
 * gate-out.
 *
 * One fault needs an offset of its own: see skipping_the_disarm().
 */
#include <stdio.h>
#include <string.h>

#include "check.h"

#define SLOT 5

static struct gate_pages pages;

static void put(__u8 *page, unsigned int at, const char *bytes, unsigned int count)
{
	memcpy(page + at, bytes, count);
}

#define PUT(page, at, bytes) put(page, at, bytes, sizeof(bytes) - 1)

static void rel32(__u8 *page, unsigned int at, __u32 target, unsigned int trailing)
{
	__u32 value = target - (at + 4 + trailing);

	page[at] = value;
	page[at + 1] = value >> 8;
	page[at + 2] = value >> 16;
	page[at + 3] = value >> 24;
}

#define ARM		  ELISA_ARM_OFFSET(SLOT)
#define OUT		  ELISA_GATE_OUT_ENTRY(SLOT)
#define SUB_ENTRY_IN_LIST (ELISA_LIST_OFFSET + 8 * ELISA_INDEX_SUB(SLOT))

static void good(void)
{
}

/* The obvious way to arm, `movb $0x1e, list(%rip); mov $1, %ecx; vmfunc'... */
static void mov_encoding(void)
{
	PUT(pages.in, 0x800, "\xc6\x05\x01\x10\x00\x00\x1e\xb9\x01\x00\x00\x00\x0f\x01\xd4");
}

/* ... entered two bytes into the store is `add %edx, (%rax)' ... */
static void mov_displacement(void)
{
	PUT(pages.in, 0x800, "\x01\x10\x00\x00\x1e\xb9\x01\x00\x00\x00\x0f\x01\xd4");
}

/* ... and one byte into its index `add %eax, (%rax)'. */
static void mov_index(void)
{
	PUT(pages.in, 0x800, "\x01\x00\x00\x00\x0f\x01\xd4");
}

/* mov $0xcc038948, %edx: harmless, but entered at its immediate it stores to (%rbx). */
static void hidden_store(void)
{
	PUT(pages.in, 0x800, "\xba\x48\x89\x03\xcc");
}

static void hidden_push(void)
{
	PUT(pages.out, 0x800, "\xb8\x50\xcc\xcc\xcc");
}

static void hidden_string_store(void)
{
	PUT(pages.in, 0x800, "\xb0\xaa");
}

static void locked_or(void)
{
	PUT(pages.in, 0x800, "\xf0\x80\x0d....\x04");
	rel32(pages.in, 0x803, SUB_ENTRY_IN_LIST, 1);
}

static void wrong_entry(void)
{
	rel32(pages.in, ARM + 2, SUB_ENTRY_IN_LIST + 8, 1);
}

static void wrong_bits(void)
{
	pages.in[ARM + 6] = 0x44; /* A/D bit */
}

static void wrong_operation(void)
{
	pages.in[ARM + 1] = 0x35; /* xorb: not idempotent */
}

static void default_entry(void)
{
	rel32(pages.out, OUT + 5, ELISA_LIST_OFFSET, 1);
}

static void rsp_elsewhere(void)
{
	rel32(pages.in, ARM - 11, ELISA_DATA_OFFSET + ELISA_RSP_SLOT(SLOT) + 8, 0);
}

static void rsp_straddles(void)
{
	rel32(pages.in, ARM - 11, ELISA_DATA_OFFSET + ELISA_RSP_SLOT(SLOT) + 1, 0);
}

static void skipped_disarm(void)
{
	PUT(pages.out, OUT + 3, "\xfc\xfc\xfc\xfc\xfc\xfc\xfc");
}

static void gate_in_stays_open(void)
{
	PUT(pages.in, ARM - 7, "\xfc\xfc\xfc\xfc\xfc\xfc\xfc");
}

static void rsp_not_saved(void)
{
	PUT(pages.in, ARM - 14, "\xfc\xfc\xfc\xfc\xfc\xfc\xfc");
}

static void rsp_not_loaded(void)
{
	PUT(pages.out, OUT + 17, "\xfc\xfc\xfc\xfc\xfc\xfc\xfc");
}

static void rsp_half_loaded(void)
{
	/* 32 bits: the manager could choose the other 32 */
	pages.out[OUT + 17] = 0xfc;
}

/* mov $0, %cl behind the disarming store: a vCPU that enters there goes to default, sub armed. */
static void swapped(void)
{
	PUT(pages.out, OUT, "\xfc\xfc\xfc");
	PUT(pages.out, OUT + 10, "\xb1\x00\xfc\x80\x0d....\x04\x48\x8b\x25....\x0f\x01\xd4");
	rel32(pages.out, OUT + 15, ELISA_LIST_OFFSET + 8 * ELISA_INDEX_GATE_IN(SLOT), 1);
	rel32(pages.out, OUT + 23, ELISA_DATA_OFFSET + ELISA_RSP_SLOT(SLOT), 0);
}

static void ecx_from_register(void)
{
	PUT(pages.in, ARM + 7, "\x89\xd9\xfc"); /* mov %ebx, %ecx */
}

static void ecx_high_from_register(void)
{
	PUT(pages.in, ARM + 7, "\x00\xdd\xfc"); /* add %bl, %ch */
}

static void other_slot(void)
{
	pages.in[ARM + 8] = ELISA_INDEX_SUB(SLOT + 1);
}

static void second_vmfunc(void)
{
	/* with sub armed it would enter sub at another place */
	PUT(pages.in, 0x800, "\xb1.\xfc\x0f\x01\xd4");
	pages.in[0x801] = ELISA_INDEX_SUB(SLOT);
}

static void jump(void)
{
	PUT(pages.in, 0x800, "\xff\xe0");
}

static void system_call(void)
{
	PUT(pages.out, 0x800, "\x0f\x05");
}

static void port(void)
{
	PUT(pages.out, 0x800, "\xee");
}

static void x87_store(void)
{
	PUT(pages.out, 0x800, "\xdd\x18");
}

static void evex(void)
{
	PUT(pages.out, 0x800, "\x62");
}

/* Undefined to Capstone 4, a prefix on newer CPUs. */
static void rex2(void)
{
	PUT(pages.out, 0x800, "\xd5\xcc");
}

static void last_byte(void)
{
	pages.in[4095] = 0x80;
}

static void falls_off(void)
{
	pages.out[4095] = 0xfc;
}

static const struct {
	const char *name;
	void (*plant)(void);
	const char *why; /* NULL: must pass */
} cases[] = {
	{"good", good, NULL},
	{"mov encoding", mov_encoding, "not on the list: c6 05"},
	{"mov displacement", mov_displacement, "not on the list: 01 10"},
	{"mov index", mov_index, "not on the list: 01 00"},
	{"hidden store", hidden_store, "not on the list: 48 89 03"},
	{"hidden push", hidden_push, "not on the list: 50"},
	{"hidden string store", hidden_string_store, "not on the list: aa"},
	{"locked or", locked_or, "not on the list: f0 80"},
	{"wrong entry", wrong_entry, "store to 0x2727"},
	{"wrong bits", wrong_bits, "stores 0x5e"},
	{"wrong operation", wrong_operation, "not on the list: 80 35"},
	{"default's entry", default_entry, "store to 0x27275000"},
	{"RSP elsewhere", rsp_elsewhere, "store to 0x2727"},
	{"RSP straddles", rsp_straddles, "store to 0x2727"},
	{"skipped disarm", skipped_disarm, "default with sub armed"},
	{"gate-in stays open", gate_in_stays_open, "not the way to sub (strict)"},
	{"RSP not saved", rsp_not_saved, "not the way to sub (strict)"},
	{"RSP not loaded", rsp_not_loaded, "default with the manager's RSP"},
	{"RSP half loaded", rsp_half_loaded, "default with the manager's RSP"},
	{"swapped", swapped, "default at an odd place"},
	{"ECX from a register", ecx_from_register, "unknown ECX"},
	{"CH from a register", ecx_high_from_register, "unknown ECX"},
	{"other slot", other_slot, "VMFUNC to 0x16"},
	{"second VMFUNC", second_vmfunc, "sub at an odd place"},
	{"jump", jump, "not on the list: ff e0"},
	{"system call", system_call, "not on the list: 0f 05"},
	{"port", port, "not on the list: ee"},
	{"x87 store", x87_store, "not on the list: dd 18"},
	{"EVEX", evex, "not on the list: 62"},
	{"REX2", rex2, "not on the list: d5"},
	{"last byte", last_byte, "at 0xfff: not on the list"},
	{"falls off", falls_off, "runs off the page"},
};

static int failures;

static void expect(const char *name, int result, const char *why, const char *expected)
{
	if (!expected ? result == 0 : result && strstr(why, expected))
		return;
	failures++;
	fprintf(stderr, "test_check_gate: %s: expected `%s', got `%s'\n", name,
		expected ? expected : "safe", result ? why : "safe");
}

/* Plants a VMFUNC in sub, and code at both places where the manager can arrive in default. */
static void stubs(void)
{
	__u8 page[ELISA_PAGE_SIZE];
	unsigned int call;
	char why[256];

	elisa_sub_stub_build(page, SLOT, ELISA_MODE_STRICT, 0, ELISA_OBJECT_BASE);
	PUT(page, 0xa00, "\x0f\x01\xd4");
	expect("second VMFUNC in sub", sub_stub_check(page, SLOT, ELISA_MODE_STRICT, why, 256), why,
	       "a VMFUNC at 0xa00");

	call = elisa_guest_stub_build(page, SLOT, ELISA_MODE_STRICT, 0);
	page[ELISA_GATE_OUT_ENTRY(SLOT)] = 0xc3;
	expect("landing in default",
	       guest_stub_check(page, SLOT, ELISA_MODE_STRICT, call, why, 256), why, "not filler");

	call = elisa_guest_stub_build(page, SLOT, ELISA_MODE_STRICT, 0);
	page[ELISA_ENTRY_POINTER + 3] = 0xc3;
	expect("landing behind the pointer",
	       guest_stub_check(page, SLOT, ELISA_MODE_STRICT, call, why, 256), why, "not filler");
}

/*
 * Enters the page of swapped() behind the disarming store. The full check finds another fault of
 * that page first. This test shows that the order alone is found, too.
 */
static void skipping_the_disarm(void)
{
	char why[256] = "";
	int result;

	elisa_gate_out_build(pages.out, SLOT);
	swapped();
	result = gate_out_check_at(&pages, OUT + 10, why, sizeof(why));
	expect("entered behind the disarm", result, why, "default with sub armed");
}

int main(void)
{
	unsigned int i;
	char why[256];
	int result;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pages.slot = SLOT;
		elisa_gate_in_build(pages.in, SLOT);
		elisa_gate_out_build(pages.out, SLOT);
		cases[i].plant();
		result = gate_check(&pages, why, sizeof(why));
		expect(cases[i].name, result, why, cases[i].why);
	}
	stubs();
	skipping_the_disarm();
	if (failures)
		return 1;
	printf("test_check_gate: %u planted faults found\n", i - 1 + 4);
	return 0;
}
