// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM may stop running a vCPU in the middle of a call, or the host's scheduler may (cpu.max). The
 * call holds whatever locks its function has taken. Its limit of run time does not count then, and
 * its vCPU may never come to a hook again. So a timer looks at each vCPU that may call, and ends a
 * call that the vCPU has been kept from running for the export's suspend_us:
 *
 *   the call is suspended   The exit hook noted when. Under vcpu->lock the call is over once
 *                           `ended` is set: the entry hook takes the lock before it resumes a call.
 *   the vCPU has exited in a call, and its thread was preempted before the exit hook
 *                           vcpu->mode says that the vCPU is not in guest mode; sub's entry in the
 *                           EPTP list is armed, as gate-in left it. Each way back into the guest
 *                           leads through the exit hook, which takes the lock and finds `ended`.
 *                           When the exit was is not known, so time counts from the first look. In
 *                           trusted mode sub's stub disarms its entry first, so nothing in memory
 *                           tells of the call: the exit hook ends it, when the thread runs again.
 *
 * In both cases the function has executed its last instruction. So the manager, which gets the
 * event now, can take back the function's locks. A vCPU in guest mode is not kept from anything.
 *
 * The entry hook starts the timer if it is not running, and takes it along to another CPU. The
 * timer ends by itself when it finds the vCPU neither in guest mode nor in a call: it costs a vCPU
 * that makes no calls one interrupt for each suspend_us in which it runs.
 */

#include "kvm/compat.h"
#include "path/switch.h"

static enum hrtimer_restart watch(struct hrtimer *timer);

void eh_watch_init(struct eh_vcpu *vcpu)
{
	eh_timer_setup(&vcpu->watch, watch);
}

/* Returns the shortest suspend_ns of the contexts; 0: all are revoked. Under vcpu->lock. */
static u64 shortest(struct eh_vcpu *vcpu)
{
	struct eh_context *c;
	u64 ns = 0;
	int slot;

	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		c = vcpu->slots[slot];
		if (!c->revoked && (!ns || c->attachment->suspend_ns < ns))
			ns = c->attachment->suspend_ns;
	}
	return ns;
}

/* Starts the timer, if the vCPU may call. From the entry hook, under vcpu->lock. */
void eh_watch_start(struct eh_vcpu *vcpu)
{
	u64 ns = shortest(vcpu);

	if (!ns)
		return;
	vcpu->watching = EH_WATCH_HERE;
	hrtimer_start(&vcpu->watch, ns_to_ktime(ns), HRTIMER_MODE_REL_HARD);
}

/*
 * Takes the timer along to the vCPU's CPU. A timer that starts itself anew stays on its CPU, and a
 * VMM could make the timers of all its vCPUs interrupt one CPU. If the timer is waiting for the
 * lock just now, the next entry tries again. From the entry hook, under vcpu->lock.
 */
void eh_watch_move(struct eh_vcpu *vcpu)
{
	vcpu->watching = hrtimer_try_to_cancel(&vcpu->watch) < 0 ? EH_WATCH_ELSEWHERE :
								   EH_WATCH_OFF;
}

/* Stops the timer. The vCPU does not run any more. Without vcpu->lock, which the timer takes. */
void eh_watch_end(struct eh_vcpu *vcpu)
{
	hrtimer_cancel(&vcpu->watch);
}

/*
 * Returns how long the present call has been kept from running in all, with the time since @since.
 * A VMM that runs the vCPU for a moment, again and again, gains nothing by that. Earlier
 * suspensions count if they are known to be of the same call (stash.watched), which enter.c ensures
 * from half the time on. So a call ends at the latest after a suspension of 1.5 times suspend_us.
 * It may take as long again if the vCPU's thread is kept from its exit hook, where time counts from
 * the first look.
 */
static u64 kept(const struct eh_vcpu *vcpu, u64 since, u64 now)
{
	return eh_time_since(since, now) + (vcpu->stash.watched ? vcpu->stash.suspended : 0);
}

/*
 * Ends the call in @c, at @rip if that is known, when its time is up. Returns the ns to the next
 * look, or 0 if none is needed.
 */
static u64 look(struct eh_vcpu *vcpu, struct eh_context *c, u64 rip, u64 since, u64 now)
{
	u64 allowed = c->attachment->suspend_ns, spent = kept(vcpu, since, now);

	if (c->ended || c->revoked)
		return 0;
	if (spent < allowed)
		return allowed - spent;
	eh_call_aborted(c, ELISA_CALL_TIMEOUT, rip);
	c->ended = ELISA_CALL_TIMEOUT;
	vcpu->ended = true;
	return 0;
}

/* Returns for how long the timer has seen the vCPU between this exit and its exit hook. */
u64 eh_held_before_hook(const struct eh_vcpu *vcpu, u64 now)
{
	return vcpu->held_entry == vcpu->entries ? eh_time_since(vcpu->held_since, now) : 0;
}

/*
 * Tells whether the call in @c has been kept from running for too long. In strict mode the timer
 * has then ended the call already, if the thread came late. From the exit hook.
 */
bool eh_is_overdue(struct eh_vcpu *vcpu, struct eh_context *c)
{
	u64 now = ktime_get_mono_fast_ns();

	return kept(vcpu, now - eh_held_before_hook(vcpu, now), now) >= c->attachment->suspend_ns;
}

/* Looks at each call that the vCPU may be in, between an exit and its exit hook. */
static u64 look_before_hook(struct eh_vcpu *vcpu, u64 now)
{
	struct eh_context *c;
	u64 next = 0, ns;
	int slot;

	if (vcpu->held_entry != vcpu->entries) {
		vcpu->held_entry = vcpu->entries;
		vcpu->held_since = now;
	}
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		c = vcpu->slots[slot];
		if (READ_ONCE(vcpu->list[ELISA_INDEX_SUB(slot)]) != c->eptp[EH_IN_SUB])
			continue;
		ns = look(vcpu, c, EH_NO_RIP, vcpu->held_since, now);
		if (ns && (!next || ns < next))
			next = ns;
	}
	return next;
}

static enum hrtimer_restart watch(struct hrtimer *timer)
{
	struct eh_vcpu *vcpu = container_of(timer, struct eh_vcpu, watch);
	unsigned long flags;
	u64 now, next = 0;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	now = ktime_get_mono_fast_ns();
	if (vcpu->phase == EH_SUSPENDED) {
		if (vcpu->stash.context)
			next = look(vcpu, vcpu->stash.context, vcpu->stash.rip, vcpu->stash.since,
				    now);
	} else if (READ_ONCE(vcpu->phase) == EH_INSIDE) {
		next = READ_ONCE(vcpu->kvm_vcpu->mode) == OUTSIDE_GUEST_MODE ?
			       look_before_hook(vcpu, now) :
			       shortest(vcpu);
	}
	/* the next call may be one into another export */
	if (next)
		next = min(next, shortest(vcpu) ?: next);
	if (!next)
		vcpu->watching = EH_WATCH_OFF;
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (!next)
		return HRTIMER_NORESTART;
	hrtimer_set_expires(timer, ktime_add_ns(ktime_get(), next));
	return HRTIMER_RESTART;
}
