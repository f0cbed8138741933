/* SPDX-License-Identifier: Apache-2.0 */
/* What the guests of the demo may ask of the object. */
#ifndef ELISA_DEMO_OBJECT_H
#define ELISA_DEMO_OBJECT_H

enum {
	DEMO_TURN,    /* count up, if the other guest was the last one; else -1 */
	DEMO_NOTHING, /* return 1: the cost of the call itself */
};

long entry_function(long what, long a1, long a2, long a3, long a4, long a5);

#endif
