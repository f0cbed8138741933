// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the entry hook does for a vCPU that is set up, unless nothing has changed since its last
 * entry (settled.h).
 *
 * KVM has loaded the vCPU's VMCS and switched IRQs off. It calls vmx_vcpu_run() next, and our hook
 * is at the function's first instruction. No maskable interrupt, no request of KVM's and no ioctl
 * comes between the hook and the entry.
 *
 *   1. Vector registers that a function may have left are cleared: here they are in the CPU.
 *   2. The CPU forgets tables that were changed (forget.c).
 *   3. The predicate says whether VMFUNC may be on in the state that the vCPU is about to run in.
 *   4. KVM may have loaded another EPT root: it becomes list[0]. If KVM entered again without the
 *      exit hook, the VMCS may still be in a call. That call goes on, or is ended.
 *   5. A suspended call goes on if the state that was exposed is untouched and no event is about to
 *      be injected, if its time is not up, and if it was not revoked, evicted or shut off.
 *      Otherwise it ends: the exposed state stays, and says why.
 *   6. VMFUNC goes on or off in the VMCS, with the exits that belong to it.
 *
 * Why it is safe. The predicate reads the state that the CPU is about to load, after the last
 * thread that could change it. A vCPU without VMFUNC cannot leave default. A suspended call resumes
 * with the stash, which no VMM can write, and with vector registers that no ioctl has touched.
 */
#include <asm/kvm_vcpu_regs.h>

#include "base/spans.h"
#include "base/trace.h"
#include "kvm/compat.h"
#include "path/predicate.h"
#include "path/state.h"
#include "path/switch.h"

/* Tells whether the state that was exposed instead of the stash is unchanged. Under vcpu->lock. */
static bool exposed_untouched(struct eh_vcpu *vcpu)
{
	const struct eh_stash *stash = &vcpu->stash;
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	struct eh_stash now;
	int i;

	if (stash->touched || (EH_CACHED(kvm_vcpu->arch.regs_dirty) & EH_CACHED_WRITTEN))
		return false;
	for (i = 0; i < 16; i++)
		if (i != VCPU_REGS_RSP && i != VCPU_REGS_RDX && kvm_vcpu->arch.regs[i])
			return false;
	if (kvm_vcpu->arch.regs[VCPU_REGS_RDX] != (unsigned long)(long)ELISA_CALL_VMM)
		return false;
	/* KVM is about to deliver an event to the exposed state, which is the real state then */
	if ((vmcs_get(VM_ENTRY_INTR_INFO_FIELD) & INTR_INFO_VALID) ||
	    kvm_vcpu->arch.exception.pending || kvm_vcpu->arch.exception.injected ||
	    kvm_vcpu->arch.interrupt.injected || kvm_vcpu->arch.nmi_injected)
		return false;
	memset(&now.exposed, 0, sizeof(now.exposed));
	eh_stash_exposed(&now);
	return !memcmp(&now.exposed, &stash->exposed, sizeof(now.exposed));
}

/* @ns: for how long the call was suspended this time. */
static enum elisa_call_error may_resume(struct eh_vcpu *vcpu, bool open, u64 ns)
{
	struct eh_stash *stash = &vcpu->stash;
	u64 limit, suspended_limit;

	if (!stash->context)
		return ELISA_CALL_REVOKED;
	if (stash->context->ended)
		return stash->context->ended;
	if (stash->context->revoked)
		return ELISA_CALL_REVOKED;
	if (!open)
		return ELISA_CALL_CLOSED;
	limit = stash->context->attachment->limit_cycles;
	stash->suspended += ns;
	suspended_limit = stash->context->attachment->suspend_ns;
	if (stash->watched && (stash->cycles >= limit || stash->suspended >= suspended_limit))
		return ELISA_CALL_TIMEOUT;
	/*
	 * Several short calls look like one long call if every exit happens to fall into a call. So
	 * from half of either limit on, the host makes the return exit, and the time starts anew
	 * there.
	 */
	if (stash->cycles >= limit / 2 || stash->suspended >= suspended_limit / 2) {
		stash->watched = true;
		eh_trap_return(vcpu);
	}
	return ELISA_CALL_OK;
}

