// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exit of a vCPU that is set up, if it does not pass by (settled.h).
 *
 *   1. The CPU leaves the guest. KVM takes what cannot wait (NMI, machine check, fast paths), and
 *      IRQs come on. The vCPU's thread may be preempted here, and go on on another CPU.
 *   2. KVM calls vmx_handle_exit(). Our hook is at its first instruction, and looks under
 *      vcpu->lock (eh_vm_exit()):
 *
 *      context        exit            what becomes of it
 *      default        most            KVM's handler runs
 *      default        VMFUNC, LGDT..  ours: a call to what is closed, #UD, or KVM's emulator
 *      default, with a sub armed      its function left by a VMFUNC of its own: sub is shut.
 *                                     The call ends if the vCPU is where such a VMFUNC leads
 *      gate or sub    asynchronous    the call is suspended, or ends: its time is up, or it is
 *                                     not this context's. KVM's handler runs, and sees default
 *      gate or sub    others          ours: the call caused it
 *
 *   3. For an exit that is ours eh_exit_handle() runs in the place of KVM's handler. It finishes a
 *      return that was made to exit, lets the call go on (a ring, PAUSE, #DB), or ends the call.
 *      Then KVM learns that the exit has been handled.
 *
 * Why it is safe. EPT_POINTER says which context the vCPU was in. VMFUNC and the host alone write
 * it. VMFUNC takes roots from the list page, which only gate code and, in trusted mode, the
 * manager's functions can write. After step 2 or 3 the VMCS is in default: KVM, its emulator and
 * the VMM meet no stack or address of a function. Up to the end of step 2 or 3 the vCPU counts as
 * inside, so that no other thread frees the context it is in.
 */
#include <linux/nospec.h>
#include <asm/kvm_vcpu_regs.h>

#include <gate/gate_page.h>
#include "base/trace.h"
#include "kvm/kvm.h"
#include "path/settled.h"

#define EXIT_FAILED_ENTRY (1u << 31)
#define EXIT_BASIC	  0xffff
#define RING_US		  2 /* of its time that a call pays for a ring */

/* Tells whether the call did not cause the exit. KVM handles it while the call is suspended. */
static bool is_asynchronous(u32 reason)
{
	switch (reason) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
	case EXIT_REASON_INTERRUPT_WINDOW:
	case EXIT_REASON_NMI_WINDOW:
	case EXIT_REASON_TPR_BELOW_THRESHOLD:
	case EXIT_REASON_PREEMPTION_TIMER:
	case EXIT_REASON_PML_FULL:
		return true;
	case EXIT_REASON_EXCEPTION_NMI: {
		u32 info = vmcs_get(VM_EXIT_INTR_INFO);

		/* a machine check has been handled by now; the call that hit it ends */
		return INTR_TYPE(info) == INTR_TYPE_NMI_INTR;
	}
	}
	return false;
}

static bool is_debug_exception(u32 reason)
{
	u32 info = vmcs_get(VM_EXIT_INTR_INFO);

	return reason == EXIT_REASON_EXCEPTION_NMI && INTR_TYPE(info) == INTR_TYPE_HARD_EXCEPTION &&
	       (info & INTR_INFO_VECTOR_MASK) == DB_VECTOR;
}

/*
 * Tells whether the vCPU is in the attached process, at a place where a VMFUNC 0 of sub ends. Such
 * a place is in the object area, or in the code page behind a VMFUNC. The code page has a VMFUNC in
 * sub's stub, and may have one in the entry pointer, which the manager chooses. Other threads of
 * the process may run the rest of that page.
 */
static bool has_landed(struct eh_context *c)
{
	u64 rip = vmcs_get(GUEST_RIP), at = rip - eh_code_address(c);
	u32 slot = c->attachment->slot;

	return eh_in_user64() && eh_page_root_is(c, vmcs_get(GUEST_CR3)) &&
	       (rip - ELISA_OBJECT_BASE < ELISA_OBJECT_SIZE || at == ELISA_GATE_OUT_ENTRY(slot) ||
		(at >= ELISA_ENTRY_POINTER + 3 && at <= ELISA_ENTRY_POINTER + 8));
}

/*
 * Disarms the entry of a function that left by a VMFUNC 0 of its own instead of by the gate. If the
 * vCPU is still where such a VMFUNC ends, no event may be delivered on the stack that the function
 * chose. Then it returns the function's context, so that the caller ends the call. Usually the
 * guest has already seen its fault.
 */
