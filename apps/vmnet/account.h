/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM owes for calls that were stopped while they held receive queues of other VMs. If it
 * owes too much, the VM is kept out for a time. A VM that is kept out is served again by itself.
 * The time doubles from one eviction to the next, has a bound, and begins anew after a quiet time.
 * This code has no clock: callers pass the time.
 */
#ifndef VMNET_ACCOUNT_H
#define VMNET_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Prices, by how long a queue was blocked. STALL: until the host gave up waiting for the VMM
 * (suspend_us). BREAK: until the daemon heard that the VMM had ended the call. */
#define ACCOUNT_STALL	    10
#define ACCOUNT_BREAK	    1

#define ACCOUNT_STALLS	    8	/* stalls that may be owed; one is forgiven each second */
#define ACCOUNT_FIRST_OUT   10	/* seconds */
#define ACCOUNT_LONGEST_OUT 600 /* seconds */
#define ACCOUNT_QUIET	    600 /* seconds without a stopped call until evictions are forgotten */

struct account {
	uint32_t owed;
	uint32_t evictions; /* evictions that are not forgotten */
	double out_until;   /* seconds of the daemon's clock */
	double quiet_since;
};

/* Adds the price. Returns true if the VM owes too much now. */
bool account_charge(struct account *account, uint32_t price, double now);
/* Keeps the VM out, which pays what it owes. Returns for how many seconds. */
uint32_t account_keep_out(struct account *account, double now);
/* Returns for how many seconds the VM is still kept out; 0: it is not kept out. */
uint32_t account_out(const struct account *account, double now);
/* Forgives one stall. To be called each second. */
void account_forgive(struct account *account, double now);

#endif