static void resume_call(struct eh_vcpu *vcpu)
{
	struct eh_stash *stash = &vcpu->stash;
	struct eh_context *c = stash->context;
	u64 in = c->eptp[EH_IN_GATE_IN], sub = c->eptp[EH_IN_SUB];

	memcpy(vcpu->kvm_vcpu->arch.regs, stash->regs, sizeof(stash->regs));
	vmcs_set(GUEST_RIP, stash->rip);
	vmcs_set(GUEST_RSP, stash->rsp);
	vmcs_set(GUEST_RFLAGS, stash->rflags);
	vmcs_set(GUEST_INTERRUPTIBILITY_INFO, stash->interruptibility);
	vmcs_set(EPT_POINTER, stash->eptp);
	eh_forget_cached_registers(vcpu->kvm_vcpu);
	/* as the gate left them: gate-in is disarmed, so that sub cannot go back into it */
	eh_list_keep(vcpu, c, stash->gate_open ? in : in & ~INVALID_BITS,
		     stash->armed ? sub : sub & ~INVALID_BITS);
	vcpu->entry_tsc = rdtsc();
	vcpu->entry_delay = current->sched_info.run_delay;
	eh_count(ELISA_COUNT_RESUMED);
}

/* Makes KVM look at its requests once more before the guest runs, by an IPI to this CPU. */
static void request_events_at_entry(struct kvm_vcpu *kvm_vcpu)
{
	kvm_make_request(KVM_REQ_EVENT, kvm_vcpu);
	eh_interrupt_self();
}

/* Ends a suspended call: the exposed state stays, and only gets the right error. */
static void end_stashed(struct eh_vcpu *vcpu, enum elisa_call_error error)
{
	struct eh_stash *stash = &vcpu->stash;
	unsigned long *rdx = &vcpu->kvm_vcpu->arch.regs[VCPU_REGS_RDX];

	if (error != ELISA_CALL_VMM && *rdx == (unsigned long)(long)ELISA_CALL_VMM)
		*rdx = (long)error;
	if (stash->vector)
		eh_scrub_registers(vcpu);
	if (stash->context && !stash->context->ended)
		eh_call_aborted(stash->context, error, stash->rip);
	if (stash->context)
		stash->context->ended = ELISA_CALL_OK;
	eh_forget_time(vcpu);
	vcpu->trap = false;
	eh_list_reset(vcpu);
	request_events_at_entry(vcpu->kvm_vcpu);
}

/*
 * Makes each change of CR4 exit, for the bits that the predicate reads, while VMFUNC is on.
 */
static void watch_cr4(void)
{
	u64 mask = vmcs_get(CR4_GUEST_HOST_MASK), more = eh_watched_cr4() & ~mask;

	if (!more)
		return;
	vmcs_set(CR4_READ_SHADOW,
		 (vmcs_get(CR4_READ_SHADOW) & ~more) | (vmcs_get(GUEST_CR4) & more));
	vmcs_set(CR4_GUEST_HOST_MASK, mask | more);
}

