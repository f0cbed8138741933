/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's object and the function that works on it. It runs in the sub context, for
 * both guests, perhaps at the same time; it uses general registers only and no library.
 */
#include <elisa/function.h>
#include "object.h"

static long counter;
static long last_guest;

long entry_function(long what, long a1, long a2, long a3, long a4, long a5)
{
	long guest;

	(void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
	if (what != DEMO_TURN)
		return 1;
	/* by the host's word: an argument would be the guest's own */
	guest = (long)elisa_self()->attachment;
	if (__atomic_exchange_n(&last_guest, guest, __ATOMIC_ACQ_REL) == guest)
		return -1;
	return __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
}