static struct eh_context *shut_open_subs(struct eh_vcpu *vcpu, enum eh_where *where)
{
	struct eh_context *c, *left = NULL;
	bool open = false;
	int slot;

	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		if (!(vcpu->list[ELISA_INDEX_SUB(slot)] & INVALID_BITS))
			continue;
		open = true;
		c = vcpu->slots[slot];
		if (has_landed(c)) {
			/* with two it is not known which of them chose the stack */
			*where = left ? EH_IN_DOUBT : EH_IN_SUB;
			left = c;
		}
	}
	if (open)
		eh_list_reset(vcpu);
	return left;
}

/*
 * A call that the host has ended is over when the exit has been handled, unless the call is
 * suspended.
 */
static void forget_ended(struct eh_vcpu *vcpu)
{
	int slot;

	if (!vcpu->ended || vcpu->phase == EH_SUSPENDED)
		return;
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS)
		vcpu->slots[slot]->ended = ELISA_CALL_OK;
	vcpu->ended = false;
}

/* Moves the vCPU outside at the end of the hook's work, unless eh_exit_handle() has more to do. */
static void leave(struct eh_vcpu *vcpu, bool ours)
{
	if (!ours && vcpu->phase == EH_INSIDE)
		eh_vcpu_move(vcpu, EH_OUTSIDE);
	eh_vcpu_check(vcpu);
}

/*
 * Puts a vCPU that does not run the attached process back before the VMFUNC by which it entered.
 * Outside of 64-bit mode the VMFUNC may end at 4 GiB, where the instruction pointer wraps. A VM
 * entry fails there if the upper half of RIP is not 0 (SDM vol. 3, 26.3.1.4).
 */
