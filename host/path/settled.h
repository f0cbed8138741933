/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fast path of a vCPU that is set up and makes no calls at the moment. Most of its exits
 * concern KVM alone, and the next entry is like the last one. Both hooks detect that by the
 * functions below, and then do nothing.
 *
 * A vCPU is settled by an entry into default with VMFUNC on (enter.c). It stays settled over exits
 * in default that are quiet (predicate.h); all others, ioctls and resets unsettle it.
 */
#ifndef ELISA_HOST_SETTLED_H
#define ELISA_HOST_SETTLED_H

#include "path/predicate.h"
#include "path/state.h"
#include "path/switch.h"

/* vcpu->at_entry: settled and watched, outside, not stale */
#define EH_AT_ENTRY_SETTLED (EH_SETTLED | EH_OUTSIDE << 8 | EH_WATCH_HERE << 24)

/*
 * Tells whether the entry hook has no work, and moves the vCPU inside then. The vCPU may be inside
 * already, if its exit did not come to the exit hook. Before an entry, under vcpu->lock.
 */
static __always_inline bool eh_stays_settled(struct eh_vcpu *vcpu)
{
	const struct kvm_vcpu_arch *arch = &vcpu->kvm_vcpu->arch;

	BUILD_BUG_ON(ELISA_SLOTS > BITS_PER_LONG);
	if (vcpu->at_entry != EH_AT_ENTRY_SETTLED || vcpu->forget[0] ||
	    vcpu->poisonings != atomic_read(&eh_poisonings) ||
	    vcpu->cpu != raw_smp_processor_id() ||
	    READ_ONCE(vcpu->vm->allow_pcid) != vcpu->seen.allow_pcid ||
	    ((arch->efer ^ vcpu->seen.efer) | arch->pmu.pebs_enable | arch->hflags) ||
	    eh_host_traces() || vmcs_get(EPT_POINTER) != vcpu->default_eptp ||
	    vmcs_get(SECONDARY_VM_EXEC_CONTROL) != vcpu->seen.secondary)
		return false;
	eh_vcpu_move(vcpu, EH_INSIDE);
	vcpu->entries++;
	return true;
}

/* Tells whether a function has left its entry in the list armed. */
static __always_inline bool eh_is_sub_open(const struct eh_vcpu *vcpu)
{
	unsigned long used;

	for (used = READ_ONCE(vcpu->used[0]); used; used &= used - 1)
		if (vcpu->list[ELISA_INDEX_SUB(__ffs(used))] & INVALID_BITS)
			return true;
	return false;
}

/* Tells whether the module handles this exit in default, on a vCPU that is set up. */
static __always_inline bool eh_is_ours_in_default(u64 reason)
{
	return reason == EXIT_REASON_VMFUNC || reason == EXIT_REASON_GDTR_IDTR ||
	       reason == EXIT_REASON_LDTR_TR;
}

/*
 * Tells whether the exit concerns KVM alone, and moves the vCPU outside then. After an exit,
 * without the lock.
 *
 * Why it needs no lock. The vCPU was settled: VMFUNC is on, so the list page stays. No call was
 * suspended, so no time has to be forgotten. The timer ends no call without an armed sub. So this
 * changes no field that others read under the lock, but `phase`. After an exit that is not quiet
 * the next entry checks all state.
 */
static __always_inline bool eh_passes_by(struct eh_vcpu *vcpu)
{
	u64 reason;

	if (READ_ONCE(vcpu->phase) != EH_INSIDE)
		return true; /* nested guest mode, or never set up */
	if (vcpu->known != EH_SETTLED || vmcs_get(EPT_POINTER) != vcpu->default_eptp ||
	    eh_is_sub_open(vcpu))
		return false;
	reason = vmcs_get(VM_EXIT_REASON);
	if (!eh_is_quiet(vcpu->kvm_vcpu, reason)) {
		if (reason >= ELISA_EXIT_REASONS || eh_is_ours_in_default(reason))
			return false;
		vcpu->known = EH_UNKNOWN;
		vcpu->exit_cr3 = vmcs_get(GUEST_CR3);
	}
	vcpu->exits[reason]++;
	smp_store_release(&vcpu->phase, EH_OUTSIDE);
	return true;
}

#endif
