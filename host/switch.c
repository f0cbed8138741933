// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's way in and out: what happens at an exit in gate or sub, and before an entry.
 *
 * KVM and the VMM never see a vCPU in gate or sub. At an exit there, the state of the
 * call is put aside (the stash) and the vCPU is shown as if the call had already ended
 * with an error: default context, at the stub's error return, registers cleared. If at
 * the next entry nothing has touched what is shown and the call may go on, the stash is
 * put back; otherwise what is shown is the truth. So there is one way to end a call,
 * and nothing to undo after it.
 */
#include <linux/kvm_host.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/kvm_vcpu_regs.h>

#include "compat.h"
#include "elisa.h"
#include "vmx.h"

#define INTR_INFO_VALID	  (1u << 31)
#define INTR_TYPE(info)	  ((info)&0x700)
#define EXIT_FAILED_ENTRY (1u << 31)
#define EXIT_BASIC	  0xffff

/* Exports poisoned so far: a vCPU that enters sees from it that its list may be stale. The
 * work behind elisa_export_was_poisoned() is for those that are inside. */
static atomic_t poisonings;

/* clearing them makes an EPTP invalid */
#define INVALID_BITS   ((u64)(ELISA_EPTP_ARMED ^ ELISA_EPTP_DISARMED))

#define CS_RIGHTS_USER 0xa0fb /* present, ring 3, code, 64-bit */
#define SS_RIGHTS_USER 0xc0f3 /* present, ring 3, data */
#define RFLAGS_KEPT    (X86_EFLAGS_IF | X86_EFLAGS_IOPL | X86_EFLAGS_ID)

static u64 code_address(struct elisa_context *c)
{
	return ELISA_WINDOW_BASE + c->attachment->slot * ELISA_SLOT_SIZE + ELISA_CODE_OFFSET;
}

static bool page_root_is(struct elisa_context *c, u64 cr3)
{
	return (cr3 & PHYSICAL_PAGE_MASK) == c->attachment->root;
}

/* Which of this vCPU's contexts an EPTP is; NULL: none, so it is KVM's. */
static struct elisa_context *context_of(struct elisa_vcpu *vcpu, u64 eptp, enum elisa_where *where)
{
	int slot, i;

	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS)
		for (i = 0; i < ELISA_ROOTS; i++)
			if (vcpu->slots[slot]->eptp[i] == eptp) {
				*where = i;
				return vcpu->slots[slot];
			}
	return NULL;
}

static bool is_poisoned(struct elisa_context *c)
{
	return (c->attachment->export_flags & ELISA_EXPORT_POISON) && !c->revoked &&
	       READ_ONCE(c->attachment->export->poisoned);
}

/*
 * Writes the whole EPTP list as it has to be while default runs. All invalid entries
 * keep bit 0 clear, so that the page is useless as a page table. Under vcpu->lock, never
 * while the vCPU runs: the gate's byte-wide read-modify-write could otherwise turn an
 * entry that was just cleared into a valid one for physical page 0.
 */
void elisa_list_reset(struct elisa_vcpu *vcpu)
{
	u64 *list = vcpu->list;
	struct elisa_context *c;
	int slot;
	bool open;

	if (!list)
		return;
	vcpu->stale = false;
	WRITE_ONCE(list[0], vcpu->trap ? vcpu->default_eptp & ~INVALID_BITS : vcpu->default_eptp);
	for (slot = 0; slot < ELISA_SLOTS; slot++) {
		c = vcpu->slots[slot];
		open = c && !c->revoked && !is_poisoned(c);
		WRITE_ONCE(list[ELISA_INDEX_GATE_IN(slot)], open ? c->eptp[ELISA_IN_GATE_IN] : 0);
		WRITE_ONCE(list[ELISA_INDEX_GATE_OUT(slot)], open ? c->eptp[ELISA_IN_GATE_OUT] : 0);
		WRITE_ONCE(list[ELISA_INDEX_SUB(slot)],
			   open ? c->eptp[ELISA_IN_SUB] & ~INVALID_BITS : 0);
	}
}

static void set_default(struct elisa_vcpu *vcpu, u64 eptp)
{
	if (eptp != vcpu->default_eptp) {
		vcpu->default_eptp = eptp;
		elisa_count(ELISA_COUNT_ROOT_RELOADS);
	}
	WRITE_ONCE(vcpu->list[0], vcpu->trap ? eptp & ~INVALID_BITS : eptp);
}