static void refuse_foreign(struct eh_vcpu *vcpu)
{
	u64 rip = vmcs_get(GUEST_RIP) - 3;

	if (!(vmcs_get(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK))
		rip = (u32)rip;
	vmcs_set(EPT_POINTER, vcpu->default_eptp);
	eh_set_rip(vcpu->kvm_vcpu, rip);
	eh_list_reset(vcpu);
	eh_count(ELISA_COUNT_FOREIGN_ROOT);
}

/*
 * The exit hook, for an exit that eh_passes_by() does not let pass. It runs before KVM acts on the
 * exit. The thread may be preempted before and after it. Returns true if eh_exit_handle() must
 * handle the exit instead of KVM's handler. Until then the vCPU counts as inside, so that no thread
 * frees the context that it is in.
 */
bool eh_vm_exit(struct eh_vcpu *vcpu)
{
	struct eh_context *c, *caller;
	enum eh_where where;
	unsigned long flags;
	bool ours = false, failed;
	u32 reason;
	u64 eptp;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	reason = vmcs_get(VM_EXIT_REASON);
	if (vcpu->known == EH_SETTLED)
		vcpu->known = EH_QUIET;
	if (!eh_is_quiet(vcpu->kvm_vcpu, reason)) {
		vcpu->known = EH_UNKNOWN;
		vcpu->exit_cr3 = vmcs_get(GUEST_CR3);
	}
	failed = reason & EXIT_FAILED_ENTRY;
	reason &= EXIT_BASIC;
	if (reason < ELISA_EXIT_REASONS)
		vcpu->exits[reason]++;
	eptp = vmcs_get(EPT_POINTER);
	/* closed, VMFUNC exits for the caller to learn of it */
	if (vcpu->vmfunc != EH_VMFUNC_OPEN || eptp == vcpu->default_eptp) {
		eh_forget_time(vcpu);
		ours = eh_is_ours_in_default(reason);
		c = shut_open_subs(vcpu, &where);
		/* for any exit: an interrupt may have come by the time that KVM has handled it */
		if (c && !ours && !failed) {
			eh_drop_events(vcpu->kvm_vcpu);
			eh_end_call(vcpu, c, where, ELISA_CALL_FORBIDDEN);
			ours = !is_asynchronous(reason);
		}
		goto out;
	}
	c = eh_context_of(vcpu, eptp, &where);
	if (!c) {
		pr_err_ratelimited(
			"a vCPU has left a context that is not its own: its VM is ended\n");
		/* cannot happen; the VM must not continue in a context that is not its own */
		vmcs_set(EPT_POINTER, vcpu->default_eptp);
		vcpu->kvm_vcpu->kvm->vm_dead = true;
		kvm_make_request(KVM_REQ_VM_DEAD, vcpu->kvm_vcpu);
		goto out;
	}
	if (failed) {
		eh_end_call(vcpu, c, where, ELISA_CALL_FORBIDDEN);
		goto out;
	}
	if (!is_asynchronous(reason) || !eh_in_user64()) {
		ours = true;
		goto out;
	}
	caller = eh_caller_of(vcpu, c, &where);
	if (caller != c)
		eh_end_call(vcpu, caller, where, ELISA_CALL_FORBIDDEN);
	else if (!eh_page_root_is(c, vmcs_get(GUEST_CR3)))
		/* no call: the VMFUNC runs again after KVM's handler, and the fetch exits */
		refuse_foreign(vcpu);
	else if (c->ended || eh_is_overdue(vcpu, c))
		eh_end_call(vcpu, c, where, ELISA_CALL_TIMEOUT);
	else
		eh_stash_call(vcpu, c, where, eptp, vmcs_get(GUEST_RIP), vmcs_get(GUEST_RFLAGS));
out:
	if (!ours)
		forget_ended(vcpu);
	leave(vcpu, ours);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	return ours;
}

/* Completes a return that exited because list[0] was made invalid: switches to default by hand. */
static bool finish_return(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	u32 slot = c->attachment->slot;
	u64 at = eh_code_address(c);

	if (!vcpu->trap || (u32)kvm_vcpu->arch.regs[VCPU_REGS_RAX] ||
	    (u32)kvm_vcpu->arch.regs[VCPU_REGS_RCX])
		return false;
	if (c->attachment->mode == ELISA_MODE_STRICT && where == EH_IN_GATE_OUT)
		at += ELISA_GATE_OUT_VMFUNC(slot);
	else if (c->attachment->mode == ELISA_MODE_TRUSTED && where == EH_IN_SUB)
		at += ELISA_TRUSTED_VMFUNC(slot);
	else
		return false;
	if (vmcs_get(GUEST_RIP) != at)
		return false;
	vmcs_set(EPT_POINTER, vcpu->default_eptp);
	eh_set_rip(kvm_vcpu, at + 3);
	vcpu->trap = false;
	eh_forget_time(vcpu);
	eh_list_reset(vcpu);
	kvm_make_request(KVM_REQ_EVENT, kvm_vcpu);
	trace_elisa_return_trap(c);
	vcpu->return_traps++;
	eh_count(ELISA_COUNT_RETURN_TRAPS);
	return true;
}

/* Rings a place of the export for the function. Under vcpu->lock. */
static bool is_ring(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where, u32 reason)
{
	/* not revoked, under vcpu->lock: the export lives */
	return reason == EXIT_REASON_VMCALL && where == EH_IN_SUB && !c->revoked &&
	       vcpu->kvm_vcpu->arch.regs[VCPU_REGS_RAX] == ELISA_RING;
}

/* Continues the call after #DB, after PAUSE-loop exits and after a ring. A guest must not use #DB
 * to stop a function at an instruction of its choice. */
static bool goes_on(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where, u32 reason,
		    u64 eptp)
{
	u64 rflags = vmcs_get(GUEST_RFLAGS), rip = vmcs_get(GUEST_RIP);
	bool skip = false;

	if (!eh_in_user64())
		return false;
	if (is_ring(vcpu, c, where, reason)) {
		trace_elisa_ring(c, vcpu->kvm_vcpu->arch.regs[VCPU_REGS_RCX]);
		eh_ring_place(c->attachment->export, vcpu->kvm_vcpu->arch.regs[VCPU_REGS_RCX]);
		/* most of what it costs is not run time of the guest */
		vcpu->stash.cycles += RING_US * (u64)tsc_khz / 1000;
		skip = true;
	} else if (reason == EXIT_REASON_PAUSE_INSTRUCTION) {
		skip = true;
	} else if (is_debug_exception(reason)) {
		rflags = (rflags | X86_EFLAGS_RF) & ~(u64)X86_EFLAGS_TF;
		eh_count(ELISA_COUNT_DEBUG_SUPPRESSED);
	} else {
		return false;
	}
	eh_drop_events(vcpu->kvm_vcpu);
	if (skip)
		rip += vmcs_get(VM_EXIT_INSTRUCTION_LEN);
	eh_stash_call(vcpu, c, where, eptp, rip, rflags);
	if (skip)
		vcpu->stash.interruptibility &=
			~(u64)(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS);
	return true;
}

static enum elisa_call_error error_of(u32 reason)
{
	switch (reason) {
	case EXIT_REASON_EXCEPTION_NMI:
	case EXIT_REASON_TRIPLE_FAULT:
	case EXIT_REASON_EPT_VIOLATION:
	case EXIT_REASON_EPT_MISCONFIG:
		return ELISA_CALL_FAULT;
	}
	return ELISA_CALL_FORBIDDEN;
}

/* Handles a synchronous exit in gate or sub. */
static void exit_in_context(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where,
			    u32 reason, u64 eptp, bool *foreign)
{
	enum elisa_call_error error = c->revoked ? ELISA_CALL_REVOKED : error_of(reason);
	struct eh_context *caller;

	if (!c->ended && reason == EXIT_REASON_VMFUNC && finish_return(vcpu, c, where))
		return;
	caller = eh_caller_of(vcpu, c, &where);
	if (caller == c && !eh_page_root_is(c, vmcs_get(GUEST_CR3))) {
		refuse_foreign(vcpu);
		eh_drop_events(vcpu->kvm_vcpu);
		*foreign = true;
		return;
	}
	if (caller == c && eh_is_overdue(vcpu, c))
		error = ELISA_CALL_TIMEOUT;
	else if (caller == c && !c->ended && goes_on(vcpu, c, where, reason, eptp))
		return;
	/* before the vCPU is exposed as after the call */
	if (caller == c && !c->ended && where == EH_IN_SUB &&
	    (error == ELISA_CALL_FAULT || error == ELISA_CALL_FORBIDDEN))
		eh_fault_tell(c, reason);
	eh_drop_events(vcpu->kvm_vcpu);
	eh_end_call(vcpu, caller, where, error);
}

/*
 * Handles a VMFUNC in default, which exits if its entry is invalid or VMFUNC is off. From a stub of
 * ours, in its own process, it is a call to something closed or gone, and returns the error. If a
 * call left the entry shut, the entry is opened again. Anything else is #UD.
 */
static bool vmfunc_in_default(struct eh_vcpu *vcpu)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	u32 slot = (u32)kvm_vcpu->arch.regs[VCPU_REGS_RCX] - ELISA_INDEX_GATE_IN(0);
	struct eh_context *c;
	u64 at;

	if (slot >= ELISA_SLOTS || (u32)kvm_vcpu->arch.regs[VCPU_REGS_RAX])
		return false;
	slot = array_index_nospec(slot, ELISA_SLOTS);
	c = vcpu->slots[slot];
	if (!c || c->dead || !eh_page_root_is(c, vmcs_get(GUEST_CR3)) || !eh_in_user64())
		return false;
	at = vmcs_get(GUEST_RIP) - eh_code_address(c) + 3;
	if (at != ELISA_STRICT_ENTRY(slot) && at != ELISA_TRUSTED_ENTRY(slot))
		return false;
	if (vcpu->vmfunc == EH_VMFUNC_OPEN && !c->revoked && !eh_is_poisoned(c) &&
	    READ_ONCE(vcpu->list[ELISA_INDEX_GATE_IN(slot)]) != c->eptp[EH_IN_GATE_IN]) {
		eh_list_reset(vcpu);
		return true; /* again */
	}
	eh_expose_end(vcpu, c, EH_IN_GATE_IN,
		      c->revoked	? ELISA_CALL_REVOKED :
		      eh_is_poisoned(c) ? ELISA_CALL_POISONED :
					  ELISA_CALL_CLOSED);
	return true;
}

