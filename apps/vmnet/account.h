/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM owes for calls that were stopped while they held receive queues of others, and for how
 * long it is kept out when that is too much. A kept-out VM comes back by itself: the time doubles
 * from one eviction to the next, has a bound, and begins anew after a quiet time. It has no clock.
 */
#ifndef VMNET_ACCOUNT_H
#define VMNET_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Prices, by how long a queue was not to be had: until the host gave up waiting for the VMM
 * (suspend_us), or until the daemon heard that the VMM had ended the call. */
#define ACCOUNT_STALL	    10
#define ACCOUNT_BREAK	    1

#define ACCOUNT_STALLS	    8	/* may be owed; one is forgiven each second */
#define ACCOUNT_FIRST_OUT   10	/* seconds */
#define ACCOUNT_LONGEST_OUT 600 /* seconds */
#define ACCOUNT_QUIET	    600 /* seconds without such a call: evictions are forgotten */

struct account {
	uint32_t owed;
	uint32_t evictions; /* that are not forgotten */
	double out_until;   /* seconds, of the daemon's clock */
	double quiet_since;
};

/* True: it owes too much. */
bool account_charge(struct account *account, uint32_t price, double now);
/* What it owes is paid by being kept out. Returns for how many seconds. */
uint32_t account_keep_out(struct account *account, double now);
/* Seconds that it is still kept out; 0: it is not. */
uint32_t account_out(const struct account *account, double now);
/* A second has passed. */
void account_forgive(struct account *account, double now);

#endif
