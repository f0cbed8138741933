/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs in the sub context: six integers in, one out. It has no C library, and must never use
 * an argument as an address, because a guest chose it. elisa_exchange() of <elisa/function.h> gives
 * access to the memory that a guest shares with it.
 */
enum {
	RETURN_ONE,
	COUNT
};

long entry_function(long what, long a1, long a2, long a3, long a4, long a5);

/* It lies in memory that all attached VMs share, and several calls may run at once. */
static long counter;

long entry_function(long what, long a1, long a2, long a3, long a4, long a5)
{
	(void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	if (what == COUNT)
		return __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
	return 1;
}
