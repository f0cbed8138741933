// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call that is interrupted, or that ends before its return.
 *
 * In both cases the vCPU is exposed as if the call had ended with an error: in default, in ring 3,
 * at the error return of the caller's stub, with all general registers cleared. What the function
 * had is in the stash if the call may go on. Else it is lost. So a suspended call is ended by
 * leaving the vCPU as it is exposed.
 *
 * KVM gets control after the exit hook, and the VMM after KVM. They meet no register of a function:
 *
 *   general registers    in the stash, and cleared in kvm_vcpu->arch.regs
 *   RIP, RSP, RFLAGS, segments, EPT_POINTER    in the stash, and written over in the VMCS
 *   vector, x87, mask and tile registers    in the CPU or in KVM's memory. An ioctl that could
 *                        show them ends the call first, and clears them: eh_vcpu_touched()
 *   PKRU, FS and GS base  the VMM may see them. A function may write them. The guarded stub puts
 *                        the guest's own back after a call that returns
 */
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include <asm/kvm_vcpu_regs.h>

#include "base/trace.h"
#include "kvm/compat.h"
#include "path/state.h"
#include "path/switch.h"

#define CS_RIGHTS_USER 0xa0fb /* present, ring 3, code, 64-bit */
#define SS_RIGHTS_USER 0xc0f3 /* present, ring 3, data */
#define FCW_INITIAL    0x37f
#define RFLAGS_KEPT    (X86_EFLAGS_IF | X86_EFLAGS_IOPL | X86_EFLAGS_ID)

/* The number of exports poisoned so far. A vCPU that enters compares it to see whether its list may
 * be stale. The work behind eh_export_poisoned() reaches the vCPUs that are inside. */
atomic_t eh_poisonings;

/* Drops VMCS fields from KVM's cache, because the module has written them without KVM. */
void eh_forget_cached_registers(struct kvm_vcpu *kvm_vcpu)
{
	EH_CACHED(kvm_vcpu->arch.regs_avail) &= ~(EH_CACHED_WRITTEN | EH_CACHED_REST);
	EH_CACHED(kvm_vcpu->arch.regs_dirty) &= ~EH_CACHED_WRITTEN;
}

void eh_set_rip(struct kvm_vcpu *kvm_vcpu, u64 rip)
{
	vmcs_set(GUEST_RIP, rip);
	eh_forget_cached_registers(kvm_vcpu);
}

/* Returns the caller's RSP. In gate-in it is still in the register. Later, strict mode has it in
 * the data page, and trusted mode at the top of the sub stack. */
static u64 caller_rsp(struct eh_context *c, enum eh_where where)
{
	u64 rsp;

	if (where == EH_IN_DOUBT)
		return 0;
	if (where == EH_IN_GATE_IN)
		return vmcs_get(GUEST_RSP);
	if (c->attachment->mode == ELISA_MODE_TRUSTED)
		return *(u64 *)(c->stack[ELISA_STACK_PAGES - 1] + PAGE_SIZE - 8);
	memcpy(&rsp, c->data + ELISA_RSP_SLOT(c->attachment->slot), sizeof(rsp));
	return rsp;
}

/*
 * Finds the context of the call that ends in context @c. In a gate context outside of its own code
 * page, no caller has come in through a stub. There a function used VMFUNC to get from its sub
 * context into another slot's gate, and its sub entry is still armed. The function must not choose
 * its caller's stack by that. If several functions could have done it, no stack is known to
 * continue with.
 */
struct eh_context *eh_caller_of(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where *where)
{
	struct eh_context *caller = c, *other;
	int slot;

	if (*where == EH_IN_SUB || vmcs_get(GUEST_RIP) - eh_code_address(c) < PAGE_SIZE)
		return c;
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		other = vcpu->slots[slot];
		if (READ_ONCE(vcpu->list[ELISA_INDEX_SUB(slot)]) != other->eptp[EH_IN_SUB])
			continue;
		*where = *where == EH_IN_GATE_IN || *where == EH_IN_GATE_OUT ? EH_IN_SUB :
									       EH_IN_DOUBT;
		caller = other;
	}
	return caller;
}

/* Drops events that the call itself caused. NMIs and interrupts are not its own, and stay. */
void eh_drop_events(struct kvm_vcpu *kvm_vcpu)
{
	kvm_vcpu->arch.exception.pending = false;
	kvm_vcpu->arch.exception.injected = false;
	if (kvm_vcpu->arch.interrupt.soft)
		kvm_vcpu->arch.interrupt.injected = false;
}

