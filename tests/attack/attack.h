/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the attacks have in common beside the harness of the machine tests: tries are counted,
 * and each program ends with the line "attack NAME tries=N unexpected=N" and a status that
 * says whether anything was unexpected.
 */
#ifndef ELISA_TEST_ATTACK_H
#define ELISA_TEST_ATTACK_H

#include <stdbool.h>

#include "../../gate/gate_page.h"
#include "../machine/harness.h"

extern const uint8_t isr_fault[]; /* the harness' handler of exceptions, 16 bytes each */

/* One try, and whether it came out as designed; if not, what is to be said about it. */
void attack_try(bool expected, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Many tries, of which some came out otherwise. */
void attack_tries(unsigned long count, unsigned long unexpected, const char *what);
/* ELISA_ATTACK_SCALE percent of @all (100 if it is not set), at least 1. */
unsigned long attack_scale(unsigned long all);

/* Assembly that is copied to where it shall run: CODE(name, "instructions"). */
#define CODE(name, text)                                                                    \
	asm(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n\t.popsection\n"); \
	extern const uint8_t name[], name##_end[]

/* Room for such code: in ring 3's memory, in ring 0's, and in the exported code page. */
#define ATTACK_USER	     (USER_CODE + 0x8000)
#define ATTACK_KERNEL	     (KERNEL_CODE + 0x8000)
#define ATTACK_OBJECT	     0x800 /* offset in the object area and in the page behind it */
#define ATTACK_FUNCTION	     (ELISA_OBJECT_BASE + ATTACK_OBJECT)
#define PLACE(vm, gpa, name) attack_place(vm, gpa, name, name##_end)
void attack_place(struct vm *vm, uint64_t gpa, const uint8_t *code, const uint8_t *end);

/* A manager with the export @name and a guest that is attached to it. */
struct pair {
	struct vm *manager, *guest;
	uint32_t slot, export_id;
};
struct pair attack_pair(const char *name, uint32_t export_flags, uint32_t limit_us,
			uint32_t stub_flags, uint32_t exchange, int vcpus);
/* The pair is as it should be after an attack: a call works, the caller's stack is its own. */
bool attack_pair_works(const struct pair *pair);

#endif
