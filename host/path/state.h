/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of a vCPU that is set up. Three of them are independent of each other, and each has
 * values that exclude each other (base/objects.h):
 *
 *   phase    where is the vCPU?                  EH_OUTSIDE, EH_INSIDE, EH_SUSPENDED
 *   vmfunc   what does VMFUNC do in the guest?   EH_VMFUNC_OFF, _CLOSED, _OPEN
 *   known    what is known of its next entry?    EH_UNKNOWN, EH_QUIET, EH_SETTLED
 *
 *                 entry hook                      exit hook: an interrupt in a call
 *      OUTSIDE ----------------> INSIDE ---------------------------------> SUSPENDED
 *         ^                       |  ^                                         |
 *         '-----------------------'  '-----------------------------------------'
 *           exit hook, its work done     entry hook: the call goes on, or has ended
 *
 *   from        to          by which hook, and when
 *   OUTSIDE     INSIDE      entry
 *   INSIDE      OUTSIDE     exit, when its work is done: KVM's handler may run, and the thread may
 *                           sleep. Also the entry of a nested guest, and the end of the vCPU
 *   INSIDE      SUSPENDED   exit, of a call that may go on
 *   INSIDE      INSIDE      entry: KVM entered again without the exit hook
 *   SUSPENDED   INSIDE      entry, which resumes the call or ends it. A nested guest's entry, ioctls,
 *                           resets and revocations leave the call suspended, and mark it
 *
 *   OFF         CLOSED      entry of a vCPU with contexts: the exits that go with VMFUNC are on
 *   CLOSED      OPEN        the same entry, if the predicate allows
 *   OPEN        CLOSED      entry at which it does not
 *   CLOSED      OFF         the same entry, if the vCPU has no contexts any more
 *
 *   UNKNOWN     QUIET       entry: the hook has looked at all
 *   QUIET       SETTLED     the same entry, if no call is under way and nothing is left to do
 *   any         UNKNOWN     an exit that is not quiet (predicate.h), an ioctl, a reset
 *   SETTLED     QUIET       the entry or exit hook had something to do
 *
 * Why it is safe. All three change under vcpu->lock in the vCPU's own thread, but for two: an exit
 * that passes by (settled.h) goes OUTSIDE without the lock, after all that it had to do; and `known`
 * belongs to the thread that has the vCPU's mutex. So another thread that takes the lock and finds
 * INSIDE has to count with the vCPU being anywhere up to the end of its exit hook. If it finds
 * OUTSIDE or SUSPENDED, the vCPU is not in guest mode, and comes back through its entry hook only.
 */
#ifndef ELISA_HOST_STATE_H
#define ELISA_HOST_STATE_H

#include <linux/bug.h>
#include <linux/kconfig.h>

#include "base/objects.h"

/* In kernels that check their locks, too. */
#define EH_CHECKS IS_ENABLED(CONFIG_PROVE_LOCKING)

static __always_inline bool eh_may_move(enum eh_phase from, enum eh_phase to)
{
	return from == EH_INSIDE || to == EH_INSIDE;
}

/* Under vcpu->lock. */
static __always_inline void eh_vcpu_move(struct eh_vcpu *vcpu, enum eh_phase to)
{
	if (EH_CHECKS)
		WARN_ON_ONCE(!eh_may_move(vcpu->phase, to));
	WRITE_ONCE(vcpu->phase, to);
}

/* What goes together between the hooks. Under vcpu->lock, at the end of a hook. */
static __always_inline void eh_vcpu_check(const struct eh_vcpu *vcpu)
{
	if (!EH_CHECKS)
		return;
	WARN_ON_ONCE(vcpu->vmfunc == EH_VMFUNC_OPEN && !vcpu->list);
	WARN_ON_ONCE(vcpu->phase == EH_SUSPENDED && vcpu->vmfunc != EH_VMFUNC_OPEN);
	WARN_ON_ONCE(vcpu->known == EH_SETTLED &&
		     (vcpu->vmfunc != EH_VMFUNC_OPEN || vcpu->phase == EH_SUSPENDED || vcpu->trap ||
		      vcpu->entry_tsc));
}

#endif