/* Switches VMFUNC and descriptor-table exiting on or off, since the VMCS may have lost them. */
static void set_controls(struct eh_vcpu *vcpu, bool on)
{
	const u64 ours = SECONDARY_EXEC_ENABLE_VMFUNC | SECONDARY_EXEC_DESC;
	u64 secondary;

	if (!on) {
		if (vcpu->vmfunc == EH_VMFUNC_OPEN) {
			vmcs_set(EH_VMCS_FUNCTION_CONTROL, 0);
			vcpu->vmfunc = EH_VMFUNC_CLOSED;
			eh_count(ELISA_COUNT_CLOSED);
		}
		if (!bitmap_empty(vcpu->used, ELISA_SLOTS))
			return;
		/* no hook of ours handles these exits any more: KVM would warn of VMFUNC's */
		if (vcpu->vmfunc == EH_VMFUNC_CLOSED) {
			secondary = vmcs_get(SECONDARY_VM_EXEC_CONTROL) &
				    ~(u64)SECONDARY_EXEC_ENABLE_VMFUNC;
			if (boot_cpu_has(X86_FEATURE_UMIP) ||
			    !(vcpu->kvm_vcpu->arch.cr4 & X86_CR4_UMIP))
				secondary &= ~(u64)SECONDARY_EXEC_DESC;
			vmcs_set(SECONDARY_VM_EXEC_CONTROL, secondary);
			vmcs_set(CR4_GUEST_HOST_MASK,
				 ~(u64)vcpu->kvm_vcpu->arch.cr4_guest_owned_bits);
			eh_forget_saved_state(vcpu->kvm_vcpu);
			vcpu->vmfunc = EH_VMFUNC_OFF;
		}
		eh_vm_work_soon(vcpu->vm);
		return;
	}
	watch_cr4();
	secondary = vmcs_get(SECONDARY_VM_EXEC_CONTROL);
	vcpu->seen.secondary = secondary | ours;
	if ((secondary & ours) != ours)
		vmcs_set(SECONDARY_VM_EXEC_CONTROL, secondary | ours);
	if (vcpu->vmfunc != EH_VMFUNC_OPEN) {
		vmcs_set(EH_VMCS_EPTP_LIST, __pa(vcpu->list));
		vmcs_set(EH_VMCS_FUNCTION_CONTROL, EH_VMFUNC_EPTP_SWITCHING);
		/* another root may have been loaded while no hook of ours looked */
		invvpid_single(vmcs_get(VIRTUAL_PROCESSOR_ID));
		vcpu->vmfunc = EH_VMFUNC_OPEN;
	}
}

/* A fast path of KVM re-enters without the exit hook: the VMCS still is in the call. */
static void reentered(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where, bool open)
{
	enum elisa_call_error error = c->revoked ? ELISA_CALL_REVOKED : ELISA_CALL_CLOSED;

	u64 in = vcpu->list[ELISA_INDEX_GATE_IN(c->attachment->slot)];
	u64 sub = vcpu->list[ELISA_INDEX_SUB(c->attachment->slot)];

	if (open && !c->revoked && !c->ended) {
		if (!vcpu->stale)
			return;
		/* other slots' entries may be stale; those of this slot belong to the running
		 * call */
		eh_list_reset(vcpu);
		eh_list_keep(vcpu, c, in, sub);
		return;
	}
	c = eh_caller_of(vcpu, c, &where);
	eh_end_call(vcpu, c, where, error);
	/* no exit comes before this entry, with its own look at these */
	if (vcpu->scrub)
		eh_scrub_registers(vcpu);
	request_events_at_entry(vcpu->kvm_vcpu);
}

static enum elisa_closed why_closed(struct eh_vcpu *vcpu)
{
	if (unlikely(bitmap_empty(vcpu->used, ELISA_SLOTS)))
		return ELISA_CLOSED_NOT_ATTACHED;
	if (unlikely(!vcpu->synced))
		return ELISA_CLOSED_NOT_SYNCED;
	return eh_predicate(vcpu->kvm_vcpu, vcpu->seen.allow_pcid, eh_levels_of_contexts(vcpu));
}

/* Traces a closed vCPU once, until it opens or the reason changes. */
static noinline void note_closed(struct eh_vcpu *vcpu, enum elisa_closed closed)
{
	if (closed != vcpu->closed || vcpu->vmfunc == EH_VMFUNC_OPEN)
		trace_elisa_closed(vcpu, closed);
	vcpu->closed = closed;
}

/* Asks the predicate, and notes the state that it was about. Under vcpu->lock. */
static bool is_open(struct eh_vcpu *vcpu)
{
	enum elisa_closed closed;

	vcpu->seen.allow_pcid = READ_ONCE(vcpu->vm->allow_pcid);
	vcpu->seen.efer = vcpu->kvm_vcpu->arch.efer;
	closed = why_closed(vcpu);
	if (likely(closed == ELISA_NOT_CLOSED))
		return true;
	note_closed(vcpu, closed);
	return false;
}