/* KVM caches these VMCS fields; we have changed them behind its back. */
static void forget_cached_registers(struct kvm_vcpu *kvm_vcpu)
{
	kvm_vcpu->arch.regs_avail &= ~((1 << VCPU_REGS_RIP) | (1 << VCPU_REGS_RSP) |
				       (1 << VCPU_EXREG_RFLAGS) | (1 << VCPU_EXREG_SEGMENTS));
	kvm_vcpu->arch.regs_dirty &= ~((1 << VCPU_REGS_RIP) | (1 << VCPU_REGS_RSP));
}

static void set_rip(struct kvm_vcpu *kvm_vcpu, u64 rip)
{
	vmcs_set(GUEST_RIP, rip);
	forget_cached_registers(kvm_vcpu);
}

/* Where the caller's stack was: gate-in has not left it yet, strict keeps it in the data
 * page, trusted at the top of the sub stack. */
static u64 caller_rsp(struct elisa_context *c, enum elisa_where where)
{
	u64 rsp;

	if (where == ELISA_IN_DOUBT)
		return 0;
	if (where == ELISA_IN_GATE_IN)
		return vmcs_get(GUEST_RSP);
	if (c->attachment->mode == ELISA_MODE_TRUSTED)
		return *(u64 *)(c->stack[ELISA_STACK_PAGES - 1] + PAGE_SIZE - 8);
	memcpy(&rsp, c->data + ELISA_RSP_SLOT(c->attachment->slot), sizeof(rsp));
	return rsp;
}

/*
 * Whose call ends in context @c? In a gate context outside of its own code page nobody is
 * who came in through a stub: a function used VMFUNC to get from its sub context, whose
 * entry is armed still, into another slot's gate. That must not give it the choice of its
 * caller's stack. If more than one could have done it, there is no stack to go on with.
 */
static struct elisa_context *caller_of(struct elisa_vcpu *vcpu, struct elisa_context *c,
				       enum elisa_where *where)
{
	struct elisa_context *caller = c, *other;
	int slot;

	if (*where == ELISA_IN_SUB || vmcs_get(GUEST_RIP) - code_address(c) < PAGE_SIZE)
		return c;
	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		other = vcpu->slots[slot];
		if (READ_ONCE(vcpu->list[ELISA_INDEX_SUB(slot)]) != other->eptp[ELISA_IN_SUB])
			continue;
		*where = *where == ELISA_IN_GATE_IN || *where == ELISA_IN_GATE_OUT ? ELISA_IN_SUB :
										     ELISA_IN_DOUBT;
		caller = other;
	}
	return caller;
}

/* Events that the call itself caused die with it; NMIs and interrupts are not its own. */
static void drop_events(struct kvm_vcpu *kvm_vcpu)
{
	kvm_vcpu->arch.exception.pending = false;
	kvm_vcpu->arch.exception.injected = false;
	if (kvm_vcpu->arch.interrupt.soft)
		kvm_vcpu->arch.interrupt.injected = false;
}