/*
 * Runs instead of vmx_handle_exit() when eh_vm_exit() said so. KVM still does what it does about
 * every exit (its PML buffer, a failed entry).
 */
int eh_exit_handle(struct kvm_vcpu *kvm_vcpu)
{
	struct eh_vcpu *vcpu = eh_vcpu_find(kvm_vcpu);
	u32 reason = vmcs_get(VM_EXIT_REASON) & EXIT_BASIC;
	bool emulate = false, undefined = false;
	struct eh_context *c;
	enum eh_where where;
	unsigned long flags;
	u64 eptp;
	int r;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	eptp = vmcs_get(EPT_POINTER);
	if (eptp != vcpu->default_eptp) {
		c = eh_context_of(vcpu, eptp, &where);
		exit_in_context(vcpu, c, where, reason, eptp, &undefined);
	} else if (reason == EXIT_REASON_VMFUNC) {
		undefined = !vmfunc_in_default(vcpu);
	} else {
		emulate = eh_is_ours_in_default(reason);
	}
	forget_ended(vcpu);
	leave(vcpu, false);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (undefined) {
		eh_count(ELISA_COUNT_REFUSED_VMFUNC);
		eh_kvm_queue_ud(kvm_vcpu);
	}
	r = eh_kvm_exit_handled(kvm_vcpu);
	if (emulate && r > 0)
		r = eh_descriptor_exit(kvm_vcpu, reason);
	return r;
}
