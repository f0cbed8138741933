/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of a vCPU that is set up. There are three, independent of each other. The values of
 * each exclude each other (base/objects.h):
 *
 *   phase    where is the vCPU?                  EH_OUTSIDE, EH_INSIDE, EH_SUSPENDED
 *   vmfunc   what does VMFUNC do in the guest?   EH_VMFUNC_OFF, _CLOSED, _OPEN
 *   known    what is known of its next entry?    EH_UNKNOWN, EH_QUIET, EH_SETTLED
 *
 *                 entry hook                    exit hook: the call may go on
 *      OUTSIDE ----------------> INSIDE ---------------------------------> SUSPENDED
 *         ^                       |  ^                                         |
 *         '-----------------------'  '-----------------------------------------'
 *           exit hook, its work done     entry hook: the call goes on, or has ended
 *
 *   from        to          when
 *   OUTSIDE     INSIDE      entry hook
 *   INSIDE      OUTSIDE     the exit hook's work is done. Also an entry into a nested guest, or
 *                           of a vCPU whose list page was given back
 *   INSIDE      SUSPENDED   exit hook: an interrupt, a ring, PAUSE or #DB in a call
 *   INSIDE      INSIDE      entry hook: KVM entered again without the exit hook
 *   SUSPENDED   INSIDE      entry hook, which resumes the call or ends it. A revocation, an ioctl
 *                           or a reset marks the call, and leaves it suspended until then
 *
 *   OFF, CLOSED OPEN        entry hook: the vCPU has contexts, is synced, the predicate allows it
 *   OPEN        CLOSED      entry hook: one of the three is not so any more
 *   CLOSED      OFF         entry hook: the vCPU has no contexts any more
 *
 *   any         UNKNOWN     an exit that is not quiet (predicate.h), an ioctl, a reset, an entry
 *                           into a nested guest
 *   UNKNOWN     QUIET       entry hook: it has looked at all
 *   any         SETTLED     the same, with VMFUNC on, no call under way, and nothing left to do
 *   SETTLED     QUIET       entry or exit hook: there was something to do
 *
 * `phase` and `vmfunc` change under vcpu->lock, in the vCPU's own thread. There are two exceptions:
 *
 *   An exit that passes by (settled.h) goes OUTSIDE without the lock, as the last thing it does.
 *   A work takes the list page of a vCPU without contexts, and has it OUTSIDE, under the lock.
 *
 * `known` belongs to the thread that has the vCPU's mutex.
 *
 * Why it is safe. A thread that takes the lock and finds INSIDE takes the vCPU to be anywhere, up
 * to the end of its exit hook. If the thread finds OUTSIDE or SUSPENDED, the vCPU runs in no
 * context of ours. It comes to one through its entry hook only, and the hook takes the lock.
 */
#ifndef ELISA_HOST_STATE_H
#define ELISA_HOST_STATE_H

#include <linux/bug.h>
#include <linux/kconfig.h>

#include "base/objects.h"

/* A kernel that checks its locks checks this as well. */
#define EH_CHECKS IS_ENABLED(CONFIG_PROVE_LOCKING)

static __always_inline bool eh_may_move(enum eh_phase from, enum eh_phase to)
{
	return from == EH_INSIDE || to == EH_INSIDE;
}

/* Moves the vCPU to another phase. Under vcpu->lock. */
static __always_inline void eh_vcpu_move(struct eh_vcpu *vcpu, enum eh_phase to)
{
	if (EH_CHECKS)
		WARN_ON_ONCE(!eh_may_move(vcpu->phase, to));
	WRITE_ONCE(vcpu->phase, to);
}

/* Checks that the states fit together between the hooks. Under vcpu->lock, at the end of a hook. */
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