/* Resumes a suspended call, or ends it. Under vcpu->lock. */
static noinline void decide_stashed(struct eh_vcpu *vcpu, bool open)
{
	struct eh_context *c = vcpu->stash.context;
	u64 ns = eh_time_since(vcpu->stash.since, ktime_get_mono_fast_ns());
	enum elisa_call_error error = may_resume(vcpu, open, ns);

	if (c && !c->revoked)
		eh_spans_count(&c->attachment->suspended, ns);
	if (error == ELISA_CALL_OK && !exposed_untouched(vcpu))
		error = ELISA_CALL_VMM;
	if (error == ELISA_CALL_OK) {
		trace_elisa_resume(c, ns);
		resume_call(vcpu);
	} else {
		end_stashed(vcpu, error);
	}
}

/*
 * The entry hook's work for an entry that is not like the last one. Under vcpu->lock, with IRQs and
 * preemption off and the VMCS loaded.
 */
void eh_vm_enter(struct eh_vcpu *vcpu)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	struct eh_context *c;
	enum eh_where where;
	bool open, suspended = vcpu->phase == EH_SUSPENDED;
	u64 eptp;

	if (vcpu->known == EH_SETTLED)
		vcpu->known = EH_QUIET;
	if (vcpu->scrub)
		eh_scrub_registers(vcpu);
	/* not every exit comes to the exit hook: KVM takes some of them to the VMM at once */
	if (!vcpu->list || (kvm_vcpu->arch.hflags & HF_GUEST_MASK)) {
		if (!suspended)
			WRITE_ONCE(vcpu->phase, EH_OUTSIDE);
		vcpu->known = EH_UNKNOWN;
		return;
	}
	eh_vcpu_move(vcpu, EH_INSIDE);
	vcpu->entries++;
	if (vcpu->watching == EH_WATCH_ELSEWHERE ||
	    (vcpu->watching && vcpu->cpu != raw_smp_processor_id()))
		eh_watch_move(vcpu);
	eh_forget(vcpu);
	/* system management mode is not long mode, but returns to it */
	if (!(kvm_vcpu->arch.efer & EFER_LMA) && !eh_in_smm(kvm_vcpu))
		vcpu->synced = false;
	open = is_open(vcpu);
	if (vcpu->poisonings != atomic_read(&eh_poisonings)) {
		vcpu->poisonings = atomic_read(&eh_poisonings);
		vcpu->stale = true;
	}
	eptp = vmcs_get(EPT_POINTER);
	c = eptp == vcpu->default_eptp ? NULL : eh_context_of(vcpu, eptp, &where);
	if (c)
		reentered(vcpu, c, where, open);
	else
		eh_set_default(vcpu, eptp);
	if (vcpu->stale && !c)
		eh_list_reset(vcpu);
	if (suspended) {
		decide_stashed(vcpu, open);
	} else if (vcpu->trap && !c) {
		vcpu->trap = false;
		eh_set_default(vcpu, eptp);
	}
	/* the guest itself did not load this root: KVM flushed only its own context */
	if (vcpu->vmfunc == EH_VMFUNC_OPEN && vcpu->known == EH_UNKNOWN &&
	    vmcs_get(GUEST_CR3) != vcpu->exit_cr3)
		invvpid_single(vmcs_get(VIRTUAL_PROCESSOR_ID));
	vcpu->exit_cr3 = EH_NO_ROOT;
	set_controls(vcpu, open);
	if (vcpu->vmfunc == EH_VMFUNC_OPEN && !vcpu->watching)
		eh_watch_start(vcpu);
	/* entry_tsc: a call goes on */
	vcpu->known = open && !c && !vcpu->entry_tsc && !vcpu->trap && !vcpu->ended ? EH_SETTLED :
										      EH_QUIET;
	eh_vcpu_check(vcpu);
}
