/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all attacks share, in addition to the harness of the machine tests. The attacks count their
 * tries. Each program ends with the line "attack NAME tries=N unexpected=N". Its exit status tells
 * whether any try had an unexpected result.
 */
#ifndef ELISA_TEST_ATTACK_H
#define ELISA_TEST_ATTACK_H

#include <stdbool.h>

#include "../../gate/gate_page.h"
#include "../machine/harness.h"

extern const uint8_t isr_fault[]; /* the harness's exception handlers, 16 bytes each */

/* Counts one try. If the result is not as designed, prints the message. */
void attack_try(bool expected, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Counts @count tries, of which @unexpected had a result that is not as designed. */
void attack_tries(unsigned long count, unsigned long unexpected, const char *what);
/* ELISA_ATTACK_SCALE percent of @all (100 if it is not set), at least 1. */
unsigned long attack_scale(unsigned long all);

/* CODE(name, "instructions"): assembly that a test copies to the place where it runs. */
#define CODE(name, text)                                                                    \
	asm(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n\t.popsection\n"); \
	extern const uint8_t name[], name##_end[]

/*
 * Room for this code: in the memory of ring 3, in the memory of ring 0, and in the exported code
 * page.
 */
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
/* Tells whether a call still works and returns to the caller's own stack. */
bool attack_pair_works(const struct pair *pair);

#endif
