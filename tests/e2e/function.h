/* SPDX-License-Identifier: Apache-2.0 */
/* The exported function of the end-to-end tests. */
#ifndef ELISA_E2E_FUNCTION_H
#define ELISA_E2E_FUNCTION_H

enum {
	E2E_ADD,     /* a + b */
	E2E_COUNT,   /* shared counter */
	E2E_SPIN,    /* for ever */
	E2E_FAULT,   /* read address a, as no function should */
	E2E_SUM,     /* of b bytes at offset a of the exchange buffer, which begins with it then */
	E2E_TABLE,   /* entry a of a table of pointers into the object itself */
	E2E_CLOBBER, /* change every register that the C convention protects */
};

long entry_function(long what, long a, long b, long c, long d, long e);

#endif