/* The vCPU as after the end of the call with @error. Under vcpu->lock, VMCS loaded. */
static void show_end(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		     enum elisa_call_error error)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	u64 rsp = caller_rsp(c, where);
	struct elisa_attachment *a = c->attachment;

	memset(kvm_vcpu->arch.regs, 0, 16 * sizeof(kvm_vcpu->arch.regs[0]));
	kvm_vcpu->arch.regs[VCPU_REGS_RDX] = (long)error;
	vmcs_set(GUEST_RIP, code_address(c) + ELISA_ERROR_RETURN(a->slot));
	vmcs_set(GUEST_RSP, rsp);
	vmcs_set(GUEST_RFLAGS, X86_EFLAGS_FIXED | (vmcs_get(GUEST_RFLAGS) & RFLAGS_KEPT));
	vmcs_set(GUEST_INTERRUPTIBILITY_INFO,
		 vmcs_get(GUEST_INTERRUPTIBILITY_INFO) &
			 ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	vmcs_set(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_set(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	if (((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3) != 3) {
		/* SYSCALL and the like had got as far as changing the ring */
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
	elisa_list_reset(vcpu);
	forget_cached_registers(kvm_vcpu);
}

/* An empty XSAVE area: restoring it puts every component into its initial state. */
static const struct {
	u8 legacy[24];
	u32 mxcsr;
	u8 rest[576 - 28];
} __aligned(64) no_vector_state = {.mxcsr = MXCSR_DEFAULT};

static void forget_vector_state(struct fpstate *fpstate)
{
	fpstate->regs.xsave.header.xfeatures &= XFEATURE_MASK_PKRU;
	fpstate->regs.xsave.i387.mxcsr = MXCSR_DEFAULT;
}

/*
 * XSAVE does not write a component that is in its initial state, and KVM_GET_FPU shows
 * the memory nevertheless: as it was when an exit interrupted a function.
 */
static void forget_stale_state(struct fpstate *fpstate)
{
	struct xregs_state *xsave = &fpstate->regs.xsave;

	if (!(xsave->header.xfeatures & XFEATURE_MASK_FP))
		memset(xsave->i387.st_space, 0, sizeof(xsave->i387.st_space));
	if (!(xsave->header.xfeatures & XFEATURE_MASK_SSE))
		memset(xsave->i387.xmm_space, 0, sizeof(xsave->i387.xmm_space));
}

/* Clears what the function left in vector, mask, tile and x87 registers. PKRU is the
 * guest's own. The guest's registers are live, or KVM's copy will be loaded. */
static void clear_vector_state(struct kvm_vcpu *kvm_vcpu)
{
	struct fpstate *fpstate = kvm_vcpu->arch.guest_fpu.fpstate;
	u64 mask = xgetbv(XCR_XFEATURE_ENABLED_MASK) & ~(u64)XFEATURE_MASK_PKRU;
	unsigned long flags;

	local_irq_save(flags);
	if (test_thread_flag(TIF_NEED_FPU_LOAD)) {
		forget_vector_state(fpstate);
	} else {
		asm volatile("xrstor64 %0"
			     :
			     : "m"(no_vector_state), "a"((u32)mask), "d"((u32)(mask >> 32)));
	}
	local_irq_restore(flags);
}

static bool leaves_vector_state(struct elisa_context *c)
{
	return !(c->attachment->export_flags & ELISA_EXPORT_GENERAL_REGS);
}

/* Counts and tells the manager of a call that did not come to its end. */
static void call_aborted(struct elisa_context *c, enum elisa_call_error error)
{
	struct elisa_attachment *a = c->attachment;
	bool evicted = error == ELISA_CALL_TIMEOUT || error == ELISA_CALL_REVOKED;

	switch (error) {
	case ELISA_CALL_FAULT:
		elisa_count(ELISA_COUNT_FAULTS);
		break;
	case ELISA_CALL_FORBIDDEN:
		elisa_count(ELISA_COUNT_FORBIDDEN);
		break;
	case ELISA_CALL_TIMEOUT:
		elisa_count(ELISA_COUNT_TIMEOUTS);
		break;
	case ELISA_CALL_REVOKED:
		elisa_count(ELISA_COUNT_REVOKED);
		break;
	default:
		elisa_count(ELISA_COUNT_VMM_ENDED);
	}
	atomic64_inc(&a->aborts);
	/* the export is not freed before its contexts are revoked, under this lock */
	if ((a->export_flags & ELISA_EXPORT_POISON) && !c->revoked) {
		WRITE_ONCE(a->export->poisoned, true);
		atomic_inc(&poisonings);
		elisa_export_was_poisoned();
	}
	elisa_event(a->events, evicted ? ELISA_EVENT_EVICT : ELISA_EVENT_ABORT, a->export_id,
		    a->number, error);
}

/* A call has come to its end: the next one has all its time. */
static void forget_time(struct elisa_vcpu *vcpu)
{
	vcpu->stash.cycles = 0;
	vcpu->stash.watched = false;
	vcpu->entry_tsc = 0;
}

static void end_call(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		     enum elisa_call_error error)
{
	show_end(vcpu, c, where, error);
	if (leaves_vector_state(c))
		clear_vector_state(vcpu->kvm_vcpu);
	forget_time(vcpu);
	kvm_make_request(KVM_REQ_EVENT, vcpu->kvm_vcpu);
	call_aborted(c, error);
}

/* ---------------------------------------------------------------------- exits */

static void stash_shown(struct elisa_stash *stash)
{
	stash->shown.rip = vmcs_get(GUEST_RIP);
	stash->shown.rsp = vmcs_get(GUEST_RSP);
	stash->shown.rflags = vmcs_get(GUEST_RFLAGS);
	stash->shown.cr0 = vmcs_get(GUEST_CR0);
	stash->shown.cr3 = vmcs_get(GUEST_CR3);
	stash->shown.cr4 = vmcs_get(GUEST_CR4);
	stash->shown.fs_base = vmcs_get(GUEST_FS_BASE);
	stash->shown.gs_base = vmcs_get(GUEST_GS_BASE);
	stash->shown.cs = vmcs_get(GUEST_CS_SELECTOR);
	stash->shown.ss = vmcs_get(GUEST_SS_SELECTOR);
	stash->shown.cs_ar = vmcs_get(GUEST_CS_AR_BYTES);
	stash->shown.ss_ar = vmcs_get(GUEST_SS_AR_BYTES);
}

/* Puts the call aside; KVM sees its end from here on. Under vcpu->lock. */
static void stash_call(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		       u64 eptp, u64 rip, u64 rflags)
{
	struct elisa_stash *stash = &vcpu->stash;
	u32 slot = c->attachment->slot;
	bool trap = vcpu->trap;

	memcpy(stash->regs, vcpu->kvm_vcpu->arch.regs, sizeof(stash->regs));
	stash->active = true;
	stash->touched = false;
	stash->vector = leaves_vector_state(c);
	stash->context = c;
	stash->eptp = eptp;
	stash->rip = rip;
	stash->rsp = vmcs_get(GUEST_RSP);
	stash->rflags = rflags;
	stash->interruptibility = vmcs_get(GUEST_INTERRUPTIBILITY_INFO);
	stash->armed = vcpu->list[ELISA_INDEX_SUB(slot)] == c->eptp[ELISA_IN_SUB];
	stash->gate_open = vcpu->list[ELISA_INDEX_GATE_IN(slot)] == c->eptp[ELISA_IN_GATE_IN];
	if (vcpu->entry_tsc)
		stash->cycles += rdtsc() - vcpu->entry_tsc;
	vcpu->entry_tsc = 0;
	show_end(vcpu, c, where, ELISA_CALL_VMM);
	if (trap)
		elisa_trap_return(vcpu); /* what was held back still is */
	stash_shown(stash);
	elisa_count(ELISA_COUNT_EXITS_IN_CONTEXT);
}

/* Exits that are not the call's doing: KVM handles them while the call is put aside. */
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

/* Exits of the default context that are ours on a vCPU that is set up, open or closed. */
static bool is_ours_in_default(u32 reason)
{
	return reason == EXIT_REASON_VMFUNC || reason == EXIT_REASON_GDTR_IDTR ||
	       reason == EXIT_REASON_LDTR_TR;
}

/* A function that left by VMFUNC 0 of its own instead of by the gate left its entry armed. */
static void shut_open_subs(struct elisa_vcpu *vcpu)
{
	int slot;

	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS)
		if (vcpu->list[ELISA_INDEX_SUB(slot)] & INVALID_BITS) {
			elisa_list_reset(vcpu);
			return;
		}
}

/*
 * First thing after an exit, preemption off. True: elisa_exit_handle() has to handle it
 * in the place of KVM's handler.
 */
bool elisa_exit(struct elisa_vcpu *vcpu)
{
	struct elisa_context *c, *caller;
	enum elisa_where where;
	unsigned long flags;
	bool ours = false, failed;
	u32 reason;
	u64 eptp;

	if (!vcpu->inside)
		return false; /* nested guest mode, or never set up */
	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->inside = false;
	failed = vmcs_get(VM_EXIT_REASON) & EXIT_FAILED_ENTRY;
	reason = vmcs_get(VM_EXIT_REASON) & EXIT_BASIC;
	if (reason < ELISA_EXIT_REASONS)
		vcpu->exits[reason]++;
	eptp = vmcs_get(EPT_POINTER);
	vcpu->exit_cr3 = vmcs_get(GUEST_CR3);
	/* closed, VMFUNC exits for the caller to learn of it */
	if (!vcpu->enabled || eptp == vcpu->default_eptp) {
		forget_time(vcpu);
		shut_open_subs(vcpu);
		ours = is_ours_in_default(reason);
		goto out;
	}
	c = context_of(vcpu, eptp, &where);
	if (WARN_ON_ONCE(!c)) {
		/* cannot happen; the VM must not go on in a context nobody owns */
		vmcs_set(EPT_POINTER, vcpu->default_eptp);
		vcpu->kvm_vcpu->kvm->vm_dead = true;
		kvm_make_request(KVM_REQ_VM_DEAD, vcpu->kvm_vcpu);
		goto out;
	}
	if (failed) {
		end_call(vcpu, c, where, ELISA_CALL_FORBIDDEN);
		goto out;
	}
	if (!is_asynchronous(reason) || ((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3) != 3) {
		ours = true;
		goto out;
	}
	caller = caller_of(vcpu, c, &where);
	if (caller != c)
		end_call(vcpu, caller, where, ELISA_CALL_FORBIDDEN);
	else if (atomic_read(&vcpu->prying))
		end_call(vcpu, c, where, ELISA_CALL_VMM);
	else
		stash_call(vcpu, c, where, eptp, vmcs_get(GUEST_RIP), vmcs_get(GUEST_RFLAGS));
out:
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	return ours;
}

/* The return that list[0] was made invalid for: finish the switch by hand. */
static bool finish_return(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	u32 slot = c->attachment->slot;
	u64 at = code_address(c);

	if (!vcpu->trap || (u32)kvm_vcpu->arch.regs[VCPU_REGS_RAX] ||
	    (u32)kvm_vcpu->arch.regs[VCPU_REGS_RCX])
		return false;
	if (c->attachment->mode == ELISA_MODE_STRICT && where == ELISA_IN_GATE_OUT)
		at += ELISA_GATE_OUT_VMFUNC(slot);
	else if (c->attachment->mode == ELISA_MODE_TRUSTED && where == ELISA_IN_SUB)
		at += ELISA_TRUSTED_VMFUNC(slot);
	else
		return false;
	if (vmcs_get(GUEST_RIP) != at)
		return false;
	vmcs_set(EPT_POINTER, vcpu->default_eptp);
	set_rip(kvm_vcpu, at + 3);
	vcpu->trap = false;
	forget_time(vcpu);
	elisa_list_reset(vcpu);
	kvm_make_request(KVM_REQ_EVENT, kvm_vcpu);
	vcpu->return_traps++;
	elisa_count(ELISA_COUNT_RETURN_TRAPS);
	return true;
}

/* VMFUNC of a process that does not own the gate: as on a CPU without VMFUNC. */
static void refuse_foreign(struct elisa_vcpu *vcpu)
{
	vmcs_set(EPT_POINTER, vcpu->default_eptp);
	set_rip(vcpu->kvm_vcpu, vmcs_get(GUEST_RIP) - 3);
	elisa_list_reset(vcpu);
	elisa_count(ELISA_COUNT_FOREIGN_ROOT);
}

/* The call goes on after #DB (a guest must not stop a function at an instruction of its
 * choice) and after PAUSE-loop exits. */
static bool goes_on(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		    u32 reason, u64 eptp)
{
	u64 rflags = vmcs_get(GUEST_RFLAGS), rip = vmcs_get(GUEST_RIP);
	u32 info = vmcs_get(VM_EXIT_INTR_INFO);

	if (((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3) != 3 || atomic_read(&vcpu->prying))
		return false;
	if (reason == EXIT_REASON_PAUSE_INSTRUCTION) {
		rip += vmcs_get(VM_EXIT_INSTRUCTION_LEN);
	} else if (reason == EXIT_REASON_EXCEPTION_NMI &&
		   INTR_TYPE(info) == INTR_TYPE_HARD_EXCEPTION &&
		   (info & INTR_INFO_VECTOR_MASK) == DB_VECTOR) {
		rflags = (rflags | X86_EFLAGS_RF) & ~(u64)X86_EFLAGS_TF;
		elisa_count(ELISA_COUNT_DEBUG_SUPPRESSED);
	} else {
		return false;
	}
	drop_events(vcpu->kvm_vcpu);
	stash_call(vcpu, c, where, eptp, rip, rflags);
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

/* A synchronous exit in gate or sub. */
static void exit_in_context(struct elisa_vcpu *vcpu, struct elisa_context *c,
			    enum elisa_where where, u32 reason, u64 eptp, bool *foreign)
{
	enum elisa_call_error error = c->revoked ? ELISA_CALL_REVOKED : error_of(reason);
	struct elisa_context *caller;

	if (atomic_read(&vcpu->prying))
		error = ELISA_CALL_VMM;

	if (reason == EXIT_REASON_VMFUNC && finish_return(vcpu, c, where))
		return;
	caller = caller_of(vcpu, c, &where);
	if (caller == c && !page_root_is(c, vmcs_get(GUEST_CR3))) {
		refuse_foreign(vcpu);
		drop_events(vcpu->kvm_vcpu);
		*foreign = true;
		return;
	}
	if (caller == c && goes_on(vcpu, c, where, reason, eptp))
		return;
	drop_events(vcpu->kvm_vcpu);
	end_call(vcpu, caller, where, error);
}

/*
 * VMFUNC in default exits if its entry is invalid or VMFUNC is off. From a stub of ours,
 * in its own process, that is a call to something that is closed or gone; an entry that
 * a call left shut is opened again; anything else is #UD.
 */
static bool vmfunc_in_default(struct elisa_vcpu *vcpu)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	u32 slot = (u32)kvm_vcpu->arch.regs[VCPU_REGS_RCX] - ELISA_INDEX_GATE_IN(0);
	struct elisa_context *c;
	u64 at;

	if (slot >= ELISA_SLOTS || (u32)kvm_vcpu->arch.regs[VCPU_REGS_RAX])
		return false;
	c = vcpu->slots[slot];
	if (!c || !page_root_is(c, vmcs_get(GUEST_CR3)) ||
	    ((vmcs_get(GUEST_SS_AR_BYTES) >> 5) & 3) != 3)
		return false;
	at = vmcs_get(GUEST_RIP) - code_address(c) + 3;
	if (at != ELISA_STRICT_ENTRY(slot) && at != ELISA_TRUSTED_ENTRY(slot))
		return false;
	if (vcpu->enabled && !c->revoked && !is_poisoned(c) &&
	    READ_ONCE(vcpu->list[ELISA_INDEX_GATE_IN(slot)]) != c->eptp[ELISA_IN_GATE_IN]) {
		elisa_list_reset(vcpu);
		return true; /* again */
	}
	show_end(vcpu, c, ELISA_IN_GATE_IN,
		 c->revoked	? ELISA_CALL_REVOKED :
		 is_poisoned(c) ? ELISA_CALL_POISONED :
				  ELISA_CALL_CLOSED);
	return true;
}

/* In the place of vmx_handle_exit(), when elisa_exit() said so. */
int elisa_exit_handle(struct kvm_vcpu *kvm_vcpu, unsigned long fastpath)
{
	struct elisa_vcpu *vcpu = elisa_vcpu_find(kvm_vcpu);
	u32 reason = vmcs_get(VM_EXIT_REASON) & EXIT_BASIC;
	bool emulate = false, undefined = false;
	struct elisa_context *c;
	enum elisa_where where;
	unsigned long flags;
	u64 eptp;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	eptp = vmcs_get(EPT_POINTER);
	if (eptp == vcpu->default_eptp) {
		if (reason == EXIT_REASON_VMFUNC)
			undefined = !vmfunc_in_default(vcpu);
		else
			emulate = true;
	} else {
		c = context_of(vcpu, eptp, &where);
		exit_in_context(vcpu, c, where, reason, eptp, &undefined);
	}
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
	if (emulate) {
		elisa_count(ELISA_COUNT_DESC_EXITS);
		return elisa_kvm_emulate(kvm_vcpu);
	}
	if (undefined) {
		elisa_count(ELISA_COUNT_REFUSED_VMFUNC);
		elisa_kvm_queue_ud(kvm_vcpu);
	}
	return 1;
}

/* ---------------------------------------------------------------------- entries */

/* Has anything changed of what was shown in the stash's place? */
static bool shown_untouched(struct elisa_vcpu *vcpu)
{
	const struct elisa_stash *stash = &vcpu->stash;
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	struct elisa_stash now;
	int i;

	if (stash->touched ||
	    (kvm_vcpu->arch.regs_dirty & ((1 << VCPU_REGS_RIP) | (1 << VCPU_REGS_RSP))))
		return false;
	for (i = 0; i < 16; i++)
		if (i != VCPU_REGS_RSP && i != VCPU_REGS_RDX && kvm_vcpu->arch.regs[i])
			return false;
	if (kvm_vcpu->arch.regs[VCPU_REGS_RDX] != (unsigned long)(long)ELISA_CALL_VMM)
		return false;
	/* an event is about to be delivered to what is shown: that is the truth now */
	if ((vmcs_get(VM_ENTRY_INTR_INFO_FIELD) & INTR_INFO_VALID) ||
	    kvm_vcpu->arch.exception.pending || kvm_vcpu->arch.exception.injected ||
	    kvm_vcpu->arch.interrupt.injected || kvm_vcpu->arch.nmi_injected)
		return false;
	memset(&now.shown, 0, sizeof(now.shown));
	stash_shown(&now);
	return !memcmp(&now.shown, &stash->shown, sizeof(now.shown));
}

static enum elisa_call_error may_resume(struct elisa_vcpu *vcpu, bool open)
{
	struct elisa_stash *stash = &vcpu->stash;
	u64 limit;

	if (!stash->context || stash->context->revoked)
		return ELISA_CALL_REVOKED;
	if (!open)
		return ELISA_CALL_CLOSED;
	limit = stash->context->attachment->limit_cycles;
	if (stash->watched && stash->cycles >= limit)
		return ELISA_CALL_TIMEOUT;
	/*
	 * Several short calls look like one long one if every exit happens to fall into
	 * one: from half the limit on, the return is made to exit, which starts anew.
	 */
	if (stash->cycles >= limit / 2) {
		stash->watched = true;
		elisa_trap_return(vcpu);
	}
	return ELISA_CALL_OK;
}

static void resume_call(struct elisa_vcpu *vcpu)
{
	struct elisa_stash *stash = &vcpu->stash;
	struct elisa_context *c = stash->context;
	u32 slot = c->attachment->slot;

	memcpy(vcpu->kvm_vcpu->arch.regs, stash->regs, sizeof(stash->regs));
	vmcs_set(GUEST_RIP, stash->rip);
	vmcs_set(GUEST_RSP, stash->rsp);
	vmcs_set(GUEST_RFLAGS, stash->rflags);
	vmcs_set(GUEST_INTERRUPTIBILITY_INFO, stash->interruptibility);
	vmcs_set(EPT_POINTER, stash->eptp);
	forget_cached_registers(vcpu->kvm_vcpu);
	/* as the gate had left them: gate-in shut, so that sub cannot go back into it */
	if (stash->armed)
		vcpu->list[ELISA_INDEX_SUB(slot)] = c->eptp[ELISA_IN_SUB];
	if (!stash->gate_open)
		vcpu->list[ELISA_INDEX_GATE_IN(slot)] = c->eptp[ELISA_IN_GATE_IN] & ~INVALID_BITS;
	stash->active = false;
	vcpu->entry_tsc = rdtsc();
	elisa_count(ELISA_COUNT_RESUMED);
}

/* KVM has looked at its requests already: an IPI to ourselves makes it look again. */
static void request_events_at_entry(struct kvm_vcpu *kvm_vcpu)
{
	kvm_make_request(KVM_REQ_EVENT, kvm_vcpu);
	elisa_interrupt_self();
}

/* What is shown stays; it only has to say the right reason. */
static void end_stashed(struct elisa_vcpu *vcpu, enum elisa_call_error error)
{
	struct elisa_stash *stash = &vcpu->stash;
	unsigned long *rdx = &vcpu->kvm_vcpu->arch.regs[VCPU_REGS_RDX];

	if (error != ELISA_CALL_VMM && *rdx == (unsigned long)(long)ELISA_CALL_VMM)
		*rdx = (long)error;
	if (stash->vector)
		clear_vector_state(vcpu->kvm_vcpu);
	if (stash->context)
		call_aborted(stash->context, error);
	stash->active = false;
	forget_time(vcpu);
	vcpu->trap = false;
	elisa_list_reset(vcpu);
	request_events_at_entry(vcpu->kvm_vcpu);
}

/* The context is about to be freed: its interrupted call will end at the next entry. */
void elisa_stash_orphan(struct elisa_vcpu *vcpu, struct elisa_context *context)
{
	if (vcpu->stash.active && vcpu->stash.context == context) {
		call_aborted(context, ELISA_CALL_REVOKED);
		vcpu->stash.context = NULL;
	}
}

/* Holds interrupts back: the call's return will exit. Under vcpu->lock. */
void elisa_trap_return(struct elisa_vcpu *vcpu)
{
	vcpu->trap = true;
	set_default(vcpu, vcpu->default_eptp);
}

/* VMFUNC and descriptor-table exiting on or off, as the VMCS may have lost them. */
static void set_controls(struct elisa_vcpu *vcpu, bool on)
{
	const u64 ours = SECONDARY_EXEC_ENABLE_VMFUNC | SECONDARY_EXEC_DESC;
	u64 secondary;

	if (!on) {
		if (vcpu->enabled) {
			vmcs_set(ELISA_VMCS_FUNCTION_CONTROL, 0);
			vcpu->enabled = false;
			elisa_count(ELISA_COUNT_CLOSED);
		}
		if (!bitmap_empty(vcpu->used, ELISA_SLOTS))
			return;
		/* nobody is left who handles these exits: KVM would warn of VMFUNC's */
		if (vcpu->controls) {
			secondary = vmcs_get(SECONDARY_VM_EXEC_CONTROL) &
				    ~(u64)SECONDARY_EXEC_ENABLE_VMFUNC;
			if (boot_cpu_has(X86_FEATURE_UMIP) ||
			    !(vcpu->kvm_vcpu->arch.cr4 & X86_CR4_UMIP))
				secondary &= ~(u64)SECONDARY_EXEC_DESC;
			vmcs_set(SECONDARY_VM_EXEC_CONTROL, secondary);
			vcpu->controls = false;
		}
		elisa_vcpu_idle(vcpu);
		return;
	}
	vcpu->controls = true;
	secondary = vmcs_get(SECONDARY_VM_EXEC_CONTROL);
	if ((secondary & ours) != ours)
		vmcs_set(SECONDARY_VM_EXEC_CONTROL, secondary | ours);
	if (!vcpu->enabled) {
		vmcs_set(ELISA_VMCS_EPTP_LIST, __pa(vcpu->list));
		vmcs_set(ELISA_VMCS_FUNCTION_CONTROL, ELISA_VMFUNC_EPTP_SWITCHING);
		/* another root may have been loaded while nobody looked */
		invvpid_single(vmcs_get(VIRTUAL_PROCESSOR_ID));
		vcpu->enabled = true;
	}
}

/* A fast path of KVM re-enters without the exit hook: the VMCS still is in the call. */
static void reentered(struct elisa_vcpu *vcpu, struct elisa_context *c, enum elisa_where where,
		      bool open)
{
	enum elisa_call_error error = c->revoked ? ELISA_CALL_REVOKED : ELISA_CALL_CLOSED;

	u64 *in = &vcpu->list[ELISA_INDEX_GATE_IN(c->attachment->slot)];
	u64 *sub = &vcpu->list[ELISA_INDEX_SUB(c->attachment->slot)];
	u64 kept_in = *in, kept_sub = *sub;

	if (open && !c->revoked) {
		if (!vcpu->stale)
			return;
		/* other slots' entries may be stale; this one's are the running call's */
		elisa_list_reset(vcpu);
		*in = kept_in;
		*sub = kept_sub;
		return;
	}
	c = caller_of(vcpu, c, &where);
	end_call(vcpu, c, where, error);
}

/* Last thing before an entry; IRQs and preemption are off, the VMCS is loaded. */
void elisa_enter(struct elisa_vcpu *vcpu)
{
	struct kvm_vcpu *kvm_vcpu = vcpu->kvm_vcpu;
	enum elisa_call_error error;
	struct elisa_context *c;
	enum elisa_where where;
	u64 eptp;
	bool open;

	raw_spin_lock(&vcpu->lock);
	if (!vcpu->list || (kvm_vcpu->arch.hflags & HF_GUEST_MASK))
		goto out;
	vcpu->inside = true;
	vcpu->entries++;
	if (!cpumask_test_cpu(raw_smp_processor_id(), vcpu->vm->cpus))
		cpumask_set_cpu(raw_smp_processor_id(), vcpu->vm->cpus);
	if (!(kvm_vcpu->arch.efer & EFER_LMA))
		vcpu->synced = false;
	open = vcpu->synced && !bitmap_empty(vcpu->used, ELISA_SLOTS) &&
	       elisa_predicate(kvm_vcpu, READ_ONCE(vcpu->vm->allow_pcid)) == ELISA_OK;
	if (vcpu->poisonings != atomic_read(&poisonings)) {
		vcpu->poisonings = atomic_read(&poisonings);
		vcpu->stale = true;
	}
	eptp = vmcs_get(EPT_POINTER);
	c = eptp == vcpu->default_eptp ? NULL : context_of(vcpu, eptp, &where);
	if (c)
		reentered(vcpu, c, where, open);
	else
		set_default(vcpu, eptp);
	if (vcpu->stale && !c)
		elisa_list_reset(vcpu);
	if (vcpu->fresh) {
		/*
		 * KVM frees its roots without an INVEPT, counting on one when the page becomes
		 * a root again. Ours may have been one: what this CPU remembers under such a
		 * page goes before its first use. Before the vCPU runs on another CPU, KVM
		 * does the same there (vmx_vcpu_load_vmcs(), vmx_flush_tlb_all()).
		 */
		invept_all();
		vcpu->fresh = false;
	}
	if (vcpu->stash.active) {
		error = may_resume(vcpu, open);
		if (error == ELISA_CALL_OK && !shown_untouched(vcpu))
			error = ELISA_CALL_VMM;
		if (error == ELISA_CALL_OK)
			resume_call(vcpu);
		else
			end_stashed(vcpu, error);
	} else if (vcpu->trap && !c) {
		vcpu->trap = false;
		set_default(vcpu, eptp);
	}
	/* another root than the guest itself loaded: KVM flushed only its own context */
	if (vcpu->enabled && vmcs_get(GUEST_CR3) != vcpu->exit_cr3)
		invvpid_single(vmcs_get(VIRTUAL_PROCESSOR_ID));
	vcpu->exit_cr3 = vmcs_get(GUEST_CR3);
	set_controls(vcpu, open);
out:
	raw_spin_unlock(&vcpu->lock);
}

/* KVM resets the vCPU: an interrupted call ends, and it must be set up anew. */
void elisa_vcpu_was_reset(struct elisa_vcpu *vcpu)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	vcpu->synced = false;
	vcpu->stash.touched = true;
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
}

/*
 * The VMM asks for or changes the vCPU's state: the call ends. Vector registers are in
 * KVM's memory now (the vCPU's mutex is held, so it does not run) and are cleared there.
 */
void elisa_vcpu_touched(struct elisa_vcpu *vcpu)
{
	struct fpstate *fpstate = vcpu->kvm_vcpu->arch.guest_fpu.fpstate;
	unsigned long flags;

	raw_spin_lock_irqsave(&vcpu->lock, flags);
	if (vcpu->stash.active) {
		vcpu->stash.touched = true;
		if (vcpu->stash.vector)
			forget_vector_state(fpstate);
	}
	forget_stale_state(fpstate);
	raw_spin_unlock_irqrestore(&vcpu->lock, flags);
}