/* Exposes the vCPU as after a call that ended with @error. Under vcpu->lock, VMCS loaded. */
void eh_expose_end(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where,
		   enum elisa_call_error error)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	u64 rsp = caller_rsp(c, where);
	struct eh_attachment *a = c->attachment;

	memset(kvm_vcpu->arch.regs, 0, 16 * sizeof(kvm_vcpu->arch.regs[0]));
	kvm_vcpu->arch.regs[VCPU_REGS_RDX] = (long)error;
	vmcs_set(GUEST_RIP, eh_code_address(c) + ELISA_ERROR_RETURN(a->slot));
	vmcs_set(GUEST_RSP, rsp);
	vmcs_set(GUEST_RFLAGS, X86_EFLAGS_FIXED | (vmcs_get(GUEST_RFLAGS) & RFLAGS_KEPT));
	vmcs_set(GUEST_INTERRUPTIBILITY_INFO,
		 vmcs_get(GUEST_INTERRUPTIBILITY_INFO) &
			 ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	vmcs_set(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_set(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	if (!eh_in_user64()) {
		vmcs_set(GUEST_CS_SELECTOR, a->user_cs);
		vmcs_set(GUEST_CS_BASE, 0);
		vmcs_set(GUEST_CS_LIMIT, ~0u);
		vmcs_set(GUEST_CS_AR_BYTES, CS_RIGHTS_USER);
		vmcs_set(GUEST_SS_SELECTOR, a->user_ss);
		vmcs_set(GUEST_SS_BASE, 0);
		vmcs_set(GUEST_SS_LIMIT, ~0u);
		vmcs_set(GUEST_SS_AR_BYTES, SS_RIGHTS_USER);
		vmcs_set(GUEST_RFLAGS, X86_EFLAGS_FIXED | X86_EFLAGS_IF);
	}
	vmcs_set(EPT_POINTER, vcpu->default_eptp);
	vcpu->trap = false;
	eh_list_reset(vcpu);
	eh_forget_cached_registers(kvm_vcpu);
}

/*
 * The image of cleared registers. XSTATE_BV is 0, so XRSTOR puts each component into its initial
 * state. FXRSTOR loads the same values.
 */
static const struct {
	u16 fcw;
	u8 legacy[22];
	u32 mxcsr;
	u8 rest[576 - 28];
} __aligned(64) initial_state = {.fcw = FCW_INITIAL, .mxcsr = MXCSR_DEFAULT};

/*
 * A function's vector, mask, tile and x87 registers must not outlive its aborted call. They may
 * be in the CPU, in KVM's memory (guest_fpu), or in both: a thread that is preempted saves
 * them, and takes the CPU's copy for valid if it finds it again. Two places tell which it is:
 *
 *   the entry hook      IRQs are off and KVM has loaded what was in memory: they are in the CPU
 *   another ioctl       no KVM_RUN is under way, which ends with saving them: they are in memory
 *
 * An exit hook is neither: it leaves `scrub` to the one of the two that comes first. PKRU and
 * supervisor state (XSS) are the guest's own: ring 3 cannot change the second, and the guarded
 * stub puts the first back.
 */
void eh_scrub_registers(struct eh_vcpu *vcpu)
{
	u64 mask = xgetbv(XCR_XFEATURE_ENABLED_MASK) & ~(u64)XFEATURE_MASK_PKRU;

	/* first without a mask: XCR0 may be the guest's, and legacy SSE does not ask it */
	asm volatile("fxrstor64 %0" : : "m"(initial_state));
	asm volatile("xrstor64 %0" : : "m"(initial_state), "a"((u32)mask), "d"((u32)(mask >> 32)));
	vcpu->scrub = false;
}

static void scrub_memory(struct fpstate *fpstate)
{
	fpstate->regs.xsave.header.xfeatures &= XFEATURE_MASK_PKRU | XFEATURE_MASK_SUPERVISOR_ALL;
	fpstate->regs.xsave.i387.mxcsr = MXCSR_DEFAULT;
}

/*
 * XSAVE does not write a component that is in its initial state, and KVM_GET_FPU shows
 * the memory nevertheless: as it was when an exit interrupted a function.
 */
static void forget_stale_state(struct fpstate *fpstate)
{
	struct xregs_state *xsave = &fpstate->regs.xsave;

	if (!(xsave->header.xfeatures & XFEATURE_MASK_FP)) {
		memset(&xsave->i387, 0, offsetof(struct fxregs_state, mxcsr));
		memset(xsave->i387.st_space, 0, sizeof(xsave->i387.st_space));
		xsave->i387.cwd = FCW_INITIAL;
	}
	if (!(xsave->header.xfeatures & XFEATURE_MASK_SSE))
		memset(xsave->i387.xmm_space, 0, sizeof(xsave->i387.xmm_space));
}

/*
 * Clears the vector registers before the hooks stop looking at the vCPU's ioctls. Its registers are
 * live, and are what KVM writes to memory: XSAVE may omit what it believes to be there.
 */
void eh_forget_saved_state(struct kvm_vcpu *kvm_vcpu)
{
	struct fxregs_state *saved = &kvm_vcpu->arch.guest_fpu.fpstate->regs.fxsave, now;

	asm volatile("fxsave64 %0" : "=m"(now));
	memcpy(saved, &now, offsetof(struct fxregs_state, mxcsr));
	memcpy(saved->st_space, now.st_space, sizeof(now.st_space));
	memcpy(saved->xmm_space, now.xmm_space, sizeof(now.xmm_space));
}

bool eh_leaves_vector_state(struct eh_context *c)
{
	return !(c->attachment->export_flags & ELISA_EXPORT_GENERAL_REGS);
}

/* Counts an aborted call, and tells the manager of it. @rip: where the call was. */
void eh_call_aborted(struct eh_context *c, enum elisa_call_error error, u64 rip)
{
	struct eh_attachment *a = c->attachment;
	struct elisa_event event = {
		.type = ELISA_EVENT_ABORT,
		.export_id = a->export_id,
		.attachment = a->number,
		.value = error,
		.vcpu = c->self->vcpu,
	};

	switch (error) {
	case ELISA_CALL_FAULT:
		eh_count(ELISA_COUNT_FAULTS);
		break;
	case ELISA_CALL_FORBIDDEN:
		eh_count(ELISA_COUNT_FORBIDDEN);
		break;
	case ELISA_CALL_TIMEOUT:
		eh_count(ELISA_COUNT_TIMEOUTS);
		break;
	case ELISA_CALL_REVOKED:
		eh_count(ELISA_COUNT_REVOKED);
		break;
	case ELISA_CALL_VMM:
		eh_count(ELISA_COUNT_VMM_ENDED);
		break;
	default:
		break; /* ELISA_CALL_CLOSED: counted when VMFUNC was shut off */
	}
	trace_elisa_abort(c, error, eh_object_offset(rip));
	atomic64_inc(&a->aborts);
	/* the export is not freed before its contexts are revoked, under this lock */
	if (!c->revoked)
		atomic64_inc(&a->export->aborts);
	if ((a->export_flags & ELISA_EXPORT_POISON) && !c->revoked) {
		/* only once: the work interrupts all attached vCPUs */
		if (!xchg(&a->export->poisoned, true)) {
			atomic_inc(&eh_poisonings);
			eh_export_poisoned(a->export);
		}
	}
	/* before the vCPU runs again */
	WRITE_ONCE(c->self->aborts, c->self->aborts + 1);
	event.aborts = c->self->aborts;
	if (eh_event_put(a->events, event))
		WRITE_ONCE(c->reported, event.aborts);
	eh_attachment_tell(ELISA_HOST_EVENT_ABORTED, a, error);
}

/* Notes that a call has returned, so that the next one has its full time. Under vcpu->lock. */
void eh_forget_time(struct eh_vcpu *vcpu)
{
	vcpu->stash.cycles = 0;
	vcpu->stash.suspended = 0;
	vcpu->stash.watched = false;
	vcpu->entry_tsc = 0;
}

/* Ends the call in @c with @error, or with the error by which the host has already ended it. */
void eh_end_call(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where,
		 enum elisa_call_error error)
{
	u64 rip = vmcs_get(GUEST_RIP);

	eh_expose_end(vcpu, c, where, c->ended ?: error);
	/* a page fault in sub left an address of the function's; the guest handles no fault now */
	vcpu->kvm_vcpu->arch.cr2 = 0;
	vcpu->scrub |= eh_leaves_vector_state(c);
	eh_forget_time(vcpu);
	kvm_make_request(KVM_REQ_EVENT, vcpu->kvm_vcpu);
	if (!c->ended)
		eh_call_aborted(c, error, rip);
	c->ended = ELISA_CALL_OK;
}

void eh_stash_exposed(struct eh_stash *stash)
{
	stash->exposed.rip = vmcs_get(GUEST_RIP);
	stash->exposed.rsp = vmcs_get(GUEST_RSP);
	stash->exposed.rflags = vmcs_get(GUEST_RFLAGS);
	stash->exposed.cr0 = vmcs_get(GUEST_CR0);
	stash->exposed.cr3 = vmcs_get(GUEST_CR3);
	stash->exposed.cr4 = vmcs_get(GUEST_CR4);
	stash->exposed.fs_base = vmcs_get(GUEST_FS_BASE);
	stash->exposed.gs_base = vmcs_get(GUEST_GS_BASE);
	stash->exposed.cs = vmcs_get(GUEST_CS_SELECTOR);
	stash->exposed.ss = vmcs_get(GUEST_SS_SELECTOR);
	stash->exposed.cs_ar = vmcs_get(GUEST_CS_AR_BYTES);
	stash->exposed.ss_ar = vmcs_get(GUEST_SS_AR_BYTES);
}

/* Longer than a thread ever waits for a processor. As cycles it fits in 64 bits. */
#define MOST_WAIT_NS (3600 * (u64)NSEC_PER_SEC)

/*
 * Counts the call's time from its resume to the exit hook. Between the exit and the hook the thread
 * may be preempted. While it then waits for the processor, the call is suspended and does not run.
 * The scheduler counts such waits, for KVM's own use (steal time). It does so by clocks of several
 * CPUs, so a wait may come out wrong, even below zero; MOST_WAIT_NS bounds what follows from it.
 */
static void count_time(struct eh_vcpu *vcpu)
{
	struct eh_stash *stash = &vcpu->stash;
	u64 held = eh_held_before_hook(vcpu, stash->since), ran, waited, cycles;

	if (vcpu->entry_tsc) {
		ran = rdtsc() - vcpu->entry_tsc;
		waited = current->sched_info.run_delay - vcpu->entry_delay;
		waited = min(waited, MOST_WAIT_NS);
		cycles = mul_u64_u32_div(waited, tsc_khz, 1000000);
		stash->cycles += ran - min(ran, cycles);
		held = max(held, waited);
	}
	vcpu->entry_tsc = 0;
	stash->suspended += held;
}

/* Suspends the call; from here on KVM sees a vCPU after the call. Under vcpu->lock. */
void eh_stash_call(struct eh_vcpu *vcpu, struct eh_context *c, enum eh_where where, u64 eptp,
		   u64 rip, u64 rflags)
{
	struct eh_stash *stash = &vcpu->stash;
	u32 slot = c->attachment->slot;
	bool trap = vcpu->trap;

	memcpy(stash->regs, vcpu->kvm_vcpu->arch.regs, sizeof(stash->regs));
	eh_vcpu_move(vcpu, EH_SUSPENDED);
	stash->touched = false;
	stash->vector = eh_leaves_vector_state(c);
	stash->context = c;
	stash->eptp = eptp;
	stash->rip = rip;
	stash->rsp = vmcs_get(GUEST_RSP);
	stash->rflags = rflags;
	stash->interruptibility = vmcs_get(GUEST_INTERRUPTIBILITY_INFO);
	stash->armed = vcpu->list[ELISA_INDEX_SUB(slot)] == c->eptp[EH_IN_SUB];
	stash->gate_open = vcpu->list[ELISA_INDEX_GATE_IN(slot)] == c->eptp[EH_IN_GATE_IN];
	stash->since = ktime_get_mono_fast_ns();
	count_time(vcpu);
	eh_expose_end(vcpu, c, where, ELISA_CALL_VMM);
	if (trap)
		eh_trap_return(vcpu); /* what was held back still is */
	eh_stash_exposed(stash);
	if (trace_elisa_suspend_enabled())
		trace_elisa_suspend(c, vmcs_get(VM_EXIT_REASON), eh_object_offset(rip));
	eh_count(ELISA_COUNT_EXITS_IN_CONTEXT);
}

/*
 * Takes the context, which is about to be freed, from a suspended call. The call ends at the next
 * entry. Under vcpu->lock.
 */
void eh_stash_orphan(struct eh_vcpu *vcpu, struct eh_context *context)
{
	if (vcpu->phase == EH_SUSPENDED && vcpu->stash.context == context) {
		if (!context->ended)
			eh_call_aborted(context, ELISA_CALL_REVOKED, vcpu->stash.rip);
		vcpu->stash.context = NULL;
	}
}

/* Notes that the vCPU's state may change before its next entry. The thread has the vCPU's mutex. */
void eh_vcpu_unsettle(struct eh_vcpu *vcpu)
{
	vcpu->known = EH_UNKNOWN;
}

/* Ends a suspended call, because KVM resets the vCPU. The vCPU must be set up anew. */
void eh_vcpu_was_reset(struct eh_vcpu *vcpu)
{
	unsigned long flags;

	eh_vcpu_unsettle(vcpu);
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->synced = false;
	vcpu->stash.touched = true;
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
}

/*
 * Ends a suspended call, because the VMM reads or changes the vCPU's state. The vCPU's mutex is
 * held, so no KVM_RUN is under way and the vector registers are in KVM's memory. They are cleared
 * there first. The VMM's values come afterwards, and stay.
 */
void eh_vcpu_touched(struct eh_vcpu *vcpu)
{
	struct fpstate *fpstate = vcpu->kvm_vcpu->arch.guest_fpu.fpstate;
	unsigned long flags;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	if (vcpu->phase == EH_SUSPENDED) {
		vcpu->stash.touched = true;
		vcpu->scrub |= vcpu->stash.vector;
		vcpu->stash.vector = false;
	}
	if (vcpu->scrub)
		scrub_memory(fpstate);
	vcpu->scrub = false;
	forget_stale_state(fpstate);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
}
