/* SPDX-License-Identifier: Apache-2.0 */
/* The function that the example servers export. */
#ifndef ELISA_TEST_COMPAT_FUNCTION_H
#define ELISA_TEST_COMPAT_FUNCTION_H

enum {
	VALUE,	   /* 1 */
	COUNT,	   /* adds 1 to the memory that all clients share */
	OWN_COUNT, /* adds 1 to a variable of this client's copy of the object */
	LOAD,	   /* word a1 of the shared memory */
	STORE,	   /* a2 becomes word a1 of it */
	ARGUMENTS, /* the other five as decimal digits */
	SPIN,	   /* for ever */
	FAULT,	   /* reads address 0 */
	LARGE,	   /* takes a stack of half a megabyte, 1 */
	MARK,	   /* what the server set for this client */
};

/* Through the gate with its index, as programs for the prototype write it. */
#define CALL(what, a1, a2) elisa_gate_entry(what, a1, a2, 511, 0, 0)

#endif
