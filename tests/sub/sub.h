/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the tool kit share: an object with a table of callers, two guests and a
 * manager, and a call that stops after each instruction. A test gives the function, and what must
 * hold.
 */
#ifndef TESTS_SUB_H
#define TESTS_SUB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elisa/sub.h>
#include <elisa/sub_test.h>

enum {
	PLACES = 3,
	VCPUS = 2,
	RECORDS = ELISA_CALLER_RECORDS(PLACES, VCPUS)
};

struct sub_callers {
	struct elisa_callers table;
	struct elisa_caller_record record[RECORDS];
} __attribute__((aligned(64)));

extern struct elisa_test *sub_test;
extern struct elisa_test_attachment *sub_guest[2];

/* An export of this function with two guests; the harness puts size bytes of the object back. */
void sub_start(struct sub_callers *callers, elisa_test_function *function, void *object,
	       size_t size);
void sub_end(void);

/* A call of a guest's vCPU 0 that must come to its end. */
long sub_call(int guest, long op, long a1, long a2);

/*
 * Guest 0's call is stopped after each instruction. holds(): after each, in both of these worlds,
 * and in them once more when guest 1's call (op of `next`) was stopped in the middle of what it
 * found: the manager has told of the death, and guest 1 calls; it has not, and guest 0 calls again,
 * then guest 1. Calls must not be -EBUSY then. Returns the number of instructions.
 */
struct sub_call {
	long op, a1, a2;
};
long sub_abandon(struct sub_call call, struct sub_call next, void (*holds)(void));

#endif
