/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in the sub context. The server sets its variables by dlsym(). */
#include "function.h"

long entry_function(long what, long a1, long a2, long a3, long a4, long a5);

extern long *shared, words, mark;
long *shared, words; /* how many of them a client may use */
long mark;
static long own;

/* As the prototype's switch has it. */
static long large_frame(void)
{
	volatile char local[526 << 10];

	for (unsigned long i = 0; i < sizeof(local); i += 512)
		local[i] = 1;
	return local[0];
}

long entry_function(long what, long a1, long a2, long a3, long a4, long a5)
{
	switch (what) {
	case VALUE:
		return 1;
	case COUNT:
		return __atomic_add_fetch(shared, 1, __ATOMIC_RELAXED);
	case OWN_COUNT:
		return ++own;
	case LOAD:
		return a1 >= 0 && a1 < words ? shared[a1] : -1;
	case STORE:
		return a1 >= 0 && a1 < words ? (shared[a1] = a2) : -1;
	case ARGUMENTS:
		return a1 + 10 * a2 + 100 * a3 + 100000 * a4 + 1000000 * a5;
	case SPIN:
		for (;;)
			__asm__ volatile("");
	case FAULT:
		return *(volatile long *)0;
	case LARGE:
		return large_frame();
	case MARK:
		return mark;
	}
	return -2;
}
