// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that need a grant. The host may not have one yet, and ask its administrator's policy:
 * it answers at once, so that no vCPU waits in the host, and this driver repeats the request with
 * growing sleeps. After about a second it asks for the last time, and the answer is the request's.
 */
#include <linux/delay.h>
#include <linux/sched/signal.h>

#include "guest.h"

#define FIRST_SLEEP 4	 /* ms */
#define ALL_SLEEPS  1000 /* ms */

/* Sleeps without it: others need not wait for this request. True: a signal has come. */
static bool sleep_without(struct mutex *held, unsigned int ms)
{
	bool signalled;

	if (held)
		mutex_unlock(held);
	signalled = msleep_interruptible(ms);
	if (held)
		mutex_lock(held);
	return signalled;
}

/* As eg_hypercall(). Sleeps, without the lock @held; a signal ends the waiting. */
int eg_ask(struct elisa_hc_page *page, struct elisa_status *status, struct mutex *held)
{
	unsigned int slept = 0, next = FIRST_SLEEP;
	int ret;

	for (;;) {
		/* a host that does not know this answer looks at no reason */
		page->why = slept < ALL_SLEEPS ? ELISA_WHY_ASKED : ELISA_OK;
		ret = eg_hypercall(page, status);
		if (!ret || status->why != ELISA_WHY_ASKED || slept == ALL_SLEEPS)
			break;
		next = min(next, ALL_SLEEPS - slept);
		if (sleep_without(held, next))
			return eg_refuse(status, -ERESTARTSYS, ELISA_OK, 0);
		slept += next;
		next *= 2;
	}
	/* the host gives a doorbell to a VM that has a grant only */
	if (!ret && slept) {
		eg_doorbell_renew();
		eg_refuse(status, 0, ELISA_OK, 0);
	}
	return ret;
}
